#!/usr/bin/env bash
# Manual pages, if any, are sound, and name every long option that a command's help names.
set -u
failed=0
mapfile -t pages < <(scripts/tree.sh 'docs/man/*.[1-8]')
[ ${#pages[@]} -eq 0 ] || mandoc -T lint -W warning "${pages[@]}" || failed=1

options() { # of the help in a C file
    grep -oE '^ *"[^"]*' "$1" | grep -oE -- '--[a-z][a-z-]*[a-z]' | sort -u
}
for file in $(scripts/tree.sh '*/commands/cmd_*.c'); do
    page=docs/man/modelhost.1
    [ "${file%%/*}" = host ] || page=docs/man/pkgmgr.1
    for option in $(options "$file"); do
        grep -qE -- "(Fl|,) ${option#-}([^a-z-]|$)" "$page" && continue
        echo "$file: $option is not in $page"
        failed=1
    done
done
exit $failed
