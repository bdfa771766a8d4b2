#!/usr/bin/env bash
# Each source of base/, store/, packager/ and host/ has tests/*/test_<its name>.c, or a test that says in
# its first comment that it covers the source ("store/json_scan.c"); each tests/fuzz/fuzz_X.c has a
# corpus. What is tested otherwise stands in untested.txt with the place.
set -eu
tests=$(scripts/tree.sh 'tests/*/test_*')
table=scripts/checks/untested.txt
n=0
excused() {
    local pattern where
    while read -r pattern where; do
        case $pattern in '' | '#'*) continue ;; esac
        # shellcheck disable=SC2254
        case $1 in $pattern)
            [ -n "$where" ] || { echo "$table: '$pattern' says no place"; return 1; }
            return 0
            ;;
        esac
    done <"$table"
    return 1
}
is_covered() {
    # shellcheck disable=SC2086
    [ -n "$tests" ] && head -q -n 12 $tests | grep -qwF "$1"
}
for source in $(scripts/tree.sh 'base/*.c' 'store/*.c' 'packager/*.c' 'host/*.c'); do
    name=$(basename "$source" .c)
    grep -q "/test_$name\.c\$" <<<"$tests" || is_covered "$source" || excused "$source" || {
        echo "$source:1: no tests/unit/test_$name.c, and no test says in its first lines that it covers it"
        n=1
    }
done
for target in $(scripts/tree.sh 'tests/fuzz/fuzz_*.c'); do
    corpus=tests/fuzz/corpus/$(basename "$target" .c | sed 's/^fuzz_//')
    [ -n "$(find "$corpus" -type f 2>/dev/null | head -n 1)" ] || {
        echo "$target:1: no file in $corpus/"
        n=1
    }
done
exit $n
