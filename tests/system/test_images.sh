#!/usr/bin/env bash
# `modelhost run --image` and `modelhost preprocess`, as a person uses them, on the fixture plugin_pixels,
# whose logits are the means of the channels.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/system/lib.sh
. tests/system/lib.sh
begin images
modelhost=$build/bin/modelhost program=$modelhost
png=$PWD/tests/fuzz/corpus/image_png
jpeg=$PWD/tests/fuzz/corpus/image_jpeg
export MODELHOST_STORE=$work/store
unset MODELHOST_PLUGIN_PATH

pixels=$work/pixels
mkdir -p "$pixels/backends/cpu"
cp "$BUILD/tests/plugin_pixels.so" "$pixels/backends/cpu/libmodel.so"
printf '{"model_type":"pixels","id2label":{"0":"red","1":"green","2":"blue"}}' >"$pixels/backends/cpu/config.json"
printf '{"image_processor_type":"ViTImageProcessor","size":{"height":8,"width":6}}' >"$pixels/preprocessor_config.json"

# ---- run

run run "$pixels" -q --image "$jpeg/rgb420.jpg" --image "$png/rgba8.png"
same 'images are classified' "$code" 0
same 'each under its name' "$(grep -c '^/' "$work/out")" 2
same 'with a line for each label' "$(grep -cE '^ +[0-9]+\.[0-9]{2} %  (red|green|blue)$' "$work/out")" 6
run run "$pixels" --top-k 1 --image "$jpeg/rgb420.jpg"
same 'top-k bounds the labels' "$(grep -c '%' "$work/out")" 1
ok 'the timing is on stderr' says 'modelhost: 1 image in'

