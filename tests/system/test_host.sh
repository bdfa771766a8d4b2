#!/usr/bin/env bash
# The commands where something around them is wrong: closed standard streams, broken configurations and
# weights, plugins that break their word, options that contradict each other.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/system/lib.sh
. tests/system/lib.sh
begin modelhost
modelhost=$build/bin/modelhost program=$modelhost
pkgmgr=$build/bin/pkgmgr
export MODELHOST_STORE=$work/store
unset MODELHOST_PLUGIN_PATH

# ---- authors' folders

cpu=backends/cpu
package() { # DIR: the demo model, anew
    rm -rf "${1:?}"
    demo_package "$1"
}
echo_package() { # DIR CONFIG: the fixture tests/abi/plugin_echo.c
    rm -rf "${1:?}"
    mkdir -p "$1/$cpu"
    printf '%s' "$2" >"$1/$cpu/config.json"
    cp "$build/tests/plugin_echo.so" "$1/$cpu/libmodel.so"
}
facts=$work/facts bad=$work/bad
package "$facts"
cow='A cow says [MASK].'

# ---- closed standard streams

"$modelhost" run "$facts" -q --text "$cow" <&- >"$work/out" 2>"$work/err"
same 'without standard input an answer comes' $? 0
ok 'and is right' prints moo
"$modelhost" run "$facts" --text "$cow" 2>&- >"$work/out" </dev/null
same 'without standard error an answer comes' $? 0
same 'and nothing else is in it' "$(grep -c modelhost: "$work/out")" 0
"$modelhost" run "$facts" -q --text "$cow" >&- 2>"$work/err" </dev/null
same 'without standard output the lost answer is an error' $? 8
"$modelhost" run "$facts" -q --text "$cow" <&- >&- 2>&-
same 'without any of them, too' $? 8
"$modelhost" run "$facts" -q <&- >"$work/out" 2>"$work/err"
same 'texts from a closed standard input are an error' $? 8
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

# ---- packages that cannot be opened: exit code 7, whatever is wrong

configure() { # KEY JSON: the demo model with another value in its configuration; "" takes it out
    package "$bad"
    python3 - "$bad/$cpu/config.json" "$1" "$2" <<'PY'
import json, sys
path, key, value = sys.argv[1:]
config = json.load(open(path))
config.pop(key, None)
if value:
    config[key] = json.loads(value)
json.dump(config, open(path, 'w'))
PY
}
for value in '' 0 -1 '"16"' 1.5 null; do
    configure hidden_size "$value"
    refuses "hidden_size is '$value'" 7 hidden_size run "$bad" -q --text "$cow"
done
configure architectures '"BertForMaskedLM"'
refuses 'architectures is a string' 7 'architectures is not a list of strings' run "$bad" -q --text "$cow"
package "$bad"
sed -i 's/^{/{"hidden_size": 4,/' "$bad/$cpu/config.json"
refuses 'a key stands twice' 7 "the key 'hidden_size' stands twice" run "$bad" -q --text "$cow"
package "$bad"
rm "$bad/$cpu/config.json"
refuses 'no config.json' 7 'config.json is missing; a model without a configuration has one that says {}' run "$bad" -q --text "$cow"
mkfifo "$bad/$cpu/config.json"
refuses 'config.json is a pipe' 7 'config.json is not a regular file' run "$bad" -q --text "$cow"
package "$bad"
rm "$bad/$cpu/model.safetensors"
refuses 'no weights' 7 'no model.safetensors' run "$bad" -q --text "$cow"
: >"$bad/$cpu/pytorch_model.bin"
refuses 'only a pickle' 7 "pytorch_model.bin is a pickle, which is never opened: make safetensors of it with 'pkgmgr convert'" run "$bad" -q --text "$cow"
rude_package() { # CONFIG: the fixture tests/abi/plugin_rude.c
    echo_package "$bad" "$1"
    cp "$build/tests/plugin_rude.so" "$bad/$cpu/libmodel.so"
}
for status in 1 2 4; do
    rude_package "{\"create_status\":$status,\"says\":\"wrong\"}"
    refuses "a plugin that finds it wrong ($status)" 7 "plugin 'rude' 2.1.0 cannot run" run "$bad" --describe
done

# ---- weights that give no number

