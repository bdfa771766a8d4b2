#!/usr/bin/env bash
# ML Programs on this machine: DTLN, with its loops and lists, answers what tests/reference/coreml_program.py evaluates apart
# from the plugin; whole models written as programs (tests/reference/coreml_convert.py) answer what their own plugins answer,
# or the library that they come from.
# Covers plugins/coreml-ane/translate_program.c and the program_*.c beside it.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/system/lib.sh
. tests/system/lib.sh
begin coreml_programs

program=$build/bin/modelhost
plugins=$build/lib/modelhost/plugins
shared=${SHARED:-../shared}
python=/usr/bin/python3
writer=tests/reference/coreml_convert.py

package() { # NAME BACKEND PLUGIN: a folder for the model
    mkdir -p "$work/$1/backends/$2"
    cp "$plugins/lib$3.so" "$work/$1/backends/$2/libmodel.so"
}

program_answers() { # MODEL.mlpackage
    package dtln coreml coreml-ane
    cp -r "$1" "$work/dtln/backends/coreml/model.mlpackage"
    echo '{"model_type": "coreml"}' >"$work/dtln/backends/coreml/config.json"
    "$python" tests/reference/coreml_program.py "$1" "$work/in" "$work/want" >"$work/err" 2>&1 &&
        "$program" run "$work/dtln" --inputs "$work/in" --outputs "$work/found" >"$work/err" 2>&1 &&
        "$python" tests/reference/coreml_files.py --compare "$work/found" "$work/want" 1e-4 \
            >"$work/err" 2>&1
}

