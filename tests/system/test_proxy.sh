#!/usr/bin/env bash
# Downloads through proxies (packager/hub/hub_easy.c): https in a tunnel, http by its whole address, passwords,
# no_proxy, and a proxy that refuses.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
pkgmgr=$build/bin/pkgmgr program=$pkgmgr
begin proxy
pids=()
stop_all() { [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null; }
on_exit stop_all
unset HF_TOKEN_PATH HF_HUB_OFFLINE HF_ENDPOINT MODELHOST_STORE SSL_CERT_FILE http_proxy https_proxy all_proxy no_proxy \
    HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY
export MODELHOST_PLUGIN_PATH=$work/no-plugins HF_HOME=$work/hf HF_TOKEN=hf_secret_word
if ! command -v python3 >/dev/null || ! command -v openssl >/dev/null; then
    skipped 'no python3, or no openssl command'
    summary
    exit
fi

mkdir -p "$work/hub/acme/tiny"
cp "$model"/*.json "$model"/model.safetensors "$work/hub/acme/tiny/"
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/key.pem" -out "$work/cert.pem" -days 2 \
    -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 2>/dev/null
background() { # FILE COMMAND...: its first line is in FILE when this returns
    local file=$1
    shift
    : >"$file"
    "$@" >"$file" 2>"$file.err" </dev/null &
    local pid=$! # a process substitution below is $!, too
    pids+=("$pid")
    while [ ! -s "$file" ] && kill -0 "$pid" 2>/dev/null; do read -rt 0.02 <> <(:); done
}
background "$work/plain" "$pkgmgr" serve "$work/hub" --port 0 -q
background "$work/tls" "$pkgmgr" serve "$work/hub" --port 0 -q --cert "$work/cert.pem" --key "$work/key.pem"
background "$work/proxy" python3 tests/system/proxy.py
background "$work/guarded" python3 tests/system/proxy.py ann:word
plain=$(cat "$work/plain") tls=$(cat "$work/tls")
proxy=http://127.0.0.1:$(head -n 1 "$work/proxy") guarded=127.0.0.1:$(head -n 1 "$work/guarded")
seen() { tail -n +2 "$work/$1"; }
right() { # NAME
    same "$1: exit code" "$code" 0
    ok "$1: the right bytes" cmp "$out/backends/cpu/model.safetensors" "$model/model.safetensors"
}

https_proxy=$proxy HF_ENDPOINT=$tls run download acme/tiny -q --cacert "$work/cert.pem" --store "$work/store1"
right 'https: in a tunnel'
same 'https: tunnels to the hub alone' "$(seen proxy | sort -u)" "CONNECT ${tls#https://} 200"
ok 'https: connections are kept' [ "$(seen proxy | wc -l)" -le 8 ]

http_proxy=$proxy HF_ENDPOINT=$plain run download acme/tiny -q --store "$work/store2"
right 'http: by the whole address'
ok 'http: the proxy was asked for files' grep -q "^GET $plain/acme/tiny/resolve/.*/config.json 200" "$work/proxy"

before=$(seen proxy | wc -l)
http_proxy=$proxy no_proxy=127.0.0.1 HF_ENDPOINT=$plain run download acme/tiny -q --store "$work/store3"
right 'no_proxy'
same 'no_proxy: the proxy is left alone' "$(seen proxy | wc -l)" "$before"

https_proxy=http://ann:word@$guarded HF_ENDPOINT=$tls run download acme/tiny -q --cacert "$work/cert.pem" --store "$work/store4"
right 'a proxy with a password'
https_proxy=http://$guarded HF_ENDPOINT=$tls run download acme/tiny -q --cacert "$work/cert.pem" --store "$work/store5"
same 'a proxy that refuses: exit code' "$code" 5
ok 'a proxy that refuses: says so' says '407'
ok 'a proxy that refuses: no package' [ -z "$(find "$work/store5/packages" -name metadata.json 2>/dev/null)" ]
lacks 'no token and no password is said' "$(cat "$work/err" "$work/proxy" "$work/guarded")" word@
lacks 'the token is not said' "$(cat "$work/err")" hf_secret_word
summary
