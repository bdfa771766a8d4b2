#!/usr/bin/env bash
# A host under load, with faults, for SOAK_SECONDS (600): every answer is judged, and what the process holds
# must stay flat. `make soak` calls it; tests/soak/soak.c says what the four phases do.
#
#   scripts/soak.sh [PHASE...]       mixed, chaos, hang, loads (usual: all of them)
#
# Reads: BUILD (build), SOAK_SECONDS, SOAK_SEED (else each phase makes one and prints it), SOAK_CALLS (hanging
# calls and loads; usual: SOAK_SECONDS), SHARED (more models, if they are there). The packages are made anew in $BUILD/soak.
set -u
cd "$(dirname "$0")/.." || exit 1

BUILD=${BUILD:-build}
seconds=${SOAK_SECONDS:-600}
calls=${SOAK_CALLS:-$seconds}
shared=${SHARED:-../shared}
place=${SOAK_DIR:-$BUILD/soak}
plugins=$BUILD/lib/modelhost/plugins
ulimit -c 0
# What crashes or exits is meant, in a build with sanitizers, too.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0:handle_segv=0:handle_abort=0:allocator_may_return_null=1"
export TSAN_OPTIONS="${TSAN_OPTIONS:+$TSAN_OPTIONS:}handle_segv=0:handle_abort=0"

# What malloc() keeps for itself, in an arena for each thread, would hide what is lost: it gives it back.
export MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=131072 MALLOC_TRIM_THRESHOLD_=131072

package() { # NAME FOLDER PLUGIN: what an author's folder has; nothing when the model is not here
    local name=$1 folder=$2 plugin=$3
    [ -f "$folder/config.json" ] && [ -f "$folder/model.safetensors" ] || return 0
    mkdir -p "$place/$name/backends/cpu"
    cp "$folder"/config.json "$folder"/model.safetensors "$place/$name/backends/cpu/"
    cp "$plugin" "$place/$name/backends/cpu/libmodel.so"
    for file in tokenizer.json tokenizer_config.json generation_config.json; do
        [ ! -f "$folder/$file" ] || cp "$folder/$file" "$place/$name/"
    done
}
chaos() { # MODE[:ARGUMENT] [KEY=VALUE...]: rate and seed are those that tests/soak/soak_chaos.c knows
    local mode=$1
    shift
    BUILD=$BUILD examples/chaos/make_package.sh "$place/chaos-${mode%%:*}" "mode=$mode" rate=0.1 seed=11 "$@" >/dev/null
}

chmod -R u+w "$place" 2>/dev/null
rm -rf "$place"
mkdir -p "$place" || exit 1
limit_mb=2048
case $BUILD in *address* | *thread*) limit_mb=16 ;; esac # they run without a limit of memory
for mode in ok crash abort exit hang spin slow:20 throw-away-error wrong-shape no-output; do chaos "$mode"; done
chaos oom limit_mb=$limit_mb
hub=examples/demo/hub/modelhost real=$shared/models/real
package facts-bert-mini $hub/facts-bert-mini "$plugins/libbert.so"
package tales-char-lstm $hub/tales-char-lstm "$plugins/liblstm.so"
package gan examples/gan/package/backends/cpu "$BUILD/examples/gan.so"
package capp-gpt2 "$real/capp-gpt2" "$plugins/libgpt2.so"
package chars2vec "$real/chars2vec-eng-50" "$plugins/liblstm.so"
package cifar-resnet "$real/cifar10-resnet20" "$BUILD/examples/cifar-resnet.so"
package silero-vad "$real/silero-vad-16k" "$BUILD/examples/silero-vad.so"
package textgenrnn "$real/textgenrnn-base" "$BUILD/examples/textgenrnn.so"
# Opened and closed: the model whose size is told in the promises, where it can be made.
opened=facts-bert-mini
if [ -f "$shared/models/synth.py" ] && /usr/bin/python3 "$shared/models/synth.py" "$place.models" bert-tiny-synth >/dev/null 2>&1; then
    package bert-tiny "$place.models/bert-tiny-synth" "$plugins/libbert.so"
    opened=bert-tiny
fi

short=$((seconds / 10 > 0 ? seconds / 10 : 1))
failed=''
[ $# -gt 0 ] || set -- chaos hang loads mixed
for phase in "$@"; do
    arguments=(--only "$phase" --count "$calls" --package "$opened" --worker "$BUILD/bin/modelhost")
    case $phase in
    mixed) arguments+=(--seconds $((seconds > short ? seconds - short : seconds))) ;;
    *) arguments+=(--seconds "$short") ;;
    esac
    [ -z "${SOAK_SEED:-}" ] || arguments+=(--seed "$SOAK_SEED")
    "$BUILD/tests/soak" "${arguments[@]}" "$place" </dev/null || failed="$failed $phase"
done
[ -z "$failed" ] || {
    echo "soak:$failed: not well" >&2
    exit 1
}
