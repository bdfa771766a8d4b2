#!/usr/bin/env bash
# Layers of NeuralNetworks, a small network for each family, answer what tests/reference/coreml_layers_numpy.py evaluates on
# exact values; hostile parameters are refused with a sentence that says what is wrong.
# Covers plugins/coreml-ane/translate_*.c.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/system/lib.sh
. tests/system/lib.sh
begin coreml_layers

program=$build/bin/modelhost
python=/usr/bin/python3
reference=tests/reference

answers() { # NAME
    local model=$work/$1/backends/coreml/model.mlmodel
    "$python" "$reference/coreml_layers.py" evaluate "$model" "$work/in" "$work/want" >"$work/err" 2>&1 &&
        "$program" run "$work/$1" --inputs "$work/in" --outputs "$work/found" >"$work/err" 2>&1 &&
        "$python" "$reference/coreml_files.py" --compare "$work/found" "$work/want" 1e-4 >"$work/err" 2>&1
}

refused() { # NAME WORDS: files that are whole need not be got again
    run run "$work/$1" --describe
    [ "$code" -ne 0 ] && grep -qF -- "$2" "$work/err" && ! grep -q 'files again' "$work/err"
}

if ! "$python" -c 'import numpy' 2>/dev/null; then
    skipped "no numpy to evaluate networks with"
    summary
    exit
fi
"$python" "$reference/coreml_layers.py" families "$work/made" >"$work/names"
while read -r name; do
    coreml_package "$name"
    ok "$name answer what their layers say" answers "$name"
done <"$work/names"
models=${SHARED:-../shared}/coreml
if [ -f "$models/identity.mlmodel" ]; then
    # Those of tests/system/test_coreml.sh, too.
    seen=("$work"/*/backends/coreml/model.mlmodel tests/fuzz/corpus/coreml_graph/{classifier,picture,deconvolution}
        "$models"/{identity,MNISTClassifier,model_cpm,model_hourglass,DeepLabV3Int8LUT}.mlmodel)
    ok "each layer of the plugin's table is in a model whose answers are compared" \
        "$python" "$reference/coreml_claims.py" layers plugins/coreml-ane "${seen[@]}"
else
    skipped "no Core ML models in $models"
fi
"$python" "$reference/coreml_layers_refused.py" "$work/made" >"$work/names"
while read -r name words; do
    coreml_package "$name"
    ok "$name is refused: $words" refused "$name" "$words"
done <"$work/names"
summary
