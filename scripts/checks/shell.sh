#!/usr/bin/env bash
# Scripts parse, are executable, stop or count errors (set -e or set -u), and shellcheck is content.
set -u
n=0
mapfile -t scripts < <(scripts/tree.sh '*.sh' '.ci/run')
for script in "${scripts[@]}"; do
    case $(head -n 1 "$script") in
    '#!/bin/sh'*) sh -n "$script" || n=1 ;;
    '#!/usr/bin/env bash' | '#!/bin/bash'*) bash -n "$script" || n=1 ;;
    *) echo "$script:1: want #!/bin/sh or #!/usr/bin/env bash"; n=1; continue ;;
    esac
    [ -x "$script" ] || { echo "$script:1: not executable: chmod +x"; n=1; }
    grep -q '^set -.*u' "$script" || { echo "$script:1: no 'set -u' (or -eu)"; n=1; }
done
shellcheck -S warning -f gcc "${scripts[@]}" || n=1
exit $n
