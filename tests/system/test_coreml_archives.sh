#!/usr/bin/env bash
# Core ML models in packages of one file: the same answers to the last bit as of the folder, here and in a worker, stored,
# compressed, encrypted and signed; weights that are cut short under a server are an error of its requests.
# Covers host/mapped_files.c.
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
