#!/usr/bin/env bash
# Compares with npm's clients and oracles: installs what package.json names (exact versions, without
# running anybody's install scripts) and runs hub.mjs, hub_cache.mjs, encrypted_archive.mjs, tokenizers.mjs and onnx.mjs; then *_torch.py,
# which compares with Debian's torch, sampler_reference.py, with numpy, and promtool.sh. `make interop` calls it.
# Env BUILD (default build). Skips, saying so, where npm cannot reach its registry.
set -u
cd "$(dirname "$0")/../.." || exit 1
export BUILD=${BUILD:-build}
log=$(mktemp "${TMPDIR:-/tmp}/interop.XXXXXX") || exit 1
early=$(mktemp "${TMPDIR:-/tmp}/interop.XXXXXX") || exit 1
trap 'rm -f "$log" "$early"' EXIT

scripts/deps.sh interop || exit 1
skip() {
    echo "skip: $1"
    echo '0 passed, 0 failed, 1 skipped'
    exit 0
}
command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 || skip 'Node.js is not installed'
major=$(node -p 'process.versions.node.split(".")[0]')
[ "$major" -ge 18 ] || skip "Node.js $major is too old, 18 is wanted"

# onnxruntime-node would fetch CUDA libraries in its install script.
if ! (cd tests/interop && ONNXRUNTIME_NODE_INSTALL=skip npm install --ignore-scripts --no-package-lock \
    --prefer-offline --no-progress) >"$log" 2>&1; then
    if grep -qE 'ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|E40[0-9]|network' "$log"; then
        skip "npm cannot reach its registry: $(grep -m 1 -E 'npm (ERR!|error)' "$log")"
    fi
    cat "$log"
    exit 1
fi

passed=0 failed=0 skipped=0
count() { # SCRIPT CODE LOG: its last line joins the total
    local p f s
    read -r p f s < <(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed(, ([0-9]+) skipped)?$/\1 \2 \4/p' "$3" | tail -n 1)
    passed=$((passed + ${p:-0})) failed=$((failed + ${f:-0})) skipped=$((skipped + ${s:-0}))
    if [ "$2" -ne 0 ] && [ "${f:-0}" -eq 0 ]; then
        echo "$1 ended with exit code $2"
        failed=$((failed + 1))
    fi
}
run() { # SCRIPT
    echo "---- $1"
    case $1 in *.py) runner=/usr/bin/python3 ;; *.sh) runner=bash ;; *) runner=node ;; esac
    "$runner" "$1" 2>&1 | tee "$log"
    count "$1" "${PIPESTATUS[0]}" "$log"
}

# The oracle is slow, on one thread: half of the tokenizers beside all else.
ONLY=bert node tests/interop/tokenizers.mjs >"$early" 2>&1 &
tokenizers=$!
export ONLY=gpt2
for script in tests/interop/{hub,hub_cache,encrypted_archive,tokenizers,onnx}.mjs tests/interop/*_torch.py tests/interop/{sampler_reference.py,promtool.sh}; do
    run "$script"
done
wait "$tokenizers"
code=$?
echo '---- tests/interop/tokenizers.mjs, WordPiece'
cat "$early"
count tests/interop/tokenizers.mjs "$code" "$early"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
