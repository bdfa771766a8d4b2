#!/usr/bin/env bash
# Core ML models on this machine: packages of plugins/coreml-ane answer what tests/reference/coreml_network.py
# evaluates apart from them, pass the conformance check, and are refused with a sentence where they must be.
# Covers plugins/coreml-ane.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/system/lib.sh
. tests/system/lib.sh
begin coreml

program=$build/bin/modelhost
plugin=$build/lib/modelhost/plugins/libcoreml-ane.so
models=${SHARED:-../shared}/coreml
python=/usr/bin/python3
evaluate=tests/reference/coreml_network.py

package() { # NAME FILE
    mkdir -p "$work/$1/backends/coreml"
    cp "$plugin" "$work/$1/backends/coreml/libmodel.so"
    cp "$2" "$work/$1/backends/coreml/model.mlmodel"
    chmod u+w "$work/$1/backends/coreml/model.mlmodel"
    echo '{"model_type": "coreml"}' >"$work/$1/backends/coreml/config.json"
}

answers() { # MODEL [FOLDER] [--drawing]
    package "$1" "${2:-$models}/$1.mlmodel"
    "$python" "$evaluate" "${2:-$models}/$1.mlmodel" "$work/in" "$work/want" "${@:3}" >"$work/err" 2>&1 &&
        "$program" run "$work/$1" --inputs "$work/in" --outputs "$work/found" >"$work/err" 2>&1 &&
        "$python" tests/reference/coreml_files.py --compare "$work/found" "$work/want" 1e-4 >"$work/err" 2>&1
}

reveals() { # MODEL BLOB [--drawing]: what the model's answer is made of
    mkdir -p "$work/revealed"
    "$python" "$evaluate" --reveal "$2" "$models/$1.mlmodel" "$work/revealed/$1.mlmodel" &&
        answers "$1" "$work/revealed" "${@:3}"
}

pictures() { # MODEL: inputs as F32, U8 and I32
    "$python" "$evaluate" "$1" "$work/in" "$work/want" >"$work/err" 2>&1
    "$python" tests/reference/coreml_files.py --as U8 "$work/in" "$work/in.U8"
    "$python" tests/reference/coreml_files.py --as I32 "$work/in" "$work/in.I32"
}

answers_bytes() { # MODEL OPTION...: the same bits as to F32, and those wanted
    "$program" run "$work/$1" "${@:2}" --inputs "$work/in" --outputs "$work/found" >"$work/err" 2>&1 &&
        "$program" run "$work/$1" "${@:2}" --inputs "$work/in.U8" --outputs "$work/found.U8" >"$work/err" 2>&1 &&
        cmp "$work/found" "$work/found.U8" >"$work/err" 2>&1 &&
        "$python" tests/reference/coreml_files.py --compare "$work/found.U8" "$work/want" 1e-4 >"$work/err" 2>&1
}

classify=tests/reference/coreml_classifier.py
names_class() { # program|network strings|numbers
    local model=$work/made.mlmodel
    [ "$1" = network ] || model=$work/made.mlpackage
    rm -rf "$work/made.mlmodel" "$work/made.mlpackage"
    "$python" "$classify" "$1" "$2" "$model" "$work/in" >"$work/err" 2>&1 &&
        "$build/bin/pkgmgr" import "$model" --name "a/$1-$2" --plugin-path "$build/lib/modelhost/plugins" \
            --store "$work/store" >"$work/err" 2>&1 &&
        "$program" run "a/$1-$2" --store "$work/store" --inputs "$work/in" --outputs "$work/found" --json \
            >"$work/out" 2>"$work/err" &&
        "$python" "$classify" --check "$2" "$work/found" "$work/out" >"$work/err" 2>&1
}

# Files of pictures through packages that `pkgmgr import` makes.
picture=tests/reference/coreml_picture.py
imported() { # NAME MODEL
    "$build/bin/pkgmgr" import "$2" --name "$1" --plugin-path "$build/lib/modelhost/plugins" --store "$work/store" \
        >"$work/package" 2>"$work/err"
}
sees() { # NAME OPTION...: --image
    "$program" run "$1" --store "$work/store" --image "$work/picture.png" --json --top-k 100 "${@:2}" >"$work/out" 2>"$work/err"
}
sees_colors() { # rgb|bgr|gray [FOLDER|ARCHIVE OPTION...]
    "$python" "$picture" "$1" "$work/$1.mlmodel" "$work/picture.png" >"$work/err" 2>&1 &&
        imported "a/$1" "$work/$1.mlmodel" && sees "a/$1" &&
        "$python" "$picture" --check "$1" "$work/out" >"$work/err" 2>&1
}

refuses_labels() { # program|network
    ! names_class "$1" few && grep -qF '4 probabilities for 3 class labels' "$work/err"
}

