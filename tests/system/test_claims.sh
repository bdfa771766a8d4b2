#!/usr/bin/env bash
# Machines that share a store, without locks (packager/transfer/partial_claim.c, store/life/store_gc.c): a part that
# another machine works on is waited for, taken over when nothing is heard from there, and no garbage before.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
pkgmgr=$build/bin/pkgmgr program=$pkgmgr
begin claims
pids=()
stop_all() { [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null; }
on_exit stop_all
unset HF_TOKEN HF_TOKEN_PATH HF_HUB_OFFLINE HF_ENDPOINT
export MODELHOST_PLUGIN_PATH=$work/no-plugins HF_HOME=$work/hf MODELHOST_STORE=$work/store
mkdir -p "$work/hub/acme/big"
echo '{"model_type": "bert"}' >"$work/hub/acme/big/config.json"
head -c 3000000 /dev/urandom >"$work/hub/acme/big/vocab.txt"
wait_for() { # COMMAND...: until it succeeds, 20 s at most
    for _ in $(seq 400); do
        "$@" >/dev/null 2>&1 && return
        read -rt 0.05 <> <(:)
    done
    return 1
}
"$pkgmgr" serve "$work/hub" --port 0 -v >"$work/address" 2>"$work/log" &
pids+=($!)
wait_for test -s "$work/address"
HF_ENDPOINT=$(cat "$work/address")
export HF_ENDPOINT

# A download that is stopped in the middle; its part is then given the name of another machine's process.
"$pkgmgr" download acme/big --limit-rate 200k >"$work/out" 2>"$work/err" </dev/null &
pid=$!
has_bytes() { [ "$(cat "$MODELHOST_STORE"/partial/*/data 2>/dev/null | tr -d '\0' | wc -c)" -gt 300000 ]; }
wait_for has_bytes
kill -INT "$pid"
wait "$pid"
same 'the first machine stops: exit code' $? 130
part=$(ls "$MODELHOST_STORE/partial")
theirs=$MODELHOST_STORE/partial/$part.00000001.00000002.4242.00000003
mv "$MODELHOST_STORE/partial/$part" "$theirs"
touch "$theirs"

# ---- while it is alive

run gc --grace 0
same 'gc: exit code' "$code" 0
ok 'gc: another machine works on it: it stays' test -d "$theirs"
ok 'gc: says why' says 'works on them'
n_asked=$(grep -c 'vocab.txt' "$work/log")
"$pkgmgr" download acme/big >"$work/out2" 2>"$work/err2" </dev/null &
pid=$!
ok 'a second machine waits' wait_for grep -q "another process is fetching 'vocab.txt'; waiting for it" "$work/err2"
same 'it fetches nothing of it meanwhile' "$(grep -c 'vocab.txt' "$work/log")" "$n_asked"
ok 'what it waits for is not touched' test -d "$theirs"

# ---- when nothing is heard from there

touch -d '3 minutes ago' "$theirs"
wait "$pid"
same 'it takes over what is silent: exit code' $? 0
ok 'the right bytes' cmp "$work/hub/acme/big/vocab.txt" "$(cat "$work/out2")/vocab.txt"
ok 'what was there is not fetched again' grep -q "'vocab.txt': .* of 3000000 bytes are here already" "$work/err2"
ok 'no part is left' [ -z "$(ls "$MODELHOST_STORE/partial")" ]

# ---- garbage when its time has come

mkdir -p "$theirs"
echo half >"$theirs/data"
touch -d '3 minutes ago' "$theirs/data" "$theirs"
run gc --grace 0
ok 'gc: what a silent machine left goes' [ ! -e "$theirs" ]
summary
