#!/usr/bin/env bash
# `modelhost run --isolation worker`: the same answers from a process apart, what a crash and a hanging plugin
# come to, and that no process outlives its host.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
program=$build/bin/modelhost
begin workers
export MODELHOST_STORE=$work/store PYTHONDONTWRITEBYTECODE=1
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}handle_segv=0 TSAN_OPTIONS=${TSAN_OPTIONS:+$TSAN_OPTIONS:}handle_segv=0
unset MODELHOST_PLUGIN_PATH
facts=$work/facts tales=$work/tales mischief=$work/mischief
source=$PWD/examples/demo/hub/modelhost/tales-char-lstm
mkdir -p "$tales/backends/cpu" "$mischief/backends/cpu"
cp "$source"/config.json "$source"/model.safetensors "$tales/backends/cpu/"
cp "$source"/tokenizer.json "$source"/tokenizer_config.json "$source"/generation_config.json "$tales/"
cp "$build"/lib/modelhost/plugins/liblstm.so "$tales/backends/cpu/libmodel.so"
echo '{}' >"$mischief/backends/cpu/config.json"
cp "$build"/tests/plugin_mischief.so "$mischief/backends/cpu/libmodel.so"
demo_package "$facts"
write_tensors_module
cd "$work" || exit 1
python3 - <<'PY'
from tensors import write
def x(name, *values): write(name, {'x': ('F32', [len(values)], list(values))})
x('good.safetensors', 1, 2, 3)
x('crash.safetensors', -1)
x('exit.safetensors', -3)
x('hang.safetensors', -4)
x('large.safetensors', -7, 300000)
text = list(b'Once upon a time there was a little fox who lived by the river. ')
for i, (a, b) in enumerate([(0, 5), (5, 40), (40, len(text))]):
    write('p%d.safetensors' % i, {'input_ids': ('I64', [1, b - a], text[a:b])})
PY

# ---- threads that wait

# libgomp itself says what it has read from its environment as it is opened, by the host and by the worker.
spins() { # ARGUMENT...: its words of one thread's turns at a barrier
    OMP_DISPLAY_ENV=VERBOSE run run "$facts" --text 'Rome is the capital of [MASK].' "$@"
    sed -n "s/.*GOMP_SPINCOUNT = '\(.*\)'.*/\1/p" "$work/err" | tr '\n' ' '
}
same 'threads that wait for each other sleep soon' "$(spins)" '8000 '
same 'those of a worker, too' "$(spins --isolation worker)" '8000 8000 '
same 'not if somebody wants it otherwise' "$(GOMP_SPINCOUNT=77 spins --isolation worker)" '77 77 '
same 'nor if they are to wait actively' "$(OMP_WAIT_POLICY=active spins | grep -c '^8000')" 0

# ---- the same answers

both() { # NAME ARGUMENT...: the same on standard output
    local name=$1 here
    shift
    run run "$@" -q
    same "$name: here it ends well" "$code" 0
    here=$out
    run run "$@" -q --isolation worker
    same "$name: in a worker it ends well" "$code" 0
    same "$name: the same" "$out" "$here"
}
both 'texts' "$facts" --json --text 'The capital of France is [MASK].' --text 'Rome is the capital of [MASK].'
both 'generated text' "$tales" --text 'Once upon' --max-new-tokens 40 --seed 3 --temperature 1
both 'several sequences' "$tales" --json --text 'Once upon' --max-new-tokens 20 --num-sequences 3 --temperature 1
tensors() { # NAME ARGUMENT...: the same bytes in all output files
    local name=$1
    shift
    for mode in inproc worker; do
        run run "$@" -q --isolation $mode --outputs $mode.0 ${pieces:+--outputs $mode.1 --outputs $mode.2}
        same "$name: ends well ($mode)" "$code" 0
    done
    for file in inproc.*; do
        ok "$name: the same bytes ($file)" cmp "$file" "worker.${file#inproc.}"
    done
    rm -f inproc.* worker.*
}
pieces=''
tensors 'large outputs' "$mischief" --inputs large.safetensors
pieces=yes
tensors 'pieces of a stream' "$tales" --stateful --inputs p0.safetensors --inputs p1.safetensors --inputs p2.safetensors