refused() { # NAME TEXT: the package is not opened, and stderr has the text
    run run "$work/$1" --describe
    [ "$code" -ne 0 ] && grep -qF "$2" "$work/err"
}

if [ ! -f "$models/identity.mlmodel" ]; then
    skipped "no Core ML models in $models"
    summary
    exit
fi
# A model of two numbers needs no torch.
package identity "$models/identity.mlmodel"
run run "$work/identity" --describe
has "a model names its own features" "$out" $'"name":\t"x"'
ok "no plan of Apple's is told as unknown, not as 0" json 'j["device_plan"] == {"requested_units": "cpuAndNeuralEngine", "planned_units": "kernels", "ane_eligible": None, "ane_operators_covered": None, "ane_cost_share": None, "planned_coverage": "not known on this system"}'
asks_nobody() { # PACKAGE
    run run "$work/$1" --describe && json 'j["device_plan"]["requested_units"] == "none" and j["device_plan"]["planned_units"] == "kernels"'
}
for setting in '"coreml_executor": "kernels"' '"emulate_fp16": true'; do
    package kernels "$models/identity.mlmodel"
    echo "{\"model_type\": \"coreml\", $setting}" >"$work/kernels/backends/coreml/config.json"
    ok "with $setting no units are asked for" asks_nobody kernels
done
package cpu "$models/identity.mlmodel"
mv "$work/cpu/backends/coreml" "$work/cpu/backends/cpu"
ok "nor by another backend than Core ML's" asks_nobody cpu
ok "the plugin conforms" "$program" check-plugin "$plugin" --package "$work/identity"
if "$python" -c 'import numpy, torch' 2>/dev/null; then
    for model in identity MNISTClassifier model_cpm model_hourglass; do
        ok "$model answers what its layers say" answers "$model"
    done
    ok "DeepLabV3Int8LUT answers what its layers say" answers DeepLabV3Int8LUT "$models" --drawing
    # Almost all numbers of an answer may be 0, or of one class; those before are not.
    ok "DeepLabV3Int8LUT gives classes their numbers" reveals DeepLabV3Int8LUT ResizeBilinear_3:0 --drawing
    last=stage_5_mv1_2_pointwise/BatchNorm/FusedBatchNorm:0
    ok "model_cpm makes its last numbers" reveals model_cpm "Convolutional_Pose_Machine/stage_5_mv1/$last"
    last=hourglass_back_3_pointwise/BatchNorm/FusedBatchNorm:0
    ok "model_hourglass makes its last numbers" reveals model_hourglass "inverted_bottleneck_hourglass_back_3/$last"
    # Networks with the same config.json, also at the same place, find their own packed weights, and no others.
    mkdir "$work/kept"
    export MODELHOST_STORE=$work/kept
    kept() { find "$work/kept/prepared" -type f 2>/dev/null | wc -l; }
    ok "model_cpm answers and is kept" answers model_cpm
    ok "model_hourglass answers beside it" answers model_hourglass
    same "each has prepared weights of its own" "$(kept)" 2
    run run "$work/model_hourglass" --inputs "$work/in" --outputs "$work/found" --set log_level=debug
    ok "and loads them" says 'prepared weights are kept: '
    ok "which answer the same" "$python" tests/reference/coreml_files.py --compare "$work/found" "$work/want" 1e-4
    cp "$models/model_cpm.mlmodel" "$work/model_hourglass/backends/coreml/model.mlmodel"
    "$python" "$evaluate" "$models/model_cpm.mlmodel" "$work/in" "$work/want" >"$work/err" 2>&1
    run run "$work/model_hourglass" --inputs "$work/in" --outputs "$work/found"
    ok "a model that takes another one's place is itself" "$python" tests/reference/coreml_files.py --compare "$work/found" "$work/want" 1e-4
    unset MODELHOST_STORE
    for seed in classifier picture deconvolution; do
        cp "tests/fuzz/corpus/coreml_graph/$seed" "$work/$seed.mlmodel"
        ok "layers of '$seed' answer what they say" answers "$seed" "$work"
    done
    # A picture as bytes is the same picture, here and in a worker; no other dtype is one.
    for model in picture MNISTClassifier; do
        [ -d "$work/$model" ] || package "$model" "$work/$model.mlmodel"
        pictures "$work/$model/backends/coreml/model.mlmodel"
        ok "$model answers to bytes as to numbers" answers_bytes "$model"
        ok "$model does so in a worker" answers_bytes "$model" --isolation worker
        run run "$work/$model" --inputs "$work/in.I32" --outputs "$work/found"
        ok "$model takes no other dtype" says "dtype I32, want F32 or U8"
    done
    ok "the plugin conforms with a picture, too" "$program" check-plugin "$plugin" --package "$work/picture"
    run run "$work/MNISTClassifier" --describe
    ok "a description says that bytes are taken" [ "$(grep -c takes_u8 "$work/out")" -eq 1 ]
    for kind in network program; do
        ok "a $kind with labels for other classes is refused" refuses_labels "$kind"
    done
    # Probabilities in the order of the classes, and the label of the largest.
    for kind in network program; do
        for labels in strings numbers; do
            ok "a $kind with $labels as labels names the class" names_class "$kind" "$labels"
        done
    done
    # A file of a picture is what its bytes are.
    "$python" "$evaluate" "$models/MNISTClassifier.mlmodel" "$work/in" "$work/want" >"$work/err" 2>&1
    "$python" tests/reference/coreml_files.py --as U8 "$work/in" "$work/in.U8"
    "$python" "$picture" --png "$work/in.U8" "$work/picture.png"
    ok "MNISTClassifier is imported" imported a/mnist "$models/MNISTClassifier.mlmodel"
    ok "MNISTClassifier sees a file" sees a/mnist
    ok "and answers to it as to its bytes" "$python" "$picture" --same output "$work/want" "$work/out"
    ok "MNISTClassifier sees two files, one after the other" sees a/mnist --image "$work/picture.png"
    ok "with an answer for each" json 'len(j) == 2 and j[0] == j[1] and len(j[0]) == 10'
