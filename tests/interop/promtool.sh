#!/usr/bin/env bash
# Prometheus' own check of our text: `promtool check metrics` finds neither an error nor a bad name in the
# metrics of a host that has run something, failed, and been asked in vain. Env BUILD.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
program=$build/bin/modelhost
begin promtool
command -v promtool >/dev/null 2>&1 || {
    skipped 'promtool is not installed (Debian: prometheus)'
    summary
    exit
}
# A name with what must be escaped, and is no UTF-8.
facts=$work/$(printf 'fa"c\\ts\377 \303\251')
demo_package "$facts"

check() { # NAME FILE
    promtool check metrics <"$2" >"$work/said" 2>&1
    same "$1: exit code" $? 0
    same "$1: no complaint" "$(cat "$work/said")" ''
    # Anything else in the same file would be refused.
    (cat "$2" && echo 'modelhost_lanes{') | promtool check metrics >/dev/null 2>&1
    ok "$1: promtool reads it" test $? -ne 0
}

run metrics
check 'a host without models' "$work/out"
run run "$facts" -q --text 'Paris is the [MASK] of France.' --metrics "$work/run.prom"
check 'a run' "$work/run.prom"
run run "$facts" -q --text x --task question --metrics "$work/failed.prom"
check 'a run that failed' "$work/failed.prom"
summary
