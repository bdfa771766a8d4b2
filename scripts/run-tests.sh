#!/usr/bin/env bash
# Runs the tests that were built into $BUILD, several at once, and sums them up; `make test` calls it.
#
#   scripts/run-tests.sh [PATTERN...]     only programs whose name matches a shell pattern
#   scripts/run-tests.sh --one SOURCE     one program, as a part of a run: its line, its log, its count
#
# Runs every tests/{unit,plugins,abi}/test_*.c, replays tests/fuzz/corpus/X through fuzz target X, and
# runs every tests/system/test_*.sh. Each program must print its count: cmocka's summary, or a last
# line "N passed, N failed[, N skipped]". A test that skips says why in a line "skip: <reason>".
# One line per program; the whole output of those that failed, then what failed in them; the last line is
# the total.
#
# Reads: BUILD (default build), SHARED (default ../shared if it is there; tests that need it skip
# otherwise), TEST_LIMIT_S (seconds for one program, default 600: a hung test ends, nothing else),
# TEST_JOBS (programs at once, default one for each processor).
# Each program gets an empty TMPDIR and HOME of its own and none of the caller's HF_* settings.
set -u
cd "$(dirname "$0")/.." || exit 1

BUILD=${BUILD:-build}
limit_s=${TEST_LIMIT_S:-600}
logs=$BUILD/test-logs
if [ -z "${SHARED:-}" ] && [ -d ../shared ]; then
    SHARED=../shared
fi
if [ -n "${SHARED:-}" ] && [ -d "$SHARED" ]; then
    export SHARED
else
    unset SHARED
fi

# The caller's settings must not decide what a test sees.
for name in $(compgen -e | grep -E '^(HF_|HUGGING|MODELHOST_|XDG_|OMP_|[a-z]+_proxy$|[A-Z]+_PROXY$)'); do
    unset "$name"
done
export BUILD NO_COLOR=1 LC_ALL=C.UTF-8
root=$PWD
export ASAN_OPTIONS=halt_on_error=1:allocator_may_return_null=1:detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export LSAN_OPTIONS=suppressions=$root/scripts/lsan.supp:print_suppressions=0:use_tls=0
export TSAN_OPTIONS=halt_on_error=1:allocator_may_return_null=1:second_deadlock_stack=1:suppressions=$root/scripts/tsan.supp

if command -v timeout >/dev/null 2>&1; then
    limited() { timeout -k 10 "$limit_s" "$@"; }
else
    limited() { "$@"; }
fi

# Sums up a log: sets n_passed, n_failed, n_skipped; false when it has no count.
count_log() {
    local counts
    counts=$(awk '
        # cmocka: "[  PASSED  ] 3 test(s)."
        match($0, /^\[ +(PASSED|FAILED|SKIPPED) +\] [0-9]+ test\(s\)/) {
            split($0, word, /[] ]+/)
            for (i in word) if (word[i] ~ /^[0-9]+$/) n = word[i]
            if ($0 ~ /PASSED/) passed += n
            else if ($0 ~ /FAILED/) failed += n
            else skipped += n
            seen = 1
        }
        /^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$/ {
            last_passed = $1; last_failed = $3; last_skipped = $5; total = 1
        }
        END {
            if (total) print last_passed + 0, last_failed + 0, last_skipped + 0
            else if (seen) print passed + 0, failed + 0, skipped + 0
        }' "$1")
    [ -n "$counts" ] || return 1
    read -r n_passed n_failed n_skipped <<<"$counts"
}

