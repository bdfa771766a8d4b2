#!/usr/bin/env bash
# Lists the files of the project, one per line, those that match one of the patterns (all without):
#   scripts/tree.sh '*.c' '*.h'
# In a clone: what git tracks or would take; elsewhere: what is there, without what was built.
set -eu
cd "$(dirname "$0")/.."
if [ "$(git rev-parse --show-toplevel 2>/dev/null)" = "$PWD" ]; then
    git ls-files -co --exclude-standard
else
    find . \( -name .git -o -name 'build*' -o -name node_modules \) -prune -o -type f -print |
        sed 's|^\./||'
fi | sort -u | while IFS= read -r file; do
    [ -f "$file" ] || continue
    [ $# -gt 0 ] || { printf '%s\n' "$file"; continue; }
    for pattern in "$@"; do
        # shellcheck disable=SC2254
        case $file in $pattern) printf '%s\n' "$file"; break ;; esac
    done
done
