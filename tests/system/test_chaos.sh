#!/usr/bin/env bash
# examples/chaos by the command: each fault that a process survives has its sentence and its exit code
# in this process; in a worker each fault has, and the answer behind it is right.
# shellcheck disable=SC2154 # of lib.sh
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
begin chaos
ulimit -c 0
# What is leaked and what crashes is meant, in a build with sanitizers, too.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0:handle_segv=0:handle_abort=0"
program=$build/bin/modelhost
write_tensors_module
right='1.0 3.0 5.0 7.0 9.0 11.0'
output() { PYTHONPATH=$work python3 -c "from tensors import read; print(*read('$work/y.safetensors')['output'][1])"; }

make_chaos() { # KEY=VALUE...: the package in $work/chaos
    BUILD=$build examples/chaos/make_package.sh "$work/chaos" "$@" >"$work/command"
}
run_chaos() { # OPTION...
    rm -f "$work/y.safetensors"
    run run "$work/chaos" --inputs "$work/chaos/input.safetensors" --outputs "$work/y.safetensors" "$@"
}

# ---- the helper

make_chaos mode=slow:1 rate=0.5
same 'make_package.sh writes what it is told' "$(cat "$work/chaos/backends/cpu/config.json")" \
    '{"model_type":"chaos","mode":"slow:1","rate":0.5}'
has 'and says how to run it' "$(cat "$work/command")" "modelhost run $work/chaos --inputs"

# ---- in this process: the whole of stderr

