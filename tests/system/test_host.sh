#!/usr/bin/env bash
# The commands where something around them is wrong: closed standard streams, broken configurations and
# weights, plugins that break their word, options that contradict each other.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
root=$PWD build=$PWD/$BUILD
modelhost=$build/bin/modelhost
pkgmgr=$build/bin/pkgmgr
work=$(mktemp -d "${TMPDIR:-/tmp}/modelhost.XXXXXX") || exit 1
trap 'chmod -R u+w "$work" 2>/dev/null; rm -rf "$work"' EXIT
export MODELHOST_STORE=$work/store
unset MODELHOST_PLUGIN_PATH
n_passed=0 n_failed=0

ok() { # NAME COMMAND...: one check
    local name=$1
    shift
    if "$@" >/dev/null 2>&1; then
        echo "ok - $name"
        n_passed=$((n_passed + 1))
    else
        echo "FAIL - $name ($*)"
        sed 's/^/    stderr: /' "$work/err" 2>/dev/null
        n_failed=$((n_failed + 1))
    fi
}
run() { # ARGUMENT...: modelhost, its output and messages in files
    "$modelhost" "$@" >"$work/out" 2>"$work/err" </dev/null
    code=$?
}
same() { [ "$1" = "$2" ]; }
prints() { grep -qF -- "$1" "$work/out"; }
says() { grep -qF -- "$1" "$work/err"; }
fails() { # NAME CODE SENTENCE ARGUMENT...
    local name=$1 want=$2 sentence=$3
    shift 3
    run "$@"
    ok "$name: exit code $want, not $code" same "$code" "$want"
    ok "$name: says '$sentence'" says "$sentence"
}

# ---- authors' folders

model=$root/examples/demo/hub/modelhost/facts-bert-mini
cpu=backends/cpu
package() { # DIR: the demo model as an author would lay it out
    rm -rf "${1:?}"
    mkdir -p "$1/$cpu"
    cp "$model"/config.json "$model"/model.safetensors "$1/$cpu/"
    cp "$model"/tokenizer.json "$model"/tokenizer_config.json "$1/"
    cp "$build"/lib/modelhost/plugins/libbert.so "$1/$cpu/libmodel.so"
}
echo_package() { # DIR CONFIG: the fixture tests/abi/plugin_echo.c
    rm -rf "${1:?}"
    mkdir -p "$1/$cpu"
    printf '%s' "$2" >"$1/$cpu/config.json"
    cp "$build/tests/plugin_echo.so" "$1/$cpu/libmodel.so"
}
facts=$work/facts bad=$work/bad echo=$work/echo
package "$facts"
cow='A cow says [MASK].'

# ---- closed standard streams

"$modelhost" run "$facts" -q --text "$cow" <&- >"$work/out" 2>"$work/err"
ok 'without standard input an answer comes' same $? 0
ok 'and is right' prints moo
"$modelhost" run "$facts" --text "$cow" 2>&- >"$work/out" </dev/null
ok 'without standard error an answer comes' same $? 0
ok 'and nothing else is in it' same "$(grep -c modelhost: "$work/out")" 0
"$modelhost" run "$facts" -q --text "$cow" >&- 2>"$work/err" </dev/null
ok 'without standard output the lost answer is an error' same $? 8
"$modelhost" run "$facts" -q --text "$cow" <&- >&- 2>&-
ok 'without any of them, too' same $? 8
"$modelhost" run "$facts" -q <&- >"$work/out" 2>"$work/err"
ok 'texts from a closed standard input are an error' same $? 8
cat >"$work/serve.py" <<'PY'
import signal, socket, subprocess, sys, time
probe = socket.socket()
probe.bind(('127.0.0.1', 0))
port = probe.getsockname()[1]
probe.close()
p = subprocess.Popen(['bash', '-c', 'exec "$0" serve "$2" --port "$1" ' + sys.argv[3], sys.argv[1], str(port), sys.argv[2]])
while p.poll() is None:
    try:
        socket.create_connection(('127.0.0.1', port)).close()
        break
    except OSError:
        time.sleep(0.02)
p.send_signal(signal.SIGTERM)
assert p.wait() == int(sys.argv[4])
PY
mkdir -p "$work/mirror"
for closed in '<&-' '2>&-' '<&- 2>&-'; do
    want=0
    ok "the mirror lives with $closed" timeout 60 python3 "$work/serve.py" "$pkgmgr" "$work/mirror" "$closed" "$want"
done

echo "$n_passed passed, $n_failed failed"
[ "$n_failed" -eq 0 ]