package "$bad"
python3 - "$bad/$cpu/model.safetensors" <<'PY'
import json, struct, sys
data = bytearray(open(sys.argv[1], 'rb').read())
n = struct.unpack('<Q', data[:8])[0]
header = json.loads(data[8:8 + n])
at = header['bert.embeddings.LayerNorm.weight']['data_offsets'][0] + 8 + n
data[at:at + 4] = struct.pack('<f', float('nan'))
open(sys.argv[1], 'wb').write(data)
PY
for task in fill-mask embed; do
    refuses "nan in the weights, $task" 1 'holds nan' run "$bad" -q --json --task "$task" --text "$cow"
    ok 'and nothing that looks like an answer' test ! -s "$work/out"
done

# ---- tensors

python3 - "$work/in.st" <<'PY'
import json, struct, sys
head = json.dumps({'x': {'dtype': 'F32', 'shape': [3, 4], 'data_offsets': [0, 48]}}).encode()
head += b' ' * (-len(head) % 8)
open(sys.argv[1], 'wb').write(struct.pack('<Q', len(head)) + head + bytes(48))
PY
rude_package '{}'
tensors() { # CODE SENTENCE NAME OUTPUTS OPTION...
    local code=$1 sentence=$2 name=$3 outputs=$4
    shift 4
    refuses "$name" "$code" "$sentence" run "$bad" -q --inputs "$work/in.st" --outputs "$outputs" "$@"
}
tensors 1 'a batch of 3 items, the model takes at most 2 at once' 'a batch beyond max_batch' "$work/out.st"
tensors 2 '--outputs wants a file' 'outputs to standard output' -
ok 'no file of that name' test ! -e ./-
cp "$work/in.st" "$work/before.st"
ln -s in.st "$work/link.st"
tensors 2 '--outputs is the file of --inputs; name another' 'outputs over the inputs' "$work/link.st"
for twice in "$work/o1.st" "$work/./o1.st"; do
    tensors 2 "--outputs names the file '$twice' twice" 'two answers for one file' "$work/o1.st" --inputs "$work/before.st" --outputs "$twice"
    ok 'nothing is written' test ! -e "$work/o1.st"
done
ok 'the inputs are still there' cmp "$work/in.st" "$work/before.st"
tensors 1 '--output-names: name 1 is empty' 'empty names of outputs' "$work/out.st" --output-names ,,,
for status in 2 7 8; do
    rude_package "{\"run_status\":$status}"
    python3 - "$work/in.st" <<'PY'
import json, struct, sys
head = json.dumps({'x': {'dtype': 'F32', 'shape': [1, 4], 'data_offsets': [0, 16]}}).encode()
head += b' ' * (-len(head) % 8)
open(sys.argv[1], 'wb').write(struct.pack('<Q', len(head)) + head + bytes(16))
PY
    tensors 1 "plugin 'rude' 2.1.0: run() failed with status $status" "run() that fails with status $status" "$work/out.st"
done

# ---- tasks that the model does not do

for task in token-classify token-classification; do
    refuses "$task of a model for masks" 1 'its own task is fill-mask' run "$facts" -q --task "$task" --text "$cow"
    ok 'words of the vocabulary are no labels' test ! -s "$work/out"
done
refuses 'classify of a model for masks' 1 "rank 2 over the batch; this is a BertForMaskedLM, its own task is fill-mask" run "$facts" -q --task classify --text "$cow"
refuses 'a task that is none' 2 "unknown task 'bogus'; there are embed, fill-mask, classify, token-classify, question, generate" run "$facts" -q --task bogus --text "$cow"

# ---- a deadline covers the loading

rude_package '{"mode":"slow_create"}'
timeout 8 "$modelhost" run "$bad" --describe --timeout 200ms >"$work/out" 2>"$work/err" </dev/null
same 'a load beyond its deadline ends with 124' $? 124
ok 'and says what was late' says 'deadline passed after 200 ms while the model was being loaded'
run run "$facts" -q --timeout 60s --text "$cow"
ok 'a load in time gives its answer' prints moo

# ---- the store

refuses 'a store that is a file' 8 'is not a folder; --store names another' run ns/name --store "$work/in.st" --text x
printf 'A cow says [MASK].\n\nA cow says [MASK].\n' | "$modelhost" run "$facts" -q >"$work/out" 2>"$work/err"
ok 'a blank line is named by its number' says 'text 2 has no mask'

summary
