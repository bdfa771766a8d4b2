#!/usr/bin/env bash
# File names of sources are unique in the tree and say the job; run.sh and install.sh, the entries of a
# folder of tools, may repeat. Declarations of Apple's frameworks are called as theirs.
set -eu
scripts/tree.sh '*.c' '*.h' '*.m' '*.sh' '*.awk' '*.py' '*.js' '*.mjs' | awk '
    {
        name = $0
        sub(/.*\//, "", name)
        if (name == "run.sh" || name == "install.sh")
            next
        if (name in first) {
            printf "%s:1: the name is taken by %s: name it after its own job\n", $0, first[name]
            n_found++
        }
        if (name !~ /^[a-z0-9_.-]+$/ && $0 !~ /^plugins\/coreml-ane\/bridge\/declarations\//) {
            printf "%s:1: names are lower case, digits, _ and -\n", $0
            n_found++
        }
        first[name] = $0
    }
    END { if (n_found) exit 1 }'
