#!/usr/bin/env bash
# Core ML models in packages of one file: the same answers to the last bit as of the folder, here and in a worker, stored,
# compressed, encrypted and signed; weights that are cut short under a server are an error of its requests.
# Covers host/mapped_files.c host/prepared/model_compiled.c.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/system/lib.sh
. tests/system/lib.sh
begin coreml_archives
unset MODELHOST_PLUGIN_PATH
export MODELHOST_STORE=$work/store
mkdir "$work/store"

program=$build/bin/modelhost
pkgmgr=$build/bin/pkgmgr
plugin=$build/lib/modelhost/plugins/libcoreml-ane.so
shared=${SHARED:-../shared}
python=/usr/bin/python3
echo 'correct horse battery staple' >"$work/pass"

package() { # NAME: a folder for the model
    mkdir -p "$work/$1/backends/coreml"
    cp "$plugin" "$work/$1/backends/coreml/libmodel.so"
    echo '{"model_type": "coreml"}' >"$work/$1/backends/coreml/config.json"
}
pack() { # NAME OPTION...
    rm -f "$work/packed.mhp"
    "$pkgmgr" pack "$work/$1" -o "$work/packed.mhp" -q "${@:2}" >"$work/err" 2>&1
}
answers() { # PACKAGE OPTION...: what the folder answered
    rm -f "$work/found"
    "$program" run "$work/$1" --inputs "$work/in" --outputs "$work/found" "${@:2}" >"$work/err" 2>&1 &&
        cmp "$work/found" "$work/want" >"$work/err" 2>&1
}
empty_or_missing() { [ -z "$(ls "$1" 2>/dev/null)" ]; }
alike() { # NAME: the model in the folder $work/NAME, with $work/in
    ok "$1 runs as a folder" "$program" run "$work/$1" --inputs "$work/in" --outputs "$work/want"
    ok "$1 is packed" pack "$1"
    ok "$1 answers from an archive as from its folder" answers packed.mhp
    ok "and in a worker" answers packed.mhp --isolation worker
    ok "and with what the first load has kept" answers packed.mhp
    ok "$1 is packed to be small" pack "$1" --ship
    ok "$1 answers when it has to be unpacked" answers packed.mhp
    ok "and in a worker" answers packed.mhp --isolation worker
    ok "$1 is encrypted" pack "$1" --encrypt --passphrase-file "$work/pass"
    ok "$1 answers when it has to be decrypted" answers packed.mhp --passphrase-file "$work/pass"
    ok "and in a worker, which has no key" answers packed.mhp --passphrase-file "$work/pass" --isolation worker
}

# ---- an answer is that of the folder

write_tensors_module
"$python" -c 'import sys; sys.path.insert(0, sys.argv[1]); import tensors; tensors.write(sys.argv[2], {"x": ("F32", [2], [1, 2])})' \
    "$work" "$work/in"
package identity
cp tests/fuzz/corpus/coreml_graph/identity "$work/identity/backends/coreml/model.mlmodel"
alike identity
pack identity
ok 'the plugin conforms with an archive' "$program" check-plugin "$plugin" --package "$work/packed.mhp"

if "$python" -c 'import numpy' 2>/dev/null && [ -f "$shared/models/synth.py" ]; then
    package bert
    "$python" "$shared/models/synth.py" "$work/made" bert-tiny-synth >"$work/err" 2>&1
    "$python" tests/reference/coreml_convert.py "$work/made/bert-tiny-synth" \
        "$shared/models/bert-tiny-synth/reference.safetensors" fp32 "$work/bert/backends/coreml" >"$work/err" 2>&1
    mv "$work/bert/backends/coreml/coreml.safetensors" "$work/in"
    rm -f "$work/bert/backends/coreml/native.safetensors"
    alike bert
else
    skipped 'no numpy, or no models to make programs of'
fi
# ---- a signed folder: what is read is what was signed

export XDG_CONFIG_HOME=$work/config
model=$work/identity/backends/coreml/model.mlmodel
"$pkgmgr" keys new ada --no-password >/dev/null 2>&1 && "$pkgmgr" keys trust "$work/config/modelhost/keys/ada.pub" -q >"$work/out"
"$pkgmgr" sign "$work/identity" --key ada -q >"$work/out" 2>"$work/err"
"$python" -c 'import sys; sys.path.insert(0, sys.argv[1]); import tensors; tensors.write(sys.argv[2], {"x": ("F32", [2], [1, 2])})' \
    "$work" "$work/in"
ok 'a signed model runs' "$program" run "$work/identity" --inputs "$work/in" --outputs "$work/want" --require-signature
ok 'and in a worker' answers identity --require-signature --isolation worker
cp "$model" "$work/model"
printf 'x' | dd of="$model" bs=1 seek=20 conv=notrunc status=none
run run "$work/identity" --inputs "$work/in" --outputs "$work/found" --require-signature
ok 'another byte in it is told' says "$model is not the file that was signed"
ok 'and not read' [ "$code" -eq 7 ]
cp "$work/model" "$model"

# ---- and what Core ML reads by its path (a mocked one), of which no byte passes the host