run run "$facts" -q --describe --isolation worker --workers 2
ok 'it tells of its processes' json 'j["isolation"] == "worker" and len(j["worker_pids"]) == 2'
run run "$facts" -q --describe
ok 'and that there are none' json 'j["isolation"] == "inproc" and "worker_pids" not in j'

# ---- crashes

run run "$mischief" -q --isolation worker --inputs crash.safetensors --outputs out
same 'a crash: exit code' "$code" 1
ok 'a crash: the sentence' says 'modelhost: plugin crashed: SIGSEGV in run'
# A process that may not be traced cannot look for leaks when it ends.
ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 run run "$mischief" -q --isolation worker --inputs exit.safetensors --outputs out
same 'exit(): exit code' "$code" 1
ok 'exit(): the sentence' says 'exit(3)'

# ---- processes end

gone() { timeout 20 tail --pid="$1" -s 0.05 -f /dev/null; }
worker_pid() { sed -n 's/.*worker \([0-9]*\): .*/\1/p' "$1" | head -n 1; }

run run "$mischief" -v --isolation worker --timeout 2s --inputs hang.safetensors --outputs out
same 'a hanging plugin: exit code' "$code" 124
pid=$(worker_pid err)
ok 'a hanging plugin: it was in a process' [ -n "$pid" ]
ok 'a hanging plugin: its process is gone' gone "$pid"

mkfifo log
"$program" run "$mischief" -v --isolation worker --inputs hang.safetensors --outputs out 2>log >/dev/null &
host=$!
exec 4<log
pid=''
while [ -z "$pid" ] && read -r line <&4; do
    pid=$(sed -n 's/.*worker \([0-9]*\): .*loaded in.*/\1/p' <<<"$line")
done
ok 'a killed host: there is a process' kill -0 "$pid"
kill -KILL "$host"
ok 'a killed host: its process ends, too' gone "$pid"
exec 4<&-
wait 2>/dev/null

"$program" run "$mischief" -v --isolation worker --inputs hang.safetensors --outputs out 2>log >/dev/null &
host=$!
exec 4<log
pid=''
while [ -z "$pid" ] && read -r line <&4; do
    pid=$(sed -n 's/.*worker \([0-9]*\): .*loaded in.*/\1/p' <<<"$line")
done
ok 'a killed host of a stopped process: there is one' kill -STOP "$pid"
kill -KILL "$host"
ok 'a killed host of a stopped process: it ends, too' gone "$pid"
kill -KILL "$pid" 2>/dev/null # should it not
exec 4<&-
wait 2>/dev/null

spinner=$work/spinner
BUILD=$build "$source/../../../../chaos/make_package.sh" "$spinner" mode=spin where=destroy >/dev/null
"$program" run "$spinner" -v --isolation worker --inputs "$spinner/input.safetensors" --outputs out 2>log >/dev/null &
host=$!
exec 4<log
pid=''
while [ -z "$pid" ] && read -r line <&4; do
    pid=$(sed -n 's/.*worker \([0-9]*\): .*compute for ever.*/\1/p' <<<"$line")
done
kill -KILL "$host"
ok 'a host killed while a plugin ends: there was a process' [ -n "$pid" ]
ok 'a host killed while a plugin ends: its process ends, too' gone "$pid"
exec 4<&-
wait 2>/dev/null

# ---- the command line

run run "$facts" --isolation thread --text hi
same 'another isolation: exit code' "$code" 2
ok 'another isolation: the sentence' says "--isolation is 'thread', want inproc or worker"
run run "$facts" --workers 2 --text hi
same 'workers here: exit code' "$code" 2
ok 'workers here: the sentence' says '--workers goes with --isolation worker'
run worker
same 'by hand: exit code' "$code" 2
ok 'by hand: the sentence' says 'is started by a host'
run --help
ok 'it is not listed' not grep -q '^  worker' out
summary
