#!/usr/bin/env bash
# pkgmgr convert: what torch.save() wrote becomes safetensors with the very bits that torch.load() gives, other
# element types round as torch rounds, and a pickle that asks for more than tensors is refused and never run. Covers packager/convert/convert_package.c.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
begin convert
program=$build/bin/pkgmgr
export MODELHOST_STORE=$work/store
check=tests/system/convert_check.py

# ---- the truth is torch's

python=$(command -v /usr/bin/python3 || command -v python3)
mkdir "$work/t"
if "$python" tests/system/torch_files.py "$work/t" 2>"$work/err"; then
    for case in zip legacy protocol4 nested plain module rounding; do
        run convert "$work/t/$case.bin" "$work/t/$case.safetensors"
        same "$case: exit code" "$code" 0
        same "$case: prints the file" "$out" "$work/t/$case.safetensors"
        ok "$case: the tensors of torch.load()" "$python" $check same "$work/t/$case.safetensors" "$work/t/$case.json"
        for dtype in f16 bf16 f32; do
            run convert "$work/t/$case.bin" "$work/t/$case.$dtype.safetensors" --dtype $dtype
            same "$case to $dtype: exit code" "$code" 0
            ok "$case to $dtype: rounded as torch does" "$python" $check same "$work/t/$case.$dtype.safetensors" "$work/t/$case.$dtype.json"
        done
    done
    run convert "$work/t/nested.bin" "$work/t/again.safetensors"
    ok 'what is left out is told' says "pkgmgr: warning: left out, as it is no tensor of the model: epoch (an integer)"
    run convert "$work/t/rounding.bin" "$work/t/again.safetensors" --dtype f16 --force
    ok 'what became infinite is told' says "are too large for f16 and became infinite, the first in '"
    run convert "$work/t/zip.safetensors" "$work/t/again.safetensors" --dtype bf16 --force
    same 'safetensors are converted, too' "$code" 0
    run convert "$work/t/sharded/pytorch_model.bin.index.json" "$work/t/sharded.safetensors"
    ok 'shards become one file' "$python" $check same "$work/t/sharded.safetensors" "$work/t/sharded.json"
    fails 'a module that was pickled whole' 7 "pkgmgr: $work/t/whole-module.bin: data.pkl asks for 'torch.nn.modules.linear.Linear', which no tensor needs; nothing was executed: get the weights as safetensors, or save the model's state_dict() alone" \
        convert "$work/t/whole-module.bin" "$work/t/m.safetensors"

    # a package with a pickle becomes one that runs
    mkdir -p "$work/hub/acme/m"
    cp "$model"/* "$work/hub/acme/m/"
    rm "$work/hub/acme/m/model.safetensors"
    "$python" tests/system/torch_files.py repack "$model/model.safetensors" "$work/hub/acme/m/pytorch_model.bin"
    "$program" serve "$work/hub" --port 0 >"$work/url" 2>/dev/null &
    on_exit "kill $!"
    for _ in $(seq 200); do
        [ ! -s "$work/url" ] || break
        read -rt 0.05 <> <(:)
    done
    HF_ENDPOINT=$(cat "$work/url") MODELHOST_PLUGIN_PATH=$build/lib/modelhost/plugins run download acme/m --allow-pickle
    same 'a package with a pickle: exit code' "$code" 0
    remember
    run convert acme/m "$work/made" --dry-run --json
    ok 'a package, a dry run: counts' json "j['tensors'] == 58 and j['converted'] == 0"
    same 'a package, a dry run: leaves all as it was' "$(state | diff "$work/state" -)" ''
    run convert acme/m "$work/made"
    same 'a package is converted: exit code' "$code" 0
    same 'a package is converted: prints its folder' "$out" "$work/made"
    ok 'a package is converted: no pickle is left' test ! -e "$work/made/backends/cpu/pytorch_model.bin"
    run verify "$work/made"
    same 'a package is converted: it is whole' "$code" 0
    run diff "$work/made" "$model"
    same 'a package is converted: the weights are those that were packed' "$code" 0
    run info "$work/made" --json
    ok 'a package is converted: it counts its parameters' json "j['id'] == 'acme/m' and j['model_info']['parameters'] > 600000"
    cp "$build/lib/modelhost/plugins/libbert.so" "$work/made/backends/cpu/libmodel.so"
    program=$build/bin/modelhost run run "$work/made" --text 'Paris is the capital of [MASK].' --json
    same 'a package is converted: it runs' "$code" 0
    run convert "$work/made" "$work/made16" --dtype bf16 --json
    same 'a package is converted again: exit code' "$code" 0
    ok 'a package is converted again: half the size' json "j['to_bytes'] * 2 == j['from_bytes']"
    fails 'a package: a folder that is there' 1 "pkgmgr: $work/made is there already; choose another name, or remove it" \
        convert acme/m "$work/made"
    printf 'x' >>"$work/made/tokenizer.json"
    fails 'a package: a file that is damaged' 7 "pkgmgr: 'tokenizer.json' of $work/made is damaged; 'pkgmgr verify' says what else is" \
        convert "$work/made" "$work/made3"
    rm "$work/t/sharded/pytorch_model-00002-of-00002.bin"
    fails 'a shard that is missing' 7 "pkgmgr: $work/t/sharded/pytorch_model.bin.index.json: the shard 'pytorch_model-00002-of-00002.bin' is missing" \
        convert "$work/t/sharded/pytorch_model.bin.index.json" "$work/t/m.safetensors"
else
    skipped 'torch is not installed: its files are not compared'
fi

# ---- hostile files

h=$work/h
mkdir "$h"
"$python" $check hostile "$h"
refused() { # NAME CODE REST
    fails "$1" "$2" "pkgmgr: $h/$1.bin$3" convert "$h/$1.bin" "$h/out.safetensors"
}
no_tensor='which no tensor needs; nothing was executed'
advice=': get the weights as safetensors, or save the model'"'"'s state_dict() alone'
refused system 7 ": data.pkl asks for 'posix.system', $no_tensor$advice"
refused eval 7 ": data.pkl asks for 'builtins.eval', $no_tensor$advice"
refused escape 7 ": data.pkl asks for 'ev\\x1b[31mil.name\\x07', $no_tensor$advice"
refused extension 7 ": data.pkl: the opcode EXT1 at byte 2, $no_tensor"
refused newobj 7 ": data.pkl: the opcode NEWOBJ at byte 28, $no_tensor"
refused inst 7 ": data.pkl: the opcode INST at byte 3, $no_tensor"
refused persistent 7 ": data.pkl: a persistent id is not that of a storage, and nothing else is needed"
refused call-text 7 ": data.pkl: calls a text, want a function"
refused call-storage 7 ": data.pkl: a call of 'torch.FloatStorage' is none that a tensor needs"
refused trailing 7 ": data.pkl: something follows the pickle"
refused list 1 ": a list without tensors in it, nor in its 'state_dict'; save the model's state_dict()"
refused no-tensors 1 ": a dict without tensors in it, nor in its 'state_dict'; save the model's state_dict()"
refused missing 7 ": the data of storage '0' is missing"
refused beyond 7 ": data.pkl: a call of 'torch._utils._rebuild_tensor_v2' makes a tensor that reaches beyond its storage"
refused negative 7 ": data.pkl: a call of 'torch._utils._rebuild_tensor_v2' has no shape and strides of up to 8 dimensions"
refused short 7 ": storage '0' has 4 bytes, want 2 elements of 4"
refused big-endian 1 ": written on a big-endian machine; save it again on a little-endian one"
refused bomb 7 ": tensor 'w' makes the weights more than 16 times as large as the file: it repeats elements, or many share theirs"
refused deflated 1 ": zip entry 'm/data.pkl' is compressed, which no file of torch.save() is; write it again with torch.save(), or pack it with 'zip -0'"
refused damaged 7 ": 'm/data/0' is damaged: its CRC-32 is e295a5e8, want 2e3fa576; get the file again"
refused renamed 7 ": zip entry 'm/data/0' has another name in its own header"
refused truncated 7 ": broken zip archive: no end record in the last 22 bytes; the file is truncated, or something was added to it"
refused appended 7 ": broken zip archive: no end record in the last 22 bytes; the file is truncated, or something was added to it"
refused other-pickle 1 ": a pickle, but not one of torch.save(); tensors cannot be read from it"
ok 'nothing was run' test ! -e "$h/ran"

# ---- the command

run convert "$h/good.bin" "$h/good.safetensors"
same 'a good file: exit code' "$code" 0
fails 'a file that is there' 1 "pkgmgr: $h/good.safetensors is there already; give --force to replace it" \
    convert "$h/good.bin" "$h/good.safetensors"
run convert "$h/good.bin" "$h/good.safetensors" --force --json --dtype bf16
same 'by force: exit code' "$code" 0
ok 'the result as JSON' json "j['tensors'] == 1 and j['converted'] == 1 and j['to_bytes'] == 4 and j['from_bytes'] == 8"
remember
run convert "$h/good.bin" "$h/dry.safetensors" --dry-run --dtype f16
same 'a dry run: exit code' "$code" 0
same 'a dry run leaves all as it was' "$(state | diff "$work/state" -)" ''
run convert "$h/good.bin" "$h" --quiet
same 'into a folder' "$out" "$h/model.safetensors"
ok 'quiet' empty "$work/err"
export MODELHOST_STORE=$work/other
fails 'no such file' 3 "pkgmgr: no such model: 'nothing' is no package's folder, and the store does not exist yet; get it with pkgmgr download nothing" \
    convert nothing "$h/out"
mkdir "$work/snapshot"
cp "$h/good.bin" "$work/snapshot/pytorch_model.bin"
run convert "$work/snapshot" "$work/snapshot" -q
same 'a folder with a pickle in it' "$out" "$work/snapshot/model.safetensors"
run diff "$work/snapshot/pytorch_model.bin" "$work/snapshot"
same 'a folder with a pickle in it: the same weights' "$code" 0
run convert "$h/good.bin"
same 'one argument: exit code' "$code" 2
run convert "$h/good.bin" out --dtype f8
same 'an unknown dtype: exit code' "$code" 2
ok 'an unknown dtype: says which there are' says "--dtype is f32, f16 or bf16, not 'f8'"

summary
