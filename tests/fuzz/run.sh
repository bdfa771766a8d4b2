#!/usr/bin/env bash
# Fuzzes each target for SECONDS_EACH seconds (60) with libFuzzer under ASan and UBSan; `make fuzz` calls
# it with the names of all targets.
#
#   tests/fuzz/run.sh fuzz_safetensors...
#
# New inputs go to build-fuzz/corpus/, what crashes to build-fuzz/crashes/: fix the bug and keep that file
# in tests/fuzz/corpus/, where `make test` replays it.
set -u
cd "$(dirname "$0")/../.." || exit 1
seconds=${SECONDS_EACH:-60}
build='build-fuzz'
unset MAKEFLAGS MFLAGS MAKELEVEL SAN BUILD
scripts/deps.sh check || exit 1
[ $# -gt 0 ] || { echo 'run.sh: no fuzz target; there are: tests/fuzz/fuzz_*.c' >&2; exit 2; }

make -s -j"$(getconf _NPROCESSORS_ONLN)" CC=clang BUILD=$build SAN=address,undefined \
    CFLAGS='-O1 -g -fsanitize=fuzzer-no-link' "${@/#/$build/fuzz/}" || exit 1

export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export LSAN_OPTIONS=suppressions=$PWD/scripts/lsan.supp:print_suppressions=0
passed=0 failed=0
for target in "$@"; do
    name=${target#fuzz_}
    mkdir -p "$build/corpus/$name" "$build/crashes"
    if "$build/fuzz/$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=3000 -malloc_limit_mb=256 \
        -artifact_prefix="$build/crashes/$name-" "$build/corpus/$name" "tests/fuzz/corpus/$name" \
        >"$build/$target.log" 2>&1 </dev/null; then
        passed=$((passed + 1))
        printf '%-24s %s\n' "$target" "$(grep '^Done ' "$build/$target.log")"
    else
        failed=$((failed + 1))
        printf '%-24s FAILED (%s)\n' "$target" "$build/$target.log"
        tail -n 60 "$build/$target.log"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