else
    skipped "no torch to evaluate models with"
fi
if "$python" -c 'import numpy' 2>/dev/null; then
    for colors in rgb bgr gray; do
        ok "a model of $colors sees a file in its order of colours" sees_colors "$colors"
    done
    ok "in a worker, too" sees a/bgr --isolation worker
    ok "the same" "$python" "$picture" --check bgr "$work/out"
    run preprocess a/bgr --image "$work/picture.png" --outputs "$work/made" --store "$work/store"
    same "what its picture becomes is written" "$code" 0
    run run a/bgr --inputs "$work/made" --outputs "$work/found" --store "$work/store"
    same "as the model takes it" "$code" 0
    ok "which answers as to the file" sees a/bgr
    ok "the same numbers" "$python" "$picture" --same chances "$work/found" "$work/out"
    "$build/bin/pkgmgr" pack a/bgr --store "$work/store" -o "$work/bgr.mhp" >"$work/out" 2>"$work/err"
    ok "and from an archive" sees "$work/bgr.mhp"
    ok "just so" "$python" "$picture" --check bgr "$work/out"
    mkdir -p "$work/measured/backends"
    cp -rL "$(cat "$work/package")/backends/coreml" "$work/measured/backends/cpu"
    run quantize "$work/measured" --dtype int8 --image "$work/picture.png" --store "$work/store" --json
    ok "a report compares dtypes by files of pictures" json "j['inputs'] == 'images' and j['worst_output'] == 'chances' and j['cosine'] > 0.999"
    eight=() # samples, which are what auto wants
    for _ in 1 2 3 4 5 6 7 8; do eight+=(--image "$work/picture.png"); done
    run quantize a/bgr --dtype int8 --report "${eight[@]}" --store "$work/store" --max-cosine-loss 0.1
    same "and of a backend that is in a worker" "$code" 0
    run run a/bgr --dtype auto --describe --store "$work/store"
    ok "whose report is found by the next load" prints '"compute_dtype":	"int8"'
    package unmade "$work/gray.mlmodel"
    cp "$(cat "$work/package")/backends/coreml/config.json" "$work/unmade/backends/coreml/"
    run run "$work/unmade" --image "$work/picture.png"
    ok "a package that was not imported is told what makes files pictures" \
        says "backends/coreml has no preprocessor_config.json, which says how pictures become the model's picture (num_channels 1, height 3, width 4); 'pkgmgr import' of the model makes one, or give picture as tensors (--inputs)"
    echo '{"image_processor_type":"ViTImageProcessor","size":{"height":3,"width":4}}' >"$work/unmade/preprocessor_config.json"
    run run "$work/unmade" --image "$work/picture.png"
    ok "what scales pixel_values is not for a model that scales by itself" says "backends/coreml has no preprocessor_config.json"
else
    skipped "no numpy to make pictures with"
fi

# As packages are made.
ok "a model is imported" "$build/bin/pkgmgr" import "$models/MNISTClassifier.mlmodel" --name a/digits \
    --plugin-path "$build/lib/modelhost/plugins" --store "$work/store"
cp "$models/MNISTClassifier.mlmodel" "$work/noext"
not_imported() { # WORDS ARGUMENTS...
    ! "$build/bin/pkgmgr" import "${@:2}" --store "$work/store" >"$work/out" 2>"$work/err" && grep -qF -- "$1" "$work/err"
}
ok "a model without extension is no package" not_imported \
    'noext is no package archive (.mhp), no Core ML model by its name (.mlmodel, .mlpackage, .mlmodelc), and no folder' "$work/noext" --name a/noext
