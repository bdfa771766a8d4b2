#!/usr/bin/env bash
# `modelhost bench`: the shape of what it prints, and that its figures agree with each other and with arithmetic done
# here; never how long anything takes. Covers host/commands/cmd_bench.c, host/commands/measured_model.c,
# host/measure/model_bench.c, host/measure/file_cache.c, host/measure/fma_peak.c.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
program=$build/bin/modelhost
begin bench
export MODELHOST_STORE=$work/store
unset MODELHOST_PLUGIN_PATH
facts=$work/facts
demo_package "$facts"

run bench "$facts" --tokens 16 --batch 2 --runs 5 --warmup 1 --json
same 'it measures' "$code" 0
ok 'what was asked for' json '(j["batch"], j["tokens"], j["threads"], j["runs"], j["warmup"], j["dtype"]) == (2, 16, 1, 5, 1, "f32")'
ok 'percentiles are in order' json '0 < j["min_ms"] <= j["p50_ms"] <= j["p90_ms"] <= j["p99_ms"] <= j["max_ms"]'
near='lambda a, b: abs(a / b - 1) < 1e-9'
ok 'tokens are those of both texts' json "($near)(j['tokens_per_s'], 32000 / j['p50_ms']) and ($near)(j['items_per_s'], 2000 / j['p50_ms'])"
ok 'the rate is the work through the time' json "($near)(j['gflops'], j['gflop_per_call'] * 1000 / j['p50_ms'])"
ok 'and the share that of the peak' json 'j["peak_gflops"] == 0 or abs(j["share_of_peak"] - j["gflops"] / j["peak_gflops"]) < 1e-9' 2>/dev/null
ok 'loads and memory are there' json 'all(j["load_ms"][k] > 0 for k in ("first", "cold", "warm")) and j["peak_rss_mb"] > 1'
cp "$work/out" "$work/json"
if [ -r /proc/self/status ]; then
    /usr/bin/python3 - "$program" "$facts" >"$work/out" <<'PY'
import json, subprocess, sys
held = bytearray(700 << 20) + b'x' # in memory, to the last page
held[::4096] = bytes(len(held[::4096]))
made = subprocess.run([sys.argv[1], 'bench', sys.argv[2], '--tokens', '4', '--runs', '1', '--json'], stdout=subprocess.PIPE)
print(json.loads(made.stdout)['peak_rss_mb'])
PY
    ok 'memory that its parent held is not its own' [ "$(cut -d. -f1 "$work/out")" -lt 500 ]
else
    skipped 'what a parent held is not told apart on this system'
fi

# The operations by the shapes in config.json: products of every token with every matrix, and attention of each text.
cat >"$work/count.py" <<'PY'
import json, sys
j, c = json.load(open(sys.argv[1])), json.load(open(sys.argv[2]))
h, inner, layers, vocab = (c[k] for k in ('hidden_size', 'intermediate_size', 'num_hidden_layers', 'vocab_size'))
rows, pairs = j['batch'] * j['tokens'], j['batch'] * j['tokens'] ** 2
trunk = layers * (rows * (4 * h * h + 2 * h * inner) + 2 * pairs * h)
head = rows * (h * h + h * vocab)
pooler = j['batch'] * h * h
found = j['gflop_per_call'] * 1e9 / 2
sys.exit(not any(abs(found - want) < 0.5 for want in (trunk + head, trunk + head + pooler)))
PY
ok 'the operations are those of the shapes' python3 "$work/count.py" "$work/json" "$facts/backends/cpu/config.json"

