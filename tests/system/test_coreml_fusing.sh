#!/usr/bin/env bash
# Core ML models compute the same whether the nodes of their graphs are joined or not ("fuse": false): all families of layers and
# operations, pipelines, and whole models as programs. (Graphs made at random: tests/plugins/test_graph_fusing.c; larger models,
# joined, beside others: test_coreml_programs.sh.)
# Covers plugins/graph/graph_fuse.c and plugins/coreml-ane/coreml_ane.c.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/system/lib.sh
. tests/system/lib.sh
begin coreml_fusing

program=$build/bin/modelhost
plugin=$build/lib/modelhost/plugins/libcoreml-ane.so
shared=${SHARED:-../shared}
python=/usr/bin/python3
reference=tests/reference

computes() { # NAME true|false INPUTS: to $work/found.true or .false
    echo '{"model_type": "coreml", "fuse": '"$2"'}' >"$work/$1/backends/coreml/config.json"
    "$program" run "$work/$1" --inputs "$3" --outputs "$work/found.$2" >"$work/err" 2>&1
}

agrees() { # NAME MODEL INPUTS
    mkdir -p "$work/$1/backends/coreml"
    cp "$plugin" "$work/$1/backends/coreml/libmodel.so"
    mv "$2" "$work/$1/backends/coreml/model.${2##*.}"
    computes "$1" true "$3" && computes "$1" false "$3" &&
        "$python" "$reference/coreml_files.py" --compare "$work/found.true" "$work/found.false" 1e-5 >"$work/err" 2>&1
    local result=$?
    rm -rf "${work:?}/$1"
    return $result
}

if ! "$python" -c 'import numpy, torch' 2>/dev/null; then
    skipped "no torch and numpy to write models with"
    summary
    exit
fi
"$python" "$reference/coreml_pipelines.py" answering "$work/made" >"$work/names"
while read -r name; do
    ok "pipeline $name" agrees "$name" "$(echo "$work/made/$name"/model.*)" "$work/made/$name/in.safetensors"
done <"$work/names"
"$python" "$reference/coreml_layers.py" families "$work/made" >"$work/names"
while read -r name; do
    "$python" "$reference/coreml_layers.py" evaluate "$work/made/$name/model.mlmodel" "$work/in" "$work/want"
    ok "layers: $name" agrees "$name" "$work/made/$name/model.mlmodel" "$work/in"
done <"$work/names"
"$python" "$reference/coreml_operations.py" "$work/made" >"$work/names"
while read -r name; do
    "$python" "$reference/coreml_program.py" "$work/made/$name/model.mlpackage" "$work/in" "$work/want" >"$work/err" 2>&1
    ok "operations: $name" agrees "$name" "$work/made/$name/model.mlpackage" "$work/in"
done <"$work/names"
if [ ! -f "$shared/models/synth.py" ]; then
    skipped "no models to make programs of"
    summary
    exit
fi
"$python" "$reference/coreml_mobilenet.py" "$work/weights/mobilenet" 96
cp -r "$shared/models/real/capp-gpt2" "$work/weights"
while read -r model form; do
    [ -d "$work/weights/$model" ] || "$python" "$shared/models/synth.py" "$work/weights" "$model" >"$work/err" 2>&1
    inputs=$work/weights/$model/reference.safetensors
    [ -f "$inputs" ] || inputs=$shared/models/$model/reference.safetensors
    "$python" "$reference/coreml_convert.py" "$work/weights/$model" "$inputs" "$form" "$work/made/$model" >"$work/err" 2>&1
    ok "$model in $form" agrees "$model" "$work/made/$model/model.mlpackage" "$work/made/$model/coreml.safetensors"
done <<'END'
bert-tiny-synth fp32
capp-gpt2 fp32
capp-gpt2 fp32-added
lstm-2x512-synth fp32
mobilenet fp32
resnet-50-synth fp32
END
summary
