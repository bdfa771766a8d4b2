#!/bin/sh
# Measures models beside the peers that are installed; `make bench` calls it. docs/benchmarks.md says how it
# measures. Environment: BUILD (build), SHARED (../shared: the test models, if there), BENCH_ONLY (all; names
# of bench/models.py and inputs.py, overhead, "batching" alone), BENCH_LABEL (a part of the workloads' names), BENCH_PEERS
# (all; onnxruntime, torch, tokenizers, pillow), BENCH_THREADS ("1 2"), BENCH_SECONDS (25: per workload),
# BENCH_CURVES (no: without the short runs of the picture's curves), BENCH_BESIDE (0: processes that compute meanwhile),
# BENCH_PYTHON (a Python with numpy, and with torch for that peer).
set -eu
cd "$(dirname "$0")/.."

# What the host itself costs, with a plugin that does nothing, and a team of threads: bench/overhead.c, bench/fork_join.c.
measure_overhead() {
    backend=$BUILD/bench/echo.package/backends/cpu
    mkdir -p "$backend"
    echo '{}' > "$backend/config.json"
    for plugin in "$BUILD"/tests/plugin_echo.*; do
        ln -sf "$(realpath "$plugin")" "$backend/libmodel.${plugin##*.}"
    done
    printf '\nWhat a call of the host costs, one lane:\n\n```\n'
    "$BUILD/bench/overhead" "$BUILD/bench/echo.package" "${BENCH_OVERHEAD_SECONDS:-1}"
    [ "$(getconf _NPROCESSORS_ONLN)" -lt 2 ] || { echo && "$BUILD/bench/fork_join" 2; }
    printf '```\n'
}

BUILD=${BUILD:-build}
# Before anything is measured; "12:00 up 1 day, load average: 0.10, ..." is the same everywhere.
BENCH_LOAD=$(uptime | sed 's/.*load average[s]*: *\([0-9.]*\).*/\1/')
export BENCH_LOAD
export MODELHOST_STORE="$PWD/$BUILD/bench/store" # prepared weights, and nothing else
mkdir -p "$MODELHOST_STORE"                      # only where there is a store are they kept
busy=
# shellcheck disable=SC2064,SC2086
for _ in $(seq "${BENCH_BESIDE:-0}"); do
    while :; do :; done &
    busy="$busy $!"
    trap "kill $busy" EXIT
    trap 'exit 1' INT TERM
done
case ,${BENCH_ONLY:-overhead}, in *,overhead,*) measure_overhead ;; esac
[ "${BENCH_ONLY:-}" != overhead ] || exit 0

for python in ${BENCH_PYTHON:-/usr/bin/python3 python3}; do
    "$python" -c 'import numpy' 2>/dev/null || continue
    [ "${BENCH_ONLY:-}" = batching ] || "$python" bench/run.py
    case ${BENCH_ONLY:-batching} in batching) "$python" bench/batching.py ;; esac
    exit 0
done
echo "bench: needs a Python with numpy; scripts/deps.sh build installs it" >&2
exit 1
