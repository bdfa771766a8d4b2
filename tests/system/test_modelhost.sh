#!/usr/bin/env bash
# The modelhost command on the model that the repository ships, as a person uses it: answers and tensors;
# test_modelhost_errors.sh has what goes wrong. examples/demo/reference.json holds what PyTorch computed.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
modelhost=$build/bin/modelhost
program=$modelhost
begin modelhost
export MODELHOST_STORE=$work/store
unset MODELHOST_PLUGIN_PATH
version=$(sed -n 's/^#define MODELHOST_VERSION "\(.*\)"/\1/p' include/modelhost.h)

# ---- an author's folder with the demo model

facts=$work/facts
demo_package "$facts"

run run "$facts" --text 'Paris is the [MASK] of France.'
ok 'a mask is filled' prints 'paris is the capital of france.'
ok 'an unverified folder is warned about' says 'has no metadata.json'
ok 'the timing is on stderr' says 'modelhost: 1 text in'
run run "$facts" -q --text 'Paris is the [MASK] of France.'
ok 'quiet says nothing' empty "$work/err"

run run "$facts" -q --json --text 'Paris is the [MASK] of France.' --text 'The opposite of hot is [MASK].'
ok 'json holds one answer per text' json 'len(j) == 2'
ok 'the first answer is right' json 'j[0]["masks"][0]["candidates"][0]["token_str"] == "capital"'
ok 'the second answer is right' json 'j[1]["masks"][0]["candidates"][0]["token_str"] == "cold"'
printf 'A spider has [MASK] legs.\nA cow says [MASK].\n' | "$modelhost" run "$facts" -q --json >"$work/out" 2>"$work/err"
ok 'lines of stdin are texts' json '[a["masks"][0]["candidates"][0]["token_str"] for a in j] == ["eight", "moo"]'

