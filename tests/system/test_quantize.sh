#!/usr/bin/env bash
# `modelhost quantize`: what a report says of a real model, where it is kept, and what loading makes of it. Covers
# host/commands/cmd_quantize.c, host/measure/sample_set.c, host/measure/model_accuracy_run.c,
# host/accuracy/model_accuracy.c.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
program=$build/bin/modelhost
begin quantize
export MODELHOST_STORE=$work/store
unset MODELHOST_PLUGIN_PATH
facts=$work/facts
demo_package "$facts"
reports() { find "$work/store/accuracy" -name '*.json' 2>/dev/null | wc -l; }
dtype_of() { # OPTION...: what the model computes in, or why it does not
    run run "$facts" -q --describe "$@"
    if [ "$code" -ne 0 ]; then cat "$work/err"; else python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["compute_dtype"])' "$work/out"; fi
}

run quantize "$facts" --dtype int8 --text README.md --json
same 'int8 keeps its budget' "$code" 0
ok 'and says by how much' json 'j["passed"] and 0.995 <= j["cosine"] < 1 and j["dtype"] == "int8" and j["inputs"] == "texts" and j["budget"]["max_cosine_loss"] == 0.005'
ok 'with real numbers' json '0 < j["max_abs"] < 10 and 0.5 < j["top1_agreement"] <= 1 and 2 <= j["samples"] <= 64'
ok 'a model that predicts no next token has no perplexity' json 'j["perplexity"] is None and j["perplexity_change"] is None'
same 'without --report nothing is kept' "$(reports)" 0
ok 'nor beside the package' test ! -e "$facts/reports"
same 'auto is float32 then' "$(dtype_of --dtype auto)" f32
same 'and int8 is what was asked for' "$(dtype_of --dtype int8)" int8

long=$work/long.txt # in more pieces than are few
cat README.md ARCHITECTURE.md >"$long"
run quantize "$facts" --dtype int8 --text "$long" --report
same 'a report is kept' "$code $(reports)" '0 1'
ok 'for people, beside what an author has' test -f "$facts/reports/quantize-cpu-int8.json"
has 'a table for people' "$out" 'budget.max_cosine_loss'
ok 'without a warning' empty "$work/err"
same 'auto is int8 now' "$(dtype_of --dtype auto)" int8
cp "$facts/reports/quantize-cpu-int8.json" "$work/strong.json"
printf 'a' >"$work/byte.txt"
run quantize "$facts" --dtype int8 --text "$work/byte.txt" --report
same 'a weaker report is measured' "$code" 0
ok 'but does not take the place of a stronger one' grep -qE '^modelhost: warning: the report in the store stays \([0-9]+ samples of texts, within its budget\): this one is weaker \(1 sample of texts, within its budget\); --replace takes it all the same$' "$work/err"
same 'which stays' "$(cat "$facts/reports/quantize-cpu-int8.json")" "$(cat "$work/strong.json")"
same 'and decides' "$(dtype_of --dtype auto)" int8
run quantize "$facts" --dtype int8 --text "$work/byte.txt" --report --replace
same 'unless that is asked for' "$code $(grep -c '"samples":	1,' "$facts/reports/quantize-cpu-int8.json")" '0 1'
ok 'then a warning says what it is good for' grep -qxF 'modelhost: warning: --dtype auto does not go by this report (1 sample of texts, within its budget): it wants 8 samples or more of texts, pictures or tensors' "$work/err"
same 'not for auto' "$(dtype_of --dtype auto) $(dtype_of --dtype auto --set accuracy_policy=any)" 'f32 int8'
has 'nor where reports are required' "$(dtype_of --dtype int8 --set accuracy_policy=required)" 'of real inputs (found: 1 sample of texts, within its budget)'
same 'who asks for int8 has it' "$(dtype_of --dtype int8)" int8
fails 'no report to replace' 2 "modelhost quantize: --replace goes with --report; see 'modelhost help quantize'" quantize "$facts" --dtype int8 --replace
run quantize "$facts" --dtype int8 --text "$long" --report
same 'a stronger report takes its place' "$code $(dtype_of --dtype auto)" '0 int8'
same 'in a worker, too' "$(dtype_of --dtype auto --isolation worker)" int8
run quantize "$facts" --dtype int8 --text "$long" --report --replace --set isolation=worker
same 'a report is made of a worker, too' "$code" 0
same 'and is that of the same model' "$(dtype_of --dtype auto)" int8
same 'and by the configuration' "$(dtype_of --set dtype=auto)" int8
same 'a stricter budget of the configuration holds' "$(dtype_of --dtype auto --set max_cosine_loss=0.000001)" f32

