#!/bin/sh
# Puts onnxruntime-node, whose package brings the CPU library for every platform, into
# build/bench/node_modules; its install script would fetch GPU libraries, so it is skipped.
set -eu
cd "$(dirname "$0")/../.."

folder=${BUILD:-build}/bench
[ -d "$folder/node_modules/onnxruntime-node" ] && exit 0
command -v npm >/dev/null 2>&1 || {
    echo "install.sh: onnxruntime-node needs Node.js with npm" >&2
    exit 1
}
mkdir -p "$folder"
cd "$folder"
[ -f package.json ] || echo '{"private": true}' >package.json
ONNXRUNTIME_NODE_INSTALL=skip npm install --ignore-scripts --no-package-lock --no-audit --no-fund \
    onnxruntime-node >&2
