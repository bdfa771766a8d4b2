#!/usr/bin/env bash
# Core ML models whose inputs have several sizes answer at each of them: pictures and arrays of a convolutional network as
# tests/reference/coreml_flexible.py evaluates them, BERT of 1 to 512 tokens as its own plugin.
# Covers plugins/coreml-ane/variants.c, plugins/coreml-ane/feature_sizes.c, plugins/coreml-ane/describe_features.c.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/system/lib.sh
. tests/system/lib.sh
begin coreml_shapes

program=$build/bin/modelhost
plugins=$build/lib/modelhost/plugins
shared=${SHARED:-../shared}
python=/usr/bin/python3
flexible=tests/reference/coreml_flexible.py

package() { # NAME BACKEND PLUGIN
    mkdir -p "$work/$1/backends/$2"
    cp "$plugins/lib$3.so" "$work/$1/backends/$2/libmodel.so"
    [ "$3" != coreml-ane ] || echo '{"model_type": "coreml"}' >"$work/$1/backends/$2/config.json"
}

answers() { # NAME HEIGHTxWIDTH OPTION...
    "$python" "$flexible" evaluate "$1" "$2" "$work/in" "$work/want" >"$work/err" 2>&1 &&
        "$program" run "$work/$1" "${@:3}" --inputs "$work/in" --outputs "$work/found" >"$work/err" 2>&1 &&
        "$python" tests/reference/coreml_files.py --compare "$work/found" "$work/want" 1e-5 >"$work/err" 2>&1
}

refused() { # NAME HEIGHTxWIDTH TEXT
    "$python" "$flexible" evaluate "$1" "$2" "$work/in" "$work/want"
    run run "$work/$1" --inputs "$work/in" --outputs "$work/found"
    [ "$code" -ne 0 ] && says "$3"
}

described() { # NAME PYTHON: of the inputs and outputs by name
    "$program" run "$work/$1" --describe >"$work/out" 2>"$work/err" && "$python" - "$work/out" "$2" <<'END'
import json
import sys
j = json.load(open(sys.argv[1]))
i, o = ({t["name"]: t for t in j[k]} for k in ("inputs", "outputs"))


def sizes(tensor):
    return [(d.get("min", 1), d["max"]) if isinstance(d, dict) else d for d in tensor["shape"]]


sys.exit(not eval(sys.argv[2]))
END
}

# The native answer to as many tokens, of which a part is hidden.
agrees() { # LENGTH [DTYPE [PRECISION]]
    local in_dtype=(--dtype "${2:-f32}" --set accuracy_policy=any)
    "$python" "$flexible" tokens "$work/bert/backends/cpu" "$1" "$work/tokens" >"$work/err" 2>&1 &&
        "$program" run "$work/bert" "${in_dtype[@]}" --inputs "$work/tokens/native.safetensors" --outputs "$work/native" >"$work/err" 2>&1 &&
        "$program" run "$work/flexible" "${in_dtype[@]}" --inputs "$work/tokens/coreml.safetensors" --outputs "$work/found" \
            >"$work/err" 2>&1 &&
        "$python" tests/reference/coreml_convert.py --compare "$work/native" "$work/found" \
            "$work/tokens/native.safetensors" "${3:-fp32}" >"$work/err" 2>&1
}

# DTLN declares one or two items; it has lists, loops and layers of LSTMs.
answers_several() { # N
    "$python" "$flexible" batch "$work/dtln/backends/coreml/model.mlpackage" "$1" "$work/in" "$work/want" \
        >"$work/err" 2>&1 &&
        "$program" run "$work/dtln" --inputs "$work/in" --outputs "$work/found" >"$work/err" 2>&1 &&
        "$python" tests/reference/coreml_files.py --compare "$work/found" "$work/want" 1e-5 >"$work/err" 2>&1
}

if ! "$python" -c 'import numpy' 2>/dev/null; then
    skipped "no numpy to evaluate models with"
    summary
    exit
