#!/usr/bin/env bash
# Prints the ABI of include/model_abi.h as libabigail's XML: every struct and enum of it, as the
# arguments of one function of a small library. The dump holds no path.
#
#   scripts/abi-dump.sh              to standard output
#   scripts/abi-dump.sh --update     into tests/abi/model_abi-<version>.abi: for a new minor version
set -eu
cd "$(dirname "$0")/.."
header=include/model_abi.h
major=$(sed -n 's/^#define MODEL_ABI_MAJOR \([0-9]*\)/\1/p' $header)
minor=$(sed -n 's/^#define MODEL_ABI_MINOR \([0-9]*\)/\1/p' $header)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

{
    echo '#include "model_abi.h"'
    sed -n 's/^\(struct\|enum\) \([a-z_]*\) {.*/\1 \2/p' $header | while read -r kind name; do
        echo "MODEL_EXPORT void use_${kind}_$name($kind $name *);"
        echo "void use_${kind}_$name($kind $name *p) { (void)p; }"
    done
    echo 'MODEL_EXPORT model_create_function use_create(model_status status);'
    echo 'model_create_function use_create(model_status status) { (void)status; return create_model; }'
    echo 'model_status create_model(const struct model_services *s, const struct model_create_args *a,'
    echo '    struct model **r, struct model_error *e)'
    echo '{ (void)s; (void)a; (void)r; (void)e; return MODEL_OK; }'
} >"$work/use.c"
gcc -std=c11 -g -gdwarf-4 -O0 -fPIC -fvisibility=hidden -shared -Iinclude -ffile-prefix-map="$work=." \
    -Wl,-soname,model_abi "$work/use.c" -o "$work/use.so"
abidw --no-corpus-path --no-comp-dir-path --no-show-locs --no-elf-needed --no-parameter-names \
    --type-id-style hash "$work/use.so" |
    sed "s/ language='[^']*'//; s/ path='[^']*'//" >"$work/abi"
if [ "${1:-}" = --update ]; then
    cp "$work/abi" "tests/abi/model_abi-$major.$minor.abi"
else
    cat "$work/abi"
fi
