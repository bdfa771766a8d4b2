#!/usr/bin/env bash
# scripts/demo.sh, a stranger's first minute: it answers, writes, keeps its promises and leaves no hub
# running.
set -u
BUILD=${BUILD:-build}
passed=0 failed=0
work=$(mktemp -d "${TMPDIR:-/tmp}/demo.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT

check() { # check WHAT COMMAND...
    local what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL: $what"
        cat "$work/out" "$work/err"
    fi
}
[ -d examples/demo/hub ] || { echo 'FAIL: examples/demo/hub is not there'; echo '0 passed, 1 failed'; exit 1; }

scripts/demo.sh >"$work/out" 2>"$work/err"
check 'the demo succeeds' test $? -eq 0
check 'France has a capital' grep -qi 'paris is the capital of france' "$work/out"
check 'hot has an opposite' grep -qi 'the opposite of hot is cold' "$work/out"
check 'the timing is shown' grep -qE '[0-9] ms' "$work/err"
check 'a tale is told' grep -qE '^ .*there was .* said the .*\.$' "$work/out"
check 'the speed of writing is shown' grep -qE 'made [0-9]+, [0-9]+ behind the first in [0-9.]+ ms' "$work/err"
check 'both models are kept' bash -c \
    'grep -q facts-bert-mini <<<"$1" && grep -q tales-char-lstm <<<"$1"' _ \
    "$("$BUILD/bin/pkgmgr" list --store "$BUILD/demo/store")"
check 'no colour codes off a terminal' bash -c '! grep -q "$1" "$2"' _ $'\033' "$work/out"
url=$(grep -m 1 -oE 'http://127\.0\.0\.1:[0-9]+' "$work/out")
check 'the hub said where it is' test -n "$url"
check 'the hub is gone' bash -c '! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null' _ "${url##*:}"
scripts/demo.sh >"$work/out" 2>"$work/err"
check 'it can be run again' test $? -eq 0

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
