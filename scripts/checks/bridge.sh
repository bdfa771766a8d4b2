#!/usr/bin/env bash
# The bridge to Core ML compiles for macOS on arm64, to objects that define all of its functions: against Apple's
# headers where they are, else against declarations of our own, which know since when each call is there. And each
# function that calls Apple's code does so inside bridge_guard(), which has a pool and lets nothing through that is thrown.
set -u
folder=plugins/coreml-ane/bridge
mapfile -t sources < <(scripts/tree.sh "$folder/*.m" "$folder/*.c")
[ ${#sources[@]} -gt 0 ] || exit 0
flags='-fobjc-arc -fobjc-arc-exceptions -fblocks -Wall -Wextra -Werror -Wunguarded-availability'
nm='nm'
objects=$BUILD/check-bridge
mkdir -p "$objects" || exit 1
if [ "$(uname -s)" != Darwin ]; then
    flags+=" -ffreestanding -nostdlibinc -isystem $folder/declarations -isystem $objects"
    echo '#include <CoreML/c_library.h>' >"$objects/string.h"
    nm='llvm-nm' # binutils' does not read these
fi
n=0
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
made=()
for source in "${sources[@]}"; do
    object=$objects/$(basename "${source%.*}").o
    # shellcheck disable=SC2086
    clang -target arm64-apple-macosx13.0 $flags -Iinclude "-I$folder" -c "$source" -o "$object" 2>"$log" || {
        grep -E 'error|warning' "$log" | grep -v 'generated\.$' | head -n 20
        n=1
    }
    made+=("$object")
done
[ $n -eq 0 ] || exit $n

# ---- what the objects define
"$nm" -g --defined-only "${made[@]}" | awk 'NF == 3 { print $3 }' >"$log" || exit 1
for name in compile_model load_model model_schema predict free_model free_string plan; do
    grep -qxF "_coreml_$name" "$log" || {
        echo "$folder/coreml_bridge.h:1: no object defines coreml_$name()"
        n=1
    }
done

# ---- and how: a function is from its name in the first column to the brace there. Of those that bridge_entries.c calls, the ones
# for strings have nothing to do with Apple's code.
awk '
    function close_function(i) {
        if (name ~ /^bridge_(compile_model|load_model|model_schema|predict|free_model|plan)$/ && !("bridge_guard(" in has))
            complain(name "() calls Apple'"'"'s code outside of bridge_guard()")
        for (i in wanted)
            if (name == "bridge_guard" && !(i in has))
                complain(name "() has no " i)
        name = ""
        delete has
    }
    function complain(text) { print FILENAME ":" line ": " text; failed = 1 }
    BEGIN { wanted["@autoreleasepool"]; wanted["@try"]; wanted["@catch (NSException"]; wanted["@catch (...)"] }
    /^[a-z].*[a-z_]+\(/ && !/;$/ {
        name = $0
        sub(/\(.*/, "", name)
        sub(/.*[ *]/, "", name)
        line = FNR
    }
    name != "" && FNR > line {
        for (i in wanted)
            if (index($0, i))
                has[i]
        if (index($0, "bridge_guard("))
            has["bridge_guard("]
    }
    /^}/ { close_function() }
    END { exit failed }
' "$folder"/*.m || n=1
exit $n
