#!/usr/bin/env bash
# Core ML models: what pkgmgr inspect tells of them, and packages made by import and download. Covers
# packager/convert/coreml_inspection.c, packager/commands/coreml_print.c, packager/coreml_config.c, packager/coreml_choice.c,
# store/coreml_backend.c and store/coreml/coreml_package.c as commands. Models are those of the fuzzers' corpus, made by hand; real ones where
# SHARED has them.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
begin inspect_coreml
program=$build/bin/pkgmgr
export MODELHOST_STORE=$work/store
plugin=$build/lib/modelhost/plugins/libcoreml-ane.so
corpus=$PWD/tests/fuzz/corpus/coreml_model
mkdir "$work/in"
cp "$corpus/classifier" "$work/in/cat.mlmodel"
cp "$corpus/program" "$work/in/program.mlmodel"
make_mlpackage() { # FOLDER MODEL
    mkdir -p "$1/Data/a.b/weights"
    cp "$2" "$1/Data/a.b/m.mlmodel"
    cat >"$1/Manifest.json" <<'JSON'
{"fileFormatVersion": "1.0.0", "rootModelIdentifier": "A", "itemInfoEntries":
 {"A": {"path": "a.b/m.mlmodel"}, "B": {"path": "a.b/weights"}}}
JSON
    python3 - "$1/Data/a.b/weights/weight.bin" <<'PY'
import struct, sys
head = struct.pack('<II', 1, 2) + bytes(56)
blob = struct.pack('<IIQQ', 0xDEADBEEF, 1, 32, 128) + b'\xab' * 40  # 16 of fp16, noise behind
open(sys.argv[1], 'wb').write(head + blob + bytes(32))
PY
}
make_mlpackage "$work/in/p.mlpackage" "$corpus/program"

# ---- inspect

run inspect "$work/in/cat.mlmodel"
same 'a network: exit code' "$code" 0
ok 'a network: its kind' prints 'form          Core ML neuralNetworkClassifier, specification 1'
ok 'a network: an image input with its colours' prints 'input         image: image rgb [4, 4]'
ok 'a network: class labels' prints 'labels        2'
ok 'a network: the author' prints 'author        me'
ok 'a network: what Core ML plans nobody knows here' prints 'planned coverage: not known on this system'
ok 'a network: operators with their number' grep -qE '^convolution +2$' "$work/out"
run inspect "$work/in/cat.mlmodel" --json
ok 'a network: as JSON' json "j['form'] == 'coreml' and j['labels'] == 2 and j['operations'] == 4 and j['operators'] == {'convolution': 2, 'innerProduct': 1, 'softmax': 1} and j['inputs'][0] == {'name': 'image', 'type': 'image', 'colors': 'rgb', 'shape': [4, 4]} and j['outputs'][0]['dtype'] == 'F32'"
ok 'a network: no figure stands for a plan' json "j['planned_coverage'] is None"
ok 'a network: weights by their form' json "j['weights'] == {'count': 5, 'bytes': 24 + 3 + 6 + 8, 'dtypes': {'lut3': 8, 'fp32': 6, 'linear8': 6, 'fp16': 4}}"
ok 'a network: metadata' json "j['metadata']['author'] == 'me' and j['metadata']['user'] == {'k': 'v'}"
run inspect "$work/in/p.mlpackage" --json
ok 'a program in its package' json "j['kind'] == 'mlProgram' and j['opset'] == 'CoreML5' and j['functions'] == ['main'] and j['operators']['while_loop'] == 1 and j['operators']['relu'] == 2 and j['labels'] == 2 and 'const' not in j['operators']"
ok 'a program: weights of the weight file' json "j['weights']['count'] == 1 and j['weights']['bytes'] == 32"
run inspect "$work/in/program.mlmodel"
same 'a program without its weight file is told all the same' "$code" 0
head -c 60 "$corpus/classifier" >"$work/in/cut.mlmodel"
run inspect "$work/in/cut.mlmodel"
same 'a cut file: exit code' "$code" 7
ok 'a cut file: says where' says "cut.mlmodel: a broken or cut field at byte"
mkdir "$work/in/folder.mlmodel"
fails 'a folder that is called as a file' 3 "pkgmgr: $work/in/folder.mlmodel is no file, and has no Manifest.json: it is no Core ML package" \
    inspect "$work/in/folder.mlmodel"
fails 'nor is one imported' 3 "pkgmgr: $work/in/folder.mlmodel is no file, and has no Manifest.json: it is no Core ML package" \
    import "$work/in/folder.mlmodel" --name acme/none
