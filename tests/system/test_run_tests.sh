#!/usr/bin/env bash
# scripts/run-tests.sh: what passes, fails, crashes, hangs or says nothing is counted as that.
set -u
work=$(mktemp -d "${TMPDIR:-/tmp}/run-tests.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/scripts" "$work/tests/system" "$work/tests/unit" "$work/tests/fuzz/corpus/x" "$work/build/tests"
cp scripts/run-tests.sh "$work/scripts/"
cd "$work" || exit 1
unset BUILD SHARED
passed=0 failed=0

program() { # program NAME: standard input becomes the test tests/system/test_NAME.sh
    { echo '#!/bin/sh'; cat; } >"tests/system/test_$1.sh"
    chmod +x "tests/system/test_$1.sh"
}
# expect CODE LINE...: runs the tests; the exit code is CODE, each LINE is in the output, the last is last.
expect() {
    local want_code=$1 code=0 line ok=1
    shift
    TEST_LIMIT_S=${limit:-20} scripts/run-tests.sh >out 2>&1 || code=$?
    [ "$code" -eq "$want_code" ] || ok=0
    for line in "$@"; do
        grep -qF -- "$line" out || ok=0
    done
    [ "$(tail -n 1 out)" = "$line" ] || ok=0
    if [ $ok -eq 1 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL: want exit code $want_code and: $*"
        echo "found exit code $code and:"
        cat out
    fi
    rm -f tests/system/* tests/unit/* build/tests/* tests/fuzz/*.c tests/fuzz/corpus/x/*
}

expect 1 'no test ran' '0 passed, 1 failed, 0 skipped'

program good <<<'echo "3 passed, 0 failed"'
program skips <<<'echo "skip: no network"; echo "1 passed, 0 failed, 2 skipped"'
expect 0 '3 passed' '    skipped: no network' '4 passed, 0 failed, 2 skipped'

program bad <<<'echo some detail; echo "2 passed, 1 failed"; exit 1'
expect 1 'some detail' '2 passed, 1 failed, 0 skipped'

program liar <<<'echo "2 passed, 1 failed"; exit 0'
expect 1 'exit code 0 though 1 failed' '2 passed, 1 failed, 0 skipped'

program late <<<'echo "2 passed, 0 failed"; exit 3'
expect 1 'exit code 3 though no test failed' '2 passed, 1 failed, 0 skipped'

program mute <<<'exit 0'
expect 1 'printed no count of tests (exit code 0)' '0 passed, 1 failed, 0 skipped'

program empty <<<'echo "0 passed, 0 failed"'
expect 1 'ran no test' '0 passed, 1 failed, 0 skipped'

program crash <<<'echo "1 passed, 0 failed"; kill -SEGV $$'
expect 1 'crashed with signal 11' '1 passed, 1 failed, 0 skipped'

program hangs <<<'echo "1 passed, 0 failed"; exec sleep 100'
limit=1 expect 1 'ended after 1 s' '1 passed, 1 failed, 0 skipped'

program all_skipped <<<'echo "skip: nothing here"; echo "0 passed, 0 failed, 4 skipped"'
expect 1 'no test ran' '0 passed, 1 failed, 4 skipped'

program plain <<<'true'
chmod -x tests/system/test_plain.sh
expect 1 'printed no count of tests (exit code 126)' '0 passed, 1 failed, 0 skipped'

touch tests/unit/test_unbuilt.c
expect 1 'printed no count of tests (exit code 127)' '0 passed, 1 failed, 0 skipped'

touch tests/unit/test_cm.c
printf '#!/bin/sh\necho "[  PASSED  ] 5 test(s)."\necho "[  SKIPPED ] 2 test(s), listed below:"
echo "[  SKIPPED ] name"\necho "[  FAILED  ] 1 test(s), listed below:"\nexit 1\n' >build/tests/test_cm
chmod +x build/tests/test_cm
expect 1 '5 passed, 1 FAILED, 2 skipped' '5 passed, 1 failed, 2 skipped'

touch tests/fuzz/fuzz_x.c tests/fuzz/corpus/x/a tests/fuzz/corpus/x/b
printf '#!/bin/sh\n[ $# -eq 2 ]\n' >build/tests/replay_fuzz_x
chmod +x build/tests/replay_fuzz_x
expect 0 '2 passed, 0 failed, 0 skipped'

touch tests/fuzz/fuzz_x.c tests/fuzz/corpus/x/a
printf '#!/bin/sh\nkill -ABRT $$\n' >build/tests/replay_fuzz_x
chmod +x build/tests/replay_fuzz_x
expect 1 '0 passed, 1 failed, 0 skipped'

export HF_TOKEN=secret MODELHOST_STORE=/nowhere
program environment <<<'[ -z "${HF_TOKEN+x}${MODELHOST_STORE+x}" ] && [ -d "$TMPDIR" ] && [ -d "$HOME" ] &&
    [ -z "$(ls -A "$HOME" "$TMPDIR" | grep -v :)" ] && echo "1 passed, 0 failed"'
expect 0 '1 passed, 0 failed, 0 skipped'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
