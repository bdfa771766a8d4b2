#!/usr/bin/env bash
# Pipelines of networks and programs answer what numpy makes of their parts (tests/reference/coreml_pipelines.py); what is not
# computed is refused by its name and kind, and pkgmgr tells the parts.
# Covers plugins/coreml-ane/translate_pipeline.c and ane_features.c.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/system/lib.sh
. tests/system/lib.sh
begin coreml_pipelines

program=$build/bin/modelhost
python=/usr/bin/python3
reference=tests/reference

answers() { # NAME
    "$program" run "$work/$1" --inputs "$work/made/$1/in.safetensors" --outputs "$work/found" >"$work/err" 2>&1 &&
        "$python" "$reference/coreml_files.py" --compare "$work/found" "$work/made/$1/want.safetensors" 1e-5 \
            >"$work/err" 2>&1
}

refused() { # NAME WORDS: files that are whole need not be got again
    run run "$work/$1" --describe
    [ "$code" -ne 0 ] && grep -qF -- "$2" "$work/err" && ! grep -q 'files again' "$work/err"
}

if ! "$python" -c 'import numpy' 2>/dev/null; then
    skipped "no numpy to evaluate pipelines with"
    summary
    exit
fi
"$python" "$reference/coreml_pipelines.py" answering "$work/made" >"$work/names"
while read -r name; do
    coreml_package "$name"
    ok "$name: the parts' features go on by name" answers "$name"
done <"$work/names"
run run "$work/classified" --describe
ok "inputs and outputs are those of the pipeline" \
    "$python" -c 'import json, sys; j = json.load(open(sys.argv[1])); print(j)
assert [i["name"] for i in j["inputs"]] == ["x"] and [o["name"] for o in j["outputs"]] == ["chances", "hidden"]' "$work/out"
"$python" -c 'import sys; sys.path.insert(0, sys.argv[1]); import coreml_files as f
t = {k: v.copy() for k, v in f.load(sys.argv[2]).items()}; t["ids"].flat[-1] = 2**24 + 1; f.save(sys.argv[3], t)' \
    "$reference" "$work/made/programmed/in.safetensors" "$work/beyond"
run run "$work/programmed" --inputs "$work/beyond" --outputs "$work/found"
ok "a whole number that float32 does not have is refused" \
    says "'ids' has 16777217, and whole numbers are computed up to 16777216"
"$python" "$reference/coreml_pipelines.py" refused "$work/made" >"$work/names"
while read -r name words; do
    coreml_package "$name"
    ok "$name is refused: $words" refused "$name" "$words"
done <"$work/names"

program=$build/bin/pkgmgr
export MODELHOST_STORE=$work/store
classified=$work/classified/backends/coreml/model.mlmodel
run inspect "$classified"
ok 'inspect: the kind' prints 'form          Core ML pipelineClassifier, specification 4'
ok 'inspect: a part' prints 'part          mixing: neuralNetwork, hidden, x to mixed'
ok 'inspect: labels are those of the classifier' prints 'labels        12'
ok 'inspect: layers of all parts' grep -qE '^copy +3$' "$work/out"
run inspect "$classified" --json
ok 'inspect: parts as JSON' json "[(p['name'], p['kind']) for p in j['parts']] == [('body', 'neuralNetwork'), ('mixing', 'neuralNetwork'), ('classes', 'neuralNetworkClassifier')] and j['parts'][1]['inputs'] == ['hidden', 'x'] and j['parts'][1]['outputs'] == ['mixed']"
run import "$classified" --name me/classified
same 'import: exit code' "$code" 0
config=$(find "$work/store/packages" -path '*/backends/coreml/config.json' | head -n 1)
has "import: labels of the classifier" "$(cat "$config")" '"class 11"'
summary
