#!/usr/bin/env bash
# What a download costs over loopback, beside curl; `make bench-download` calls it.
#
#   1 GB in one file     pkgmgr download (written, synced, checked) and `curl | sha256sum` (checked only), in
#                        turns; the medians' ratio, and the peak memory of pkgmgr
#   2,000 small files    pkgmgr download of all, and one curl after the other for N_CURL of them (200),
#                        scaled up
#
# Reads: BUILD (build), ROUNDS (3), WORK (a folder for 4 GB; its disk is what is measured), N_CURL.
set -eu
cd "$(dirname "$0")/.."
build=$(cd "${BUILD:-build}" && pwd) rounds=${ROUNDS:-3} n_curl=${N_CURL:-200}
pkgmgr=$build/bin/pkgmgr
work=$(mktemp -d "${WORK:-${TMPDIR:-/tmp}}/bench-download.XXXXXX")
server=''
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
for tool in python3 curl sha256sum; do
    command -v $tool >/dev/null || { echo "bench/download.sh: no $tool here; install it" >&2; exit 1; }
done

python3 - "$work/hub/acme" <<'PYTHON'
import json, os, random, struct, sys
chance = random.Random(1)
for name in ("one", "many"):
    os.makedirs(f"{sys.argv[1]}/{name}")
    open(f"{sys.argv[1]}/{name}/config.json", "w").write('{"model_type": "bert"}')
size = 1 << 30
header = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
header += b" " * (-len(header) % 8)
with open(f"{sys.argv[1]}/one/model.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(header)) + header)
    for _ in range(1024):
        file.write(chance.randbytes(1 << 20))
for i in range(2000):
    open(f"{sys.argv[1]}/many/f{i:04}.txt", "wb").write(chance.randbytes(1500 + i))
PYTHON
"$pkgmgr" serve "$work/hub" --port 0 -q >"$work/address" &
server=$!
until [ -s "$work/address" ]; do read -rt 0.05 <> <(:) || true; done
endpoint=$(head -n 1 "$work/address")
export MODELHOST_PLUGIN_PATH=$work/none HF_HOME=$work/hf
unset HF_TOKEN HF_TOKEN_PATH HF_HUB_OFFLINE

cat >"$work/measure.py" <<'PYTHON'
import resource, subprocess, sys, time
start = time.monotonic()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f"{time.monotonic() - start:.3f} {used.ru_maxrss // 1024} {used.ru_utime + used.ru_stime:.2f}")
PYTHON
measure() { python3 "$work/measure.py" "$@"; } # seconds, MB at the peak, seconds of processor
ours() { # MODEL
    rm -rf "$work/store"
    measure "$pkgmgr" download "acme/$1" --endpoint "$endpoint" --store "$work/store" -q
}
median() { sort -n "$1" | awk '{ line[NR] = $1 } END { print line[int((NR + 1) / 2)] }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

"$pkgmgr" download acme/one --endpoint "$endpoint" --store "$work/store" --dry-run >/dev/null # hashed by now
"$pkgmgr" download acme/many --endpoint "$endpoint" --store "$work/store" --dry-run >/dev/null
url=$endpoint/acme/one/resolve/main/model.safetensors
for _ in $(seq "$rounds"); do
    ours one >>"$work/ours"
    measure bash -c "curl -s '$url' | sha256sum" >>"$work/curl"
    rm -rf "$work/store"
    measure bash -c "dd if='$work/hub/acme/one/model.safetensors' of='$work/copy' bs=1M conv=fdatasync 2>&1" >>"$work/disk"
    rm -f "$work/copy"
done
a=$(median "$work/ours") b=$(median "$work/curl") c=$(median "$work/disk")
echo "1 GB: pkgmgr $a s, curl | sha256sum $b s: $(ratio "$a" "$b") of its time; writing 1 GB to this disk and syncing takes $c s"
echo "1 GB: processor $(awk '{ s += $3 } END { printf "%.2f", s / NR }' "$work/ours") s, curl | sha256sum $(awk '{ s += $3 } END { printf "%.2f", s / NR }' "$work/curl") s"
echo "1 GB: peak memory $(awk '$2 > m { m = $2 } END { print m }' "$work/ours") MB"

ours many >"$work/ours-many"
cat >"$work/one-by-one.sh" <<'SHELL'
for i in $(seq 0 $(($2 - 1))); do curl -s -o /dev/null "$1/acme/many/resolve/main/f$(printf %04d "$i").txt"; done
SHELL
measure bash "$work/one-by-one.sh" "$endpoint" "$n_curl" >"$work/curl-many"
a=$(cut -d' ' -f1 "$work/ours-many") b=$(awk -v n="$n_curl" '{ print $1 * 2000 / n }' "$work/curl-many")
echo "2,000 files: pkgmgr $a s, curl one by one $b s (from $n_curl): $(ratio "$b" "$a") times faster"
