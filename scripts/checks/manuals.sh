#!/usr/bin/env bash
# Manual pages, if any, are sound; they name every command and long option that a program has, by its table and its
# commands' help, and nothing else.
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

# The other way round, and commands both ways.
program() { # PAGE TABLE COMMANDS: the C file with the table, the folder of cmd_*.c
    local page=$1 table=$2 known option name section
    [ -f "$page" ] && [ -f "$table" ] || return 0
    known=$(for file in $(scripts/tree.sh "$3/cmd_*.c" && scripts/tree.sh "$3/*.h"); do options "$file"; done)
    for option in $(grep -oE '(Fl|,) -[a-z][a-z-]*[a-z]' "$page" | grep -oE -- '-[a-z].*' | sort -u); do
        case $option in -help | -version) continue ;; esac
        grep -qxF -- "-$option" <<<"$known" && continue
        echo "$page: no help of $3 names -$option"
        failed=1
    done
    for name in $(tr '\n' ' ' <"$table" | grep -oE '\{ *"[a-z-]+", *cmd_[a-z_]+, *"' | grep -oE '"[a-z-]+"' | tr -d '"'); do
        grep -qE "^\.Ss (.*, )?$name( |$)" "$page" && continue
        echo "$page: no section for the command '$name' of $table"
        failed=1
    done
    while IFS= read -r section; do
        name=${section%% *}
        grep -qE "\{ *\"$name\"," "$table" && continue
        echo "$page: a section for '$name', which $table does not have"
        failed=1
    done < <(sed -n 's/^\.Ss //p' "$page" | sed 's/ , /\n/g')
}
program docs/man/pkgmgr.1 packager/pkgmgr.c packager/commands
program docs/man/modelhost.1 host/modelhost_command.c host/commands
exit $failed
