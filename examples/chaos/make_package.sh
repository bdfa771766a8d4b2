#!/bin/sh
# Makes a package of the chaos plugin and an input for it:
#
#   examples/chaos/make_package.sh FOLDER [KEY=VALUE...]
#   examples/chaos/make_package.sh /tmp/chaos mode=slow:300 rate=0.1 seed=7
#
# Keys are those of config.json (README.md). BUILD: where the plugin was built (build). Prints the command
# that runs it. FOLDER/input.safetensors holds `input` [2, 3]: 0 to 5, so `output` is 1, 3, 5, 7, 9, 11.
set -eu
[ $# -ge 1 ] || {
    echo "usage: $0 FOLDER [KEY=VALUE...]" >&2
    exit 2
}
folder=$1
shift
build=${BUILD:-$(cd "$(dirname "$0")/../.." && pwd)/build}
plugin=$build/examples/chaos.so
[ -f "$plugin" ] || plugin=$build/examples/chaos.dylib
[ -f "$plugin" ] || {
    echo "$0: there is no $build/examples/chaos.so; run make first, or set BUILD" >&2
    exit 1
}

config='"model_type":"chaos"'
for pair in "$@"; do
    key=${pair%%=*} value=${pair#*=}
    [ "$key" != "$pair" ] || {
        echo "$0: '$pair' is no KEY=VALUE" >&2
        exit 2
    }
    case $value in
    '' | *[!0-9.]*) value="\"$value\"" ;;
    esac
    config="$config,\"$key\":$value"
done
mkdir -p "$folder/backends/cpu"
cp -f "$plugin" "$folder/backends/cpu/libmodel.${plugin##*.}"
echo "{$config}" >"$folder/backends/cpu/config.json"

# A safetensors file: the size of the header, the header, six floats.
{
    printf '\100\0\0\0\0\0\0\0'
    printf '%-64s' '{"input":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}'
    printf '\0\0\0\0\0\0\200\077\0\0\0\100\0\0\100\100\0\0\200\100\0\0\240\100'
} >"$folder/input.safetensors"
echo "modelhost run $folder --inputs $folder/input.safetensors --outputs $folder/output.safetensors" \
    "--isolation worker --timeout 200ms"
