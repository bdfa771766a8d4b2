#!/usr/bin/env bash
# Checks what a machine can check; `make check` calls it after building.
#
#   scripts/check.sh [CHECK...]     only these; without arguments all of the table below
#
# Each check is scripts/checks/CHECK.sh. It prints a line "file:line: what is wrong and what to do" per
# finding and fails if there was one. scripts/check-selftest.sh plants one violation of every rule and
# expects it to be found. The last line is the count of checks.
set -u
cd "$(dirname "$0")/.." || exit 1

checks='
layers      who includes whom, third parties behind their fences
sizes       files up to 500 lines, functions up to 70
names       file names are unique in the tree
banned      no strcpy, atoi, alloca ...; libraries do not print, exit or read the environment
texts       no machine paths, no unfinished notes, no stray white space
tested      each source has a test of its name
format      clang-format
compile     clang with all warnings, each header alone, C++, portable kernels
bridge      what drives Core ML compiles for macOS, to objects with all its functions
symbols     libraries export what they promise and nothing else
globals     plugins and kernels have no mutable globals
abi         model_abi.h is what was released, every struct is pinned
shell       scripts are sound
manuals     manual pages are sound, and name every option
'

export BUILD=${BUILD:-build} LC_ALL=C.UTF-8
[ -n "${CHECK_SKIP_DEPS:-}" ] || scripts/deps.sh check || exit 1

known=$(awk 'NF { print $1 }' <<<"$checks")
for name in "$@"; do
    grep -qx -- "$name" <<<"$known" || {
        echo "check.sh: no check '$name'; there are:" $known >&2
        exit 2
    }
done

passed=0 failed=0
findings=$(mktemp) || exit 1
trap 'rm -f "$findings"' EXIT
while read -r name what; do
    [ -n "$name" ] || continue
    if [ $# -gt 0 ]; then
        case " $* " in *" $name "*) ;; *) continue ;; esac
    fi
    if "scripts/checks/$name.sh" >"$findings" 2>&1 </dev/null; then
        passed=$((passed + 1))
        printf 'ok    %-9s %s\n' "$name" "$what"
    else
        failed=$((failed + 1))
        printf 'FAIL  %-9s %s\n' "$name" "$what"
        sed 's/^/      /' "$findings"
    fi
done <<<"$checks"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