fi
"$python" "$flexible" pictures "$work/made" >"$work/names"
while read -r name; do
    package "$name" coreml coreml-ane
    mv "$work/made/$name"/* "$work/$name/backends/coreml"
    for size in 32x32 20x44 64x48; do
        ok "$name answers at $size" answers "$name" "$size"
    done
    if [ "${name##*-}" = range ]; then
        for size in 13x13 70x70 69x14; do
            ok "$name answers at $size" answers "$name" "$size"
        done
        ok "$name refuses more than its range" refused "$name" 71x32 "is 71, want 13 to 70"
    else
        ok "$name refuses a size between those that it lists" refused "$name" 32x48 "32, 48], and the model takes"
        ok "and says which there are" says "20, 44]"
    fi
done <"$work/names"
ok "a size answers in a worker" answers program-picture-range 41x66 --isolation worker
ok "ranges are described, and sizes that follow from them" described program-picture-range \
    '[sizes(t) for t in (i["x"], o["map"], o["mean"])] == [[1, 3, (13, 70), (13, 70)], [1, 5, (1, 15), (1, 15)], [1, 5]]'
ok "single sizes are described by their hull" described network-array-sizes \
    '[sizes(t) for t in (i["x"], o["map"], o["mean"])] == [[3, (20, 64), (32, 48)], [5, (3, 14), (6, 10)], [5]]'
package endless coreml coreml-ane
"$python" "$flexible" endless "$work/endless/backends/coreml"
ok "bounds beyond all memory are described as none" described endless \
    'i["x"]["shape"] == ["x_0", {"name": "x_1", "min": 2}] and o["y"]["shape"][0] == "y_0"'
ok "the plugin conforms with a range of sizes" "$program" check-plugin "$plugins/libcoreml-ane.so" \
    --package "$work/network-picture-range"
"$build/bin/pkgmgr" inspect "$work/program-picture-range/backends/coreml/model.mlpackage" >"$work/out" 2>"$work/err"
has "inspect prints a range" "$(<"$work/out")" "rgb [32, 32], from [13, 13] to [70, 70]"
"$build/bin/pkgmgr" inspect "$work/network-array-sizes/backends/coreml/model.mlmodel" >"$work/out" 2>"$work/err"
has "inspect prints single sizes" "$(<"$work/out")" "one of [3, 32, 32], [3, 20, 44], [3, 64, 48]"

if [ -f "$shared/models/synth.py" ]; then
    mkdir "$work/tokens"
    package bert cpu bert
    package flexible coreml coreml-ane
    "$python" "$shared/models/synth.py" "$work/made" bert-tiny-synth >"$work/err" 2>&1
    mv "$work/made/bert-tiny-synth"/* "$work/bert/backends/cpu"
    "$python" "$flexible" bert "$work/bert/backends/cpu" "$work/flexible/backends/coreml"
    for length in 1 7 16 128 512; do
        ok "BERT of 1 to 512 tokens answers to $length as its own plugin" agrees "$length"
    done
    "$python" "$flexible" tokens "$work/bert/backends/cpu" 513 "$work/tokens"
    run run "$work/flexible" --inputs "$work/tokens/coreml.safetensors" --outputs "$work/found"
    ok "it refuses 513" says "is 513, want 1 to 512"
    ok "other sizes are computed in bf16, too" agrees 100 bf16
    # Several thousand blocks a round: what the C library's caches hold of them is no growth.
    ok "making, running and ending it leaves nothing behind" "$program" check-plugin "$plugins/libcoreml-ane.so" \
        --package "$work/flexible" --only 4 --rounds 100
    echo '{"model_type": "coreml", "emulate_fp16": true}' >"$work/flexible/backends/coreml/config.json"
    ok "and in emulated float16" agrees 100 f32 fp16
else
    skipped "no models to make programs of"
fi
if [ -d "$shared/coreml/DTLN_AEC_128_Part1.mlpackage" ]; then
    package dtln coreml coreml-ane
    cp -r "$shared/coreml/DTLN_AEC_128_Part1.mlpackage" "$work/dtln/backends/coreml/model.mlpackage"
    for n in 1 2; do
        ok "DTLN answers to $n at once" answers_several "$n"
    done
else
    skipped "no Core ML models in $shared"
fi
summary