# watch SOURCE NAME COMMAND...: runs it with a log of its own, prints its line and keeps its count.
watch() {
    local key=${1//\//.} name=$2 log=$logs/${1//\//.}.log code problem='' started=$SECONDS n_passed=0 n_failed=0 n_skipped=0
    shift 2
    mkdir -p "$scratch/$key/tmp" "$scratch/$key/home"
    TMPDIR=$scratch/$key/tmp HOME=$scratch/$key/home limited "$@" >"$log" 2>&1 </dev/null
    code=$?
    if [ "$code" -eq 124 ] || [ "$code" -eq 137 ]; then
        problem="ended after $limit_s s"
    elif [ "$code" -gt 128 ]; then
        problem="crashed with signal $((code - 128))"
    fi
    if ! count_log "$log"; then
        problem=${problem:-"printed no count of tests (exit code $code)"}
    elif [ "$code" -ne 0 ] && [ "$n_failed" -eq 0 ]; then
        problem=${problem:-"exit code $code though no test failed"}
    elif [ "$code" -eq 0 ] && [ "$n_failed" -gt 0 ]; then
        problem="exit code 0 though $n_failed failed"
    elif [ $((n_passed + n_failed + n_skipped)) -eq 0 ]; then
        problem=${problem:-"ran no test"}
    fi
    if [ -n "$problem" ] && [ "$n_failed" -eq 0 ]; then
        n_failed=1
    fi
    echo "$n_passed $n_failed $n_skipped" >"$scratch/$key.count"
    print_line "$name" "$problem" $((SECONDS - started)) "$log"
    chmod -R u+rwx "${scratch:?}/$key" 2>/dev/null
    rm -rf "${scratch:?}/$key"
}

# As one piece, for those that run beside it.
print_line() {
    local text="$n_passed passed"
    [ "$n_failed" -eq 0 ] || text="$text, $n_failed FAILED"
    [ "$n_skipped" -eq 0 ] || text="$text, $n_skipped skipped"
    [ -z "$2" ] || text="$text: $2"
    [ "$3" -lt 5 ] || text="$text  ($3 s)"
    text=$(printf '%-32s %s' "$1" "$text")
    [ "$n_skipped" -eq 0 ] || text+=$'\n'$(sed -n 's/^skip: /    skipped: /p' "$4" | sort -u)
    printf '%s\n' "$text"
}

# A replay prints nothing of use when all is well; its count is the corpus's files.
replay() {
    local target=$1 corpus=tests/fuzz/corpus/${1#fuzz_} n
    n=$(find "$corpus" -type f 2>/dev/null | wc -l)
    if [ "$n" -eq 0 ]; then
        echo "$corpus: no file; a fuzz target comes with a corpus"
        return 1
    fi
    find "$corpus" -type f -print0 | sort -z | xargs -0 -n 500 "$BUILD/tests/replay_$target" || return 1
    echo "$((n)) passed, 0 failed"
}

# What programs are made of, those first that take long.
sources() {
    shopt -s nullglob
    printf '%s\n' tests/plugins/test_*.c tests/system/test_*.sh tests/fuzz/fuzz_*.c tests/unit/test_*.c tests/abi/test_*.c
}
name_of() { # SOURCE
    local name=${1##*/}
    case $1 in tests/fuzz/*) name=replay_$name ;; esac
    echo "${name%.*}"
}

run_one() { # SOURCE
    local name
    name=$(name_of "$1")
    case $1 in
    tests/fuzz/*) export -f replay && watch "$1" "$name" bash -c "replay ${name#replay_}" ;;
    tests/system/*) watch "$1" "$name" "$1" ;;
    *) watch "$1" "$name" "$BUILD/tests/$name" ;;
    esac
}

# Whether a pattern, if there is any, takes this name.
is_wanted() { # NAME PATTERN...
    local name=$1 pattern
    shift
    [ $# -gt 0 ] || return 0
    for pattern in "$@"; do
        # shellcheck disable=SC2254
        case $name in $pattern) return 0 ;; esac
    done
    return 1
}

if [ "${1:-}" = --one ]; then
    scratch=$TEST_SCRATCH
    run_one "$2"
    exit 0
fi

scratch=$(mktemp -d "${TMPDIR:-/tmp}/modelhost-tests.XXXXXX") || exit 1
trap 'chmod -R u+rwx "$scratch" 2>/dev/null; rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
export TEST_SCRATCH=$scratch
mkdir -p "$logs"
rm -f "$logs"/*.log
jobs=${TEST_JOBS:-$(getconf _NPROCESSORS_ONLN)}

wanted=()
for source in $(sources); do
    if is_wanted "$(name_of "$source")" "$@"; then wanted+=("$source"); fi
done
printf '%s\n' ${wanted[@]+"${wanted[@]}"} | xargs -P "$jobs" -I SOURCE scripts/run-tests.sh --one SOURCE

passed=0 failed=0 skipped=0 failures=()
for source in ${wanted[@]+"${wanted[@]}"}; do
    n_passed=0 n_failed=1 n_skipped=0 # what a program has that left no count
    key=${source//\//.}
    [ ! -f "$scratch/$key.count" ] || read -r n_passed n_failed n_skipped <"$scratch/$key.count"
    passed=$((passed + n_passed)) failed=$((failed + n_failed)) skipped=$((skipped + n_skipped))
    [ "$n_failed" -eq 0 ] || failures+=("$source")
done

for source in ${failures[@]+"${failures[@]}"}; do
    printf '\n---- %s\n' "$source"
    cat "$logs/${source//\//.}.log"
done
for source in ${failures[@]+"${failures[@]}"}; do
    printf '\n---- %s: what failed\n' "$source"
    grep -E -A 3 '^FAIL|^\[  FAILED  \]|ERROR: |runtime error' "$logs/${source//\//.}.log" | head -n 40 ||
        tail -n 10 "$logs/${source//\//.}.log"
done
echo
if [ $((passed + failed)) -eq 0 ]; then
    echo "no test ran${*:+ that matches $*}"
    failed=$((failed + 1))
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
