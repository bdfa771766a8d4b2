#!/usr/bin/env bash
# What a person can ask of a transfer: bounds, a rate, a certificate, and Ctrl-C with going on later.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
pkgmgr=$build/bin/pkgmgr program=$pkgmgr
begin transfer_options
servers=()
stop_servers() { [ ${#servers[@]} -eq 0 ] || kill "${servers[@]}" 2>/dev/null; }
on_exit stop_servers
unset HF_TOKEN HF_TOKEN_PATH HF_HUB_OFFLINE HF_ENDPOINT MODELHOST_STORE SSL_CERT_FILE
export MODELHOST_PLUGIN_PATH=$work/no-plugins HF_HOME=$work/hf

mkdir -p "$work/hub/acme/big"
echo '{"model_type": "bert"}' >"$work/hub/acme/big/config.json"
head -c 3000000 /dev/urandom >"$work/hub/acme/big/vocab.txt"
serve() { # ADDRESS_FILE OPTION...: a server of its own
    local file=$1
    shift
    "$pkgmgr" serve "$work/hub" --port 0 -q "$@" >"$file" 2>"$work/server-err" &
    servers+=($!)
    for _ in $(seq 200); do
        [ -s "$file" ] && break
        read -rt 0.05 <> <(:)
    done
}
serve "$work/address"
HF_ENDPOINT=$(head -n 1 "$work/address")
export HF_ENDPOINT MODELHOST_STORE=$work/store

# ---- usage

help="see 'pkgmgr help download'"
fails "no workers" 2 "pkgmgr download: --max-workers is '0', want a whole number from 1 to 64; $help" download acme/big --max-workers 0
fails "too many connections" 2 "pkgmgr download: --connections is '17', want a whole number from 1 to 16; $help" download acme/big --connections 17
for rate in '' 0 fast 1.5X -3 1kk 0.1; do
    fails "the rate '$rate'" 2 "pkgmgr download: --limit-rate is '$rate', want bytes per second, such as 500k or 20M; $help" download acme/big --limit-rate "$rate"
done

# ---- a rate

begun=$(date +%s%N)
run download acme/big -q --limit-rate 2M
took_ms=$((($(date +%s%N) - begun) / 1000000))
same "a limited download: exit code" "$code" 0
ok "a limited download: 3 MB at 2 MB/s take more than a second ($took_ms ms)" [ "$took_ms" -ge 1000 ]

# ---- interrupted, and going on

export MODELHOST_STORE=$work/interrupted
"$pkgmgr" download acme/big --limit-rate 200k >"$work/out" 2>"$work/err" </dev/null &
pid=$!
data=''
for _ in $(seq 400); do
    data=$(find "$MODELHOST_STORE/partial" -name data -size +0 2>/dev/null)
    [ -n "$data" ] && [ "$(stat -c %b "$data" 2>/dev/null || echo 0)" -gt 100 ] && break
    read -rt 0.05 <> <(:)
done
kill -INT "$pid"
wait "$pid"
same "interrupted: exit code" "$?" 130
ok "interrupted: says so" says "pkgmgr: interrupted"
same "interrupted: the part is left to anyone" "$(find "$MODELHOST_STORE/partial" -mindepth 1 -maxdepth 1 -name '*.*' | wc -l)" 0
run list
same "interrupted: no package" "$out" ''
run download acme/big
same "going on: exit code" "$code" 0
ok "going on: says what is there already" says "of 3000000 bytes are here already"
lacks "going on: what was there was not downloaded" "$(cat "$work/err")" "3.00 MB downloaded"
ok "going on: what was there is named" says " in the store already"
ok "going on: the right bytes" cmp "$work/hub/acme/big/vocab.txt" "$out/vocab.txt"
ok "going on: no part is left" [ -z "$(ls "$MODELHOST_STORE/partial")" ]

# ---- limits of the process

limited() { # OPTION NUMBER STORE: a download under `ulimit`; $work/err
    (
        ulimit "$1" "$2"
        timeout 60 "$pkgmgr" download acme/big -q --store "$3" >/dev/null 2>"$work/err"
    )
    code=$?
}
for n in 10 12 14; do
    limited -n "$n" "$work/limited$n"
    same "$n open files: exit code" "$code" 8
    ok "$n open files: says what helps" says "Too many open files; raise the limit of open files (ulimit -n)"
    ok "$n open files: does not advise another store" not says --store
    ok "$n open files: does not blame the network" not says "check the network"
done
limited -f 1000 "$work/limited"
same "small files only: exit code" "$code" 8
ok "small files only: says what helps" says "File too large; raise the limit of file sizes (ulimit -f)"
run download acme/big -q --store "$work/limited"
same "small files only: goes on without the limit" "$code" 0

# ---- a certificate of one's own

if "$pkgmgr" serve --help | grep -q -- --cert && command -v openssl >/dev/null; then
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/key.pem" -out "$work/cert.pem" -days 2 \
        -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 2>/dev/null
    serve "$work/tls" --cert "$work/cert.pem" --key "$work/key.pem"
    HF_ENDPOINT=$(head -n 1 "$work/tls") MODELHOST_STORE=$work/tls-store
    run download acme/big -q
    same "an unknown certificate: exit code" "$code" 5
    ok "an unknown certificate: says what to do" says "name its certificate with --cacert or SSL_CERT_FILE"
    : >"$work/empty.pem"
    printf -- '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' >"$work/wrong.pem"
    for file in "$work/absent.pem" "$work/empty.pem" "$work/key.pem" "$work/wrong.pem" "$work"; do
        run download acme/big -q --cacert "$file"
        same "--cacert ${file##*/}: exit code" "$code" 8
        ok "--cacert ${file##*/}: names it" says "$file"
        ok "--cacert ${file##*/}: says what to check" says "check --cacert or SSL_CERT_FILE"
        lacks "--cacert ${file##*/}: does not blame the server" "$(cat "$work/err")" "who it is"
    done
    HF_ENDPOINT=https://127.0.0.1:1 run download acme/big -q --cacert "$work/absent.pem"
    same "--cacert, nobody there: looks before it connects" "$code" 8
    run download acme/big -q --cacert "$work/cert.pem"
    same "--cacert: exit code" "$code" 0
    MODELHOST_STORE=$work/tls-store2
    SSL_CERT_FILE=$work/cert.pem run download acme/big -q
    same "SSL_CERT_FILE: exit code" "$code" 0
else
    skipped "certificates: no 'pkgmgr serve --cert', or no openssl command"
fi

summary