mock=$build/tests/plugin_coreml_mock.so
signed() { # NAME: the package of it is signed
    "$pkgmgr" sign "$work/$1" --key ada -q >"$work/out" 2>"$work/err"
}
refused() { # PACKAGE TEXT OPTION...: exit code 7, and why
    run run "$work/$1" --inputs "$work/in" --outputs "$work/found" --require-signature "${@:3}"
    [ "$code" -eq 7 ] && says "$2"
}
made=$work/compiled/backends/coreml/made.mlmodelc
plugin=$mock
package compiled
mkdir -p "$made/weights"
echo 'compiled' >"$made/coremldata.bin"
echo 'numbers' >"$made/weights/weight.bin"
echo '{"model_type": "coreml", "coreml_model": "made.mlmodelc"}' >"$work/compiled/backends/coreml/config.json"
ok 'a compiled model is signed' signed compiled
ok 'the mock runs it' "$program" run "$work/compiled" --inputs "$work/in" --outputs "$work/want"
same 'by numbers of its own' "$("$python" -c 'import sys; sys.path.insert(0, sys.argv[1]); import tensors; print(list(tensors.read(sys.argv[2])["y"][1]))' \
    "$work" "$work/want")" '[1001.0, 1002.0]'
ok 'and it runs signed' answers compiled --require-signature
for file in coremldata.bin weights/weight.bin; do
    cp "$made/$file" "$work/before"
    tr a-z b-za <"$work/before" >"$made/$file"
    ok "not with another $file" refused compiled "made.mlmodelc/$file is not the file that was signed"
    cp "$work/before" "$made/$file"
done
echo >"$made/model.mil"
ok 'not with a file more' refused compiled 'made.mlmodelc/model.mil is not among the files that were signed'
rm "$made/model.mil"
mv "$made/weights" "$work/away"
ok 'not with one that is missing' refused compiled 'weight.bin, which metadata.json lists, is missing'
mv "$work/away" "$made/weights"
ok 'and again when all is there' answers compiled --require-signature

package program
data=$work/program/backends/coreml/model.mlpackage/Data
mkdir -p "$data/m"
cp "$work/identity/backends/coreml/model.mlmodel" "$data/m/m.mlmodel"
echo 'a note' >"$data/note.txt"
echo '{"fileFormatVersion":"1.0.0","rootModelIdentifier":"A","itemInfoEntries":{"A":{"path":"m/m.mlmodel"}}}' \
    >"$data/../Manifest.json"
printf 'in place' >"$work/program/mock" # it compiles without writing, which a confined worker may not
ok 'a program is signed' signed program
ok 'and Core ML runs it' answers program --require-signature
ok 'what is compiled of it is not kept' empty_or_missing "$MODELHOST_STORE/compiled"
echo 'other' >"$data/note.txt"
ok 'a file that only Core ML reads is compared, too' refused program 'note.txt is not the file that'
echo 'a note' >"$data/note.txt"
ok 'without the policy it runs' answers program
if empty_or_missing "$MODELHOST_STORE/compiled"; then
    skipped 'workers may keep nothing on this kernel'
else
    kept=$(echo "$MODELHOST_STORE"/compiled/*/model.mlmodelc/source)
    : >"$kept" # whoever used it would find it damaged, and compile it anew
    ok 'under it, too, beside what was kept' answers program --require-signature
    ok 'which is left alone' empty "$kept"
    ok 'and used without it' answers program
    ok 'as is seen' not empty "$kept"
fi

package both
backend=$work/both/backends/coreml
cp "$work/identity/backends/coreml/model.mlmodel" "$backend/"
mkdir "$backend/made.mlmodelc"
echo 'compiled' >"$backend/made.mlmodelc/coremldata.bin"
echo '{"model_type": "coreml", "coreml_compiled": "made.mlmodelc"}' >"$backend/config.json"
ok 'a model is signed with what was compiled of it' signed both
ok 'which Core ML runs' answers both --require-signature
echo 'replaced' >"$backend/made.mlmodelc/coremldata.bin"
ok 'but not another one' refused both 'made.mlmodelc/coremldata.bin is not the file that was signed'
plugin=$build/lib/modelhost/plugins/libcoreml-ane.so

# ---- a file that somebody cuts while it is served

serve() { # OPTION...: $url and $pid
    rm -f "$work/fifo"
    mkfifo "$work/fifo"
    "$program" serve -q "$work/identity" "$@" >"$work/fifo" 2>"$work/serve.err" &
    pid=$!
    exec 8<"$work/fifo"
    IFS= read -r url <&8
}
stop() {
    [ -z "${pid:-}" ] || kill "$pid" 2>/dev/null
    wait
    pid=''
}
on_exit stop
ask() { curl -s -m 60 "$url/v2/models/identity/infer" -d '{"inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[1,2]}]}'; }
for isolation in inproc worker; do
    cp "$work/model" "$model"
    serve --isolation "$isolation"
    has "$isolation: it answers" "$(ask)" '"data":[1,2]'
    truncate -s 10 "$model"
    has "$isolation: it says what was done to it" "$(ask)" 'was truncated while it was in use'
    has "$isolation: it lives" "$(curl -s -m 60 "$url/v2/health/live")" '{"live":true}'
    stop
done
summary
