#!/usr/bin/env bash
# scripts/soak.sh for 20 seconds in all: a host under load with faults is right and stays flat (tests/soak). And
# it does say so when it is not.
# shellcheck disable=SC2154 # of lib.sh
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
begin soak
export SOAK_DIR=$work/soak SOAK_SECONDS=20 SOAK_CALLS=20 SOAK_SEED=1
program=scripts/soak.sh
unset SHARED # few and small models: they are loaded and unloaded all the time

run # all phases, in one folder
same 'exit code' "$code" 0
for phase in chaos hang loads mixed; do
    ok "$phase: says that all is well" prints "$phase: all is well"
    ok "$phase: tells its seed" prints "---- $phase, --seed 1"
done
[ "$code" -eq 0 ] || cat "$work/out" "$work/err"

# Another rate than the one that is expected: requests that should fail are answered.
program=$build/tests/soak
BUILD=$build examples/chaos/make_package.sh "$work/wrong/chaos-crash" mode=crash rate=0 >/dev/null
run --only chaos --seconds 2 --worker "$build/bin/modelhost" "$work/wrong"
same 'wrong answers: exit code' "$code" 1
ok 'wrong answers are told' says 'WRONG: chaos-crash (workers)'
ok 'and counted' prints 'chaos: NOT WELL'
run --only nothing --worker "$build/bin/modelhost" "$work/wrong"
same 'an unknown phase: exit code' "$code" 2
ok 'an unknown phase is named' says "there is no phase 'nothing'"

summary
