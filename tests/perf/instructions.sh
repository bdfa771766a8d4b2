#!/usr/bin/env bash
# `make check-perf`: counts the instructions of fixed workloads (tests/perf/workloads.c) and holds them against
# tests/perf/budget.txt. Instructions do not depend on what else the machine does, as times do; on the compiler and on the
# instruction set they do: the budget is that of Debian 12's gcc at -O2, on a processor with AVX2 (valgrind shows
# programs no AVX-512).
#
#   tests/perf/instructions.sh [--update] [NAME...]     --update writes what was counted as the new budget
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
export BUILD
budget=tests/perf/budget.txt
program=$BUILD/tests/workloads
update=
[ "${1:-}" != --update ] || { update=yes; shift; }
command -v valgrind >/dev/null || { echo 'check-perf: valgrind is not installed; run scripts/deps.sh perf' >&2; exit 1; }
[ -x "$program" ] || { echo "check-perf: $program is not built; run make check-perf" >&2; exit 1; }

log=$(mktemp)
work=$(mktemp -d)
trap 'rm -rf "$log" "$log.new" "$work"' EXIT
# A model of bert, lstm or resnet as an ML Program, which only a converter writes: the package $work/MODEL.
write_program() { # MODEL
    local made='' weights=examples/demo/hub/modelhost/facts-bert-mini shape=1x16 backend=$work/$1/backends/cpu
    if [ "$1" != bert ]; then
        made=$("$program" --make "$1") || return
        weights=$made/backends/cpu
    fi
    [ "$1" != resnet ] || shape=1x3x32x32
    mkdir -p "$backend" && echo '{"model_type": "coreml"}' >"$backend/config.json" &&
        ln -s "$(realpath "$BUILD/lib/modelhost/plugins/libcoreml-ane.so")" "$backend/libmodel.so" &&
        /usr/bin/python3 tests/reference/coreml_convert.py "$weights" "$shape" fp32 "$backend"
    local code=$?
    rm -rf ${made:+"$made"}
    return $code
}
n_passed=0 n_failed=0

count() { # NAME: the instructions within counted(), or nothing
    COREML_PROGRAM=$work/${1#program-} MODELHOST_STORE='' OMP_NUM_THREADS=1 valgrind --tool=callgrind --toggle-collect=counted \
        --callgrind-out-file=/dev/null "$program" "$1" 2>"$log" && sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$log"
}

# judge NAME INSTRUCTIONS BUDGET TOLERANCE: a line, and whether it is well.
judge() {
    local percent
    percent=$(awk -v n="$2" -v b="$3" 'BEGIN { printf "%+.1f", 100 * (n / b - 1) }')
    if awk -v p="$percent" -v t="$4" 'BEGIN { exit !(p > t) }'; then
        printf 'FAIL - %-14s %11s instructions, budget %s: %s %%, at most +%s %% may be\n' "$1" "$2" "$3" "$percent" "$4"
        return 1
    fi
    printf 'ok - %-14s %11s instructions, budget %s: %s %%' "$1" "$2" "$3" "$percent"
    ! awk -v p="$percent" -v t="$4" 'BEGIN { exit !(p < -2 * t) }' ||
        printf '; far below, lower the budget: tests/perf/instructions.sh --update %s' "$1"
    echo
}

# A program takes at most 1.15 times what the model's own plugin does for the same answer.
declare -A counted plugin_of=([program-bert]=bert-hidden [program-lstm]=lstm [program-resnet]=convolve)
judge_pair() { # PROGRAM PLUGIN
    local times
    times=$(awk -v p="${counted[$1]}" -v q="${counted[$2]}" 'BEGIN { printf "%.3f", p / q }')
    if awk -v t="$times" 'BEGIN { exit !(t > 1.15) }'; then
        echo "FAIL - $1 takes $times times the instructions of $2, at most 1.15 may be"
        return 1
    fi
    echo "ok - $1 takes $times times the instructions of $2"
}

names=("$@")
[ ${#names[@]} -gt 0 ] || mapfile -t names < <("$program" --list)
cp "$budget" "$log.new" || exit 1
for name in "${names[@]}"; do
    case $name in program-*)
        write_program "${name#program-}" || { echo "check-perf: $name cannot be written; want python3 with numpy" >&2; exit 1; } ;;
    esac
    read -r wanted tolerance < <(awk -v n="$name" '$1 == n { print $2, $3 }' "$budget")
    found=$(count "$name")
    counted[$name]=$found
    if [ -z "$found" ]; then
        echo "FAIL - $name: $(grep -v '^==' "$log" | tail -n 1)"
        n_failed=$((n_failed + 1))
    elif [ -n "$update" ]; then
        awk -v n="$name" -v f="$found" '$1 == n { printf "%-14s %10d %d\n", n, f, $3; seen = 1; next } { print }
            END { if (!seen) printf "%-14s %10d 3\n", n, f }' "$log.new" >"$log" && cp "$log" "$log.new"
    elif [ -z "${wanted:-}" ]; then
        echo "FAIL - $name: has no line in $budget; tests/perf/instructions.sh --update $name writes one"
        n_failed=$((n_failed + 1))
    elif judge "$name" "$found" "$wanted" "$tolerance"; then
        n_passed=$((n_passed + 1))
    else
        n_failed=$((n_failed + 1))
    fi
done
for name in "${!plugin_of[@]}"; do
    [ -n "${counted[$name]:-}" ] && [ -n "${counted[${plugin_of[$name]}]:-}" ] || continue
    if judge_pair "$name" "${plugin_of[$name]}"; then n_passed=$((n_passed + 1)); else n_failed=$((n_failed + 1)); fi
done
if [ -n "$update" ] && [ $n_failed -eq 0 ]; then
    cp "$log.new" "$budget"
    git --no-pager diff --stat -- "$budget" 2>/dev/null || true
    exit 0
fi
echo "$n_passed passed, $n_failed failed"
[ $n_failed -eq 0 ]
