#!/usr/bin/env bash
# tests/perf/instructions.sh: a count above its budget fails, and so does one without a budget or a workload that breaks. A copy of
# the script counts with a valgrind that says what it is told.
set -u
work=$(mktemp -d "${TMPDIR:-/tmp}/instructions.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/tests/perf" "$work/build/tests" "$work/bin"
cp tests/perf/instructions.sh "$work/tests/perf/"
cd "$work" || exit 1
export BUILD=build PATH="$work/bin:$PATH"
passed=0 failed=0

cat >bin/valgrind <<'SH'
#!/bin/sh
for name; do :; done # the last argument
count=$(sed -n "s/^$name //p" counts)
[ -n "$count" ] || { echo "$name broke" >&2; exit 1; }
echo "==1== Collected : $count" >&2
SH
printf '#!/bin/sh\nprintf "one\\ntwo\\n"\n' >build/tests/workloads
chmod +x bin/valgrind build/tests/workloads
budgets() { printf '# name count percent\none %10d 3\ntwo %10d 3\n' "$1" "$2" >tests/perf/budget.txt; }
counts() { printf 'one %s\ntwo %s\n' "$1" "$2" >counts; }

# expect NAME CODE LINE [ARGUMENT...]: the exit code, and a line that is in the output.
expect() {
    local name=$1 want=$2 line=$3 code=0
    shift 3
    tests/perf/instructions.sh "$@" >out 2>&1 || code=$?
    if [ "$code" -eq "$want" ] && grep -qF -- "$line" out; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL: $name: exit code $code, want $want and '$line'"
        sed 's/^/      /' out
    fi
}

budgets 1000 2000
counts 1000 2000
expect 'what was counted before is well' 0 '2 passed, 0 failed'
counts 1029 2000
expect 'so is what the tolerance allows' 0 '2 passed, 0 failed'
counts 1040 2000
expect 'a worse count fails' 1 'budget 1000: +4.0 %, at most +3 % may be'
expect 'and is the only one' 1 '1 passed, 1 failed'
expect 'one is asked for alone' 0 '1 passed, 0 failed' two
counts 500 2000
expect 'a far better one asks for a new budget' 0 'lower the budget: tests/perf/instructions.sh --update one'
printf 'two 2000\n' >counts
expect 'one that breaks fails' 1 'FAIL - one: one broke'
counts 1000 2000
printf 'one 1000 3\n' >tests/perf/budget.txt
expect 'one without a budget fails' 1 'two: has no line in tests/perf/budget.txt'
budgets 1000 2000
counts 1500 2000
tests/perf/instructions.sh --update one >/dev/null 2>&1
expect 'an update writes what was counted, and keeps the tolerance' 0 'budget 1500: +0.0 %'

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
