#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154 # what the tests read and set
# What the system tests share: checks that count themselves, a command whose whole behaviour is caught,
# and failures that are compared to the letter. Sourced, not run; the test calls begin and summary.
#
#   BUILD, build               what is tested, as it was given and absolute
#   begin NAME                  $work, a folder that is removed at the end; on_exit COMMAND joins in
#   ok NAME COMMAND...          one check
#   same NAME FOUND WANT        two texts are equal; has and lacks look for a part
#   run ARGUMENT...             runs $program: $work/out, $work/err, $code, $out
#   fails NAME CODE TEXT ARGUMENT...   run fails with this code, TEXT is the whole of stderr, stdout is
#                               empty, and what was there before is there again, nothing half-made added
#   failed NAME CODE TEXT       the same for what has just run (see remember)
#   refuses NAME CODE PART ARGUMENT... run fails with this code, PART is in stderr and stdout is empty
#   start_hub OPTION...         serves $work/hub as it is now; HF_ENDPOINT, $hub_pid, its words in $work/log
#   stop_hub                    ends it; the end of the test does, too
set -u

BUILD=${BUILD:-build}
build=$(cd "$BUILD" && pwd) || exit 1
n_passed=0 n_failed=0 n_skipped=0
exit_commands=()
hub_pid=''

begin() { # NAME
    work=$(mktemp -d "${TMPDIR:-/tmp}/$1.XXXXXX") || exit 1
    trap finish EXIT
}
on_exit() { exit_commands+=("$1"); }
finish() {
    local command
    for command in ${exit_commands[@]+"${exit_commands[@]}"}; do $command; done
    chmod -R u+rwx "$work" 2>/dev/null
    rm -rf "$work"
}
summary() { # the count, and whether all is well
    echo "$n_passed passed, $n_failed failed, $n_skipped skipped"
    [ "$n_failed" -eq 0 ]
}

# ---- checks

pass() {
    echo "ok - $1"
    n_passed=$((n_passed + 1))
}
fail() { # NAME WHY
    echo "FAIL - $1${2:+: $2}"
    n_failed=$((n_failed + 1))
}
skipped() {
    echo "skip: $1"
    n_skipped=$((n_skipped + 1))
}
ok() { # NAME COMMAND...
    local name=$1
    shift
    if "$@" >/dev/null 2>&1; then
        pass "$name"
    else
        fail "$name" "$*"
        sed 's/^/    stderr: /' "$work/err" 2>/dev/null
    fi
}
same() { # NAME FOUND WANT
    if [ "$2" = "$3" ]; then
        pass "$1"
    else
        fail "$1" 'not what was wanted'
        sed 's/^/    found: /' <<<"$2"
        sed 's/^/    want:  /' <<<"$3"
    fi
}
has() { # NAME TEXT PART
    case $2 in *"$3"*) pass "$1" ;; *) fail "$1" "'$3' is not in: $2" ;; esac
}
lacks() { # NAME TEXT PART
    case $2 in *"$3"*) fail "$1" "'$3' is in: $2" ;; *) pass "$1" ;; esac
}
not() { ! "$@"; }
empty() { [ ! -s "$1" ]; }

# ---- a command

run() { # ARGUMENT...: $program with a code, an output and messages
    timeout 120 "$program" "$@" >"$work/out" 2>"$work/err" </dev/null
    code=$?
    out=$(cat "$work/out")
}
prints() { grep -qF -- "$1" "$work/out"; }
says() { grep -qF -- "$1" "$work/err"; }
json() { # PYTHON: an expression over the JSON document `j` that was printed
    python3 -c 'import json, sys; j = json.load(open(sys.argv[1])); sys.exit(not eval(sys.argv[2]))' "$work/out" "$1"
}
said() { # NAME TEXT: the whole of stderr, with the newline at its end; '' is nothing at all
    local want=$2
    [ -z "$want" ] || want=$want$'\n'
    same "$1" "$(cat "$work/err" && echo .)" "$want."
}

# ---- failures to the letter

