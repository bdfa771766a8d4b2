#!/bin/sh
# Puts onnxruntime-node, whose package brings the CPU library for every platform, and tokenizers, the Rust library,
# into build/bench/node_modules; install scripts would fetch GPU libraries, so they are skipped.
set -eu
cd "$(dirname "$0")/../.."

folder=${BUILD:-build}/bench
[ -d "$folder/node_modules/onnxruntime-node" ] && [ -d "$folder/node_modules/tokenizers" ] && exit 0
command -v npm >/dev/null 2>&1 || {
    echo "install.sh: the peers need Node.js with npm" >&2
    exit 1
}
mkdir -p "$folder"
cd "$folder"
[ -f package.json ] || echo '{"private": true}' >package.json
ONNXRUNTIME_NODE_INSTALL=skip npm install --ignore-scripts --no-package-lock --no-audit --no-fund \
    onnxruntime-node tokenizers >&2
