#!/usr/bin/env bash
# A download that is killed again and again (packager/transfer/partial.c, landing.c): the last one is
# whole, and little was fetched twice. And many processes at once: one result. MODELHOST_TEST_ROUNDS sets
# how often it is killed (20), MODELHOST_TEST_SEED the moments.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
pkgmgr=$build/bin/pkgmgr program=$pkgmgr
rounds=${MODELHOST_TEST_ROUNDS:-20} seed=${MODELHOST_TEST_SEED:-1}
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

# ---- a repository whose size grows with the rounds, so that each kill may cost the same

repository=$work/hub/acme/parts
mkdir -p "$repository"
size=$(python3 - "$repository" "$rounds" <<'PYTHON'
import json, random, struct, sys
folder, rounds = sys.argv[1], int(sys.argv[2])
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
for shard in range(2):
    size = rounds * 4000000
    header = json.dumps({f"w{shard}": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    header += b" " * (-len(header) % 8)
    write(f"part-{shard}.safetensors", struct.pack("<Q", len(header)) + header)
    with open(f"{folder}/part-{shard}.safetensors", "ab") as data:
        for _ in range(rounds):
            data.write(chance.randbytes(4000000))
    total += size
print(total)
PYTHON
)
"$pkgmgr" serve "$work/hub" --port 0 -q >"$work/address" &
server=$!
for _ in $(seq 200); do
    [ -s "$work/address" ] && break
    read -rt 0.05 <> <(:)
done
port=$(sed 's/.*://' "$work/address")
export HF_ENDPOINT=http://127.0.0.1:$port
"$pkgmgr" download acme/parts --dry-run >/dev/null # all is hashed by now

# ---- killed

SIZE_BYTES=$size timeout 550 python3 tests/system/kill_downloads.py "$pkgmgr" "$work/store" "$port" acme/parts \
    "$rounds" "$seed" >"$work/out" 2>"$work/err"
cat "$work/out"
field() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$work/out" "$1"; }
same "killed $rounds times, then not: succeeds" "$(field code)" 0
same "killed: the last one has nothing to say" "$(field err)" ''
ok "killed: most of the kills came in the middle" [ "$(field n_killed)" -ge $((rounds / 2)) ]
package=$(field out)
for file in "$repository"/*.txt; do
    cmp -s "$file" "$package/${file##*/}" || fail "killed: ${file##*/} is as it was"
done
ok "killed: the first shard is as it was" cmp "$repository/part-0.safetensors" "$package/backends/cpu/part-0.safetensors"
ok "killed: the second shard is as it was" cmp "$repository/part-1.safetensors" "$package/backends/cpu/part-1.safetensors"
ok "killed: at most a tenth was fetched twice" json 'j["total_bytes"] <= 1.1 * j["size_bytes"]'
ok "killed: no part is left" [ -z "$(ls "$work/store/partial")" ]
ok "killed: no work is left" [ -z "$(ls "$work/store/tmp")" ]
run verify acme/parts --store "$work/store"
same "killed: the package is whole" "$code" 0

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
