#!/usr/bin/env bash
# The modelhost command on the model that the repository ships, as a person uses it: answers, tensors,
# messages and exit codes. examples/demo/reference.json holds what PyTorch computed.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
root=$PWD build=$PWD/$BUILD
modelhost=$build/bin/modelhost
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
empty() { [ ! -s "$1" ]; }
json() { # PYTHON: an expression over the JSON document `j` that was printed
    python3 -c 'import json, sys; j = json.load(open(sys.argv[1])); sys.exit(not eval(sys.argv[2]))' "$work/out" "$1"
}
fails() { # NAME CODE SENTENCE ARGUMENT...
    local name=$1 want=$2 sentence=$3
    shift 3
    run "$@"
    ok "$name: exit code $want" same "$code" "$want"
    ok "$name: says why" says "$sentence"
    ok "$name: prints nothing" empty "$work/out"
}

# ---- an author's folder with the demo model

model=$root/examples/demo/hub/modelhost/facts-bert-mini
package() { # DIR: the demo model as an author would lay it out
    mkdir -p "$1/backends/cpu"
    cp "$model"/config.json "$model"/model.safetensors "$1/backends/cpu/"
    cp "$model"/tokenizer.json "$model"/tokenizer_config.json "$1/"
    cp "$build"/lib/modelhost/plugins/libbert.so "$1/backends/cpu/libmodel.so"
}
facts=$work/facts
package "$facts"

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
ok 'the table holds them all' same "$(grep -c '^A ' "$work/out")" 500
sed '401s/.*/no mask here/' "$work/many" | "$modelhost" run "$facts" -q --json --top-k 1 >"$work/out" 2>"$work/err"
ok 'a bad text far down is named by its number' says 'modelhost: text 401 has no mask'
ok 'what was printed before it stays, and is JSON' json '300 < len(j) <= 400'
"$modelhost" run "$facts" -q </dev/null >"$work/out" 2>"$work/err"
ok 'no lines at all are an error' says 'no text: give --text, or lines on standard input'
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

cat >"$work/tensors.py" <<'PY'
import json, struct, sys
def write(path, tensors):
    head, data = {}, b''
    for name, (dtype, shape, values) in tensors.items():
        raw = struct.pack('<%d%s' % (len(values), {'I64': 'q', 'I32': 'i', 'F32': 'f'}[dtype]), *values)
        head[name] = {'dtype': dtype, 'shape': shape, 'data_offsets': [len(data), len(data) + len(raw)]}
        data += raw
    head = json.dumps(head).encode()
    head += b' ' * (-len(head) % 8)
    open(path, 'wb').write(struct.pack('<Q', len(head)) + head + data)
