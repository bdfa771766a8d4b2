#!/usr/bin/env bash
# `pkgmgr serve --upstream` and of a store: packager/mirror/mirror_pull.c, packager/pull/pull.c,
# packager/pull/pull_cache.c, packager/pull/pull_fill.c, packager/mirror/mirror_pull_entries.c and
# packager/mirror/mirror_pull_jobs.c. One fetch for many clients, checked, kept, and served when the hub is gone.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
pkgmgr=$build/bin/pkgmgr program=$pkgmgr
begin upstream
pids=()
stop_all() { [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null; }
on_exit stop_all
export HF_HOME=$work/hf MODELHOST_PLUGIN_PATH=$work/no-plugins
unset HF_TOKEN HF_TOKEN_PATH HF_ENDPOINT HF_HUB_OFFLINE MODELHOST_STORE
mkdir -p "$work/hub/acme/tiny/d" "$work/hub/acme/closed" "$work/near/own/model" "$HF_HOME"
cp "$model"/*.json "$model"/model.safetensors "$work/hub/acme/tiny/"
echo deep >"$work/hub/acme/tiny/d/a b.txt"
echo '{}' | tee "$work/hub/acme/closed/config.json" >"$work/near/own/model/config.json"

serve() { # NAME DIR ARGUMENT...: sets url and pid; the log is $work/NAME.log
    local name=$1 dir=$2
    shift 2
    : >"$work/url"
    "$pkgmgr" serve "$dir" --port 0 --verbose "$@" >"$work/url" 2>"$work/$name.log" </dev/null &
    pid=$!
    pids+=("$pid")
    while [ ! -s "$work/url" ] && kill -0 "$pid" 2>/dev/null; do read -rt 0.02 <> <(:); done
    url=$(head -n 1 "$work/url")
}
ends() { # NAME PID
    kill -TERM "$2"
    wait "$2"
    same "$1: ends with 0" $? 0
}
get() { curl -sS --noproxy '*' --max-time 60 "$@" 2>"$work/err"; }
status() { get -o "$work/body" -w '%{http_code}' "$@"; }
asked() { grep -c -- "$2" "$work/$1.log"; }
sum() { sha256sum | cut -d ' ' -f 1; }
weights=$(sum <"$model/model.safetensors")

serve far "$work/hub"
far=$url far_pid=$pid
serve near "$work/near" --upstream "$far"
near=$url near_pid=$pid

# ---- one fetch for many

waiting=()
for i in 1 2 3 4 5 6 7 8; do
    get "$near/acme/tiny/resolve/main/model.safetensors" | sum >"$work/sum$i" &
    waiting+=($!)
done
for job in "${waiting[@]}"; do wait "$job"; done
same 'eight clients at once get the right bytes' "$(sort -u "$work"/sum?)" "$weights"
same 'and the hub is asked once' "$(asked far 'GET .*/model.safetensors 200')" 1
same 'later, too' "$(get "$near/acme/tiny/resolve/main/model.safetensors" | sum) $(asked far 'GET .*/model.safetensors 200')" "$weights 1"
same 'a range of what is kept' "$(get -r 5-14 "$near/acme/tiny/resolve/main/config.json" | wc -c)" 10
same 'HEAD fetches nothing' "$(get -I "$near/acme/tiny/resolve/main/d/a%20b.txt" | tr -d '\r' | grep -ic '^content-length: 5$') $(asked far 'GET .*/d/a')" '1 0'
same 'a file in a folder, with a blank' "$(get "$near/acme/tiny/resolve/main/d/a%20b.txt")" deep
same 'the commit is the one of the hub' "$(get "$near/api/models/acme/tiny" | python3 -c 'import json, sys; print(json.load(sys.stdin)["sha"])')" \
    "$(get "$far/api/models/acme/tiny" | python3 -c 'import json, sys; print(json.load(sys.stdin)["sha"])')"
same 'the tree is the one of the hub' "$(get "$near/api/models/acme/tiny/tree/main?recursive=true")" "$(get "$far/api/models/acme/tiny/tree/main?recursive=true")"
same 'what is in the folder is served from there' "$(get "$near/own/model/resolve/main/config.json") $(asked far own/model)" '{} 0'
same 'what nobody has' "$(status "$near/acme/none/resolve/main/x")" 404
same 'a file that is not there' "$(status "$near/acme/tiny/resolve/main/none")" 404
same 'a revision that is not there' "$(status "$near/acme/tiny/resolve/v9/config.json")" 404
same 'another case is redirected' "$(status "$near/ACME/tiny/resolve/main/config.json")" 307
for path in '../x' '..%2fx' 'a%00b' '%2e%2e'; do
    ok "a trick with a revision: $path" [ "$(status --path-as-is "$near/acme/tiny/resolve/$path/config.json")" != 200 ]
done
ok 'tricks leave nothing outside' [ -z "$(find "$work/near" -newer "$work/url" -type f ! -path '*/.pulled/*')" ]

export HF_ENDPOINT=$near
run download acme/tiny --store "$work/store"
same 'a client downloads through it' "$code" 0
ok 'what it got is right' cmp "$out/backends/cpu/model.safetensors" "$model/model.safetensors"
same 'and nothing was fetched twice' "$(grep -oE 'GET /acme/tiny/resolve/[^ ]* 200' "$work/far.log" | sort | uniq -d)" ''

# ---- the hub is gone

ends 'the hub' "$far_pid"
run download acme/tiny --store "$work/store2"
same 'the hub is gone: a client downloads what was kept' "$code" 0
same 'the hub is gone: what was not kept' "$(status "$near/acme/closed/resolve/main/config.json")" 502
same 'the hub is gone: what the client is told' "$(cat "$work/body")" '{"error":"the hub behind this mirror cannot be reached; try again later"}'
ok 'the hub is gone: the log names the option' grep -q 'the address of the hub (--upstream)' "$work/near.log"
lacks 'the hub is gone: and no other' "$(cat "$work/near.log")" HF_ENDPOINT
ends 'the mirror' "$near_pid"
serve again "$work/near" --upstream "$far"
same 'the hub is gone: after a restart' "$(get "$url/acme/tiny/resolve/main/model.safetensors" | sum)" "$weights"
ends 'the mirror again' "$pid"
ok 'no work is left behind' [ -z "$(ls "$work/near/.pulled/tmp")" ]

# ---- a hub that lies

mkdir "$work/empty"
serve liar "$work/hub" --fault corrupt-same-length=always
liar_pid=$pid
serve careful "$work/empty" --upstream "$url"
same 'wrong bytes are not passed on' "$(status "$url/acme/tiny/resolve/main/model.safetensors")" 502
ok 'and not kept' [ -z "$(find "$work/empty/.pulled/blobs" "$work/empty/.pulled/tmp" -type f)" ]
ends careful "$pid"
ends liar "$liar_pid"

# ---- tokens

printf 'hf_far_word\n' >"$work/token"
serve locked "$work/hub" --token hf_far_word
locked_pid=$pid locked=$url
serve without "$work/empty" --upstream "$locked"
same 'a hub that wants a token: without one, that access is wanted' "$(status "$url/acme/tiny/resolve/main/config.json")" 403
ends without "$pid"
serve with "$work/empty" --upstream "$locked" --upstream-token-file "$work/token" --gated acme/closed
same 'with one' "$(status -H 'Authorization: Bearer hf_mine_word' "$url/acme/tiny/resolve/main/config.json")" 200
same 'a gate stands before what comes from there' "$(status "$url/acme/closed/resolve/main/config.json")" 403
lacks 'tokens are not in the log' "$(cat "$work/with.log" "$work/locked.log")" _word
ends with "$pid"
ends locked "$locked_pid"

# ---- a store

unset HF_ENDPOINT
serve store "$work/store"
same 'a store: lists its packages' "$(get "$url/api/models" | python3 -c 'import json, sys; print([m["id"] for m in json.load(sys.stdin)])')" "['acme/tiny']"
same 'a store: their own paths' "$(get "$url/acme/tiny/resolve/main/config.json")" "$(cat "$model/config.json")"
same 'a store: not what was made here' "$(status "$url/acme/tiny/resolve/main/model_info.json")" 404
same 'a store: what it does not have' "$(status "$url/acme/none/resolve/main/x")" 404
HF_ENDPOINT=$url run download acme/tiny --store "$work/store3"
same 'a store: a client downloads from it' "$code" 0
same 'a store: the same package' "$(basename "$out")" "$(ls "$work/store/packages/acme--tiny")"
ok 'a store: is only read' [ ! -e "$work/store/.pulled" ]
ends store "$pid"

# ---- a store that fills as clients ask

entries() { # the packages of $work/filling: id and whether it has all
    "$pkgmgr" list --store "$work/filling" --json | python3 -c 'import json, sys; j = json.load(sys.stdin); print([p["id"] for p in (j if isinstance(j, list) else j["packages"])])'
}
logged() { # NAME PATTERN: waits for a line of a log, 10 s at most
    for _ in $(seq 500); do
        grep -q -- "$2" "$work/$1.log" && return
        read -rt 0.02 <> <(:)
    done
    return 1
}
mkdir -p "$work/filling/blobs/sha256" "$work/filling/packages"
serve origin "$work/hub"
origin=$url origin_pid=$pid
serve filling "$work/filling" --upstream "$origin"
filling=$url filling_pid=$pid
get "$filling/acme/tiny/resolve/main/config.json" >"$work/body"
get "$filling/acme/tiny/resolve/main/model.safetensors" >"$work/body"
same 'filling: a part is no package' "$(entries)" '[]'
HF_ENDPOINT=$filling run download acme/tiny --store "$work/store4"
same 'filling: a client downloads through it' "$code" 0
ok 'filling: says when the model is whole' logged filling 'acme/tiny@main is a package of the store now'
same 'filling: it is a package then' "$(entries)" "['acme/tiny']"
run verify acme/tiny --store "$work/filling"
same 'filling: which is right' "$code" 0
same 'filling: and was fetched once' "$(grep -oE 'GET /acme/tiny/resolve/[^ ]* 200' "$work/origin.log" | sort | uniq -d)" ''
ok 'filling: the weights lie there once' [ ! -e "$work/filling/.pulled/blobs/$weights" ]
same 'filling: they are served from there' "$(get "$filling/acme/tiny/resolve/main/model.safetensors" | sum) $(asked origin 'GET .*/model.safetensors 200')" "$weights 1"
ends origin "$origin_pid"
HF_HUB_OFFLINE=1 run download acme/tiny --store "$work/filling"
same 'filling: a download finds it without a network' "$code" 0
ends filling "$filling_pid"

# ---- what is kept has a bound

serve origin2 "$work/hub"
origin_pid=$pid
serve bounded "$work/empty" --upstream "$url" --upstream-keep 1k
get "$url/acme/tiny/resolve/main/model.safetensors" | sum >"$work/body"
same 'bounded: a file that is larger than the bound comes all the same' "$(cat "$work/body")" "$weights"
kept=$work/empty/.pulled/blobs/$weights
ok 'bounded: what was just used stays' [ -f "$kept" ]
touch -d '2 hours ago' "$kept" "$work/empty/.pulled/used/$weights"
get "$url/acme/tiny/resolve/main/tokenizer.json" >"$work/body"
ok 'bounded: what was not used for long goes' logged bounded 'bytes that were not used for long are gone'
ok 'bounded: it is gone' [ ! -e "$kept" ]
same 'bounded: and fetched again when it is asked for' "$(get "$url/acme/tiny/resolve/main/model.safetensors" | sum)" "$weights"
ends bounded "$pid"
ends origin2 "$origin_pid"
run serve "$work/empty" --port 0 --upstream http://127.0.0.1:1 --upstream-keep much
same 'a bound that is none: exit code 2' "$code" 2
ok 'a bound that is none: says what is wanted' says "--upstream-keep is 'much', want bytes, such as 500M or 2T"
run serve "$work/empty" --port 0 --upstream-keep 1G
same 'a bound without a hub: exit code 2' "$code" 2

run serve "$work/empty" --port 0 --upstream ftp://x
same 'a hub with a wrong address: exit code 1' "$code" 1
summary
