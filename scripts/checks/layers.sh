#!/usr/bin/env bash
# Layers and fences: every #include is in a folder that its includer may see, and every third-party
# header in the one place that may know it. The tables are in layers.awk.
set -eu
scripts/tree.sh '*.c' '*.h' | {
    mapfile -t files
    [ ${#files[@]} -gt 0 ] || exit 0
    printf '%s\n' "${files[@]}" | grep '\.h$' |
        awk -f scripts/checks/strip.awk -f scripts/checks/layers.awk - "${files[@]}"
}
