#!/usr/bin/env bash
# The example programs do what their comments say: embed.c and generate.c download from a hub (the built-in
# one), load and run; plugin_scale.c becomes a package that runs.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
work=$(mktemp -d "${TMPDIR:-/tmp}/examples.XXXXXX") || exit 1
hub_pid=''
finish() {
    [ -z "$hub_pid" ] || kill "$hub_pid" 2>/dev/null
    rm -rf "$work"
}
trap finish EXIT
n_passed=0 n_failed=0
ok() { # NAME COMMAND...
    local name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        echo "ok - $name"
        n_passed=$((n_passed + 1))
    else
        echo "FAIL - $name ($*)"
        sed 's/^/    /' "$work/log"
        n_failed=$((n_failed + 1))
    fi
}

# ---- embed.c

mkfifo "$work/url"
"$BUILD/bin/pkgmgr" serve examples/demo/hub --port 0 >"$work/url" 2>"$work/hub.log" </dev/null &
hub_pid=$!
read -r -t 20 url <"$work/url"
embed() {
    env -u HF_TOKEN HF_ENDPOINT="$url" HF_HOME="$work/hf" MODELHOST_STORE="$work/store" \
        MODELHOST_PLUGIN_PATH="$BUILD/lib/modelhost/plugins" "$@"
}
ok 'embed downloads, loads and runs' \
    eval "embed '$BUILD/examples/embed' modelhost/facts-bert-mini >'$work/answer'"
ok 'its answer is right' grep -q '"token_str":"capital"' "$work/answer"
embed "$BUILD/examples/generate" modelhost/tales-char-lstm 'Once upon a time' >"$work/tale" 2>"$work/log"
ok 'generate downloads, loads and streams' [ $? -eq 0 -a "$(head -c 7 "$work/tale")" = ' there ' ]
ok 'what it streams is what modelhost run says' eval \
    "embed '$BUILD/bin/modelhost' run modelhost/tales-char-lstm -q --text 'Once upon a time' --temperature 0.8 | cmp - '$work/tale'"
ok 'a text that is none is refused with a sentence' eval \
    "embed '$BUILD/examples/generate' modelhost/tales-char-lstm '' 2>&1 | grep -q '^generate: prompt 1: no tokens'"
kill "$hub_pid"
wait "$hub_pid" 2>/dev/null
hub_pid=''
ok 'the second time it needs no network' \
    embed env HF_HUB_OFFLINE=1 "$BUILD/examples/embed" modelhost/facts-bert-mini 'A cow says [MASK].'
statements=$(sed -n '/modelhost_download/,/^}/p' examples/embed.c | grep -c ';')
ok 'the program is fewer than 10 statements' [ "$statements" -lt 10 ]

# ---- plugin_scale.c

package=$work/mine
mkdir -p "$package/backends/cpu"
cp "$BUILD/examples/plugin_scale.so" "$package/backends/cpu/libmodel.so"
echo '{"model_type":"scale","factor":10}' >"$package/backends/cpu/config.json"
cat >"$work/tensors.py" <<'PY'
import json, struct, sys
def write(path, name, shape, values):
    raw = struct.pack('<%df' % len(values), *values)
    head = json.dumps({name: {'dtype': 'F32', 'shape': shape, 'data_offsets': [0, len(raw)]}}).encode()
    open(path, 'wb').write(struct.pack('<Q', len(head)) + head + raw)
def read(path, name):
    raw = open(path, 'rb').read()
    n = struct.unpack('<Q', raw[:8])[0]
    a, b = json.loads(raw[8:8 + n])[name]['data_offsets']
    return struct.unpack('<%df' % ((b - a) // 4), raw[8 + n + a:8 + n + b])
PY
cd "$work" || exit 1
python3 -c 'from tensors import write
write("mine/backends/cpu/model.safetensors", "scale", [3], [1, 2, 3])
write("x.safetensors", "x", [2, 3], [1, 1, 1, 2, 2, 2])'
cd "$OLDPWD" || exit 1
modelhost=$BUILD/bin/modelhost
ok 'the example plugin runs as a package' \
    "$modelhost" run "$package" -q --inputs "$work/x.safetensors" --outputs "$work/y.safetensors"
ok 'and computes what it says' env PYTHONPATH="$work" python3 -c "
from tensors import read
assert read('$work/y.safetensors', 'y') == (10, 20, 30, 20, 40, 60), read('$work/y.safetensors', 'y')"
echo '{"model_type":"scale","factor":"ten"}' >"$package/backends/cpu/config.json"
ok 'its errors reach the user' \
    eval "'$modelhost' run '$package' -q --describe 2>&1 | grep -q \"config.json: 'factor' is no number\""

echo "$n_passed passed, $n_failed failed"
[ "$n_failed" -eq 0 ]
