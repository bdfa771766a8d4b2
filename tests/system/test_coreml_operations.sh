#!/usr/bin/env bash
# Operations of ML Programs, a small program for each family, answer what tests/reference/coreml_program.py evaluates with
# numpy; hostile parameters are refused with a sentence that says what is wrong.
# Covers plugins/coreml-ane/program_*.c and plugins/graph/graph_*.c.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/system/lib.sh
. tests/system/lib.sh
begin coreml_operations

program=$build/bin/modelhost
python=/usr/bin/python3
reference=tests/reference

answers() { # NAME
    local model=$work/$1/backends/coreml/model.mlpackage
    "$python" "$reference/coreml_program.py" "$model" "$work/in" "$work/want" >"$work/err" 2>&1 &&
        "$program" run "$work/$1" --inputs "$work/in" --outputs "$work/found" >"$work/err" 2>&1 &&
        "$python" "$reference/coreml_files.py" --compare "$work/found" "$work/want" 1e-4 >"$work/err" 2>&1
}

refused() { # NAME WORDS: files that are whole need not be got again
    run run "$work/$1" --describe
    [ "$code" -ne 0 ] && grep -qF -- "$2" "$work/err" && ! grep -q 'files again' "$work/err"
}

if ! "$python" -c 'import numpy' 2>/dev/null; then
    skipped "no numpy to evaluate programs with"
    summary
    exit
fi
"$python" "$reference/coreml_operations.py" "$work/made" >"$work/names"
while read -r name; do
    coreml_package "$name"
    ok "$name answer what their operations say" answers "$name"
done <"$work/names"
models=${SHARED:-../shared}/coreml
if [ -d "$models/DTLN_AEC_128_Part1.mlpackage" ]; then
    # Those of tests/system/test_coreml.sh and test_coreml_programs.sh, too.
    "$python" "$reference/coreml_classifier.py" program strings "$work/classes.mlpackage" "$work/in"
    ok "each operation of the plugin's table is in a model whose answers are compared" \
        "$python" "$reference/coreml_claims.py" operations plugins/coreml-ane "$work"/*/backends/coreml/model.mlpackage \
        "$work/classes.mlpackage" "$models/DTLN_AEC_128_Part1.mlpackage"
else
    skipped "no Core ML models in $models"
fi
"$python" "$reference/coreml_operations_refused.py" "$work/made" >"$work/names"
while read -r name words; do
    coreml_package "$name"
    ok "$name is refused: $words" refused "$name" "$words"
done <"$work/names"
summary
