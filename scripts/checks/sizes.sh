#!/usr/bin/env bash
# Files up to 500 lines, functions up to 70 (between a '{' and the next '}' in the first column); the C
# files of a folder of examples/, a whole plugin each, are under 200 lines together. (examples/chaos is none
# to copy from: a fault each, and they are many.)
set -eu
scripts/tree.sh '*.c' '*.h' '*.sh' '*.awk' '*.py' '*.js' '*.mjs' 'Makefile' | {
    mapfile -t files
    awk '
        function flush() {
            if (name ~ /^examples\/[^\/]*\/[^\/]*\.[ch]$/ && name !~ /^examples\/chaos\//) {
                folder = name
                sub(/\/[^\/]*$/, "", folder)
                if ((n_lines[folder] += last) >= 200) {
                    printf "%s:200: the plugin has %d lines, an example has 199 at most\n", name,
                        n_lines[folder]
                    n_found++
                }
            }
            if (name != "" && last > 500) {
                printf "%s:501: %d lines, a file has 500 at most: split it by subject\n", name, last
                n_found++
            }
        }
        FNR == 1 { flush(); name = FILENAME; start = 0 }
        { last = FNR }
        FILENAME ~ /\.[ch]$/ && /^\{/ { start = FNR }
        FILENAME ~ /\.[ch]$/ && /^\}/ && start {
            if (FNR - start - 1 > 70) {
                printf "%s:%d: a function of %d lines, 70 at most: give its steps names\n", FILENAME,
                    start, FNR - start - 1
                n_found++
            }
            start = 0
        }
        END { flush(); if (n_found) exit 1 }' "${files[@]}"
}