"$build/bin/pkgmgr" import "$models/DTLN_AEC_128_Part1.mlpackage" --name a/whole --plugin-path "$build/lib/modelhost/plugins" \
    --store "$work/store" >"$work/out" 2>"$work/err"
ok "a package is opened while it is imported" not grep -q warning "$work/err"
mkdir -p "$work/bare/backends/cpu"
cp "$build/lib/modelhost/plugins/libcoreml-ane.so" "$work/bare/backends/cpu/libmodel.so"
echo '{"model_type": "coreml"}' >"$work/bare/backends/cpu/config.json"
cp -r "$models/DTLN_AEC_128_Part1.mlpackage" "$work/bare/backends/cpu/model.mlpackage"
find "$work/bare" -name weight.bin -delete
sed -i 's/"coreml"/"bert"/' "$work/bare/backends/cpu/config.json"
cp -r "$models/DTLN_AEC_128_Part1.mlpackage/." "$work/bare/backends/cpu/model.mlpackage"
run run "$work/bare" --describe
ok "a model_type that the package's own plugin does not serve is warned of" says "backends/cpu/config.json: model_type is 'bert', and the package's own plugin serves 'coreml': correct that, or take the plugin away"
sed -i 's/"bert"/"coreml"/' "$work/bare/backends/cpu/config.json"
run run "$work/bare" --describe
ok "one that it serves is not" not says 'own plugin serves'
find "$work/bare" -name weight.bin -delete
run run "$work/bare" --describe
ok "a model without its weights is told to lack them" says "weight.bin' are not there: copy the weights folder beside the model"
run run a/digits --store "$work/store" --describe
has "an imported model runs" "$out" $'"name":\t"coreml-ane"'
run run a/digits --store "$work/store" --describe --memory-budget 1000
ok "a memory budget holds for it" says 'memory_budget_bytes is 1000; allow more'

# The same files by our own kernels, whatever stands in front: what a package falls back to where there is Core ML.
"$build/bin/pkgmgr" inspect a/whole --store "$work/store" >"$work/out" 2>"$work/err"
ok "inspect shows a package's model" prints lpb_magnitude
for backends in coreml:cpu coreml,coreml:cpu; do
    run run a/whole --store "$work/store" --describe --backend "$backends"
    ok "$backends opens" json "[j['backend'], *j['fallbacks']] == '$backends'.split(',') and [i['name'] for i in j['inputs']] == ['lpb_magnitude', 'mic_magnitude', 'states_in']"
done
run run a/whole --store "$work/store" --describe --backend coreml:gpu
ok "no other device is asked for" says "'coreml:gpu' is no name of a backend; want that of its folder, such as cpu, with ':cpu' behind it"

# What is nearly a field of ours does nothing, and that is said.
package misspelt "$models/identity.mlmodel"
warned() { # CONFIG: the lines of warnings of fields
    printf '%s' "$1" >"$work/misspelt/backends/coreml/config.json"
    run run "$work/misspelt" --describe
    grep -o "config.json: '.*" "$work/err"
}
for pair in compute_unit:compute_units computeUnits:compute_units coreml_exceutor:coreml_executor emulate_f16:emulate_fp16 fused:fuse \
    coreml_models:coreml_model low_precission_accumulation:low_precision_accumulation; do
    same "'${pair%:*}' is told to be none" "$(warned "{\"model_type\": \"coreml\", \"${pair%:*}\": \"all\"}")" \
        "config.json: '${pair%:*}' is no field of this plugin and does nothing; did you mean '${pair#*:}'?"
done
same "fields of ours, and those of others, are not" "$(warned '{"model_type": "coreml", "compute_units": "all", "fuse": true, "architectures": ["compute_unit"],
    "note": "\"compute_unit\": {", "other": {"compute_unit": 1}, "units": "compute_unit", "emulate_fp32": false}')" ''
same "and each of several is" "$(warned '{"model_type" : "coreml" , "compute_unit"
 : 1, "x": [{"y": "}]"}], "Fuse": false}' | wc -l)" 2
package cut "$models/identity.mlmodel"
head -c 60 "$models/identity.mlmodel" >"$work/cut/backends/coreml/model.mlmodel"
ok "a model that was cut short is refused" refused cut "model.mlmodel"
ok "and is to be got again" says "; get the package's files again, or mend them"
package none "$models/identity.mlmodel"
rm "$work/none/backends/coreml/model.mlmodel"
ok "a package without a model says what it wants" refused none \
    "no 'model.mlpackage' and no 'model.mlmodel' beside config.json"
package up "$models/identity.mlmodel"
echo '{"model_type": "coreml", "coreml_model": "a/../../model.mlmodel"}' >"$work/up/backends/coreml/config.json"
ok "a model outside the package is refused" refused up "want a path below its folder"
summary
