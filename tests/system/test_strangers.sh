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
program=$build/examples/draw
HOME=$work run "$work/package" "$work/none.png"
ok 'draw says why it cannot' says 'draw: '

summary