run inspect "$work/in/none.mlmodel"
same 'no such file: exit code' "$code" 3
printf '\xad' | dd of="$work/in/p.mlpackage/Data/a.b/weights/weight.bin" bs=1 seek=64 conv=notrunc 2>/dev/null
run inspect "$work/in/p.mlpackage"
same 'a weight file that lies: exit code' "$code" 7
ok 'a weight file that lies: says what' says 'weights at 64: no metadata is there'
make_mlpackage "$work/in/p.mlpackage" "$corpus/program"
mkdir "$work/in/c.mlmodelc"
fails 'a compiled model' 1 "pkgmgr: $work/in/c.mlmodelc is a compiled model, which only Apple's Core ML reads: take the .mlpackage or .mlmodel that it was compiled from" \
    inspect "$work/in/c.mlmodelc"
cp tests/fuzz/corpus/coreml_listing/program "$work/in/c.mlmodelc/model.mil"
run inspect "$work/in/c.mlmodelc" --json
ok 'a compiled model with its text: operators' json "j['opset'] == 'ios16' and j['functions'] == ['main'] and j['operators'] == {'relu': 1}"
run inspect "$work/in/c.mlmodelc/model.mil"
ok 'a program as text' prints 'form          Core ML mlProgram text'
ok 'a program as text: what it takes' prints 'input         x: array F16 [1, 10]'
ok 'a program as text: what it gives' prints 'output        y: array F16 [1, 10]'
cat >"$work/in/c.mlmodelc/metadata.json" <<'JSON'
[{"inputSchema": [
  {"name": "photo", "type": "Image", "width": "30", "height": "20", "colorspace": "RGB", "isOptional": "1"},
  {"name": "ids", "type": "MultiArray", "dataType": "Int32", "shape": "[1, 64]", "shapeRange": "[[1, 1], [1, 128]]"}],
 "outputSchema": [{"name": "scores", "type": "Dictionary", "keyType": "String"}]}]
JSON
run inspect "$work/in/c.mlmodelc"
ok 'a compiled model: a picture of its metadata' prints 'input         photo: image rgb [20, 30], optional'
ok 'a compiled model: an array of its metadata' prints 'input         ids: array I32 [1, 64], from [1, 1] to [1, 128]'
ok 'a compiled model: an output of its metadata' prints 'output        scores: dictionary'
run inspect "$work/in/c.mlmodelc" --json
ok 'a compiled model: as JSON, operators of its text' json "[i['name'] for i in j['inputs']] == ['photo', 'ids'] and j['inputs'][1]['max'] == [1, 128] and [o['name'] for o in j['outputs']] == ['scores'] and j['operators'] == {'relu': 1}"
echo '[{"inputSchema": [{"type": "Image"}]}]' >"$work/in/c.mlmodelc/metadata.json"
fails 'a compiled model whose metadata lies' 7 "pkgmgr: $work/in/c.mlmodelc/metadata.json: an input or output has no \"name\"" \
    inspect "$work/in/c.mlmodelc"
rm "$work/in/c.mlmodelc/metadata.json"
for pair in "$work/in/cat.mlmodel $work/in/program.mlmodel" "$work/in/cat.mlmodel $work" "$model/model.safetensors $work/in/cat.mlmodel"; do
    fails 'diff refuses a Core ML model by its name' 2 "pkgmgr: $work/in/cat.mlmodel is a Core ML model, whose weights are not compared; 'pkgmgr inspect' shows what it is made of, and packages that 'pkgmgr import' makes of two are compared by their files" \
        diff $pair
done

# ---- import

