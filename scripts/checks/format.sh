#!/usr/bin/env bash
# clang-format decides.
set -eu
version=$(clang-format --version | sed -n 's/.*version \([0-9]*\).*/\1/p')
[ "$version" = 14 ] || echo "clang-format $version: the tree is formatted with 14 (Debian 12)"
mapfile -t files < <(scripts/tree.sh '*.c' '*.h')
[ ${#files[@]} -gt 0 ] || exit 0
clang-format --dry-run -Werror --ferror-limit=3 "${files[@]}" 2>&1 |
    sed -nE 's/^([^:]+:[0-9]+):[0-9]+: (error|warning): .*/\1: not as clang-format writes it: clang-format -i/p' |
    { ! grep .; }
