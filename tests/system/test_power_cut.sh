#!/usr/bin/env bash
# What a power cut may cost: nothing that was seen before its bytes were synced (packager/transfer/partial.c,
# store/store_blobs.c, store/store_install.c, packager/archive/package_unpack.c). strace says in which order things were
# synced and shown, sync_order.py judges it.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
pkgmgr=$build/bin/pkgmgr program=$pkgmgr
begin power_cut
server=''
stop_server() { [ -z "$server" ] || kill "$server" 2>/dev/null; }
on_exit stop_server
unset HF_TOKEN HF_TOKEN_PATH HF_HUB_OFFLINE HF_ENDPOINT MODELHOST_STORE
export MODELHOST_PLUGIN_PATH=$build/lib/modelhost/plugins HF_HOME=$work/hf
if ! strace -f -y -o "$work/trace" -e trace=fsync true 2>/dev/null || ! command -v python3 >/dev/null; then
    skipped 'strace cannot look at processes here, or no python3'
    summary
    exit
fi

mkdir -p "$work/hub/acme/tiny"
cp "$model"/*.json "$model"/model.safetensors "$work/hub/acme/tiny/"
head -c 150000000 /dev/zero >"$work/hub/acme/tiny/vocab.txt" # more than a checkpoint
"$pkgmgr" serve "$work/hub" --port 0 -q >"$work/address" &
server=$!
while [ ! -s "$work/address" ] && kill -0 "$server" 2>/dev/null; do read -rt 0.02 <> <(:); done
HF_ENDPOINT=$(cat "$work/address")
export HF_ENDPOINT
traced() { # ARGUMENT...: as run does, watched; a sanitizer cannot look for leaks beside another tracer
    ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 timeout 120 strace -f -y -s 4096 -o "$work/trace" \
        -e trace=fsync,fdatasync,write,pwrite64,writev,copy_file_range,ftruncate,openat,mkdir,rename,link,symlink,unlink \
        "$pkgmgr" "$@" >"$work/out" 2>"$work/err" </dev/null
    code=$?
    out=$(cat "$work/out")
}
judged() { # NAME N PATTERN...: nothing was shown too early, and at least N things were shown
    local name=$1 least=$2 found
    shift 2
    found=$(python3 tests/system/sync_order.py "$work/trace" "$@")
    same "$name: all is synced before it is seen" "$(head -n -1 <<<"$found")" ''
    ok "$name: something was seen ($(tail -n 1 <<<"$found"))" [ "$(tail -n 1 <<<"$found" | cut -d ' ' -f 1)" -ge "$least" ]
}

traced download acme/tiny --store "$work/store" -q
same 'download: exit code' "$code" 0
package=$out
judged 'blobs' 6 "$work/store/blobs/sha256/../[0-9a-f]*"
judged 'the package' 1 "$work/store/packages/acme--tiny/[0-9a-f]{64}"
judged 'the name' 1 "$work/store/refs/acme--tiny/main"
data=$(grep -nE 'fdatasync\(|fsync\(' "$work/trace" | grep -m 1 '/data>' | cut -d : -f 1)
have=$(grep -nE 'rename\(.*/have"' "$work/trace" | head -n 1 | cut -d : -f 1)
ok "a map of what is there lasts after the data (lines ${data:-none}, ${have:-none})" [ "${data:-0}" -gt 0 -a "${data:-0}" -lt "${have:-0}" ]

traced pack "$package" -o "$work/tiny.mhp"
same 'pack: exit code' "$code" 0
judged 'pack' 1 "$work/tiny.mhp"
traced unpack "$work/tiny.mhp" -o "$work/unpacked"
same 'unpack: exit code' "$code" 0
judged 'unpack' 1 "$work/unpacked"

# The judge itself: a rename before its sync is seen.
printf '%s\n' '1 openat(AT_FDCWD</>, "/x/a.tmp", O_WRONLY|O_CREAT, 0666) = 3</x/a.tmp>' '1 write(3</x/a.tmp>, "a", 1) = 1' \
    '1 rename("/x/a.tmp", "/x/a") = 0' '1 fsync(3</x/a>) = 0' >"$work/trace"
same 'the judge sees a rename that came too early, and a folder that was not synced' "$(python3 tests/system/sync_order.py "$work/trace" '/x/a')" \
    '/x/a.tmp was not synced before the rename to /x/a
/x was not synced after /x/a came into it
1 published'
summary