run import "$work/in/cat.mlmodel" --name acme/cat --quiet
same 'import: exit code' "$code" 0
package=$out
ok 'import: the model' cmp "$corpus/classifier" "$package/backends/coreml/model.mlmodel"
cp "$package/backends/coreml/config.json" "$work/out"
ok 'import: the configuration names plugin, model and labels' json "j == {'model_type': 'coreml', 'coreml_model': 'model.mlmodel', 'id2label': {'0': 'cat', '1': 'dog'}}"
cp "$package/backends/coreml/preprocessor_config.json" "$work/out"
ok 'import: how a file becomes its picture' json "j == {'image_processor_type': 'MobileViTImageProcessor', 'size': {'height': 4, 'width': 4}, 'num_channels': 3, 'do_center_crop': False, 'do_rescale': False, 'do_flip_channel_order': False}"
run verify acme/cat
same 'import: verifies' "$code" 0
run inspect acme/cat --json
ok 'inspect by the name in the store' json "j['package']['id'] == 'acme/cat' and j['package']['backend'] == 'coreml' and j['labels'] == 2"
cp "$package/model_info.json" "$work/out"
ok 'import: model_info.json counts the model' json "j['parameters'] == 24 and j['weights_bytes'] == 41 and j['dtypes']['fp32'] == 6 and j['backends'] == ['coreml'] and [i['name'] for i in j['inputs']] == ['image'] and j['outputs'][0]['dtype'] == 'F32'"
run pack acme/cat -o "$work/cat.mhp"
same 'pack: exit code' "$code" 0
run inspect "$work/cat.mhp" --json
ok 'inspect of an archive' json "j['kind'] == 'neuralNetworkClassifier' and j['labels'] == 2 and j['weights']['bytes'] == 41"
run diff acme/cat "$work/cat.mhp"
same 'diff of packages: the same' "$code" 0
run import "$work/in/p.mlpackage" --name acme/other --quiet
run diff acme/cat acme/other --json
same 'diff of packages: another model' "$code" 1
ok 'diff of packages: its file' json "not j['same'] and '/files/backends~1coreml~1model.mlpackage~1Manifest.json' in [d['pointer'] for d in j['metadata']] and j['tensors']['same'] == 0"
run diff acme/cat "$model"
same 'diff of a package and weights: cannot be told' "$code" 2
mkdir "$work/noplugins"
run import "$work/in/cat.mlmodel" --name acme/bare --quiet --plugin-path "$work/noplugins"
run install acme/bare "$plugin"
same 'install: exit code' "$code" 0
bare=$("$program" list --json | python3 -c 'import json, sys; print([p["path"] for p in json.load(sys.stdin) if p["id"] == "acme/bare"][0])' 2>/dev/null)
ok 'install: into the backend that the plugin serves' test -f "$bare/backends/coreml/libmodel.so"
ok 'install: and no other' not test -e "$bare/backends/cpu"
mkdir -p "$work/both/backends/cpu" "$work/both/backends/coreml"
cp "$model/config.json" "$work/both/backends/cpu/"
cp "$package/backends/coreml/config.json" "$package/backends/coreml/model.mlmodel" "$work/both/backends/coreml/"
run install "$work/both" "$plugin"
ok 'install: also beside another backend' test -f "$work/both/backends/coreml/libmodel.so"
ok 'install: which keeps what it has' not test -e "$work/both/backends/cpu/libmodel.so"
mkdir -p "$work/cpu/backends/cpu"
cp "$plugin" "$work/cpu/backends/cpu/libmodel.so"
echo '{"model_type": "coreml"}' >"$work/cpu/backends/cpu/config.json"
cp -r "$work/in/p.mlpackage" "$work/cpu/backends/cpu/model.mlpackage"
run info "$work/cpu" --json
ok 'info: a backend cpu with a Core ML model counts it too' json "j['model_info']['parameters'] == 16 and j['model_info']['weights_bytes'] == 32 and j['model_info']['dtypes'] == {'fp16': 16} and j['model_info']['backends'] == ['cpu']"
echo none >"$work/cpu/backends/cpu/model.mlpackage/Data/a.b/weights/weight.bin"
run info "$work/cpu" --json
ok 'info: by its types alone, whatever the weight file holds' json "j['model_info']['parameters'] == 16 and j['model_info']['weights_bytes'] == 32"
run import "$work/in/cat.mlmodel" --name acme/cat --quiet
same 'import again: the same package' "$out" "$package"
run import "$work/in/p.mlpackage" --name acme/program --quiet
same 'import of a folder: exit code' "$code" 0
ok 'import of a folder: all its files' diff -r "$work/in/p.mlpackage" "$out/backends/coreml/model.mlpackage"
run inspect acme/program
ok 'import of a folder: inspect follows its manifest' prints 'opset         CoreML5'
compiled=$work/in/net.mlmodelc
mkdir -p "$compiled/weights" "$compiled/backends"
cp tests/fuzz/corpus/coreml_listing/program "$compiled/model.mil"
echo '[{}]' >"$compiled/metadata.json"
echo data >"$compiled/coremldata.bin"
echo weights >"$compiled/weights/weight.bin"
run import "$compiled" --name acme/net
same 'import of a compiled model: exit code' "$code" 0
ok 'import of a compiled model: says what runs it' says 'backends/coreml/model.mlmodelc is a compiled model, which only Apple'"'"'s Core ML runs: nothing answers for this package but on macOS; import the .mlpackage or .mlmodel that it was compiled from to run it anywhere'
same 'import of a compiled model: says it once' "$(grep -c warning "$work/err")" 1
rmdir "$compiled/backends"
ok 'import of a compiled model: all its files' diff -r "$compiled" "$out/backends/coreml/model.mlmodelc"
cp "$out/backends/coreml/config.json" "$work/out"
ok 'import of a compiled model: the configuration' json "j == {'model_type': 'coreml', 'coreml_model': 'model.mlmodelc'}"
run verify acme/net
same 'import of a compiled model: verifies' "$code" 0
run inspect acme/net
ok 'inspect of a compiled model: what runs it' prints "runs on       Apple's Core ML alone: it is compiled"
ok 'inspect of a compiled model: its operators' grep -qE '^relu +1$' "$work/out"
run pack acme/net -o "$work/net.mhp"
run inspect "$work/net.mhp" --json
ok 'inspect of a compiled model in an archive' json "j['runs_on'] == \"Apple's Core ML alone: it is compiled\" and j['operators'] == {'relu': 1}"
rm "$compiled/model.mil"
run import "$compiled" --name acme/network --json
ok 'import of a compiled network: says it as JSON' json "'which only Apple\\'s Core ML runs' in j['note'] and j['files'] == 4"
run inspect acme/network --json
ok 'inspect of a compiled network: what it is' json "j['kind'] == 'compiled model' and j['form'] == 'coreml' and 'operations' not in j"
ln -s coremldata.bin "$compiled/link"
fails 'a link in a compiled model' 7 "pkgmgr: 'link' is a link, which a Core ML model has none of: put the file itself there" \
    import "$compiled" --name acme/linked
