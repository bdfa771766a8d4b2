#!/usr/bin/env bash
# A download that is killed again and again (packager/transfer/partial.c, landing.c, hub/hub_socket.c): the
# last one is whole, and little was sent twice, counted at the mirror: at full speed, and with a limit. And
# many processes at once: one result. MODELHOST_TEST_ROUNDS sets how often it is killed (20),
# MODELHOST_TEST_SIZE_MB how much there is to fetch (100), MODELHOST_TEST_SEED the moments. What is promised
# is 200 rounds of 1000 MB.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
pkgmgr=$build/bin/pkgmgr program=$pkgmgr
rounds=${MODELHOST_TEST_ROUNDS:-20} seed=${MODELHOST_TEST_SEED:-1} size_mb=${MODELHOST_TEST_SIZE_MB:-100}
begin kills
server=''
stop_server() { [ -z "$server" ] || kill "$server" 2>/dev/null; }
on_exit stop_server
unset HF_TOKEN HF_TOKEN_PATH HF_HUB_OFFLINE HF_ENDPOINT MODELHOST_STORE
export MODELHOST_PLUGIN_PATH=$work/no-plugins HF_HOME=$work/hf

command -v python3 >/dev/null || {
    echo "skip: no python3 to count what passes"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}

# ---- a repository

repository=$work/hub/acme/parts
mkdir -p "$repository"
size=$(python3 - "$repository" "$size_mb" <<'PYTHON'
import json, random, struct, sys
folder, size_mb = sys.argv[1], int(sys.argv[2])
chance, total = random.Random(7), 0
def write(name, data):
    global total
    open(f"{folder}/{name}", "wb").write(data)
    total += len(data)
write("config.json", b'{"model_type": "bert"}')
for i in range(12):
    write(f"small{i}.txt", chance.randbytes(3000 * i))
for i in range(3):
    write(f"middle{i}.txt", chance.randbytes(700000 + i))
for shard, size in enumerate((size_mb * 1000000, 500000)):
    header = json.dumps({f"w{shard}": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    header += b" " * (-len(header) % 8)
    write(f"part-{shard}.safetensors", struct.pack("<Q", len(header)) + header)
    with open(f"{folder}/part-{shard}.safetensors", "ab") as data:
        for _ in range(size // 500000):
            data.write(chance.randbytes(500000))
    total += size
print(total)
PYTHON
)
"$pkgmgr" serve "$work/hub" --port 0 -q --access-log "$work/access" --access-format json >"$work/address" &
server=$!
for _ in $(seq 200); do
    [ -s "$work/address" ] && break
    read -rt 0.05 <> <(:)
done
port=$(sed 's/.*://' "$work/address")
export HF_ENDPOINT=http://127.0.0.1:$port
"$pkgmgr" download acme/parts --dry-run >/dev/null # all is hashed by now

# ---- killed

field() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$work/out" "$1"; }
kills() { # NAME STORE OPTION...
    local name=$1 store=$2 package file
    shift 2
    python3 tests/system/kill_downloads.py "$pkgmgr" "$store" "$HF_ENDPOINT" "$work/access" acme/parts "$size" \
        "$rounds" "$seed" "$@" >"$work/out" 2>"$work/err"
    cat "$work/out"
    same "$name $rounds times, then not: succeeds" "$(field code)" 0
    same "$name: the last one has nothing to say" "$(field err)" ''
    ok "$name: most of the kills came in the middle" [ "$(field n_killed)" -ge $((rounds / 2)) ]
    ok "$name: at most a tenth was sent twice" json 'j["total_bytes"] <= 1.1 * j["size_bytes"]'
    ok "$name: nothing came from nowhere" json 'j["total_bytes"] >= j["size_bytes"]'
    package=$(field out)
    for file in "$repository"/*.txt; do
        cmp -s "$file" "$package/${file##*/}" || fail "$name: ${file##*/} is as it was"
    done
    for file in "$repository"/*.safetensors; do
        ok "$name: ${file##*/} is as it was" cmp "$file" "$package/backends/cpu/${file##*/}"
    done
    ok "$name: no part is left" [ -z "$(ls "$store/partial")" ]
    ok "$name: no work is left" [ -z "$(ls "$store/tmp")" ]
    run verify acme/parts --store "$store"
    same "$name: the package is whole" "$code" 0
}
kills 'killed' "$work/store"
kills 'killed beside a limit' "$work/limited" --limit-rate 25M
rm -rf "$work/store" "$work/limited"

# ---- twenty at once

pids=()
for i in $(seq 20); do
    "$pkgmgr" download acme/parts --store "$work/shared" -q >"$work/many.$i" 2>"$work/many-err.$i" &
    pids+=($!)
done
n_failed_downloads=0
for pid in "${pids[@]}"; do
    wait "$pid" || n_failed_downloads=$((n_failed_downloads + 1))
done
same "twenty at once: none fails" "$n_failed_downloads" 0
same "twenty at once: none complains" "$(cat "$work"/many-err.*)" ''
same "twenty at once: one result" "$(sort -u "$work"/many.[0-9]* | wc -l)" 1
same "twenty at once: one package" "$(find "$work/shared/packages" -mindepth 2 -maxdepth 2 | wc -l)" 1
ok "twenty at once: no part is left" [ -z "$(ls "$work/shared/partial")" ]
run verify acme/parts --store "$work/shared"
same "twenty at once: the package is whole" "$code" 0

summary
