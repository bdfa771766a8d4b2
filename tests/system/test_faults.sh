#!/usr/bin/env bash
# pkgmgr download against each fault that `pkgmgr serve --fault` can make: the right files, or a clear error
# with its exit code and no package at all; and nothing that is half there.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
pkgmgr=$build/bin/pkgmgr program=$pkgmgr
begin faults
server=''
stop_server() { [ -z "$server" ] || kill "$server" 2>/dev/null; }
on_exit stop_server
unset HF_TOKEN HF_TOKEN_PATH HF_HUB_OFFLINE HF_ENDPOINT MODELHOST_STORE
export MODELHOST_PLUGIN_PATH=$work/no-plugins HF_HOME=$work/hf HF_HUB_DOWNLOAD_TIMEOUT=2

if ! "$pkgmgr" serve --fault help >/dev/null 2>&1 || ! command -v python3 >/dev/null; then
    echo "skip: no 'pkgmgr serve --fault', or no python3 to make a repository"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi

python3 - "$work/hub/acme" <<'PYTHON'
import json, os, random, struct, sys
chance = random.Random(3)
def write(name, size):
    header = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    header += b" " * (-len(header) % 8)
    open(name, "wb").write(struct.pack("<Q", len(header)) + header + chance.randbytes(size))
for name, sizes in (("ranges", [40000000, 3000000]), ("small", [9000])):
    folder = f"{sys.argv[1]}/{name}"
    os.makedirs(folder)
    open(folder + "/config.json", "wb").write(b'{"model_type": "bert"}')
    open(folder + "/vocab.txt", "wb").write(b"a\nb\n")
    for i, size in enumerate(sizes):
        write(f"{folder}/part-{i}.safetensors", size)
PYTHON

n=0
serve() { # FAULT...: a mirror that makes them; sets HF_ENDPOINT
    local fault options=()
    for fault in "$@"; do options+=(--fault "$fault"); done
    stop_server
    [ -z "$server" ] || wait "$server" 2>/dev/null
    n=$((n + 1))
    "$pkgmgr" serve "$work/hub" --port 0 -q "${options[@]}" >"$work/address$n" 2>"$work/server-err" &
    server=$!
    for _ in $(seq 200); do
        [ -s "$work/address$n" ] && break
        read -rt 0.05 <> <(:)
    done
    HF_ENDPOINT=$(head -n 1 "$work/address$n")
    export HF_ENDPOINT MODELHOST_STORE=$work/store$n
}
is_right() { # ID: every file of it is in the package that was printed
    local file name
    for file in "$work/hub/acme/$1"/*; do
        name=${file##*/}
        case $name in *.safetensors | config.json) name=backends/cpu/$name ;; esac
        cmp -s "$file" "$out/$name" || return 1
    done
}
no_package() { [ -z "$(find "$MODELHOST_STORE/packages" "$MODELHOST_STORE/refs" -mindepth 1 2>/dev/null)" ]; }

arrives() { # ID FAULT...
    local id=$1
    shift
    serve "$@"
    run download "acme/$id" -q
    same "$*: exit code" "$code" 0
    ok "$*: the right files" is_right "$id"
    ok "$*: no part is left" [ -z "$(ls "$MODELHOST_STORE/partial" 2>/dev/null)" ]
}
is_refused() { # CODE TEXT FAULT...
    local want=$1 text=$2
    shift 2
    serve "$@"
    run download acme/ranges -q
    same "$*: exit code" "$code" "$want"
    ok "$*: says why" says "$text"
    ok "$*: prints no result" empty "$work/out"
    ok "$*: no package" no_package
    same "$*: no broken blob" "$(broken_blobs)" ''
}

arrives ranges rename-307
arrives ranges resolve-cache-307
arrives ranges cdn-302
arrives ranges ignore-range
arrives ranges 416
arrives ranges 416=1
arrives ranges 429-ratelimit
arrives ranges 429-retry-after
arrives ranges 5xx-then-ok=1
arrives ranges truncate
arrives ranges corrupt-same-length
arrives ranges stall
arrives ranges cdn-302 expire-403
arrives ranges cdn-302 expire-403=1
arrives ranges cdn-302 truncate ignore-range
arrives ranges branch-moves
arrives ranges gzip=0
arrives small slow
is_refused 3 "no such model: 'acme/ranges'" http-401-bare
is_refused 5 "though it was asked for plain bytes" gzip
is_refused 7 "it was fetched twice" corrupt-same-length=always
is_refused 5 "answers 50" 5xx-then-ok=always
is_refused 6 "too many requests" 429-ratelimit=always

summary