def read(path):
    raw = open(path, 'rb').read()
    n = struct.unpack('<Q', raw[:8])[0]
    head = json.loads(raw[8:8 + n])
    return {k: (v['shape'], struct.unpack('<%df' % ((v['data_offsets'][1] - v['data_offsets'][0]) // 4),
                raw[8 + n + v['data_offsets'][0]:8 + n + v['data_offsets'][1]])) for k, v in head.items() if k != '__metadata__'}
PY
cd "$work" || exit 1
python3 - <<'PY'
from tensors import write
ids = [2, 10, 11, 12, 3]
write('in.safetensors', {'input_ids': ('I64', [1, 5], ids)})
write('batch.safetensors', {'input_ids': ('I64', [2, 7], ids + [0, 0] + ids + [0, 0]),
                            'attention_mask': ('I64', [2, 7], [1] * 5 + [0] * 2 + [1] * 5 + [0] * 2)})
write('dtype.safetensors', {'input_ids': ('I32', [1, 5], ids)})
write('range.safetensors', {'input_ids': ('I64', [1, 2], [2, 999999])})
write('long.safetensors', {'input_ids': ('I64', [1, 65], [2] * 65)})
write('none.safetensors', {'token_type_ids': ('I64', [1, 5], [0] * 5)})
PY
run run "$facts" -q --inputs in.safetensors --outputs single.safetensors --output-names last_hidden_state,logits
ok 'tensors run' same "$code" 0
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
fails 'a wrong dtype' 1 "'input_ids': dtype I32, want I64" run "$facts" -q --inputs dtype.safetensors --outputs x.safetensors
fails 'an id out of range' 1 '999999' run "$facts" -q --inputs range.safetensors --outputs x.safetensors
fails 'more tokens than positions' 1 "'input_ids': dimension 1 (sequence) is 65, want 1 to 64" \
    run "$facts" -q --inputs long.safetensors --outputs x.safetensors
fails 'a missing input' 1 "the input 'input_ids' (I64, rank 2) is missing" run "$facts" -q --inputs none.safetensors --outputs x.safetensors
fails 'an unknown output' 1 "the model has no output 'banana'; it has last_hidden_state" \
    run "$facts" -q --inputs in.safetensors --outputs x.safetensors --output-names banana
fails 'no such input file' 3 'absent.safetensors' run "$facts" -q --inputs absent.safetensors --outputs x.safetensors
ok 'failures leave no output file' same "$(ls x.safetensors .x.safetensors* 2>/dev/null)" ''
run run "$facts" -q --inputs in.safetensors --outputs nowhere/x.safetensors
ok 'an output folder that is not there fails' same "$code" 3

# ---- texts that cannot be run

fails 'no mask' 1 'text 1 has no mask; put [MASK] where the word is wanted' run "$facts" -q --text 'Paris.'
long=$(printf 'cow %.0s' $(seq 80))
fails 'a long text' 1 'text 1 has 82 tokens, the model takes at most 64; shorten it or let it be cut (--truncate)' \
    run "$facts" -q --task embed --text "$long"
run run "$facts" -q --task embed --truncate --text "$long"
ok 'a long text can be cut' same "$code" 0
fails 'invalid UTF-8' 1 'is not UTF-8: byte 0xFF at offset 4' run "$facts" -q --text $'cow \xff [MASK]'
fails 'an unknown task' 1 "unknown task 'dance'" run "$facts" -q --task dance --text x
fails 'a task of another head' 1 'wants the output' run "$facts" -q --task question --text x --context y

# ---- packages that cannot be opened

fails 'no such model' 3 "no such model: 'absent'" run absent --text x
fails 'a folder that is no package' 3 'is not a package: no metadata.json and no backends/cpu/libmodel.so' run "$work" --text x
broken() { # NAME: a fresh copy of the package to break
    rm -rf "$work/broken"
    package "$work/broken"
}
broken
head -c 1000000 "$facts/backends/cpu/model.safetensors" >"$work/broken/backends/cpu/model.safetensors"
fails 'truncated weights' 7 'model.safetensors' run "$work/broken" -q --text '[MASK]'
broken
printf '{"model_type": "bert", ' >"$work/broken/backends/cpu/config.json"
fails 'a broken config' 7 'config.json: not valid JSON at byte' run "$work/broken" -q --text '[MASK]'
broken
sed -i 's/"hidden_size": *[0-9]*/"hidden_size": 96/' "$work/broken/backends/cpu/config.json"
fails 'a wrong shape' 7 "weight 'bert.embeddings.word_embeddings.weight': shape [" run "$work/broken" -q --text '[MASK]'
broken
sed -i 's/"num_hidden_layers": *[0-9]*/"num_hidden_layers": 4/' "$work/broken/backends/cpu/config.json"
fails 'a missing weight' 7 "weight 'bert.encoder.layer.3." run "$work/broken" -q --text '[MASK]'
broken
sed -i 's/"model_type": *"bert"/"model_type": "roberta"/' "$work/broken/backends/cpu/config.json"
fails 'another architecture' 1 'roberta' run "$work/broken" -q --text '[MASK]'
broken
printf '{"version":"1.0","model":{"type":"BPE"}}' >"$work/broken/tokenizer.json"
fails 'a tokenizer of another kind' 1 'BPE' run "$work/broken" -q --text '[MASK]'
broken
printf '{"version":' >"$work/broken/tokenizer.json"
fails 'a broken tokenizer' 7 'tokenizer.json' run "$work/broken" -q --text '[MASK]'
broken
printf 'not a plugin' >"$work/broken/backends/cpu/libmodel.so"
fails 'a file that is no plugin' 1 'libmodel.so' run "$work/broken" -q --text '[MASK]'
for fixture in 'wrong_major|1|was built for ABI 2.0, this host speaks 1.0' 'no_note|1|carries no modelhost note' \
    'extra_exports|1|exports' 'no_create_model|1|create_model'; do
    IFS='|' read -r name want sentence <<<"$fixture"
    broken
    cp "$build/tests/plugin_$name.so" "$work/broken/backends/cpu/libmodel.so"
    fails "plugin $name" "$want" "$sentence" run "$work/broken" -q --text '[MASK]'
done

# ---- deadlines

mkdir -p "$work/echo/backends/cpu"
cp "$build/tests/plugin_echo.so" "$work/echo/backends/cpu/libmodel.so"
python3 -c 'from tensors import write; write("x.safetensors", {"x": ("F32", [2], [1.0, 2.0])})'
echo '{"model_type":"echo","echo_mode":"spin"}' >"$work/echo/backends/cpu/config.json"
fails 'a deadline' 124 'deadline passed after' run "$work/echo" -q --timeout 50ms --inputs x.safetensors --outputs y.safetensors
echo '{"model_type":"echo","echo_mode":"ignore_cancel","spin_ms":600000}' >"$work/echo/backends/cpu/config.json"
fails 'a plugin that never listens' 124 'deadline passed after' run "$work/echo" -q --timeout 50ms --inputs x.safetensors --outputs y.safetensors
fails 'a timeout without a unit that exists' 2 "--timeout is '5 weeks'" run "$work/echo" --timeout '5 weeks' --inputs x.safetensors --outputs y.safetensors

# ---- inputs that change under the model

printf '{"model_type":"echo","echo_mode":"truncate","truncate_path":"%s"}' "$work/gone.safetensors" >"$work/echo/backends/cpu/config.json"
cp x.safetensors gone.safetensors
fails 'inputs truncated while they are read' 7 'gone.safetensors was truncated while it was in use' \
    run "$work/echo" -q --inputs gone.safetensors --outputs gone-out.safetensors
ok 'truncated inputs leave no output' same "$(ls gone-out.safetensors 2>/dev/null)" ''

# ---- usage

fails 'an unknown command' 2 "unknown command 'dance'" dance
fails 'an unknown option' 2 "unknown option '--dance'" run "$facts" --dance
fails 'no package' 2 'wants one package' run --text x
fails 'inputs without outputs' 2 '--inputs and --outputs go together' run "$facts" --inputs in.safetensors
for option in --json '--task embed' '--top-k 3' --truncate; do
    # shellcheck disable=SC2086
    fails "$option with --inputs" 2 "${option%% *} is for texts, not for --inputs" \
        run "$facts" --inputs in.safetensors --outputs x.safetensors $option
done
fails 'output names with texts' 2 '--output-names goes with --inputs' run "$facts" --text '[MASK]' --output-names logits
fails 'an output named twice' 1 "output 'logits' is named twice" \
    run "$facts" -q --inputs in.safetensors --outputs x.safetensors --output-names logits,last_hidden_state,logits
fails 'a timeout without a unit' 2 "--timeout is '5', want a time such as 500ms, 2s or 1m" run "$facts" --timeout 5 --text '[MASK]'
fails 'more threads than CPUs' 1 'CPUs that this process may use' run "$facts" -q --threads 4096 --text '[MASK]'
run --help
ok 'help is printed on stdout' prints 'usage: modelhost COMMAND'
run run --help
ok 'a command has help' prints '--output-names A,B'
run --version
ok 'the version is printed' prints 'modelhost '

# ---- describe, plugins, explain, tokenize

run run "$facts" -q --describe
ok 'describe is JSON with inputs and outputs' json '[i["name"] for i in j["inputs"]][:1] == ["input_ids"] and j["task"] == "fill-mask"'
ok 'describe counts the parameters' json 'j["parameters"] == 673562'
run plugins
ok 'plugins lists bert' prints 'libbert.so'
run plugins --json
ok 'plugins as JSON' json '[p["abi"] for p in j if p["name"] == "bert"] == ["1.0"]'
run plugins --plugin-path "$build/tests"
ok 'plugins says why one is refused' same "$(grep -c refused "$work/out")" 0
run explain "$facts"
ok 'explain takes the own plugin' prints "taken         $facts/backends/cpu/libmodel.so (package): the package's own plugin"
run explain "$facts" --json
ok 'explain as JSON' json '[c["verdict"] for c in j["candidates"]][0] == "taken"'
broken
rm "$work/broken/backends/cpu/libmodel.so"
fails 'explain without a plugin' 3 'is not a package' explain "$work/broken"
run tokenize "$model" --text 'Paris is big.'
ok 'tokenize shows tokens' prints '[CLS] paris is'
printf '"Paris"\n{"text":"Paris","pair":"cow"}\n' | "$modelhost" tokenize "$model" --jsonl >"$work/lines" 2>"$work/err"
sed -n 2p "$work/lines" >"$work/out"
ok 'tokenize --jsonl takes pairs' json 'j["tokens"] == ["[CLS]", "paris", "[SEP]", "cow", "[SEP]"] and j["type_ids"] == [0, 0, 0, 1, 1]'
printf '"cow"\n{"x":1}\n{"text":\n\n"moo"\n' | "$modelhost" tokenize "$model" --jsonl >"$work/lines" 2>"$work/err"
ok 'tokenize --jsonl with bad lines ends with 1' same "${PIPESTATUS[1]}" 1
ok 'tokenize counts the bad lines' says '3 of 5 lines could not be tokenized'
(echo '['; sed '$!s/$/,/' "$work/lines"; echo ']') >"$work/out"
ok 'tokenize has one answer per line' json '["error" in a for a in j] == [False, True, True, True, False]'
ok 'tokenize says once what is wrong' json 'j[1]["error"].startswith("want a JSON string") and j[2]["error"].startswith("the line: not valid JSON")'
printf 'cow\nc\xff\nmoo\n' | "$modelhost" tokenize "$model" >"$work/out" 2>"$work/err"
ok 'tokenize with a bad line ends with 1' same "${PIPESTATUS[1]}" 1
ok 'tokenize names the bad line' says 'modelhost: line 2: '
ok 'tokenize goes on behind a bad line' prints '[CLS] moo [SEP]'

printf '"cow"\n"\\ud800"\n"moo"\n' | "$modelhost" tokenize "$model" --jsonl >"$work/out" 2>"$work/err"
ok 'tokenize keeps to one answer a line' same "$(grep -c ids "$work/out")" "$(grep -vc error "$work/out")"

echo "$n_passed passed, $n_failed failed"
[ "$n_failed" -eq 0 ]
