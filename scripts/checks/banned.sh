#!/usr/bin/env bash
# Calls that no file, or no library file, may contain; the table is in banned.awk.
set -eu
scripts/tree.sh '*.c' '*.h' | {
    mapfile -t files
    [ ${#files[@]} -gt 0 ] || exit 0
    awk -f scripts/checks/strip.awk -f scripts/checks/banned.awk "${files[@]}"
}