rm "$compiled/link" "$compiled/coremldata.bin"
fails 'a folder that is no compiled model' 7 "pkgmgr: $compiled has no coremldata.bin: it is no compiled model, or not all of one" \
    import "$compiled" --name acme/none
mkdir "$work/mixed"
cp -r "$work/in/p.mlpackage" "$work/mixed/a.mlpackage"
mkdir "$work/mixed/b.mlmodelc"
echo data >"$work/mixed/b.mlmodelc/coremldata.bin"
run import "$work/mixed" --name acme/either --json
ok 'import of a compiled model beside its source: nothing to say' json "'note' not in j"
run import "$work/mixed" --name acme/other
cp "$out/backends/coreml/config.json" "$work/out"
ok 'and of another name it is another model' json "j['coreml_model'] == 'a.mlpackage' and 'coreml_compiled' not in j"
mv "$work/mixed/b.mlmodelc" "$work/mixed/a.mlmodelc"
run import "$work/mixed" --name acme/both
cp "$out/backends/coreml/config.json" "$work/out"
ok 'what was compiled of it is named in the configuration' json "j['coreml_model'] == 'a.mlpackage' and j['coreml_compiled'] == 'a.mlmodelc'"
fails 'a program by itself, whose weights are in another file' 3 "pkgmgr: 'program.mlmodel' keeps its weights in 'weights/weight.bin' beside it, which is not there: take the whole .mlpackage, with its weights" \
    import "$work/in/program.mlmodel" --name acme/alone
mkdir "$work/in/weights" # a file by itself is imported without what lies beside it
cp "$work/in/p.mlpackage/Data/a.b/weights/weight.bin" "$work/in/weights/"
run import "$work/in/program.mlmodel" --name acme/alone
same 'also with the weights beside it: exit code' "$code" 3
cp -r "$work/in/p.mlpackage" "$work/in/w.mlpackage"
rm "$work/in/w.mlpackage/Data/a.b/weights/weight.bin"
fails 'a package without its weights' 3 "pkgmgr: 'Data/a.b/m.mlmodel' keeps its weights in 'weights/weight.bin' beside it, which is not there: take the whole .mlpackage, with its weights" \
    import "$work/in/w.mlpackage" --name acme/alone