# Many texts run in chunks; a long one among short ones must not widen them all.
python3 - "$work/many" <<'PY'
import sys
lines = ['A cow says [MASK].' if i % 2 else 'A spider has [MASK] legs.' for i in range(500)]
lines[250] = 'A cow says [MASK]. ' * 8
open(sys.argv[1], 'w').write('\n'.join(lines) + '\n')
PY
case $BUILD in *address* | *thread*) limit=unlimited ;; *) limit=3000000 ;; esac # sanitizers reserve terabytes
(ulimit -v "$limit"; exec "$modelhost" run "$facts" --json --top-k 1 --threads 1) <"$work/many" >"$work/out" 2>"$work/err"
ok 'many lines are one array in their order' json '[a["masks"][0]["candidates"][0]["token_str"] for a in j[:250] + j[251:]] == (["eight", "moo"] * 250)[:250] + (["eight", "moo"] * 250)[251:] and len(j) == 500'
ok 'the timing counts them all' says 'modelhost: 500 texts in'
"$modelhost" run "$facts" -q --top-k 1 <"$work/many" >"$work/out" 2>"$work/err"
same 'the table holds them all' "$(grep -c '^A ' "$work/out")" 500
cat >"$work/stream.py" <<'PY'
import subprocess, sys
p = subprocess.Popen([sys.argv[1], 'run', sys.argv[2], '-q', '--top-k', '1'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
p.stdin.write(b'A cow says [MASK].\n' * 200)
p.stdin.flush()
assert p.stdout.readline() == b'A cow says [MASK].\n'  # while the input is still open
p.stdin.close()
assert p.stdout.read().count(b'A cow') == 199
assert p.wait() == 0
PY
ok 'answers come while the input is still open' timeout 60 python3 "$work/stream.py" "$modelhost" "$facts"
run run "$facts" -q --json --top-k 2 --text 'A cow says [MASK].'
ok 'top-k bounds the candidates' json 'len(j[0]["masks"][0]["candidates"]) == 2'
run run "$facts" -q --json --task embed --text 'A cow' --text 'A cow says moo.'
ok 'embed gives a vector per text' json '[len(a["embedding"]) for a in j] == [128, 128]'

cat >"$work/reference.py" <<'PY'
import json, subprocess, sys
command, package = sys.argv[1:]
reference = json.load(open('examples/demo/reference.json'))
cases = reference['cases'] if isinstance(reference, dict) else reference
out = subprocess.run([command, 'run', package, '-q', '--json', '--top-k', '3']
                     + [w for c in cases for w in ('--text', c['text'])], stdout=subprocess.PIPE, check=True).stdout
for case, answer in zip(cases, json.loads(out)):
    found = answer['masks'][0]['candidates']
    for want, got in zip(case['top'], found):
        assert want['token'] == got['token_str'], (case['text'], want, got)
        assert abs(want['probability'] - got['score']) < 2e-5, (case['text'], want, got)
PY
ok 'answers and probabilities are those of PyTorch' python3 "$work/reference.py" "$modelhost" "$facts"

# ---- tensors

write_tensors_module
cd "$work" || exit 1
python3 - <<'PY'
from tensors import write
ids = [2, 10, 11, 12, 3]
write('in.safetensors', {'input_ids': ('I64', [1, 5], ids)})
write('batch.safetensors', {'input_ids': ('I64', [2, 7], ids + [0, 0] + ids + [0, 0]),
                            'attention_mask': ('I64', [2, 7], [1] * 5 + [0] * 2 + [1] * 5 + [0] * 2)})
PY
run run "$facts" -q --inputs in.safetensors --outputs single.safetensors --output-names last_hidden_state,logits
same 'tensors run' "$code" 0
run run "$facts" -q --inputs batch.safetensors --outputs batched.safetensors --output-names last_hidden_state,logits
cat >batch.py <<'PY'
from tensors import read
a, b = read('single.safetensors'), read('batched.safetensors')
assert set(a) == {'last_hidden_state', 'logits'}, set(a)
for name in a:
    assert a[name][0][0] == 1 and b[name][0][:2] == [2, 7]
    n, row = len(a[name][1]), len(b[name][1]) // 2
    for start in (0, row):
        assert max(abs(x - y) for x, y in zip(a[name][1], b[name][1][start:start + n])) < 1e-5
PY
ok 'a padded batch gives what singles give' python3 batch.py
# ---- help

run --help
ok 'help is printed on stdout' prints 'usage: modelhost COMMAND'
run run --help
ok 'a command has help' prints '--output-names A,B'
run --version
same 'the version is printed' "$out" "modelhost $version"

# ---- describe, plugins, explain, tokenize

run run "$facts" -q --describe
ok 'describe is JSON with inputs and outputs' json '[i["name"] for i in j["inputs"]][:1] == ["input_ids"] and j["task"] == "fill-mask"'
ok 'describe counts the parameters' json 'j["parameters"] == 673562'
run plugins
ok 'plugins lists bert' prints 'libbert.so'
run plugins --json
ok 'plugins as JSON' json '[p["abi"] for p in j if p["name"] == "bert"] == ["1.3"]'
run plugins --plugin-path "$build/tests"
same 'plugins says why one is refused' "$(grep -c refused "$work/out")" 0
run explain "$facts"
ok 'explain takes the own plugin' prints "taken         $facts/backends/cpu/libmodel.so (package): the package's own plugin"
run explain "$facts" --json
ok 'explain as JSON' json '[c["verdict"] for c in j["candidates"]][0] == "taken"'
run tokenize "$model" --text 'Paris is big.'
ok 'tokenize shows tokens' prints '[CLS] paris is'
printf '"Paris"\n{"text":"Paris","pair":"cow"}\n' | "$modelhost" tokenize "$model" --jsonl >"$work/lines" 2>"$work/err"
sed -n 2p "$work/lines" >"$work/out"
ok 'tokenize --jsonl takes pairs' json 'j["tokens"] == ["[CLS]", "paris", "[SEP]", "cow", "[SEP]"] and j["type_ids"] == [0, 0, 0, 1, 1]'
summary
