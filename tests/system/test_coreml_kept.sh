#!/usr/bin/env bash
# Compiled Core ML models in the store, with the mocked bridge (tests/coreml/mock_bridge.h) in a worker: the second run finds what
# the first has compiled, other options are other entries, `cache ls` shows them and `gc` removes what nobody used for long, and the
# plan of devices is in --describe and in the metrics.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/system/lib.sh
. tests/system/lib.sh
begin coreml_kept
export MODELHOST_STORE=$work/store
unset MODELHOST_PLUGIN_PATH
mock=$(realpath "$build/tests/plugin_coreml_mock.so")
backend=$work/package/backends/coreml
mkdir -p "$backend" "$work/store"
ln -s "$mock" "$backend/libmodel.so"
cp tests/fuzz/corpus/coreml_graph/identity "$backend/model.mlmodel"
write_tensors_module
python3 -c 'import sys; sys.path.insert(0, sys.argv[1]); import tensors; tensors.write(sys.argv[2], {"x": ("F32", [2], [1, 2])})' \
    "$work" "$work/in.safetensors"

configure() { echo "{\"model_type\": \"coreml\", \"coreml_executor\": \"coreml\"$1}" >"$backend/config.json"; }
tell() { printf '%s' "$1" >"$work/package/mock"; }
kept() { find "$work/store/compiled" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l; }
answers() { # ARGUMENT...: the numbers plus 1000
    run run "$work/package" --inputs "$work/in.safetensors" --outputs "$work/out.safetensors" "$@"
    [ "$code" -eq 0 ] && python3 -c '
import sys; sys.path.insert(0, sys.argv[1]); import tensors
assert list(tensors.read(sys.argv[2])["y"][1]) == [1001, 1002]' "$work" "$work/out.safetensors" >"$work/err" 2>&1
}

program=$build/bin/modelhost
configure ''
tell 'in place' # a worker may not write elsewhere, either
ok 'switched off it keeps nothing' answers --set compiled_max_bytes=1
tell ''
same 'and makes no folder' "$(kept)" 0
ok 'the first run compiles' answers --metrics "$work/metrics"
if [ "$(kept)" -eq 0 ]; then
    skipped 'workers may keep nothing on this kernel'
    summary
    exit
fi
same 'and keeps one entry' "$(kept) $(stat -c %a "$work/store/compiled")" '1 700'
tell compile # which fails then
ok 'the second compiles nothing' answers
tell ''
configure ', "compute_units": "cpuOnly"'
ok 'other units run' answers
same 'and are another entry' "$(kept)" 2
configure ', "low_precision_accumulation": true'
ok 'another precision runs' answers
same 'and is another entry' "$(kept)" 3
for source in "$work"/store/compiled/*/model.mlmodelc/source; do : >"$source"; done
ok 'what is damaged is compiled anew' answers
same 'in the same place' "$(kept) $(find "$work/store/compiled" -name source -size +0 | wc -l)" '3 1'
ok 'the metric has the units' grep -qx 'modelhost_model_info{model="package",backend="coreml",requested_units="cpuAndNeuralEngine",planned_units="cpuAndNeuralEngine"} 1' "$work/metrics"
! command -v promtool >/dev/null || ok 'promtool reads it' promtool check metrics <"$work/metrics"
configure ''
run run "$work/package" --describe
ok 'the plan is told as one' json 'j["device_plan"] == {"requested_units": "cpuAndNeuralEngine", "planned_units": "cpuAndNeuralEngine", "ane_eligible": True, "ane_operators_covered": 0.75, "ane_cost_share": 0.75, "operators": 4, "ane_operators": 3, "gpu_operators": 0, "cpu_operators": 1}'
dtln=${SHARED:-../shared}/coreml/DTLN_AEC_128_Part1.mlpackage
if [ -d "$dtln" ]; then
    mkdir -p "$work/dtln/backends/coreml"
    cp -r "$dtln" "$work/dtln/backends/coreml/model.mlpackage"
    ln -s "$mock" "$work/dtln/backends/coreml/libmodel.so"
    for executor in kernels coreml; do
        echo "{\"coreml_executor\": \"$executor\"}" >"$work/dtln/backends/coreml/config.json"
        run run "$work/dtln" --describe
        python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["outputs"])' "$work/out" >"$work/$executor"
    done
    ok 'the kernels tell the outputs of a real program' grep -q Identity_1 "$work/kernels"
    ok "which declares no sizes of them, and Core ML's are the same" cmp "$work/kernels" "$work/coreml"
    rm -r "$work/store/compiled/$(ls -t "$work/store/compiled" | head -n 1)" # the others are counted
else
    skipped "no Core ML models in ${SHARED:-../shared}"
fi
program=$build/bin/pkgmgr
run cache ls --json
ok 'cache ls shows what is kept' json 'len(j["compiled"]) == 3 and all(c["name"].startswith("compiled/") for c in j["compiled"]) and sum(c["size"] for c in j["compiled"]) > 0'
run gc --grace 0 -q
same 'gc leaves it alone' "$code $(kept)" '0 3'
find "$work/store/compiled" -mindepth 1 -exec touch -d '40 days ago' {} +
run gc --grace 0 --json
same 'until nobody has used it for long' "$code $(kept)" '0 0'
ok 'and says so' json 'len([r for r in j["removed"] if r["kind"] == "compiled"]) == 3'
summary
