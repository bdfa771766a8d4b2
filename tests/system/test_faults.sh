#!/usr/bin/env bash
# `pkgmgr download` from a mirror that goes wrong on purpose (packager/mirror/mirror_fault_reply.c): each
# mode ends in the right package or in a clear error with its exit code, never in a wrong or half one.
# All modes run side by side, each with a mirror and a store of its own, and are judged afterwards.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
pkgmgr=$build/bin/pkgmgr program=$pkgmgr
begin faults
export HF_HOME=$work/hf MODELHOST_PLUGIN_PATH=$work/no-plugins HF_HUB_DOWNLOAD_TIMEOUT=30 HF_TOKEN=hf_secret_word
unset HF_TOKEN_PATH HF_HUB_OFFLINE MODELHOST_STORE HF_ENDPOINT
mkdir -p "$HF_HOME" "$work/hub/acme/tiny"
cp "$model"/*.json "$model"/model.safetensors "$work/hub/acme/tiny/"
files=$(find "$work/hub" -type f | wc -l)
jobs=() servers=()
stop_all() { [ ${#servers[@]} -eq 0 ] || kill "${servers[@]}" 2>/dev/null; }
on_exit stop_all

serve() { # DIR FAULT...: its addresses are in DIR/url
    local dir=$1 fault arguments=()
    shift
    for fault; do arguments+=(--fault "$fault"); done
    mkdir -p "$dir"
    : >"$dir/url"
    "$pkgmgr" serve "$work/hub" --port 0 -v ${arguments[@]+"${arguments[@]}"} >"$dir/url" 2>"$dir/log" </dev/null &
    local pid=$!
    servers+=("$pid")
    echo "$pid" >"$dir/pid"
    while [ ! -s "$dir/url" ] && kill -0 "$pid" 2>/dev/null; do read -rt 0.02 <> <(:); done
}
modes=()
start() { # NAME ID FAULT...: a download under way, its end is in $work/NAME
    local dir=$work/$1 id=$2
    shift 2
    modes+=("$@")
    serve "$dir" "$@"
    (
        HF_ENDPOINT=$(head -n 1 "$dir/url") timeout 110 "$pkgmgr" download "$id" --store "$dir/store" >"$dir/out" 2>"$dir/err" </dev/null
        echo $? >"$dir/code"
    ) &
    jobs+=($!)
}
is_right() { # DIR: all files, each as it is in the hub
    local package
    package=$(cat "$1/out") && [ -f "$package/metadata.json" ] || return 1
    [ "$(python3 -c 'import json, sys; print(sum(f["source"] is not None for f in map(lambda f: {"source": None, **f}, json.load(open(sys.argv[1]))["files"])))' "$package/metadata.json")" -eq "$files" ] || return 1
    cmp -s "$package/backends/cpu/model.safetensors" "$work/hub/acme/tiny/model.safetensors" &&
        cmp -s "$package/backends/cpu/config.json" "$work/hub/acme/tiny/config.json" &&
        cmp -s "$package/tokenizer.json" "$work/hub/acme/tiny/tokenizer.json" &&
        "$pkgmgr" verify "$package" >/dev/null 2>&1
}
right() { # NAME
    local dir=$work/$1
    same "$1: exit code 0" "$(cat "$dir/code")" 0
    ok "$1: the right package" is_right "$dir"
    ok "$1: no part is left" [ -z "$(ls "$dir/store/partial" 2>/dev/null)" ]
    both "$1"
}
wrong() { # NAME CODE PART: an error, and the store has nothing
    local dir=$work/$1
    same "$1: exit code $2" "$(cat "$dir/code")" "$2"
    has "$1: says why" "$(tail -n 1 "$dir/err")" "$3"
    ok "$1: prints no result" empty "$dir/out"
    run list --store "$dir/store"
    same "$1: the store lists nothing" "$out" ''
    ok "$1: no package is seen" [ -z "$(find "$dir/store/packages" -name metadata.json 2>/dev/null)" ]
    both "$1"
}
both() { # NAME: whatever happened
    ok "$1: leaves no work behind" [ -z "$(ls "$work/$1/store/tmp" 2>/dev/null)" ]
    ok "$1: no part is held by a process that is gone" [ -z "$(find "$work/$1/store/partial" -mindepth 1 -maxdepth 1 -name '*.*' 2>/dev/null)" ]
    lacks "$1: the token is in no message" "$(cat "$work/$1/err" "$work/$1/log")" "$HF_TOKEN"
}
tokens() { curl -fsS --noproxy '*' "$(sed -n 2p "$work/$1/url")/tokens"; }
asked() { grep -c -- "$2" "$work/$1/log"; } # NAME PATTERN: how many requests

start plain acme/tiny
start renamed acme/tiny-old rename-307
start cached acme/tiny resolve-cache-307
start cdn acme/tiny cdn-302
start cdn-cut acme/tiny cdn-302 truncate
start expired acme/tiny expire-403
start expiring acme/tiny expire-403=1 truncate
start whole acme/tiny ignore-range truncate
start past-end acme/tiny 416 truncate
start limit acme/tiny 429-ratelimit
start retry-after acme/tiny 429-retry-after
start limit-always acme/tiny 429-retry-after=always
start ratelimit-always acme/tiny 429-ratelimit=always
start server-error acme/tiny 5xx-then-ok=1
start server-error-always acme/tiny 5xx-then-ok=always
start cut acme/tiny truncate
start cut-always acme/tiny truncate=always
start corrupt acme/tiny corrupt-same-length
start corrupt-always acme/tiny corrupt-same-length=always
HF_HUB_DOWNLOAD_TIMEOUT=2 start stalled acme/tiny stall
HF_HUB_DOWNLOAD_TIMEOUT=1 start stalled-always acme/tiny stall=always
start slow acme/tiny slow=200000
start moved acme/tiny branch-moves
start bare acme/tiny http-401-bare
start gzip acme/tiny gzip
start whole-only acme/tiny ignore-range
start past-end-only acme/tiny 416
start all acme/tiny-old rename-307 resolve-cache-307 expire-403 429-ratelimit=1 truncate branch-moves
for job in "${jobs[@]}"; do wait "$job"; done

for name in plain renamed cached cdn cdn-cut expired expiring whole whole-only past-end past-end-only limit retry-after server-error cut \
    corrupt stalled slow moved all; do
    right "$name"
done
wrong ratelimit-always 6 'too many requests'
wrong limit-always 6 'too many requests'
wrong server-error-always 5 'answers 500'
wrong cut-always 5 'broke off'
wrong stalled-always 5 'too little came for 1 s'
same 'stalled-always: five attempts at a small file, then the end' "$(grep -oE 'GET /acme/tiny/resolve/[^ ]*json' "$work/stalled-always/log" | sort | uniq -c | awk '{ print $1 }' | sort -rn | head -n 1)" 5
wrong corrupt-always 7 'wrong bytes'
wrong bare 4 'token'
wrong gzip 5 "sends 'config.json' as 'gzip' though it was asked for plain bytes"

for name in cdn cdn-cut expired all; do
    same "$name: no token at the content network" "$(tokens "$name")" 0
done
ok 'renamed: the old name was asked for, and led on' [ "$(asked renamed 'tiny-old.* 307 ')" -gt 0 ]
ok 'cached: small files came from the cache' [ "$(asked cached '/api/resolve-cache/.* 200 ')" -gt 0 ]
ok 'cdn: the weights came from there' [ "$(asked cdn '/~cdn/acme/tiny/.*model.safetensors.* 20[06] ')" -gt 0 ]
ok 'expired: one address expired, another one was asked for' [ "$(asked expired '/~cdn/.* 403 ')" -ge 1 ]
ok 'limit: waited' [ "$(asked limit ' 429 ')" -eq 2 ]
ok 'corrupt: each file was asked for again' [ "$(asked corrupt '/resolve/.* 20[06] ')" -ge $((2 * files)) ]
ok 'moved: no file was asked for by the branch' [ "$(asked moved '/resolve/main/')" -eq 0 ]

# A content network really counts: this client sends its token there.
at=$(curl -sS --noproxy '*' -o "$work/body" -w '%{redirect_url}' "$(head -n 1 "$work/cdn/url")/acme/tiny/resolve/main/model.safetensors")
same 'a token at the content network is refused' "$(curl -sS --noproxy '*' -o "$work/body" -w '%{http_code}' -H 'Authorization: Bearer hf_x' "$at")" 400
same 'and counted' "$(tokens cdn)" 1
same 'its tag is another one' "$(curl -sSI --noproxy '*' "$at" | tr -d '\r' | sed -n 's/^ETag: //p' | cut -c 1-5)" '"cdn-'
ok 'its addresses must be signed' [ "$(curl -sS --noproxy '*' -o "$work/body" -w '%{http_code}' "${at%%\?*}")" = 403 ]
same 'gzip comes unasked' "$(curl -sS --noproxy '*' "$(head -n 1 "$work/gzip/url")/acme/tiny/resolve/main/config.json" | gzip -dc)" "$(cat "$model/config.json")"

# Every mirror ends at a signal, whatever it was told to do wrong.
for name in plain stalled slow cdn; do
    pid=$(cat "$work/$name/pid")
    kill -TERM "$pid"
    wait "$pid"
    same "$name: the mirror ends with 0" $? 0
done

run serve "$work/hub" --fault nonsense
same 'an unknown fault: exit code 1' "$code" 1
ok 'an unknown fault: the ones there are' says "there is no fault 'nonsense'; want one of rename-307, "
run serve --fault help
same 'the list of faults: exit code 0' "$code" 0
same 'each fault of the list was tried' "$(sed -n 's/^    \([a-z0-9][a-z0-9-]*\) .*/\1/p' "$work/out" | sort)" "$(printf '%s\n' "${modes[@]%%=*}" | sort -u)"
same 'no blob of any store is broken' "$(broken_blobs)" ''
ok 'the list of faults' prints '    429-retry-after '
summary
