#!/usr/bin/env bash
# Objects of plugins, those of examples/ too, and of kernels have no writable data: every state lives in a model or an instance.
# (Tables of pointers are constant after relocation and stand in .data.rel.ro.)
set -u
[ -d "$BUILD/obj/plugins" ] || exit 0
find "$BUILD/obj/plugins" "$BUILD"/obj/examples/*/ -name '*.o' 2>/dev/null | sort | {
    n=0
    while read -r object; do
        source=${object#"$BUILD/obj/"}
        source=${source%.o}.c
        [ -f "$source" ] || continue
        for symbol in $(objdump -t "$object" | awk '
            $1 ~ /^[0-9a-f]+$/ && / O / {
                for (i = 2; i <= NF; i++)
                    if ($i ~ /^\.(data|bss|tdata|tbss)/ && $i !~ /^\.data\.rel\.ro/)
                        print $NF
                if (/\*COM\*/)
                    print $NF
            }'); do
            line=$(grep -nE "(^|[^A-Za-z0-9_])${symbol%%.*}([^A-Za-z0-9_]|$)" "$source" | head -n 1 | cut -d: -f1)
            echo "$source:${line:-1}: the global '${symbol%%.*}' can be written: put it into the model or the instance"
            n=1
        done
    done
    exit $n
}