ok 'neither leaves a package' not test -e "$work/store/packages/acme--alone"
mkdir "$work/two"
cp -r "$work/in/p.mlpackage" "$work/two/b.mlpackage"
cp "$work/in/cat.mlmodel" "$work/two/a.mlmodel"
run import "$work/two" --name acme/two
same 'import of two models: exit code' "$code" 0
ok 'import of two models: says which one answers' says 'warning: 2 Core ML models are there, and backends/coreml/a.mlmodel answers, the first by name: import another one by itself to have that'
spaced="$work/a store with spaces"
run import "$work/in/p.mlpackage" --name acme/program --store "$spaced"
same 'a store with spaces in its path' "$code" 0
run verify acme/program --store "$spaced"
same 'verifies' "$code" 0
cp -r "$work/in/p.mlpackage" "$work/in/l.mlpackage"
rm "$work/in/l.mlpackage/Data/a.b/m.mlmodel"
ln -s "$corpus/program" "$work/in/l.mlpackage/Data/a.b/m.mlmodel"
fails 'a package whose model is a link out of it' 7 "pkgmgr: 'Data/a.b/m.mlmodel' is a link to $corpus/program, out of $work/in/l.mlpackage: put the file itself there" \
    import "$work/in/l.mlpackage" --name acme/linked
run import "$work/in/cut.mlmodel" --name acme/cut
same 'a cut file makes no package' "$code" 7
ok 'a cut file leaves nothing' not test -e "$work/store/packages/acme--cut"

# ---- download

mkdir -p "$work/hub/acme/mixed"
cp "$model/config.json" "$model/model.safetensors" "$work/hub/acme/mixed/"
cp -r "$work/in/p.mlpackage" "$work/hub/acme/mixed/P.mlpackage"
cp -r "$work/hub/acme/mixed" "$work/hub/acme/only"
cp -r "$work/hub/acme/mixed" "$work/hub/acme/plain"
rm "$work/hub/acme/plain/model.safetensors"
rm "$work/hub/acme/only/model.safetensors" "$work/hub/acme/only/config.json"
"$program" serve "$work/hub" --port 0 >"$work/url" 2>"$work/log" &
hub=$!
stop_hub() { kill "$hub" 2>/dev/null; }
on_exit stop_hub
for _ in $(seq 400); do
    [ -s "$work/url" ] && break
    read -rt 0.05 <> <(:)
done
HF_ENDPOINT=$(cat "$work/url")
export HF_ENDPOINT
run download acme/mixed --quiet
same 'download: exit code' "$code" 0
ok 'download: safetensors make Core ML models unnecessary' not test -e "$out/backends/coreml"
run download acme/mixed --include '*.mlpackage/*' --include config.json --quiet
same 'download of what is asked for: exit code' "$code" 0
ok 'download: below backends/coreml, weight.bin is no pickle' diff -r "$work/in/p.mlpackage" "$out/backends/coreml/P.mlpackage"
cp "$out/backends/coreml/config.json" "$work/out"
ok 'download: with a configuration' json "j['coreml_model'] == 'P.mlpackage' and j['id2label'] == {'0': 'cat', '1': 'dog'}"
run download acme/plain --include '*.json' --include '*.mlmodel'
same 'download of a model without its weights: exit code' "$code" 0
ok 'download of a model without its weights: says so' says "'P.mlpackage/Data/a.b/m.mlmodel' keeps its weights in 'weights/weight.bin' beside it, which is not there"
run download acme/plain --quiet
same 'download beside a config.json: exit code' "$code" 0
ok 'download beside a config.json: no backend of that alone' not test -e "$out/backends/cpu"
ok 'download beside a config.json: which stays the repository'"'"'s' cmp "$model/config.json" "$out/config.json"
run download acme/plain --quiet
same 'download beside a config.json, again: exit code' "$code" 0
run update acme/plain --dry-run
ok 'update: knows where the configuration is' not grep -q 'config.json' "$work/out" "$work/err"
run download acme/only --quiet
same 'a repository of Core ML models alone: exit code' "$code" 0
ok 'a repository of Core ML models alone: is taken' test -f "$out/backends/coreml/P.mlpackage/Manifest.json"

# ---- real models

shared=$(cd "${SHARED:-../shared}" 2>/dev/null && pwd)
if [ -d "$shared/coreml" ]; then
    for path in "$shared"/coreml/*.ml* "$shared"/coreml/specs/*.m*l*; do
        run inspect "$path"
        same "$(basename "$path"): is read" "$code" 0
    done
    run inspect "$shared/coreml/specs/resnet.mlmodel" --json
    ok 'ResNet-50: as the format page counts' json "j['operators']['conv'] == 53 and j['operators']['relu'] == 50 and j['operators']['add'] == 16"
    run inspect "$shared/coreml/DTLN_AEC_128_Part1.mlpackage" --json
    ok 'DTLN: two loops, weights as large as the file' json "j['operators']['while_loop'] == 2 and j['weights']['bytes'] > 1900000"
else
    skipped 'real models: SHARED/coreml is absent'
fi
summary
