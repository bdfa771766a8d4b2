#!/usr/bin/env bash
# `modelhost check-plugin` and `modelhost quarantine`: every plugin of the tree passes, each fault of
# tests/abi/plugin_faulty.c fails for the right reason, and what failed is not opened any more. Covers
# host/conformance/conformance_run.c host/conformance/check_child.c host/conformance/check_static.c
# host/conformance/check_versions.c host/conformance/check_load.c host/conformance/check_growth.c
# host/conformance/check_packages.c host/conformance/check_memory.c host/conformance/check_schema.c
# host/conformance/check_bounds.c host/conformance/check_results.c host/conformance/check_parallel.c
# host/conformance/check_cancel.c host/conformance/checked_package.c
# shellcheck disable=SC2154 # of lib.sh
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
begin check-plugin
program=$build/bin/modelhost
export MODELHOST_STORE=$work/store
faulty=$build/tests/plugin_faulty.so
plugins=$build/lib/modelhost/plugins
write_tensors_module

case $(basename "$BUILD") in
build-address* | build-thread*) sanitized=yes limit=60s rounds=20 ;;
*) sanitized='' limit=6s rounds=60 ;;
esac

# ---- good plugins: all twelve checks

conforms() { # NAME PLUGIN PACKAGE OPTION...
    run check-plugin "$2" --package "$3" "${@:4}" --rounds $rounds --time-limit $limit --json
    if [ "$code" -eq 0 ] && json 'j["conformant"] and len(j["checks"]) == 12'; then
        pass "$1 passes all checks"
    else
        fail "$1 passes all checks" "$(cat "$work/err")"
        grep -A4 failed "$work/out"
    fi
}
real=${SHARED:-/nowhere}/models/real
conforms bert "$plugins/libbert.so" examples/demo/hub/modelhost/facts-bert-mini
conforms lstm "$plugins/liblstm.so" examples/demo/hub/modelhost/tales-char-lstm
mkdir -p "$work/identity"
cp tests/fuzz/corpus/coreml_graph/identity "$work/identity/digits.mlmodel"
echo '{"model_type":"coreml","coreml_model":"digits.mlmodel"}' >"$work/identity/config.json"
conforms coreml-ane "$plugins/libcoreml-ane.so" "$work/identity"
run check-plugin "$plugins/libcoreml-ane.so" --only 5 --rounds $rounds --time-limit $limit
same 'without a package its sentences name what is missing' "$code" 0
conforms gan "$build/examples/gan.so" examples/gan/package
mkdir -p "$work/template" "$work/scale" "$work/resnet"
cp tests/plugins/resnet/hub-basic.json "$work/resnet/config.json"
cp tests/plugins/resnet/hub-basic.safetensors "$work/resnet/model.safetensors"
conforms resnet "$plugins/libresnet.so" "$work/resnet"
echo '{"model_type":"template","input_size":2,"output_size":3,"hidden_act":"relu"}' >"$work/template/config.json"
echo '{"model_type":"scale","factor":2}' >"$work/scale/config.json"
(cd "$work" && PYTHONPATH=$work python3 -c '
from tensors import write
write("template/model.safetensors", {"linear.weight": ("F32", [3, 2], [1, 2, 3, 4, -5, 6]), "linear.bias": ("F32", [3], [0.5, -100, 0])})
write("template/reference.safetensors", {"x": ("F32", [2, 2], [1, 1, 10, 20]), "y": ("F32", [2, 3], [3.5, 0, 1, 50.5, 10, 70])})
write("scale/model.safetensors", {"scale": ("F32", [3], [1, 2, 3])})')
conforms template "$build/examples/plugin_template.so" "$work/template"
ok 'the reference of a package is held against the outputs' json \
    '"1 outputs of the reference" in j["checks"][8]["reason"]'
conforms scale "$build/examples/plugin_scale.so" "$work/scale"
if [ -d "$real" ]; then
    conforms gpt2 "$plugins/libgpt2.so" "$real/capp-gpt2"
    conforms silero-vad "$build/examples/silero-vad.so" "$real/silero-vad-16k"
    conforms textgenrnn "$build/examples/textgenrnn.so" "$real/textgenrnn-base"
    conforms cifar-resnet "$build/examples/cifar-resnet.so" "$real/cifar10-resnet20"
else
    skipped 'gpt2, silero-vad, textgenrnn, cifar-resnet: SHARED is not set'
fi

# ---- faults: the check that is for them fails, and says why

package() { # FAULT: its folder
    mkdir -p "$work/$1"
    echo "{\"model_type\":\"faulty\",\"fault\":\"$1\",\"size\":\"a\"}" >"$work/$1/config.json"
    printf '%s' "$work/$1"
}
finds() { # FAULT CHECK LIMIT TEXT
    local folder
    folder=$(package "$1")
    run check-plugin "$faulty" --package "$folder" --only "$2" --rounds 60 --time-limit "${3:-12s}"
    if [ "$code" -eq 1 ] && grep -qE "^ *$2 .* failed .*$4" "$work/out"; then
        pass "$1 fails check $2"
    else
        fail "$1 fails check $2" "exit code $code, want '$4': $(cat "$work/out" "$work/err")"
    fi
}
conforms 'the fixture without a fault' "$faulty" "$(package none)"
finds wrong-shape 7 '' "'y': dimension 1 is 5, want 4"
finds no-output 7 '' "output 'y' was not allocated"
finds silent-error 7 '' "run\(\) failed with 'internal' and without a sentence"
finds no-status 7 '' '4711, which is no status'
finds bad-schema 7 '' 'makes no sense'
finds random 9 '' "the same inputs give another 'y' the second time"
finds batch 9 '' 'item 2 of a batch of 3 differs from the item alone'
finds ignore-cancel 11 '' 'does not look at the cancel token'
finds breaks-after-cancel 11 '' "the token says 'deadline', run\(\) returned 'internal'"
finds late-emit 11 '' 'came after run\(\) had returned'
finds late-log 11 '' 'calls the services after destroy\(\)'
finds shared-state 10 '' "'y' is another when instances run side by side"
finds throw-away-error 6 '' 'though allocate_output\(\) failed'
finds underrun-output 8 '' "wrote memory beside output 'y'"
finds leak-block 4 '' 'were not released when the model was destroyed'
finds leak-descriptor 3 '' 'descriptor [0-9]+ was left open'
finds signal-handler 3 '' 'signal 10 .* was changed'
finds locale 3 '' 'the locale was changed'
finds threads 10 '' 'threads more than its caller'
finds exit 8 '' 'ended the process \(exit code 3\) in run\(\)'
finds abort 8 '' 'crashed with SIGABRT in run\(\)'
finds hang 8 400ms 'did not end within 400 ms, killed in run\(\)'
finds spin 8 400ms 'did not end within 400 ms, killed in run\(\)'
if [ -z "$sanitized" ]; then
    HF_TOKEN=secret conforms 'what tries to get out and cannot' "$faulty" "$(package gets-out)"
fi
finds alarm 3 '' 'the timer ITIMER_REAL .* was left running'
finds end-thread 12 '' 'the plugin ended the thread that called it \(pthread_exit\(\)\)'
[ -r /proc/self/timers ] && finds timer 3 '' '1 timers of timer_create\(\) are there, before it were 0'
finds forge-verdict 9 '' 'the plugin wrote a verdict of its own'
finds close-all 8 '' 'closed descriptors that are not its own in run\(\)'
finds flood 8 '' 'crashed with SIGABRT in run\(\): '
finds crash-at-exit 12 '' 'crashed with SIGABRT: the end of the process'
if [ -z "$sanitized" ]; then # whose own reports come first, or whose heap is another
    finds leak-malloc 4 '' 'the heap grows by 30[0-9][0-9] bytes a round'
    finds crash 8 '' 'crashed with SIGSEGV in run\(\)'
    finds write-input 8 '' "wrote to input 'x' at byte 0, which is read-only"
    finds overrun-output 8 '' "wrote memory 0 bytes behind the end of output 'y'"
    finds read-past-input 8 '' "read memory 0 bytes behind the end of input 'x'"
    finds newer-field 2 '' "behind the end of struct 'model_services'"
    finds no-null-check 6 '' 'crashed with SIGSEGV in create_model\(\): create_model\(\) without the memory|crashed with SIGSEGV in create_instance'
    finds crash-on-config 5 '' "crashed with SIGSEGV in create_model\(\): .*'size' is null"
    finds ids-unchecked 7 '' 'crashed with SIGSEGV in run\(\): .*does not exist'
    folder=$(package trust-weight)
    (cd "$work" && PYTHONPATH=$work python3 -c '
from tensors import write
write("trust-weight/model.safetensors", {"bias": ("F32", [2], [0, 0])})')
    finds trust-weight 5 '' "behind the end of weight 'bias'"
fi

# ---- examples/chaos: the same for operators to see

chaos() { # MODE CHECK LIMIT TEXT
    mkdir -p "$work/chaos"
    echo "{\"model_type\":\"chaos\",\"mode\":\"$1\",\"limit_mb\":64}" >"$work/chaos/config.json"
    run check-plugin "$build/examples/chaos.so" --package "$work/chaos" --only "$2" --rounds 40 --time-limit "$3"
    if grep -qE "^ *$2 .*$4" "$work/out"; then
        pass "chaos $1: check $2"
    else
        fail "chaos $1: check $2" "want '$4': $(cat "$work/out" "$work/err")"
    fi
}
chaos ok 11 $limit ' passed '
chaos hang 8 400ms 'did not end within 400 ms, killed in run\(\)'
chaos spin 8 400ms 'did not end within 400 ms, killed in run\(\)'
chaos ignore-cancel 8 400ms 'did not end within 400 ms, killed in run\(\)'
chaos abort 8 $limit 'crashed with SIGABRT in run\(\)'
chaos exit 8 $limit 'ended the process \(exit code 3\) in run\(\)'
chaos wrong-shape 7 $limit "output: 'output': dimension 1"
chaos bad-schema 7 $limit "output: 'output': dtype F32, want F64"
chaos throw-away-error 7 $limit 'without a sentence'
chaos late-emit 11 $limit 'came after run\(\) had returned|calls the services after'
if [ -z "$sanitized" ]; then
    chaos crash 8 $limit 'crashed with SIGSEGV in run\(\)'
    chaos leak 4 $limit 'the heap grows by'
    chaos write-input 8 $limit "wrote to input 'input' at byte 0"
    chaos overrun-output 8 $limit "behind the end of output 'output'"
fi
run quarantine list
same 'runs of some checks, or of fewer rounds, put nothing in quarantine' "$out" ''
ok 'and leave no report' test ! -e "$MODELHOST_STORE/conformance"

# ---- reports, quarantine, exit codes

sha=$(sha256sum "$faulty" | cut -d' ' -f1)
run check-plugin "$faulty" --package "$(package batch)"
ok 'who fails is told of the quarantine' says 'failed check 9; it is in quarantine for 7 days'
# What stands in the way of the quarantine's folder: nobody is told of a quarantine that is none.
mkdir -p "$work/full" && : >"$work/full/quarantine"
run check-plugin "$faulty" --package "$(package batch)" --store "$work/full"
ok 'who cannot be put into quarantine is not said to be there' says 'failed check 9; it could not be put into quarantine'
lacks 'nor with a number of days' "$(cat "$work/err")" 'it is in quarantine for'
run quarantine list --json
ok 'the plugin that failed is in quarantine' json "j[0]['sha256'] == '$sha' and 'failed check' in j[0]['reason'] and not j[0]['expired']"
mkdir -p "$work/loaded/backends/cpu"
cp "$work/none/config.json" "$work/loaded/backends/cpu/"
cp "$faulty" "$work/loaded/backends/cpu/libmodel.so"
run run "$work/loaded" --describe
ok 'it is not opened, under whatever name' says 'is in quarantine for 168 h more: failed check'
ok 'and is told how' says "modelhost quarantine clear ${sha:0:12}"
fails 'clearing what is not there' 3 'modelhost: aaaaaaa is not in quarantine; see modelhost quarantine list' quarantine clear aaaaaaa
run quarantine clear "${sha:0:12}"
same 'it is cleared by the beginning of its digest' "$code" 0
run run "$work/loaded" --describe
same 'then it is opened' "$code" 0
run check-plugin "$faulty" --package "$(package batch)"
run quarantine list
has 'the list is a table' "$out" "faulty 1.0.0"
run quarantine clear "$work/loaded/backends/cpu/libmodel.so"
same 'or by its file' "$code" 0
run check-plugin "$faulty" --package "$(package batch)"
run check-plugin "$faulty" --package "$work/none" --rounds $rounds --time-limit $limit
ok 'an easier run says that it does not count' says 'neither report nor quarantine'
run quarantine list
has 'and lets nothing out' "$out" 'faulty 1.0.0'
run check-plugin "$faulty" --package "$work/none"
same 'or by passing' "$code" 0
run quarantine list
same 'and the list is empty' "$out" ''
ok 'a whole run leaves a report' test -f "$MODELHOST_STORE/conformance/$sha.json"

run check-plugin "$build/examples/plugin_template.so" --rounds 20 --time-limit $limit
same 'without a package what needs one is skipped' "$code" 0
has 'with its reason' "$out" 'give --package: without one it says: config.json'
run check-plugin "$build/examples/plugin_template.so" --package "$work/scale" --time-limit $limit
same 'a package of another kind is an error' "$code" 1
ok 'of the package' says 'refuses the package'
run quarantine list
same 'and no fault of the plugin' "$out" ''
run check-plugin "$work/none/config.json"
same 'what is no plugin is refused' "$code" 1

# ---- a package that cannot be opened: what is wrong with it is said as run says it, and nothing of the plugin

coreml=$plugins/libcoreml-ane.so
pkgmgr=$build/bin/pkgmgr
whole=$work/whole
mkdir -p "$whole/backends/cpu"
cp "$coreml" "$whole/backends/cpu/libmodel.so"
cp "$work/identity/"* "$whole/backends/cpu/"
echo 'correct horse' >"$work/pass"
head -c 32 /dev/zero | tr '\0' 7 >"$work/key"
ok 'a package is packed' "$pkgmgr" pack "$whole" -o "$work/whole.mhp" -q
ok 'and encrypted' "$pkgmgr" pack "$whole" -o "$work/pass.mhp" -q --encrypt --passphrase-file "$work/pass"
ok 'or with a key' "$pkgmgr" pack "$whole" -o "$work/key.mhp" -q --encrypt --key-file "$work/key"
head -c 2000 "$work/whole.mhp" >"$work/cut.mhp"
cp "$work/whole.mhp" "$work/flipped.mhp"
printf 'xxxx' | dd of="$work/flipped.mhp" bs=1 seek=$(($(stat -c %s "$work/whole.mhp") / 2)) conv=notrunc status=none
for name in empty no-config brace list manifest; do cp -r "$whole" "$work/p-$name"; done
rm -r "$work/p-empty/backends"
rm "$work/p-no-config/backends/cpu/config.json"
echo '{' >"$work/p-brace/backends/cpu/config.json"
echo '[]' >"$work/p-list/backends/cpu/config.json"
echo '{' >"$work/p-manifest/metadata.json"
cannot() { # PACKAGE CODE OPTION...: the sentence and the code of run
    run run "$work/$1" --describe "${@:3}"
    local as_run
    as_run="$code $(grep -v 'warning: .* has no metadata.json' "$work/err")"
    run check-plugin "$coreml" --package "$work/$1" "${@:3}"
    same "$1: as run says it" "$code $(cat "$work/err")" "$as_run"
    same "$1: and not a verdict" "$code $out" "$2 "
}
cannot pass.mhp 4
cannot pass.mhp 4 --key-file "$work/key"
cannot key.mhp 4
cannot whole.mhp 1 --key-file "$work/key"
cannot cut.mhp 7
cannot flipped.mhp 7
cannot p-no-config 7
cannot p-brace 7
cannot p-list 7
cannot p-manifest 7
run check-plugin "$coreml" --package "$work/p-empty"
same 'a folder that is none: not found' "$code $out" '3 '
ok 'and why' says 'is no package: no config.json in it, nor in its backends/cpu'
backend=$work/linear/backends/cpu
mkdir -p "$backend"
cp "$build/examples/plugin_template.so" "$backend/libmodel.so"
cp "$work/template/config.json" "$work/template/model.safetensors" "$backend"
cp "$work/template/reference.safetensors" "$work/linear"
ok 'weights and a reference are encrypted' "$pkgmgr" pack "$work/linear" -o "$work/linear.mhp" -q --encrypt --key-file "$work/key"
conforms 'a plugin with encrypted weights' "$backend/libmodel.so" "$work/linear.mhp" --key-file "$work/key"
ok 'and their reference is compared' json '"1 outputs of the reference" in j["checks"][8]["reason"]'
head -c 100 "$work/template/model.safetensors" >"$work/cut" && mv "$work/cut" "$work/template/model.safetensors"
run check-plugin "$build/examples/plugin_template.so" --package "$work/template"
same 'weights that are cut: the package is damaged' "$code $out" '7 '
token=$(printf '%032d' 0)
printf %s "$token" | "$program" check-plugin --check 1 --package "$work/p-brace" "$coreml" 3>"$work/record"
has 'nor is it a verdict when the package goes between two checks' "$(cat "$work/record")" "V$token cannot "
run quarantine list
same 'nothing is put into quarantine for it' "$out" ''
ok 'and no report is left' test ! -e "$MODELHOST_STORE/conformance/$(sha256sum "$coreml" | cut -d' ' -f1).json"
run check-plugin "$coreml" --key-file "$work/key"
same 'a key is of a package' "$code" 2
run check-plugin "$coreml" --package "$work/key.mhp" --key-file "$work/key" --passphrase-file "$work/pass"
same 'and there is one' "$code" 2
conforms 'an encrypted package' "$coreml" "$work/pass.mhp" --passphrase-file "$work/pass"
conforms 'one with a key' "$coreml" "$work/key.mhp" --key-file "$work/key"
run check-plugin "$faulty" --only 13
same 'there are twelve checks' "$code" 2
run check-plugin "$faulty" --rounds 15
same 'growth is not told from fewer than 16 rounds' "$code" 2
run check-plugin "$faulty" --package "$work/none" --only 4 --rounds 16 --json
ok 'and is from 16' json 'j["checks"][0]["verdict"] == "passed" and not j["usual"]'
run quarantine clear
same 'clear wants to know what' "$code" 2
same 'nothing is left running' "$(pgrep -f "check-plugin --check .*$faulty" | wc -l)" 0
summary