while IFS='|' read -r config want text; do
    [ -n "$config" ] || continue
    # shellcheck disable=SC2086
    make_chaos $config
    run_chaos -q
    same "$config: exit code" "$code" "$want"
    said "$config: the sentence" "$(printf '%s' "${text:+modelhost: ${text//PKG/$work/chaos}}")"
    [ "$want" -ne 0 ] || same "$config: the answer" "$(output)" "$right"
    [ "$want" -eq 0 ] || ok "$config: no output" not [ -e "$work/y.safetensors" ]
done <<'TABLE'
mode=ok|0|
mode=slow:20|0|
mode=ignore-cancel:20|0|
mode=leak|0|
mode=crash rate=0|0|
mode=hang where=keep|0|
mode=slow:20 where=create|0|
mode=slow:20 where=create_instance|0|
mode=slow:20 where=destroy|0|
mode=late-emit|0|
mode=throw-away-error|1|plugin 'chaos' 1.0.0: run() failed with status 10 (internal) and no sentence
mode=no-output|1|plugin 'chaos' 1.0.0: run() did not produce output 'output'
mode=wrong-shape|1|plugin 'chaos' 1.0.0: output: 'output': dimension 1 (n) is 4, but 3 elsewhere in this request
mode=bad-schema|1|plugin 'chaos' 1.0.0: output: 'output': dtype F32, want F64
mode=oom limit_mb=16|1|plugin 'chaos' 1.0.0: 16 MB taken, as much as config.json's 'limit_mb' allows
mode=throw-away-error where=create|1|plugin 'chaos' 1.0.0 cannot run PKG: create_model() failed without saying why
mode=throw-away-error where=create_instance|1|plugin 'chaos' 1.0.0 cannot run PKG: create_instance() failed without saying why
mode=oom limit_mb=16 where=create|1|plugin 'chaos' 1.0.0 cannot run PKG: 16 MB taken, as much as config.json's 'limit_mb' allows
mode=bogus|7|plugin 'chaos' 1.0.0 cannot run PKG: config.json: 'mode' is 'bogus', want one of ok, slow, ignore-cancel, hang, spin, crash, abort, exit, leak, oom, throw-away-error, no-output, wrong-shape, bad-schema, write-input, overrun-output, late-emit; get the package's files again, or mend them
mode=wrong-shape where=create|7|plugin 'chaos' 1.0.0 cannot run PKG: config.json: the mode 'wrong-shape' is for run alone; get the package's files again, or mend them
TABLE

# With a deadline inputs are copies, so writing to them harms nobody.
make_chaos mode=write-input
run_chaos --timeout 60s
same 'write-input: the answer' "$(output)" "$right"

# What never comes back: the caller has the deadline's answer.
for mode in hang spin ignore-cancel slow:60000; do
    make_chaos "mode=$mode"
    run_chaos --timeout 300ms
    same "$mode: exit code" "$code" 124
    ok "$mode: the sentence" says 'while the request was running'
done

# ---- in a worker: parts of stderr; the next request is answered by a new process

in_worker() { # CONFIG CODE TEXT
    # shellcheck disable=SC2086
    make_chaos $1
    run_chaos --isolation worker --timeout "${timeout:-20s}"
    same "worker, $1: exit code" "$code" "$2"
    [ -z "$3" ] || ok "worker, $1: the sentence" says "$3"
    [ "$2" -ne 0 ] || same "worker, $1: the answer" "$(output)" "$right"
}
if ! "$program" run --help | grep -q -- --isolation; then
    skipped 'this build has no workers'
else
    while IFS='|' read -r config want text; do
        [ -n "$config" ] && in_worker "$config" "$want" "$text"
    done <<'TABLE'
mode=ok|0|
mode=slow:20|0|
mode=leak:8|0|
mode=write-input|0|
mode=crash rate=0|0|
mode=late-emit|0|
mode=crash|1|plugin crashed: SIGSEGV in run; its last log line: "about to write to address 0"
mode=abort|1|plugin aborted in run; its last log line: "about to abort"
mode=exit|1|plugin called exit(3) in run; its last log line: "about to exit"
mode=exit:0|1|plugin called exit(0) in run; its last log line: "about to exit"
mode=oom limit_mb=16|1|16 MB taken, as much as config.json's 'limit_mb' allows
mode=throw-away-error|1|run() failed with status 10 (internal) and no sentence
mode=no-output|1|run() did not produce output 'output'
mode=wrong-shape|1|dimension 1 (n) is 4, but 3 elsewhere in this request
mode=bad-schema|1|dtype F32, want F64
mode=throw-away-error where=create|1|create_model() failed without saying why
mode=crash where=create|1|plugin crashed: SIGSEGV in create_model
mode=abort where=create_instance|1|plugin aborted in create_instance
mode=exit:5 where=create|1|plugin called exit(5) in create_model
mode=crash where=destroy|0|plugin crashed: SIGSEGV in destroy; its last log line:
mode=hang where=destroy|0|plugin 'chaos' 1.0.0 did not come back from destroy() in time; its process is ended
TABLE
    timeout=2s
    for mode in hang spin ignore-cancel; do
        in_worker "mode=$mode" 124 'while the request was running'
    done

    # What loading may take is bounded, and --set has any option that files have.
    make_chaos mode=hang where=create
    run_chaos --isolation worker --load-timeout 200ms
    same 'loading hangs: exit code' "$code" 124
    ok 'loading hangs: the sentence' says 'did not come back from create_model() within 200 ms for'
    ok 'loading hangs: the advice' says 'raise load_timeout_ms (--load-timeout)'
    ok 'and no other' not says 'give it more with --timeout'
    run_chaos --set isolation=worker --set load_timeout_ms=200
    ok '--set: the same' says 'did not come back from create_model() within 200 ms for'
    run_chaos --set max_bach=8
    same '--set: a key that is not known' "$code" 2
    ok '--set: is told' says '--set max_bach=8: max_bach is not known'
    run_chaos --load-policy all
    same '--load-policy: a word that is not known' "$code" 2
    make_chaos mode=ok
    run_chaos --load-policy conformant --store "$work/store"
    ok '--load-policy conformant wants a report' says 'has no conformance report'

    # A plugin that crashes again and again, where that is asked for.
    make_chaos mode=crash
    run_chaos --isolation worker --store "$work/store" --set quarantine_after_crashes=1
    same 'a crash that is one too many: exit code' "$code" 1
    ok 'a crash that is one too many: is told' says 'is in quarantine for 600 s: 1 crash in a row'
    run_chaos --store "$work/store"
    ok 'nobody opens it then' says 'is in quarantine for 10 min more'
    run quarantine list --store "$work/store"
    ok 'it is listed with the reason' prints '1 crash in a row, the last one: plugin crashed: SIGSEGV in run'
    run quarantine clear --all --store "$work/store"
    make_chaos mode=ok
    run_chaos --store "$work/store"
    same 'and let out again' "$code" 0

    # A worker is in its sandbox while the plugin runs; its pid is in the log.
    make_chaos mode=hang
    mkfifo "$work/log"
    "$program" run "$work/chaos" --inputs "$work/chaos/input.safetensors" --outputs "$work/y.safetensors" \
        --isolation worker --timeout 60s >"$work/out" 2>"$work/log" </dev/null &
    host_pid=$!
    worker_pid=''
    while read -r line; do
        case $line in
        *'worker '*': about to wait for ever'*)
            worker_pid=${line#*worker }
            worker_pid=${worker_pid%%:*}
            break
            ;;
        esac
    done <"$work/log"
    status=/proc/$worker_pid/status
    if [ -r "$status" ]; then
        has 'worker: no new privileges' "$(cat "$status")" $'NoNewPrivs:\t1'
        if pkg-config --exists libseccomp; then
            has 'worker: its system calls are filtered' "$(cat "$status")" $'Seccomp:\t2'
        fi
    else
        skipped 'worker: this system has no /proc'
    fi
    kill "$host_pid"
    wait "$host_pid" 2>/dev/null
fi

summary
