#!/usr/bin/env bash
# What docs/writing-a-plugin.md promises: the template, copied and renamed, becomes a plugin by `make plugin`,
# goes into a package, is explained and computes; the generator's pictures become a PNG.
# shellcheck disable=SC2154 # of lib.sh
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
begin strangers
unset MAKEFLAGS MFLAGS MAKELEVEL
repository=$PWD
modelhost=$build/bin/modelhost
write_tensors_module
python() { PYTHONPATH=$work python3 -c "from tensors import read, write; $1"; }

# ---- the template

case $(basename "$BUILD") in
build) settings=() ;;
build-portable) settings=(KERNELS=portable) ;;
build-address,undefined | build-thread) settings=("SAN=$(basename "$BUILD" | cut -d- -f2)") ;;
*) settings=(none) ;;
esac
make_plugin() { make --no-print-directory -C "$repository" BUILD="$build" ${settings[@]+"${settings[@]}"} plugin "$@"; }

mkdir -p "$work/mine" "$work/package/backends/cpu"
sed -e 's/template/stranger/g' examples/plugin_template/plugin_template.c >"$work/mine/stranger.c"
echo '{"model_type":"stranger","input_size":2,"output_size":3,"hidden_act":"relu"}' \
    >"$work/package/backends/cpu/config.json"
(cd "$work" && python '
write("package/backends/cpu/model.safetensors", {"linear.weight": ("F32", [3, 2], [1, 2, 3, 4, -5, 6]),
                                                 "linear.bias": ("F32", [3], [0.5, -100, 0])})
write("x.safetensors", {"x": ("F32", [2, 2], [1, 1, 10, 20])})')

if [ "${settings[0]:-}" = none ]; then
    skipped "make plugin: $BUILD is no build of a known kind"
    cp "$build/examples/plugin_template.so" "$work/mine/libmodel.so"
    sed -i 's/stranger/template/' "$work/package/backends/cpu/config.json"
    "$build/bin/pkgmgr" install "$work/package" "$work/mine/libmodel.so" -q >/dev/null
else
    ok 'make plugin builds a folder from anywhere' make_plugin DIR="$work/mine"
    same 'it exports one symbol' \
        "$(nm -D --defined-only "$work/mine/libmodel.so" | awk '$NF !~ /^__(asan|ubsan|odr)/ { print $NF }')" create_model
    make_plugin DIR="$work/mine" PKG="$work/package" >"$work/out" 2>"$work/err"
    ok 'make plugin PKG= installs and explains it' grep -q '^taken .*/package/backends/cpu/libmodel.so' "$work/out"
    ok 'and describes the model' grep -q '"model_type":.*"stranger"' "$work/out"
    program=make_plugin
    make_plugin DIR="$work/package" >"$work/out" 2>"$work/err"
    ok 'a folder without C files is named' grep -qF "no C files in '$work/package'" "$work/err"
fi
ok 'the plugin runs' "$modelhost" run "$work/package" -q --inputs "$work/x.safetensors" --outputs "$work/y.safetensors"
same 'and computes the layer' "$(python "print(*read('$work/y.safetensors')['y'][1])")" '3.5 0.0 1.0 50.5 10.0 70.0'
program=$modelhost
sed -i 's/"relu"/"relax"/' "$work/package/backends/cpu/config.json"
run run "$work/package" --describe
ok 'its errors say what was found and wanted' says "the activation 'relax' is not computed, want gelu"

# ---- pictures

cp -r examples/gan/package "$work/gan"
cp "$build/examples/gan.so" "$work/gan/backends/cpu/libmodel.so"
draw() { HOME=$work "$build/examples/draw" "$work/gan" "$@"; }
ok 'draw writes pictures' draw "$work/one.png"
ok 'the same for the same seed' draw "$work/same.png" 1
ok 'others for another one' draw "$work/other.png" 2
ok 'they are equal' cmp "$work/one.png" "$work/same.png"
ok 'they differ' not cmp "$work/one.png" "$work/other.png"
same 'it is a PNG of 256 x 256 in RGB' "$(python "
import struct, zlib
raw = open('$work/one.png', 'rb').read()
assert raw[:8] == b'\\x89PNG\\r\\n\\x1a\\n'
at, pixels, kinds = 8, b'', []
while at < len(raw):
    n, kind = struct.unpack('>I4s', raw[at:at + 8])
    assert zlib.crc32(raw[at + 4:at + 8 + n]) == struct.unpack('>I', raw[at + 8 + n:at + 12 + n])[0]
    pixels += raw[at + 8:at + 8 + n] if kind == b'IDAT' else b''
    kinds.append(kind)
    at += 12 + n
print(*struct.unpack('>IIBB', raw[16:26]), kinds[-1].decode(), len(zlib.decompress(pixels)))")" \
    "256 256 8 2 IEND $((256 * (1 + 256 * 3)))"
# ---- an image classifier of a stranger, through the host's image pipeline

cifar=${SHARED:-../shared}/models/real/cifar10-resnet20
if [ -f "$cifar/reference.safetensors" ]; then
    mkdir -p "$work/cifar/backends/cpu"
    cp "$cifar/config.json" "$cifar/model.safetensors" "$work/cifar/backends/cpu/"
    cp "$build/examples/cifar-resnet.so" "$work/cifar/backends/cpu/libmodel.so"
    echo '{"image_processor_type":"ViTImageProcessor","do_resize":true,"size":{"height":32,"width":32},"resample":2,
        "do_rescale":true,"do_normalize":true,"image_mean":[0.485,0.456,0.406],"image_std":[0.229,0.224,0.225]}' \
        >"$work/cifar/preprocessor_config.json"
    want=$(python "
import json, struct, zlib
raw = open('$cifar/reference.safetensors', 'rb').read()
n = struct.unpack('<Q', raw[:8])[0]
head = json.loads(raw[8:8 + n])
part = lambda name: raw[8 + n + head[name]['data_offsets'][0]:8 + n + head[name]['data_offsets'][1]]
pictures, logits = part('images_u8'), struct.unpack('<100f', part('logits'))
chunk = lambda kind, data: struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
labels = json.load(open('$cifar/config.json'))['id2label']
for i in range(10):
    rows = b''.join(b'\\0' + pictures[(i * 32 + y) * 96:(i * 32 + y + 1) * 96] for y in range(32))
    open('$work/%d.png' % i, 'wb').write(b'\\x89PNG\\r\\n\\x1a\\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 32, 32, 8, 2, 0, 0, 0))
        + chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b''))
    row = logits[10 * i:10 * i + 10]
    print(labels[str(row.index(max(row)))])")
    found=$(for i in 0 1 2 3 4 5 6 7 8 9; do
        "$modelhost" run "$work/cifar" -q --image "$work/$i.png" --json |
            python3 -c 'import json, sys; print(json.load(sys.stdin)[0][0]["label"])'
    done)
    same 'ten pictures get the labels that torch gives' "$found" "$want"
else
    skipped 'needs real/cifar10-resnet20 of SHARED'
fi

program=$build/examples/draw
HOME=$work run "$work/package" "$work/none.png"
ok 'draw says why it cannot' says 'draw: '

summary
