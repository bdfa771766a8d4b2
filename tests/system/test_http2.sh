#!/usr/bin/env bash
# shellcheck disable=SC2016 # nghttpx expands the variables of its log
# A download from a hub that offers HTTP/2 (packager/hub/hub_http.c, hub_easy.c): nghttpx speaks it, and HTTP/1.1 to
# the mirror behind it. Ranges and files share a connection; where only HTTP/1.1 is offered, it is taken.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
pkgmgr=$build/bin/pkgmgr program=$pkgmgr
begin http2
pids=()
stop_all() { [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null; }
on_exit stop_all
unset HF_TOKEN HF_TOKEN_PATH HF_HUB_OFFLINE HF_ENDPOINT MODELHOST_STORE SSL_CERT_FILE
export MODELHOST_PLUGIN_PATH=$work/no-plugins HF_HOME=$work/hf

if ! command -v nghttpx >/dev/null || ! command -v openssl >/dev/null; then
    skipped 'no nghttpx (Debian: nghttp2-proxy), or no openssl command'
    summary
    exit
fi

# ---- a mirror, and servers before it

repository=$work/hub/acme/mixed
mkdir -p "$repository"
echo '{"model_type": "bert"}' >"$repository/config.json"
head -c 24000000 /dev/urandom >"$repository/vocab.txt" # ranges of 16 MB
for i in $(seq 40); do head -c $((i * 700)) /dev/urandom >"$repository/small$i.txt"; done
n_files=$(find "$repository" -type f | wc -l)
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/key.pem" -out "$work/cert.pem" -days 2 \
    -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 2>/dev/null
"$pkgmgr" serve "$work/hub" --port 0 -q >"$work/address" 2>"$work/mirror-err" &
pids+=($!)
while [ ! -s "$work/address" ] && kill -0 "${pids[0]}" 2>/dev/null; do read -rt 0.02 <> <(:); done
backend=$(sed 's/.*://' "$work/address")
front() { # NAME OPTION...: sets HF_ENDPOINT; each request is a line "PORT PROTOCOL STATUS" of $work/NAME.log
    local name=$1 port pid
    shift
    for _ in 1 2 3 4 5; do # another process may take the port before it does
        port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
        : >"$work/$name.log"
        nghttpx -f "127.0.0.1,$port" -b "127.0.0.1,$backend" --workers=1 --conf=/dev/null --errorlog-file="$work/$name.err" \
            --accesslog-file="$work/$name.log" --accesslog-format='$remote_port $alpn $status' "$@" \
            "$work/key.pem" "$work/cert.pem" 2>>"$work/$name.err" &
        pid=$! # a process substitution below is $!, too
        pids+=("$pid")
        while kill -0 "$pid" 2>/dev/null; do
            curl -s --noproxy '*' --cacert "$work/cert.pem" -o "$work/body" "https://127.0.0.1:$port/health" && break 2
            read -rt 0.05 <> <(:)
        done
    done
    HF_ENDPOINT=https://127.0.0.1:$port
    export HF_ENDPOINT
    : >"$work/$name.log"
}
download() { # NAME OPTION...
    local name=$1
    shift
    run download acme/mixed -q --cacert "$work/cert.pem" --store "$work/store-$name" "$@"
    same "$name: exit code" "$code" 0
    local file wrong=0
    for file in "$repository"/*.txt; do cmp -s "$file" "$out/${file##*/}" || wrong=$((wrong + 1)); done
    same "$name: all files are right" "$wrong" 0
}
requests() { wc -l <"$work/$1.log"; }
protocols() { cut -d ' ' -f 2 "$work/$1.log" | sort -u; }
connections() { cut -d ' ' -f 1 "$work/$1.log" | sort -u | wc -l; }
parts() { grep -c ' 206$' "$work/$1.log"; }

# ---- offered

front offered
download offered --connections 4 --max-workers 8
same 'offered: HTTP/2 alone is spoken' "$(protocols offered)" h2
ok "offered: each file was asked for ($(requests offered) requests)" [ "$(requests offered)" -ge "$n_files" ]
ok 'offered: the large one in parts' [ "$(parts offered)" -ge 2 ]
same 'offered: over one connection' "$(connections offered)" 1

front many
download many --connections 16 --max-workers 64
same 'many at once: still one connection' "$(connections many) $(protocols many)" '1 h2'

# ---- few streams on a connection: more connections, as many as --connections and --max-workers allow

front few -c 2
download few --connections 4 --max-workers 4
ok "few streams: no more connections than asked for ($(connections few))" [ "$(connections few)" -le 4 ]

# ---- not offered

front old --npn-list=http/1.1
download old --connections 4 --max-workers 8
same 'not offered: HTTP/1.1 is spoken' "$(protocols old)" http/1.1
ok "not offered: no more connections than asked for ($(connections old))" [ "$(connections old)" -le 8 ]
ok 'not offered: more than one' [ "$(connections old)" -gt 1 ]

summary
