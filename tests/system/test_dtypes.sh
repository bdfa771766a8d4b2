#!/usr/bin/env bash
# --dtype: what models answer in bf16, int8 and int4, compared with the original implementation's answers in float32
# (../shared/models), and who refuses it.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
program=$build/bin/modelhost
begin dtypes
export MODELHOST_STORE=$work/store PYTHONDONTWRITEBYTECODE=1
unset MODELHOST_PLUGIN_PATH
shared=$(cd "${SHARED:-../shared}" 2>/dev/null && pwd)

author_folder() { # NAME PLUGIN FOLDER: a package of these weights
    mkdir -p "$work/$1/backends/cpu"
    cp "$3/config.json" "$3/model.safetensors" "$work/$1/backends/cpu/"
    cp "$build/lib/modelhost/plugins/lib$2.so" "$work/$1/backends/cpu/libmodel.so"
}
# The cosine of an output of run.safetensors and the reference's, of all numbers together.
cosine() { # OUTPUT REFERENCE
    /usr/bin/python3 - "$work/run.safetensors" "$2" "$1" <<'PYTHON'
import json, sys
import numpy as np
def read(path, name):
    raw = open(path, 'rb').read()
    n = int.from_bytes(raw[:8], 'little')
    begin, end = json.loads(raw[8:8 + n])[name]['data_offsets']
    return np.frombuffer(raw[8 + n + begin:8 + n + end], np.float32).astype(np.float64)
found, want = (read(path, sys.argv[3]) for path in sys.argv[1:3])
print('%.6f' % (found @ want / np.sqrt((found @ found) * (want @ want))))
PYTHON
}
near() { # NAME PACKAGE DTYPE OUTPUT LEAST: runs the reference's inputs
    run run "$work/$2" -q --inputs "$reference" --outputs "$work/run.safetensors" --output-names "$4" --dtype "$3"
    ok "$1: $3 runs" test "$code" -eq 0
    found=$(cosine "$4" "$reference")
    ok "$1: $3 gives $4 with a cosine of $found, at least $5" awk -v f="$found" -v w="$5" 'BEGIN { exit !(f >= w && f <= 1.0001) }'
}

if [ -z "$shared" ] || ! /usr/bin/python3 -c 'import numpy' 2>/dev/null; then
    skipped 'what models answer: SHARED/models is absent'
else
    /usr/bin/python3 "$shared/models/synth.py" "$work/synth" bert-tiny-synth lstm-2x512-synth >/dev/null
    author_folder bert bert "$work/synth/bert-tiny-synth"
    author_folder lstm lstm "$work/synth/lstm-2x512-synth"
    author_folder gpt2 gpt2 "$shared/models/real/capp-gpt2"
    mkdir -p "$work/cifar/backends/cpu"
    cp "$shared"/models/real/cifar10-resnet20/{config.json,model.safetensors} "$work/cifar/backends/cpu/"
    cp "$build/examples/cifar-resnet.so" "$work/cifar/backends/cpu/libmodel.so"
    reference=$work/gpt2.safetensors # of five cases the longest
    /usr/bin/python3 - "$shared/models/real/capp-gpt2/reference.safetensors" "$reference" <<'PYTHON'
import json, struct, sys
raw = open(sys.argv[1], 'rb').read()
n = int.from_bytes(raw[:8], 'little')
table, head, data = json.loads(raw[8:8 + n]), {}, b''
for name in ('input_ids', 'logits'):
    entry = table[name + '_4']
    part = raw[8 + n + entry['data_offsets'][0]:8 + n + entry['data_offsets'][1]]
    head[name] = {**entry, 'data_offsets': [len(data), len(data) + len(part)]}
    data += part
text = json.dumps(head).encode()
open(sys.argv[2], 'wb').write(struct.pack('<Q', len(text)) + text + data)
PYTHON
    near 'a trained GPT-2' gpt2 bf16 logits 0.9999
    near 'a trained GPT-2' gpt2 int8 logits 0.999
    near 'a trained GPT-2' gpt2 int4 logits 0.98
    reference=$shared/models/bert-tiny-synth/reference.safetensors
    near 'BERT' bert f32 pooler_output 0.999999
    near 'BERT' bert bf16 pooler_output 0.9999
    near 'BERT' bert int8 pooler_output 0.999
    near 'BERT' bert int4 pooler_output 0.98
    reference=$shared/models/lstm-2x512-synth/reference.safetensors
    near 'LSTM' lstm f32 h_n 0.999999
    near 'LSTM' lstm bf16 h_n 0.9999
    near 'LSTM' lstm int8 h_n 0.9999
    reference=$work/pictures.safetensors # of the reference's tensors the input and the answer
    /usr/bin/python3 - "$shared/models/real/cifar10-resnet20/reference.safetensors" "$reference" <<'PYTHON'
import json, struct, sys
raw = open(sys.argv[1], 'rb').read()
n = int.from_bytes(raw[:8], 'little')
table, head, data = json.loads(raw[8:8 + n]), {}, b''
for name in ('pixel_values', 'logits'):
    begin, end = table[name]['data_offsets']
    head[name] = {**table[name], 'data_offsets': [len(data), len(data) + end - begin]}
    data += raw[8 + n + begin:8 + n + end]
text = json.dumps(head).encode()
open(sys.argv[2], 'wb').write(struct.pack('<Q', len(text)) + text + data)
PYTHON
    case $build in
    *-portable*)
        run run "$work/cifar" -q --describe --dtype int8
        same 'convolutions in plain C: exit code' "$code" 1
        ok 'convolutions in plain C: f32 only' says 'convolutions in plain C are computed in f32 only, not in int8'
        ;;
    *)
        near 'a trained residual network' cifar bf16 logits 0.9999
        near 'a trained residual network' cifar int8 logits 0.9995
        ;;
    esac
fi

# ---- who has it, and who has not

demo_package "$work/facts"
run run "$work/facts" -q --describe --dtype bf16
ok 'a model says what it computes in' json 'j["compute_dtype"] == "bf16"'
run run "$work/facts" -q --text 'a [MASK] fox'
cp "$work/out" "$work/whole"
run run "$work/facts" -q --text 'a [MASK] fox' --set dtype=bf16
ok 'the key of the configuration does the same' test "$code" -eq 0
for isolation in inproc worker; do
    run run "$work/facts" -q --json --text 'a [MASK] fox' --dtype int8 --isolation $isolation
    cp "$work/out" "$work/$isolation"
done
ok 'a worker computes in it, too' cmp -s "$work/inproc" "$work/worker"
run run "$work/facts" -q --json --text 'a [MASK] fox'
ok 'float32 gives other numbers' not cmp -s "$work/out" "$work/inproc"

fails 'an unknown dtype' 2 "modelhost run: --dtype is 'fp8', want f32, bf16, int8, int4 or auto; see 'modelhost help run'" run "$work/facts" --text a --dtype fp8
mkdir -p "$work/echo/backends/cpu"
echo '{"model_type": "echo"}' >"$work/echo/backends/cpu/config.json"
cp "$build/tests/plugin_echo.so" "$work/echo/backends/cpu/libmodel.so"
run run "$work/echo" -q --describe --dtype int8
ok 'a plugin that never heard of it is refused' says 'it computes in f32, dtype int8 was asked for; leave the dtype out, or take a plugin that has it'
same 'with the code of a failure' "$code" 1
summary