many=()
for file in "$png"/*.png "$jpeg"/*.jpg; do
    many+=(--image "$file")
done
run run "$pixels" -q --json "${many[@]}"
ok 'many images are one array in their order' json "len(j) == $((${#many[@]} / 2)) and all(len(a) == 3 for a in j)"
ok 'labels have score and index, the best first' \
    json 'all(set(l) == {"label", "score", "index"} for a in j for l in a) and all(a[0]["score"] >= a[1]["score"] >= a[2]["score"] for a in j)'
cp "$work/out" "$work/all"
run run "$pixels" -q --json --image "${many[${#many[@]} - 1]}"
ok 'a batch gives what singles give' python3 -c "
import json
a, b = json.load(open('$work/all'))[-1], json.load(open('$work/out'))[0]
assert [l['index'] for l in a] == [l['index'] for l in b] and max(abs(x['score'] - y['score']) for x, y in zip(a, b)) < 1e-6"
"$modelhost" run "$pixels" -q --json --image - <"${many[${#many[@]} - 1]}" >"$work/stdin" 2>"$work/err"
ok 'a file comes through standard input' cmp "$work/out" "$work/stdin"

head -c 300 "$jpeg/rgb420.jpg" >"$work/cut.jpg"
refuses 'a truncated image' 1 "$work/cut.jpg: the JPEG ends too early, after 300 bytes" \
    run "$pixels" -q --image "$png/rgb8.png" --image "$work/cut.jpg"
said 'nothing else is said, by libraries least of all' "modelhost: $work/cut.jpg: the JPEG ends too early, after 300 bytes"
: >"$work/empty.png"
refuses 'an empty image' 1 "$work/empty.png: it is empty; want a PNG or a JPEG" run "$pixels" -q --image "$work/empty.png"
printf 'GIF89a..........' >"$work/moving.gif"
refuses 'a GIF' 1 "$work/moving.gif: GIF is not supported; want a PNG or a JPEG: convert it first" \
    run "$pixels" -q --image "$work/moving.gif"
refuses 'no such image' 3 'absent.png: No such file' run "$pixels" -q --image absent.png
refuses 'a folder' 1 "$work" run "$pixels" -q --image "$work"
"$modelhost" run "$pixels" -q --image - >"$work/out" 2>"$work/err" </dev/null
ok 'empty standard input is named' says 'modelhost: standard input: it is empty; want a PNG or a JPEG'
refuses 'an image and a text' 2 'give images, texts or tensors, one kind of them' run "$pixels" --image x.png --text x
refuses 'an image and tensors' 2 'give images, texts or tensors, one kind of them' \
    run "$pixels" --image x.png --inputs x --outputs y
refuses 'a pair for an image' 2 '--pair is for texts, not for --image' run "$pixels" --image x.png --pair x
refuses 'output names with images' 2 '--output-names goes with --inputs' run "$pixels" --image x.png --output-names logits
refuses 'another task' 1 "unknown task 'fill-mask' for pictures; there is classify" \
    run "$pixels" -q --task fill-mask --image "$png/rgb8.png"
refuses 'a text for a model of images' 1 "this model takes no text: it has no input 'input_ids'" run "$pixels" -q --text x

# ---- preprocess

run preprocess "$pixels" --image "$jpeg/rgb420.jpg" --image "$png/rgb8.png" --outputs "$work/pixels.safetensors"
same 'pixel values are written' "$code" 0
same 'and nothing is printed' "$(cat "$work/out" "$work/err")" ''
run run "$pixels" -q --inputs "$work/pixels.safetensors" --outputs "$work/logits.safetensors"
same 'the model takes them as tensors' "$code" 0
cat >"$work/compare.py" <<'PY'
import json, math, struct, sys
raw = open(sys.argv[1], 'rb').read()
n = struct.unpack('<Q', raw[:8])[0]
logits = json.loads(raw[8:8 + n])['logits']
assert logits['shape'] == [2, 3]
values = struct.unpack('<6f', raw[8 + n + logits['data_offsets'][0]:8 + n + logits['data_offsets'][1]])
for row, labels in zip((values[:3], values[3:]), json.load(open(sys.argv[2]))):
    total = sum(math.exp(v) for v in row)
    assert all(abs(math.exp(row[l['index']]) / total - l['score']) < 1e-6 for l in labels)
PY
run run "$pixels" -q --json --image "$jpeg/rgb420.jpg" --image "$png/rgb8.png"
ok 'and says what it says of the images' python3 "$work/compare.py" "$work/logits.safetensors" "$work/out"
mkdir "$work/plain"
cp "$pixels/preprocessor_config.json" "$work/plain/"
run preprocess "$work/plain" --image "$png/rgb8.png" --outputs "$work/plain.safetensors"
same 'a folder with the file alone will do' "$code" 0
refuses 'a truncated image' 1 "$work/cut.jpg: the JPEG ends too early, after 300 bytes" \
    preprocess "$pixels" --image "$work/cut.jpg" --outputs "$work/none.safetensors"
same 'a failure leaves no file' "$(ls "$work/none.safetensors" 2>/dev/null)" ''
refuses 'no image' 2 'wants --image and --outputs' preprocess "$pixels" --outputs "$work/none.safetensors"
refuses 'no such package' 3 "no such model: 'absent'" preprocess absent --image "$png/rgb8.png" --outputs "$work/none.safetensors"
printf '{"image_processor_type":"ViTImageProcessor","size":0}' >"$work/plain/preprocessor_config.json"
refuses 'a hostile size' 7 'preprocessor_config.json: size is 0, want a whole number from 1 to 8192' \
    preprocess "$work/plain" --image "$png/rgb8.png" --outputs "$work/none.safetensors"
rm "$pixels/preprocessor_config.json"
refuses 'a package without preprocessor_config.json' 3 "$pixels has no preprocessor_config.json, which says how pictures become" \
    run "$pixels" -q --image "$png/rgb8.png"
refuses 'the same to preprocess' 3 "$pixels has no preprocessor_config.json, which says how pictures become" \
    preprocess "$pixels" --image "$png/rgb8.png" --outputs "$work/none.safetensors"

summary
