#!/bin/sh
# run.sh fuzz_a fuzz_b ... - builds each fuzz target with clang's libFuzzer and sanitizers into
# build-fuzz/, and runs each for SECONDS_EACH seconds (60) on a copy of its corpus. A finding is kept in
# build-fuzz/findings/<target>/ and makes the exit status 1.
set -eu
cd "$(dirname "$0")/../.."

seconds=${SECONDS_EACH:-60}
out=build-fuzz
cc=${FUZZ_CC:-clang}
flags="-std=c11 -D_GNU_SOURCE -O1 -g -fno-omit-frame-pointer -pthread -fsanitize=address,undefined -fno-sanitize-recover=undefined"
includes="-Iinclude -Ibase -Istore -Ipackager -Ihost -Ihost/tokenizers -Ihost/pipelines -Ihost/commands -Itests"
packages="libuv libcurl libcjson libcrypto libpcre2-8 libutf8proc libwebsockets"

command -v "$cc" >/dev/null || { echo "fuzz: $cc is not installed (apt-get install clang)" >&2; exit 1; }
mkdir -p "$out/obj"

# Every layer but commands' main files, as one archive; the linker takes what a target reaches.
objects=""
for source in base/*.c store/*.c packager/*.c packager/commands/*.c host/*.c host/tokenizers/*.c host/pipelines/*.c host/commands/*.c; do
    [ -f "$source" ] || continue
    case $source in packager/pkgmgr.c | host/modelhost_command.c) continue ;; esac
    object=$out/obj/$(echo "$source" | tr / _).o
    if [ ! -f "$object" ] || [ -n "$(find base store packager host include -name '*.[ch]' -newer "$object" -print -quit 2>/dev/null)" ]; then
        # shellcheck disable=SC2086,SC2046
        "$cc" $flags -fsanitize=fuzzer-no-link $includes $(pkg-config --cflags $packages 2>/dev/null) -c "$source" -o "$object"
    fi
    objects="$objects $object"
done
rm -f "$out/libfuzzed.a"
# shellcheck disable=SC2086
ar rcs "$out/libfuzzed.a" $objects

failed=0
for target in "$@"; do
    # shellcheck disable=SC2086,SC2046
    "$cc" $flags -fsanitize=fuzzer $includes "tests/fuzz/$target.c" "$out/libfuzzed.a" \
        $(pkg-config --libs $packages) -ldl -lm -o "$out/$target"
    name=${target#fuzz_}
    corpus=$out/corpus/$name
    findings=$out/findings/$target
    mkdir -p "$corpus" "$findings"
    [ -d "tests/fuzz/corpus/$name" ] && cp -R "tests/fuzz/corpus/$name/." "$corpus/"
    echo "$target: $seconds s"
    if ! "$out/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -verbosity=0 \
        -print_final_stats=1 -artifact_prefix="$findings/" "$corpus" >"$out/$target.log" 2>&1; then
        failed=1
        echo "$target: FOUND something, kept in $findings; the log is $out/$target.log"
        tail -n 40 "$out/$target.log"
    fi
    grep -E 'stat::(number_of_executed_units|average_exec_per_sec)' "$out/$target.log" || true
done
exit $failed
