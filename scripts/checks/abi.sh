#!/usr/bin/env bash
# include/model_abi.h against the saved dump of its released version, and a pin for every struct.
set -u
n=0
header=include/model_abi.h
version=$(sed -n 's/^#define MODEL_ABI_MAJOR \([0-9]*\)/\1/p' $header).$(sed -n 's/^#define MODEL_ABI_MINOR \([0-9]*\)/\1/p' $header)

for name in $(sed -n 's/^struct \([a-z_]*\) {$/\1/p' $header); do
    grep -q "^MODEL_STATIC_ASSERT(sizeof(struct $name) ==" $header || {
        echo "$header:$(grep -n "^struct $name {" $header | cut -d: -f1): struct $name has no pinned size: MODEL_STATIC_ASSERT(sizeof(struct $name) == ...)"
        n=1
    }
done

[ "$(uname -sm)" = 'Linux x86_64' ] || exit $n # the dump was made there
saved=tests/abi/model_abi-$version.abi
[ -f "$saved" ] || {
    echo "$header:1: no $saved: a new minor version keeps its dump (scripts/abi-dump.sh --update)"
    exit 1
}
new=$(mktemp) || exit 1
trap 'rm -f "$new"' EXIT
scripts/abi-dump.sh >"$new" || exit 1
abidiff --harmless --no-show-locs "$saved" "$new" >"$new.diff" 2>&1 && { rm -f "$new.diff"; exit $n; }
echo "$header:1: differs from $saved; fields are only appended, with a new minor version:"
sed 's/^/    /' "$new.diff"
rm -f "$new.diff"
exit 1
