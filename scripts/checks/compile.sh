#!/usr/bin/env bash
# clang compiles everything without a warning (gcc did for `make all`), variable-length arrays and old
# prototypes included; each header compiles alone (those of
# tests/ behind testing.h); the public ones as C++ as well; the portable kernels
# compile with gcc.
set -u
jobs=$(getconf _NPROCESSORS_ONLN)
unset MAKEFLAGS MFLAGS MAKELEVEL SAN KERNELS
extra='-O0 -Wvla -Wstrict-prototypes -Wno-gnu-zero-variadic-macro-arguments'
n=0
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

run() {
    "$@" >"$log" 2>&1 </dev/null && return 0
    n=1
    grep -E 'error|warning|\*\*\*' "$log" | grep -vE '^(cc|gcc|clang|  [A-Z]+) ' | head -n 40
    return 1
}
run make -s -k -j"$jobs" CC=clang BUILD="$BUILD/check-clang" CFLAGS="$extra" objects
portable=$BUILD/check-portable
run make -s -j"$jobs" CC=gcc KERNELS=portable BUILD="$portable" CFLAGS=-O0 "$portable/lib/libkernels.a"

folders() {
    printf -- '-I%s' "$1"
    for folder in "$1"/*/; do [ ! -d "$folder" ] || printf ' -I%s' "${folder%/}"; done
}
in_store=$(folders store) in_host=$(folders host) in_packager=$(folders packager)
flags() {
    case $1 in
    include/*) echo ;;
    base/*) echo -Ibase ;;
    store/*) echo "-Ibase $in_store" ;;
    packager/*) echo "-Ibase $in_store $in_packager" ;;
    host/*) echo "-Ibase $in_store $in_host" ;;
    plugins/kernels/vector_*) echo -DVECTOR_BYTES=32 -DVECTOR_COLUMNS=2 -Iplugins/kernels ;;
    plugins/coreml-ane/*) echo "$in_store -Iplugins/kernels -Iplugins/graph -Iplugins/coreml-ane -Iplugins/coreml-ane/bridge" ;;
    plugins/graph/*) echo -Iplugins/kernels -Iplugins/graph -Iplugins/graph/operators ;;
    plugins/*) echo -Iplugins/kernels "-I$(dirname "$1")" ;;
    tests/*) echo "-Ibase $in_store $in_host $in_packager -Iplugins/kernels -Iplugins/graph -Iplugins/coreml-ane -Iplugins/coreml-ane/bridge -Itests -Itests/coreml" \
        -include testing.h "-I$(dirname "$1")" ;;
    *) echo "-Ibase $in_store $in_host $in_packager -Iplugins/kernels -Itests -I$(dirname "$1")" ;;
    esac
}
for header in $(scripts/tree.sh '*.h'); do
    # Objective-C, which the check `bridge` compiles.
    case $header in plugins/coreml-ane/bridge/declarations/* | */bridge_objects.h) continue ;; esac
    # shellcheck disable=SC2046
    run clang -x c -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Wno-unused -Werror -fsyntax-only \
        -Iinclude $(flags "$header") "$header" || echo "$header:1: does not compile alone"
done
for header in $(scripts/tree.sh 'include/*.h'); do
    run clang -x c++ -std=c++11 -Wall -Wextra -Wno-unused-function -Werror -fsyntax-only -Iinclude "$header" ||
        echo "$header:1: does not compile as C++11"
done
if [ -f include/model_abi.h ]; then
    note=$BUILD/check-note.cc
    printf '#include <model_abi.h>\nMODEL_PLUGIN_NOTE("x", "1", "x");\n' >"$note"
    run clang -x c++ -std=c++11 -Wall -Wextra -Werror -fsyntax-only -Iinclude "$note" ||
        echo 'include/model_abi.h:1: MODEL_PLUGIN_NOTE() does not compile as C++11'
fi
exit $n
