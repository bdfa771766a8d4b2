#!/usr/bin/env bash
# The modelhost command on the character model that the repository ships: streams in pieces
# (--stateful), several runs at once, and what is refused.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
program=$build/bin/modelhost
begin modelhost-lstm
export MODELHOST_STORE=$work/store PYTHONDONTWRITEBYTECODE=1
unset MODELHOST_PLUGIN_PATH
tales=$work/tales facts=$work/facts
source=$PWD/examples/demo/hub/modelhost/tales-char-lstm
mkdir -p "$tales/backends/cpu"
cp "$source"/config.json "$source"/model.safetensors "$tales/backends/cpu/"
cp "$source"/tokenizer.json "$source"/tokenizer_config.json "$source"/generation_config.json "$tales/"
cp "$build"/lib/modelhost/plugins/liblstm.so "$tales/backends/cpu/libmodel.so"
demo_package "$facts"
write_tensors_module
cd "$work" || exit 1

run run "$tales" -q --describe
ok 'it says that it generates text' json 'j["task"] == "text-generation" and [o["name"] for o in j["outputs"]] == ["output", "h_n", "c_n", "logits", "next_token_logits"]'

# ---- pieces

python3 - <<'PY'
from tensors import write
text = list(b'Once upon a time there was a little fox who lived by the river. ')
def ids(name, part, more={}):
    write(name, {'input_ids': ('I64', [1, len(part)], part), **more})
ids('all.safetensors', text)
for i, (a, b) in enumerate([(0, 5), (5, 6), (6, 40), (40, len(text))]):
    ids('p%d.safetensors' % i, text[a:b])
ids('twice.safetensors', text * 2)
ids('unknown.safetensors', [1, 257])
write('empty.safetensors', {'input_ids': ('I64', [1, 0], [])})
write('batch.safetensors', {'input_ids': ('I64', [2, 3], [65, 66, 67] * 2)})
ids('state.safetensors', text, {'h0': ('F32', [2, 1, 95], [0] * 190), 'c0': ('F32', [2, 1, 96], [0] * 192)})
PY
pieces=()
for i in 0 1 2 3; do pieces+=(--inputs "p$i.safetensors" --outputs "o$i.safetensors"); done
run run "$tales" -q --inputs all.safetensors --outputs whole.safetensors
same 'a whole text runs' "$code" 0
run run "$tales" --stateful "${pieces[@]}"
same 'pieces run' "$code" 0
same 'each piece has a line of timing' "$(grep -c '^modelhost: [0-9]* tensors in' "$work/err")" 4
cat >same.py <<'PY'
import sys
from tensors import read
whole, parts = read('whole.safetensors'), [read('o%d.safetensors' % i) for i in range(4)]
def near(a, b): return len(a) == len(b) and max(abs(x - y) for x, y in zip(a, b)) < 1e-5
joined = sum((list(p['logits'][1]) for p in parts), [])
end = all(near(whole[name][1], parts[3][name][1]) for name in ('h_n', 'c_n'))
sys.exit(not (near(whole['logits'][1], joined) and end))
PY
ok 'pieces of a stream give what the whole gives' python3 same.py
run run "$tales" -q "${pieces[@]}"
same 'several runs' "$code" 0
ok 'without --stateful they know nothing of each other' not python3 same.py
run run "$tales" -q --inputs p0.safetensors --outputs alone.safetensors
run run "$tales" -q --inputs all.safetensors --outputs x.safetensors --inputs p0.safetensors --outputs again.safetensors
ok 'and the second run is that of its file alone' cmp alone.safetensors again.safetensors
rm -f x.safetensors again.safetensors alone.safetensors o?.safetensors

# ---- refusals

describe="'modelhost run PKG --describe' shows what the model takes and gives"
wrong() { # NAME TEXT INPUTS
    fails "$1" 1 "modelhost: $2; $describe" run "$tales" -q --inputs "$3" --outputs x.safetensors
}
wrong 'an unknown id' "plugin 'lstm' 1.0.0: input_ids[0, 1] is 257, want 0 to 256 (vocab_size 257)" unknown.safetensors
wrong 'a sequence of length 0' "'input_ids': dimension 1 (sequence) is 0, want at least 1" empty.safetensors
wrong 'a state of the wrong shape' "'h0': dimension 2 is 95, want 96" state.safetensors
run run "$tales" -q --stateful --inputs all.safetensors --outputs x.safetensors --inputs batch.safetensors --outputs y.safetensors
same 'a stream whose batch changes ends there' "$code" 1
said 'a stream whose batch changes: the sentence' "modelhost: the session has a batch of 1, this call has 2; $describe"
ok 'what was written before stays' test -s x.safetensors -a ! -e y.safetensors
rm -f x.safetensors
fails 'a stream through a model without memory' 1 \
    'modelhost: this BertForMaskedLM remembers nothing between calls: run it without a session' \
    run "$facts" -q --stateful --inputs all.safetensors --outputs x.safetensors
run run "$tales" --stateful --text x
same '--stateful is for tensors' "$code" 2
ok '--stateful is for tensors, it says' says '--stateful goes with --inputs'
run run "$tales" --inputs all.safetensors --inputs p0.safetensors --outputs x.safetensors
same 'inputs and outputs come in pairs' "$code" 2
ok 'inputs and outputs come in pairs, it says' says '--inputs and --outputs go together'
summary
