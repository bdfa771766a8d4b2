#!/usr/bin/env bash
# No path of somebody's machine, no unfinished note, no conflict marker, no stray white space, a newline
# at the end. Data files (examples' models, corpora, golden texts) are left alone.
set -u
n=0
# finding PATTERN WHY: the patterns have a [x] in them, so that this file does not match itself.
finding() {
    local hits
    hits=$(printf '%s\0' "${files[@]}" | xargs -0 grep -nIE -- "$1" /dev/null)
    [ -z "$hits" ] || {
        printf '%s\n' "$hits" | sed "s|^\([^:]*:[0-9]*\):.*|\1: $2|"
        n=1
    }
}
mapfile -t files < <(scripts/tree.sh '*.c' '*.h' '*.sh' '*.awk' '*.py' '*.js' '*.mjs' '*.md' '*.in' \
    '*.map' '*.supp' '*.1' '*.3' 'Makefile' '.ci/*' '.gitignore' '.clang-format' '.editorconfig')
finding '(^|[^A-Za-z0-9_.])/([h]ome|[U]sers)/[a-z]+/[a-z]' \
    'a path of one machine: make it relative, or a setting'
finding '(^|[^A-Za-z0-9_.}$])/([r]oot|[w]ork|[o]pt)/' 'a path of one machine: make it relative, or a setting'
finding '(^|[^A-Za-z0-9_])([T]ODO|[F]IXME|[X]XX|HAC[K])([^A-Za-z0-9_]|$)' \
    'an unfinished note: finish it, or file an issue'
finding '^(<<<<<<<|>>>>>>>|=======$)' 'a conflict marker'
finding '[ 	]+$' 'white space at the end of the line'
for file in "${files[@]}"; do
    [ ! -s "$file" ] || [ -z "$(tail -c 1 "$file")" ] || {
        echo "$file:$(wc -l <"$file"): no newline at the end of the file"
        n=1
    }
done
exit $n
