#!/usr/bin/env bash
# `modelhost run` on a package with several backends: which one serves, and what is said of the others.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
begin backends
program=$build/bin/modelhost
package=$work/package
write_tensors_module

backend() { # NAME ANSWER FIELDS: the fixture plugin_fickle adds ANSWER to what it gets
    mkdir -p "$package/backends/$1"
    cp "$build/tests/plugin_fickle.so" "$package/backends/$1/libmodel.so"
    echo "{\"model_type\":\"fickle\",\"answer\":$2$3}" >"$package/backends/$1/config.json"
}
answer() { # the first number of y
    (cd "$work" && python3 -c 'import tensors; print(int(tensors.read("out.safetensors")["y"][1][0]))') 2>>"$work/err"
}
run_tensors() { run run "$package" --inputs "$work/in.safetensors" --outputs "$work/out.safetensors" "$@"; }

backend cpu 1 ''
backend torch 2 ''
backend vulkan 3 ''
(cd "$work" && python3 - <<'PY'
import tensors
tensors.write('in.safetensors', {'x': ('F32', [1], [0])})
PY
)
run_tensors -q
same 'cpu serves when nothing is said' "$code $(answer)" '0 1'
run_tensors -q --backend vulkan,cpu
same 'what is asked for first serves' "$code $(answer)" '0 3'
run run "$package" -q --describe --backend torch,cpu
ok 'the description names it' json 'j["backend"] == "torch" and j["fallbacks"] == ["cpu"]'

backend cpu 1 ',"create_fails":true'
run_tensors
same 'a backend that does not open is passed over' "$code $(answer)" '0 2'
ok 'and the warning says why' says "backend 'cpu' did not open, trying 'torch': plugin 'fickle' 1.0.0 cannot run $package: fickle: told not to open"
run run "$package" -q --describe
ok 'the description says so too' json '"told not to open" in j["refused_backends"]["cpu"]'

fails 'a backend that is the only choice is an error' 1 \
    "modelhost: plugin 'fickle' 1.0.0 cannot run $package: fickle: told not to open" \
    run "$package" -q --describe --backend cpu
fails 'of several that do not open each is named' 1 \
    "modelhost: no backend of $package opens: 'cpu' did not open: plugin 'fickle' 1.0.0 cannot run $package: fickle: told not to open; 'absent' did not open: $package is not a package: no metadata.json and no backends/absent/libmodel.so; give the folder that 'pkgmgr download' made, or put a plugin there" \
    run "$package" -q --describe --backend cpu,absent
run run "$package" -q --describe --backend ../cpu
same 'a path is no backend' "$code" 1

backend cpu 1 ''
backend coreml 4 ''
run_tensors -q --backend coreml,cpu
same 'the command waits for a first backend that always runs in a worker' "$code $(answer)" '0 4'
mkfifo "$work/pipe" # that create_model() waits for: nobody writes to it
backend coreml 4 ",\"create_pipe\":\"$work/pipe\""
run_tensors -q --backend coreml,cpu --set accelerator_start=default
same 'unless it is told not to: it ends with the answer of the other one' "$code $(answer)" '0 1'
run run "$package" -q --describe --backend coreml,cpu --set accelerator_start=default
ok 'and the description says that it is being loaded' json 'j["backend"] == "cpu" and j["accelerator"] == {"backend": "coreml", "state": "loading"} and j["refused_backends"] == {}'
summary
