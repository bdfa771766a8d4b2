#!/usr/bin/env bash
# The bridge to Core ML compiles for macOS on arm64, to objects that define all of its functions: against Apple's
# headers where they are, else against declarations of our own, which know since when each call is there.
set -u
folder=plugins/coreml-ane/bridge
mapfile -t sources < <(scripts/tree.sh "$folder/*.m")
[ ${#sources[@]} -gt 0 ] || exit 0
flags='-fobjc-arc -fobjc-arc-exceptions -fblocks -Wall -Wextra -Werror -Wunguarded-availability'
if [ "$(uname -s)" != Darwin ]; then
    flags+=" -ffreestanding -nostdlibinc -isystem $folder/declarations"
fi
objects=$BUILD/check-bridge
mkdir -p "$objects" || exit 1
n=0
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
made=()
for source in "${sources[@]}"; do
    object=$objects/$(basename "$source" .m).o
    # shellcheck disable=SC2086
    clang -target arm64-apple-macosx13.0 $flags -Iinclude "-I$folder" -c "$source" -o "$object" 2>"$log" || {
        grep -E 'error|warning' "$log" | grep -v 'generated\.$' | head -n 20
        n=1
    }
    made+=("$object")
done
[ $n -eq 0 ] || exit $n
for name in compile_model load_model model_schema predict free_model free_string plan; do
    grep -aqF "_coreml_$name" "${made[@]}" || {
        echo "$folder/coreml_bridge.h:1: no object defines coreml_$name()"
        n=1
    }
done
exit $n