# What a failure must leave as it was: every file of the test, and of each store all but its own empty
# folders, the blobs that are whole and parts of files, which the next attempt uses.
state() {
    find "$work" ! -path "$work/out" ! -path "$work/err" ! -path "$work/log" ! -path "$work/state" \
        ! -path '*/blobs/sha256/*' ! -path '*/partial/*' \( -type f -printf '%p %s %T@\n' -o -type d -printf '%p\n' -o -printf '%p %l\n' \) |
        grep -vE '/store[0-9]*(/(blobs(/sha256)?|packages|refs|tmp|partial|leases|lock|CACHEDIR.TAG.*))?$' | LC_ALL=C sort
}
# Blobs whose bytes are not what their name says.
broken_blobs() {
    find "$work" -path '*/blobs/sha256/*' -type f -print0 | xargs -0 -r sha256sum |
        awk '{ n = split($0, part, "/"); if (part[n] != $1) print substr($0, 67) }'
}
remember() { state >"$work/state"; }
failed() { # NAME CODE TEXT
    same "$1: exit code" "$code" "$2"
    said "$1: the sentence" "$3"
    ok "$1: prints no result" empty "$work/out"
    same "$1: leaves all as it was" "$(state | diff "$work/state" -)" ''
    same "$1: leaves no broken blob" "$(broken_blobs)" ''
}
fails() { # NAME CODE TEXT ARGUMENT...
    local name=$1 want=$2 text=$3
    shift 3
    remember
    run "$@"
    failed "$name" "$want" "$text"
}
refuses() { # NAME CODE PART ARGUMENT...
    local name=$1 want=$2 part=$3
    shift 3
    run "$@"
    same "$name: exit code" "$code" "$want"
    ok "$name: says '$part'" says "$part"
    ok "$name: prints nothing" empty "$work/out"
}

# ---- a hub

stop_hub() { [ -z "$hub_pid" ] || { kill "$hub_pid" && wait "$hub_pid"; } 2>/dev/null; hub_pid=''; }
start_hub() { # OPTION...
    [ -n "$hub_pid" ] || on_exit stop_hub
    stop_hub
    : >"$work/url"
    "$build/bin/pkgmgr" serve "$work/hub" --port 0 --verbose "$@" >"$work/url" 2>"$work/log" &
    hub_pid=$!
    until [ -s "$work/url" ]; do
        kill -0 "$hub_pid" || { cat "$work/log"; exit 1; }
        read -rt 0.05 <> <(:)
    done
    HF_ENDPOINT=$(head -n 1 "$work/url")
    export HF_ENDPOINT
}

# ---- the model that the repository ships

model=$PWD/examples/demo/hub/modelhost/facts-bert-mini
demo_package() { # DIR: as an author would lay it out
    mkdir -p "$1/backends/cpu"
    cp "$model"/config.json "$model"/model.safetensors "$1/backends/cpu/"
    cp "$model"/tokenizer.json "$model"/tokenizer_config.json "$1/"
    cp "$build"/lib/modelhost/plugins/libbert.so "$1/backends/cpu/libmodel.so"
}
write_tensors_module() { # $work/tensors.py: write(path, {name: (dtype, shape, values)}) and read(path)
    cat >"$work/tensors.py" <<'PY'
import json, struct, sys
def write(path, tensors):
    head, data = {}, b''
    for name, (dtype, shape, values) in tensors.items():
        raw = struct.pack('<%d%s' % (len(values), {'I64': 'q', 'I32': 'i', 'F32': 'f'}[dtype]), *values)
        head[name] = {'dtype': dtype, 'shape': shape, 'data_offsets': [len(data), len(data) + len(raw)]}
        data += raw
    write_raw(path, head, data)
def write_raw(path, head, data):
    head = head if isinstance(head, bytes) else json.dumps(head).encode()
    head += b' ' * (-len(head) % 8)
    open(path, 'wb').write(struct.pack('<Q', len(head)) + head + data)
def read(path):
    raw = open(path, 'rb').read()
    n = struct.unpack('<Q', raw[:8])[0]
    head = json.loads(raw[8:8 + n])
    return {k: (v['shape'], struct.unpack('<%df' % ((v['data_offsets'][1] - v['data_offsets'][0]) // 4),
                raw[8 + n + v['data_offsets'][0]:8 + n + v['data_offsets'][1]])) for k, v in head.items() if k != '__metadata__'}
PY
}

# There are hundreds of these, and a plugin with sanitizers has 40 MB: a link.
coreml_package() { # NAME: what $work/made/NAME holds, as a package in $work/NAME
    local backend=$work/$1/backends/coreml
    mkdir -p "$backend"
    ln -s "$(realpath "$build/lib/modelhost/plugins/libcoreml-ane.so")" "$backend/libmodel.so"
    mv "$work/made/$1"/model.ml* "$backend"
    echo '{"model_type": "coreml"}' >"$backend/config.json"
}