# A package of the model for its own plugin, and the reference; of a model without one of ours, only what the program is
# written of.
made() { # MODEL PLUGIN|-
    mkdir -p "$work/$1/backends/cpu"
    [ "$2" = - ] || package "$1" cpu "$2"
    reference=$shared/models/$1/reference.safetensors
    case $1 in
    mobilenet)
        "$python" tests/reference/coreml_mobilenet.py "$work/$1/backends/cpu" >"$work/err" 2>&1
        reference=$work/$1/backends/cpu/reference.safetensors ;;
    real/*) cp "$shared/models/$1"/* "$work/$1/backends/cpu" ;;
    *)
        "$python" "$shared/models/synth.py" "$work/made" "$1" >"$work/err" 2>&1 &&
            mv "$work/made/$1"/* "$work/$1/backends/cpu" && rm -r "$work/made" ;;
    esac
}

# The program answers as the model's own plugin, or as the reference.
agrees() { # MODEL fp32|fp16[-FORM] native|reference
    local made=$work/$1.$2/backends/coreml want=$reference
    package "$1.$2" coreml coreml-ane
    echo '{"model_type": "coreml"}' >"$made/config.json"
    "$python" "$writer" "$work/$1/backends/cpu" "$reference" "$2" "$made" >"$work/err" 2>&1 || return 1
    if [ "$3" = native ]; then
        want=$work/native
        "$program" run "$work/$1" --inputs "$made/native.safetensors" --outputs "$want" >"$work/err" 2>&1 || return 1
    fi
    "$program" run "$work/$1.$2" --inputs "$made/coreml.safetensors" --outputs "$work/found" >"$work/err" 2>&1 &&
        "$python" "$writer" --compare "$want" "$work/found" "$made/native.safetensors" "$2" >"$work/err" 2>&1
    local result=$?
    rm -rf "${work:?}/$1.$2"
    return $result
}

# A package of the model as a program, and whether numbers in it are rounded to float16.
half() { # MODEL fp32|fp16[-FORM]
    made=$work/$1.half/backends/coreml
    package "$1.half" coreml coreml-ane
    "$python" "$writer" "$work/$1/backends/cpu" "$shared/models/$1/reference.safetensors" "$2" "$made" >"$work/err" 2>&1
}
rounds() { echo '{"model_type": "coreml", "emulate_fp16": '"$1"'}' >"$made/config.json"; } # true|false

# Much nearer than float32 to an evaluation that rounds what each operation makes.
rounds_each() { # MODEL
    half "$1" fp32-scores && rounds false &&
        "$python" tests/reference/coreml_program.py "$made/model.mlpackage" "$work/in" "$work/want" --half \
            >"$work/err" 2>&1 &&
        "$program" run "$work/$1.half" --inputs "$work/in" --outputs "$work/found.f32" >"$work/err" 2>&1 &&
        rounds true &&
        "$program" run "$work/$1.half" --inputs "$work/in" --outputs "$work/found" >"$work/err" 2>&1 &&
        "$python" "$writer" --nearer "$work/found" "$work/found.f32" "$work/want" >"$work/err" 2>&1
}

# Weights that were prepared without rounding, and with it, are kept apart: both runs answer again what they did.
rounds_apart() { # MODEL
    local emulates
    half "$1" fp32 && mkdir -p "$work/half-store" || return 1
    for emulates in false true false true; do
        rounds "$emulates"
        MODELHOST_STORE=$work/half-store "$program" run "$work/$1.half" --inputs "$made/coreml.safetensors" \
            --outputs "$work/found" >"$work/err" 2>&1 || return 1
        [ -f "$work/was.$emulates" ] || cp "$work/found" "$work/was.$emulates"
        cmp "$work/found" "$work/was.$emulates" >"$work/err" 2>&1 || return 1
    done
    not cmp -s "$work/was.false" "$work/was.true" && [ "$(find "$work/half-store/prepared" -type f | wc -l)" -eq 2 ]
}

# The whole model, as near to its own plugin in float32 as float16 allows.
rounds_whole() { # MODEL fp32|fp16
    half "$1" "$2" && rounds true &&
        "$program" run "$work/$1" --inputs "$made/native.safetensors" --outputs "$work/native" >"$work/err" 2>&1 &&
        "$program" run "$work/$1.half" --inputs "$made/coreml.safetensors" --outputs "$work/found" \
            >"$work/err" 2>&1 &&
        "$python" "$writer" --compare "$work/native" "$work/found" "$made/native.safetensors" fp16 >"$work/err" 2>&1
}

if [ ! -d "$shared/coreml/DTLN_AEC_128_Part1.mlpackage" ]; then
    skipped "no Core ML models in $shared"
elif "$python" -c 'import numpy, torch' 2>/dev/null; then
    ok "DTLN answers what its operations say" program_answers "$shared/coreml/DTLN_AEC_128_Part1.mlpackage"
    has "the program is opened for its own features" "$("$program" run "$work/dtln" --describe 2>&1)" \
        $'"name":\t"states_in"'
    mv "$work/dtln/backends/coreml/model.mlpackage/Data/com.apple.CoreML/weights/weight.bin" "$work/away"
    run run "$work/dtln" --describe
    ok "a program without its weights is refused" [ "$code" -ne 0 ]
else
    skipped "no torch and numpy to evaluate programs with"
fi

if "$python" -c 'import numpy, torch' 2>/dev/null && [ -f "$shared/models/synth.py" ]; then
    while read -r model plugin truth forms; do
        ok "$model is made" made "$model" "$plugin"
        for form in $forms; do
            ok "$model as a program of $form answers as the ${truth/native/"$plugin plugin"}" agrees "$model" "$form" "$truth"
        done
        if [ "$model" = bert-tiny-synth ]; then
            ok "emulated float16 is what float16 makes of each operation" rounds_each "$model"
            ok "what is prepared in one precision is not used in the other" rounds_apart "$model"
            ok "$model keeps its answer in emulated float16" rounds_whole "$model" fp32
            ok "$model with weights in fp16 does, too" rounds_whole "$model" fp16
        fi
        rm -rf "${work:?}/$model" "${work:?}/$model.half"
    done <<'END'
bert-tiny-synth bert native fp32 fp16
lstm-2x512-synth lstm native fp32 fp16
resnet-50-synth resnet native fp32 fp16
real/capp-gpt2 gpt2 native fp32 fp16
real/capp-gpt2 gpt2 reference fp32 fp32-added fp16-added
mobilenet - reference fp32 fp16
vit-base-synth - reference fp32 fp16
END
else
    skipped "no torch and numpy, or no models to make programs of"
fi
summary