run bench "$facts" --tokens 8 --runs 2
same 'for people' "$code" 0
has 'a line each' "$out" 'p50_ms'
has 'and of loading' "$out" 'load_ms.cold'
run bench "$facts" --tokens 8 --runs 1 --dtype bf16 --json
ok 'fewer bits' json 'j["dtype"] == "bf16"'
run bench "$facts" --tokens 100000 --runs 1 --json
ok 'no more tokens than the model takes' json '0 < j["tokens"] < 100000'
ok 'and a warning' says 'modelhost bench: --tokens is 100000, the model takes'
run bench "$facts" --tokens 8 --runs 1 --image 64x64 --json
same 'a picture for a text model is no failure' "$code" 0
same 'but a warning' "$(cat "$work/err")" 'modelhost bench: --image is not used: the model takes no pictures'
run bench "$facts" --tokens 8 --runs 1 --json
same 'what can be done is done without a word' "$(cat "$work/err")" ''
run bench "$facts" --tokens 8 --runs 1 --output-names nothing
ok 'an unknown output is refused' says "the model has no output 'nothing'"
fails 'a size that is none' 2 "modelhost bench: --image is '10', want a size such as 640x480 (width x height); see 'modelhost help bench'" bench "$facts" --image 10
fails 'threads by another name' 2 "modelhost bench: --set threads does not go here: give --threads; see 'modelhost help bench'" bench "$facts" --set threads=2
fails 'lanes' 2 "modelhost bench: --set lanes does not go here: one lane is measured, with the threads of --threads; see 'modelhost help bench'" bench "$facts" --set lanes=2 --threads 2
fails 'runs and seconds' 2 "modelhost bench: give one of --runs and --seconds; see 'modelhost help bench'" bench "$facts" --runs 1 --seconds 1
said=$(make -n -B bench BUILD="$work/none" 2>/dev/null | grep "^printf '  %-4s")
ok 'what is built for make bench is said' [ -n "$said" ]
same 'and not among its tables' "$(grep -v '>&2$' <<<"$said")" ''
fails 'no package' 2 "modelhost bench: wants one package, got 0; see 'modelhost help bench'" bench
run bench "$facts" --tokens 8 --runs 1 --warmup 0 --json
ok 'without a warm-up the first call is the one that counts' json 'j["runs"] == 1 and j["first_ms"] >= j["max_ms"] > 0'
run bench "$facts" --tokens 8 --runs 1 --set isolation=worker --json
ok "a worker's memory is not this process's" json 'j["runs"] == 1 and "peak_rss_mb" not in j'
run bench "$facts" --threads 1024
same 'more threads than there are' "$code" 2
run bench "$facts" --new-tokens 4 --runs 1
ok 'what does not generate is refused' test "$code" -ne 0

# A model that generates, whose dimensions are called anything: other sizes than the batch are those of --tokens.

reader=$work/reader
mkdir -p "$reader/backends/cpu"
cp "$build/tests/plugin_reader.so" "$reader/backends/cpu/libmodel.so"
echo '{"model_type": "reader", "rows_name": "rows"}' >"$reader/backends/cpu/config.json"
run bench "$reader" --tokens 12 --new-tokens 5 --runs 2 --json
same 'rows are prompts by any name' "$code" 0
ok 'and as many as there are' json '(j["batch"], j["tokens"], j["new_tokens"], j["runs"]) == (12, 12, 5, 2)'
run bench "$reader" --tokens 1025 --new-tokens 2 --runs 1
ok 'too many are refused' says '1025 prompts of 500 tokens, want 1 to 1024'

shared=$(cd "${SHARED:-../shared}" 2>/dev/null && pwd)
if [ -z "$shared" ] || [ ! -d "$shared/models/real/capp-gpt2" ]; then
    skipped 'generating and pictures: SHARED/models is absent'
else
    mkdir -p "$work/gpt2/backends/cpu" "$work/cifar/backends/cpu"
    cp "$shared/models/real/capp-gpt2/"{config.json,model.safetensors} "$work/gpt2/backends/cpu/"
    cp "$build/lib/modelhost/plugins/libgpt2.so" "$work/gpt2/backends/cpu/libmodel.so"
    run bench "$work/gpt2" --tokens 12 --new-tokens 5 --runs 3 --json
    same 'generating' "$code" 0
    ok 'is measured by the token' json '(j["tokens"], j["new_tokens"], j["runs"]) == (12, 5, 3) and j["prefill_ms"] > 0 and j["tokens_per_s"] > 0'
    ok 'a call is longer than a token' json 'j["call_p50_ms"] > j["p50_ms"]'
fi
summary