run quantize "$facts" --dtype int8 --report --max-cosine-loss 0.0000001
same 'a budget that is missed is a failure' "$code" 1
ok 'which says by how much' says 'modelhost: int8 missed its budget: cosine 0.99'
ok 'and is kept all the same' grep -q '"passed":	false' "$facts/reports/quantize-cpu-int8.json"
ok 'samples are made when there are none' prints 'made'
has 'int8 is refused then' "$(dtype_of --dtype int8)" "$facts in int8 missed its budget: cosine 0.99"
has 'in a worker, too' "$(dtype_of --dtype int8 --isolation worker)" 'in int8 missed its budget: cosine 0.99'
has 'with the way out' "$(dtype_of --dtype int8)" 'take more bits, or allow it with --set accuracy_policy=any'
same 'which is one' "$(dtype_of --dtype int8 --set accuracy_policy=any)" int8
same 'other dtypes do not mind' "$(dtype_of --dtype bf16)" bf16
has 'unless reports are required' "$(dtype_of --dtype bf16 --set accuracy_policy=required)" 'has no accuracy report for bf16'
touch -d '2020-01-01' "$facts/backends/cpu/model.safetensors"
same 'a report of other weights does not count' "$(dtype_of --dtype int8)" int8

cat >"$work/bad.py" <<'PY'
import struct, json, sys
head = json.dumps({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
head += b' ' * (-len(head) % 8)
open(sys.argv[1], 'wb').write(struct.pack('<Q', len(head)) + head + bytes(4))
PY
python3 "$work/bad.py" "$work/bad.safetensors"
run quantize "$facts" --dtype int8 --inputs "$work/bad.safetensors"
ok 'tensors of other names are refused' test "$code" -ne 0
ok 'with the name that is missing' says 'input_ids'
write_tensors_module
(cd "$work" && python3 -c '
import tensors
tensors.write("good.safetensors", {"input_ids": ("I64", [1, 6], [2, 7, 8, 9, 10, 3])})')
run quantize "$facts" --dtype int8 --inputs "$work/good.safetensors" --inputs "$work/good.safetensors" --json
same 'tensors of the right names are taken' "$code" 0
ok 'each file is a sample' json 'j["inputs"] == "tensors" and j["samples"] == 2 and j["few_samples"] is True'
fails 'no dtype' 2 "modelhost quantize: wants --dtype: bf16, int8 or int4; see 'modelhost help quantize'" quantize "$facts"
fails 'another dtype' 2 "modelhost quantize: --dtype is 'f32', want bf16, int8 or int4; see 'modelhost help quantize'" quantize "$facts" --dtype f32
for budget in '--max-cosine-loss -0.5' '--max-cosine-loss -1' '--max-cosine-loss=-1e308' '--max-perplexity-change -1' '--min-top1-agreement -1' '--min-top1-agreement 1.01' '--min-top1-agreement nan'; do
    # shellcheck disable=SC2086 # an option and its value
    fails "$budget" 2 "modelhost quantize: --max-cosine-loss wants 0 to 2, --max-perplexity-change 0 to 1000000, --min-top1-agreement 0 to 1; see 'modelhost help quantize'" quantize "$facts" --dtype int8 $budget
done
fails 'a budget in hexadecimal' 2 "modelhost quantize: --min-top1-agreement is '0x1p-3', want a number; see 'modelhost help quantize'" quantize "$facts" --dtype int8 --min-top1-agreement 0x1p-3
fails 'two kinds of inputs' 2 "modelhost quantize: give texts, images or tensors, one kind of them; see 'modelhost help quantize'" quantize "$facts" --dtype int8 --text a --image b
: >"$work/empty.txt"
run quantize "$facts" --dtype int8 --text "$work/empty.txt" --report
same 'a text without tokens' "$code" 1
run quantize "$facts" --dtype int8 --text /dev/null
same 'a text that is no file is named once' "$(cat "$work/err")" 'modelhost: /dev/null is not a regular file'
run quantize "$facts" --dtype int8 --text "$work/empty.txt" --report
ok 'is named, and measures nothing' says "$work/empty.txt: the text has no tokens"
has 'what was measured before stays' "$(cat "$facts/reports/quantize-cpu-int8.json")" '"samples":'
cp "$work/bad.safetensors" "$facts/reference.safetensors"
run quantize "$facts" --dtype int8 --json
same 'reference inputs that do not fit are no failure' "$code" 0
ok 'but said, with the reason' says 'reference.safetensors is not used, inputs are made instead: '
ok 'few samples are said to be few' json 'j["inputs"] == "made" and j["few_samples"] is False'
rm "$facts/reference.safetensors"
run quantize "$facts" --dtype int8 --text "$work/absent.txt"
same 'a text that is not there' "$code" 3

run quantize "$facts" --dtype bf16 --report
same 'made inputs keep a budget, too' "$code" 0
ok 'and do not count, which is said' grep -qxF 'modelhost: warning: --dtype auto does not go by this report (8 samples of made inputs, within its budget): made inputs do not count, however many; it wants 8 samples or more of texts, pictures or tensors' "$work/err"

# ---- rows of logits: how many agree is counted here, from what the model answers in both dtypes

(cd "$work" && python3 -c '
import json, random, tensors
random.seed(7)
config = json.load(open("facts/backends/cpu/config.json"))
n = min(128, config["max_position_embeddings"])
tensors.write("rows.safetensors", {"input_ids": ("I64", [1, n], [random.randrange(config["vocab_size"]) for _ in range(n)])})')
for dtype in f32 int8; do
    run run "$facts" -q --dtype "$dtype" --inputs "$work/rows.safetensors" --outputs "$work/$dtype.safetensors"
done
read -r agreeing below above < <(cd "$work" && python3 -c '
import tensors
def best(name):
    (_, n, width), logits = tensors.read(name)["logits"]
    return [max(range(width), key=lambda i: logits[row * width + i]) for row in range(n)]
both = list(zip(best("f32.safetensors"), best("int8.safetensors")))
agreeing, n = sum(a == b for a, b in both), len(both)
print(agreeing / n, (agreeing - 0.5) / n, (agreeing + 0.5) / n)')
ok 'some rows agree, and not all' python3 -c "import sys; sys.exit(not 0.1 < $agreeing < 1)"
run quantize "$facts" --dtype int8 --inputs "$work/rows.safetensors" --min-top1-agreement "$below" --max-cosine-loss 2 --json
same 'rows that agree often enough are no failure' "$code" 0
ok 'and are counted' json "abs(j['top1_agreement'] - $agreeing) < 1e-9 and j['budget']['min_top1_agreement'] == $below and j['passed']"
eight=()
for _ in 1 2 3 4 5 6 7 8; do eight+=(--inputs "$work/rows.safetensors"); done
run quantize "$facts" --dtype int8 "${eight[@]}" --min-top1-agreement "$above" --max-cosine-loss 2 --report
same 'rows that do not are one' "$code" 1
ok 'with both figures' says "$(python3 -c "print('modelhost: int8 missed its budget: the largest logit agrees with float32 in %.6g%% of rows, want at least %.6g%%' % (100 * $agreeing, 100 * $above))")"
has 'int8 is refused then' "$(dtype_of --dtype int8)" "$facts in int8 missed its budget: the largest logit agrees with float32 in "
same 'unless the configuration wants less' "$(dtype_of --dtype int8 --set min_top1_agreement="$below")" int8
same 'auto goes by it, too' "$(dtype_of --dtype auto) $(dtype_of --dtype auto --set min_top1_agreement="$below")" 'f32 int8'

# ---- a model that predicts: its perplexity is that of the numbers that it gives

tales=$work/tales shipped=$PWD/examples/demo/hub/modelhost/tales-char-lstm
mkdir -p "$tales/backends/cpu"
cp "$shipped"/config.json "$shipped"/model.safetensors "$tales/backends/cpu/"
cp "$shipped"/tokenizer*.json "$tales/"
cp "$build/lib/modelhost/plugins/liblstm.so" "$tales/backends/cpu/libmodel.so"
printf 'Once upon a time there was a little fox.' >"$work/tale.txt"
python3 -c 'import json, sys; print(json.dumps(open(sys.argv[1]).read()))' "$work/tale.txt" |
    "$program" tokenize "$tales" --jsonl >"$work/ids"
(cd "$work" && python3 -c '
import json, tensors
ids = json.load(open("ids"))["ids"]
tensors.write("in.safetensors", {"input_ids": ("I64", [1, len(ids)], ids)})')
run run "$tales" -q --inputs "$work/in.safetensors" --outputs "$work/out.safetensors" --output-names logits
cat >"$work/perplexity.py" <<'PY'
import json, math, sys
import tensors
ids = json.load(open('ids'))['ids']
(_, n, width), logits = tensors.read('out.safetensors')['logits']
loss = 0
for i in range(n - 1):
    row = logits[i * width:(i + 1) * width]
    loss += math.log(sum(math.exp(v) for v in row)) - row[ids[i + 1]]
found = json.load(open('out'))
want = math.exp(loss / (n - 1))
sys.exit(not (abs(found['perplexity_f32'] / want - 1) < 1e-4 and found['samples'] == 1 and
              abs(found['perplexity'] / found['perplexity_f32'] - 1 - found['perplexity_change']) < 1e-9))
PY
run quantize "$tales" --dtype int8 --text "$work/tale.txt" --json
same 'a model of texts keeps its budget' "$code" 0
ok 'its perplexity is that of its logits' sh -c "cd '$work' && python3 perplexity.py"
run quantize "$tales" --dtype int8 --text README.md --max-perplexity-change 0 --max-cosine-loss 2
same 'perplexity has a budget, too' "$code" 1
ok 'which is missed with the figure' says 'int8 missed its budget: perplexity 0.'

# ---- a model that answers no number has not kept anything

(cd "$work" && python3 -c '
import math, tensors
path = "tales/backends/cpu/model.safetensors"
tensors.write(path, {name: ("F32", shape, [math.nan] * len(values)) for name, (shape, values) in tensors.read(path).items()})')
run quantize "$tales" --dtype int8 --report
same 'answers that are all NaN are no sample' "$code" 1
same 'which names the output' "$(cat "$work/err")" "modelhost: the output 'output' has not one finite number in float32, there is nothing to compare with; give inputs that the model is made for: --text, --image or --inputs"
same 'and is not believed' "$(run run "$tales" -q --describe --dtype auto && python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["compute_dtype"])' "$work/out")" f32

shared=$(cd "${SHARED:-../shared}" 2>/dev/null && pwd)
if [ -z "$shared" ] || [ ! -d "$shared/models/real/capp-gpt2" ]; then
    skipped 'a trained GPT-2: SHARED/models is absent'
else
    mkdir -p "$work/gpt2/backends/cpu"
    cp "$shared/models/real/capp-gpt2/"{config.json,model.safetensors} "$work/gpt2/backends/cpu/"
    cp "$build/lib/modelhost/plugins/libgpt2.so" "$work/gpt2/backends/cpu/libmodel.so"
    cp "$shared/models/real/capp-gpt2/reference.safetensors" "$work/gpt2/"
    run quantize "$work/gpt2" --dtype bf16 --json
    same 'GPT-2 keeps its budget in bf16' "$code" 0
    ok 'on what was given or made' json 'j["inputs"] in ("reference", "made") and j["cosine"] >= 0.9999'
fi
summary
