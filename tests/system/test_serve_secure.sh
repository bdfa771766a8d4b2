#!/usr/bin/env bash
# `pkgmgr serve` where it is open to strangers: https (base/http_tls.c, base/http_secure.c), tokens with
# names and rights (packager/commands/serve_settings.c), the access log, limits, and its end.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
pkgmgr=$build/bin/pkgmgr program=$pkgmgr
begin secure
pids=()
stop_all() { [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null; }
on_exit stop_all
command -v openssl >/dev/null || {
    echo "skip: no openssl to make a certificate"
    echo '0 passed, 0 failed, 1 skipped'
    exit 0
}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
    -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out "$work/other.pem" 2>/dev/null
openssl ec -in "$work/key.pem" -aes256 -passout pass:word -out "$work/locked.pem" 2>/dev/null
mkdir -p "$work/hub/acme/tiny/d" "$work/hub/acme/closed"
hub=$work/hub
cp "$model"/*.json "$model"/model.safetensors "$hub/acme/tiny/"
for i in 1 2 3 4 5; do echo "$i" >"$hub/acme/tiny/d/$i.txt"; done
echo '{}' >"$hub/acme/closed/config.json"
printf '# people\nann hf_ann_word *\nbob hf_bob_word\nci hf_ci_word acme/closed # nightly\n' >"$work/tokens"

serve() { # ARGUMENT...: sets url and pid
    : >"$work/url"
    "$pkgmgr" serve "$hub" --port 0 "$@" >"$work/url" 2>"$work/log" </dev/null &
    pid=$!
    pids+=("$pid")
    while [ ! -s "$work/url" ] && kill -0 "$pid" 2>/dev/null; do read -rt 0.02 <> <(:); done
    url=$(head -n 1 "$work/url")
}
ends() { # NAME
    kill -TERM "$pid"
    wait "$pid"
    same "$1: ends with 0" $? 0
}
get() { curl -sS --noproxy '*' --cacert "$work/cert.pem" --max-time 60 "$@" 2>"$work/err"; }
status() { get -o "$work/body" -w '%{http_code}' "$@"; }
as() { # TOKEN PATH: the status
    status -H "Authorization: Bearer $1" "$url/$2"
}

# ---- https

serve --cert "$work/cert.pem" --key "$work/key.pem" --page-size 3 --quiet
has 'https: the address says so' "$url" https://127.0.0.1:
same 'https: a small file' "$(get "$url/acme/tiny/resolve/main/config.json")" "$(cat "$model/config.json")"
get -o "$work/body" "$url/acme/tiny/resolve/main/model.safetensors"
ok 'https: a large file' cmp "$work/body" "$model/model.safetensors"
same 'https: a range' "$(get -r 2000000-2000009 "$url/acme/tiny/resolve/main/model.safetensors" | xxd -p)" \
    "$(tail -c +2000001 "$model/model.safetensors" | head -c 10 | xxd -p)"
has 'https: HEAD' "$(get -I "$url/acme/tiny/resolve/main/model.safetensors")" "ength: $(stat -c %s "$model/model.safetensors")"
same 'https: many requests on one connection' \
    "$(get -w '%{num_connects}\n' -o "$work/body" "$url/acme/tiny/resolve/main/d/[1-5].txt" | paste -sd ' ')" '1 0 0 0 0'
same 'https: a body' "$(get -d 'paths=d/1.txt&paths=none&expand=false' "$url/api/models/acme/tiny/paths-info/main" | python3 -c 'import json, sys; print([f["path"] for f in json.load(sys.stdin)])')" "['d/1.txt']"
has 'https: the next page is https' "$(get -D - -o "$work/body" "$url/api/models/acme/tiny/tree/main?recursive=1" | tr -d '\r')" "Link: <$url/api/models/acme/tiny/tree/"
has 'https: a proxy may say http' "$(get -D - -o "$work/body" -H 'X-Forwarded-Proto: http' -H 'X-Forwarded-Host: mirror.example' "$url/api/models/acme/tiny/tree/main?recursive=1")" 'Link: <http://mirror.example/api/'
ok 'https: TLS 1.1 is refused' not get --tls-max 1.1 -o "$work/body" "$url/"
ok 'https: TLS 1.2 is taken' get --tls-max 1.2 -o "$work/body" "$url/"
ok 'https: TLS 1.3 is taken' get --tlsv1.3 -o "$work/body" "$url/"
same 'https: agrees on HTTP/1.1' "$(get --http2 -w '%{http_version}' -o "$work/body" "$url/")" 1.1
ok 'https: http is not answered' not curl -sS --noproxy '*' --max-time 20 -o "$work/body" "http${url#https}/"
head -c 20000 /dev/urandom | timeout 20 bash -c 'cat >/dev/tcp/127.0.0.1/${0##*:}' "$url" 2>/dev/null
same 'https: noise does no harm' "$(status "$url/")" 200
ends https

fails 'a certificate without a key' 2 "pkgmgr serve: --cert and --key belong together; see 'pkgmgr help serve'" serve "$hub" --cert "$work/cert.pem"
fails 'a key of another certificate' 1 "pkgmgr: the key in $work/other.pem is not the one of the certificate in $work/cert.pem" serve "$hub" --port 0 --cert "$work/cert.pem" --key "$work/other.pem"
fails 'a certificate that is not there' 3 "pkgmgr: cannot read $work/none.pem: No such file or directory" serve "$hub" --port 0 --cert "$work/none.pem" --key "$work/key.pem"
run serve "$hub" --port 0 --cert "$work/cert.pem" --key "$work/locked.pem"
same 'a key with a password: exit code 1, no question' "$code" 1
ok 'a key with a password: says so' says 'holds no key without a password'

# ---- tokens

serve --token-file "$work/tokens" --gated acme/closed --access-log "$work/access" --verbose
same 'tokens: none' "$(status "$url/acme/tiny/resolve/main/config.json")" 401
has 'tokens: none, and a client is told that it is not let in' "$(get -I "$url/api/models/acme/tiny")" 'X-Error-Code: GatedRepo'
lacks 'tokens: a wrong one is not' "$(get -I -H 'Authorization: Bearer hf_wrong_word' "$url/api/models/acme/tiny")" 'X-Error-Code'
same 'tokens: a wrong one' "$(as hf_wrong_word acme/tiny/resolve/main/config.json)" 401
same 'tokens: each may read what is open' "$(as hf_bob_word acme/tiny/resolve/main/config.json)" 200
same 'tokens: not every one opens what is gated' "$(as hf_bob_word acme/closed/resolve/main/config.json)" 403
has 'tokens: and is told why' "$(get -I -H 'Authorization: Bearer hf_bob_word' "$url/acme/closed/resolve/main/config.json")" 'X-Error-Code: GatedRepo'
same 'tokens: one that may' "$(as hf_ci_word acme/closed/resolve/main/config.json)" 200
same 'tokens: one that may all' "$(as hf_ann_word acme/closed/resolve/main/config.json)" 200
same 'tokens: what is known of a gated one' "$(as hf_bob_word api/models/acme/closed)" 200
has 'tokens: whoami gives the name' "$(get -H 'Authorization: Bearer hf_bob_word' "$url/api/whoami-v2")" '"name":"bob"'
status -H 'Authorization: Bearer hf_bob_word' "$url/acme/tiny/resolve/main/config.json?token=hf_bob_word" >/dev/null
(unset HF_TOKEN; HF_ENDPOINT=$url run download acme/tiny --store "$work/store-of-client"; exit "$code")
same 'tokens: a client without one: exit code' $? 4
ok 'tokens: a client without one: what to do' says 'give a token with HF_TOKEN or --token'
HF_ENDPOINT=$url run download acme/tiny --token hf_wrong_word --store "$work/store-of-client"
same 'tokens: a client with a wrong one: exit code' "$code" 4
ends tokens
log=$(cat "$work/access")
has 'access log: the common format' "$log" '"GET /acme/tiny/resolve/main/config.json HTTP/1.1" 401 '
ok 'access log: with names' grep -qE '^127\.0\.0\.1 - ci \[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9:]{8} \+0000\] "GET /acme/closed/resolve/main/config.json HTTP/1.1" 200 2$|200 3$' "$work/access"
ok 'access log: without a name' grep -qE '^127\.0\.0\.1 - - .* 401 [0-9]+$' "$work/access"
same 'access log: a line for each request' "$(wc -l <"$work/access")" 14
lacks 'access log: no token' "$log" _word
ok 'access log: not for all to read' [ "$(stat -c %a "$work/access")" = 640 ]

serve --token hf_ann_word --anonymous --gated acme/closed --access-log - --access-format json --quiet
same 'anonymous: what is open' "$(status "$url/acme/tiny/resolve/main/config.json")" 200
same 'anonymous: what is gated' "$(status "$url/acme/closed/resolve/main/config.json")" 403
same 'anonymous: with the token' "$(as hf_ann_word acme/closed/resolve/main/config.json)" 200
same 'anonymous: a wrong token is refused' "$(as hf_wrong_word acme/tiny/resolve/main/config.json)" 401
ends anonymous
same 'access log on stdout: JSON lines behind the address' "$(tail -n +2 "$work/url" |
    python3 -c 'import json, sys; print([(j["status"], j.get("token")) for j in map(json.loads, sys.stdin)])')" \
    "[(200, None), (403, None), (200, 'token'), (401, None)]"
printf 'ann\n' >"$work/broken"
fails 'a broken file of tokens' 1 "pkgmgr: $work/broken, line 1: want NAME TOKEN [ID]..." serve "$hub" --token-file "$work/broken"
: >"$work/broken"
fails 'a file without tokens' 1 "pkgmgr: $work/broken: no token in it; want lines of NAME TOKEN [ID]..." serve "$hub" --token-file "$work/broken"
fails 'an access log that cannot be opened' 3 "pkgmgr: cannot open the access log $work/no/log: No such file or directory" serve "$hub" --port 0 --access-log "$work/no/log"

# ---- hostile clients

serve --max-per-address 8 --quiet
port=${url##*:}
same 'a flood of headers' "$(status -H "X-Flood: $(head -c 40000 /dev/zero | tr '\0' x)" "$url/")" 431
same 'a flood of small headers' "$(printf 'X-%s: y\n' {1..200} >"$work/headers" && status -H @"$work/headers" "$url/")" 431
same 'an endless address' "$(status "$url/$(head -c 9000 /dev/zero | tr '\0' x)")" 414
for path in ../../etc/passwd '..%2f..%2fetc/passwd' '%2e%2e/%2e%2e/etc/passwd' '/etc/passwd' 'd/../config.json' 'config.json%00' '.%2fconfig.json' 'D/1.txt'; do
    code=$(status --path-as-is "$url/acme/tiny/resolve/main/$path")
    ok "a trick with a path: $path" [ "$code" = 404 -o "$code" = 400 ]
done
for value in $'evil"x' 'a b' 'x/../y' 'x>; rel="next", <http://evil' 'h@evil'; do
    link=$(get -D - -o "$work/body" -H "X-Forwarded-Host: $value" "$url/api/models/acme/tiny/tree/main?recursive=1&limit=2" | tr -d '\r' | grep -i '^link:')
    ok "an injected host is not repeated: $value" [ "$(grep -c evil <<<"$link")" = 0 -a -n "$link" ]
done
# Eight that say nothing hold all places of this address; the next one gets the oldest's.
descriptors=()
for i in 1 2 3 4 5 6 7 8; do
    exec {descriptor}<>"/dev/tcp/127.0.0.1/$port"
    descriptors+=("$descriptor")
done
same 'idle connections do not lock others out' "$(status "$url/")" 200
for descriptor in "${descriptors[@]}"; do exec {descriptor}>&-; done
ends hostile

# ---- its end

serve --fault slow=200 --quiet
rm -f "$work/body"
curl -sS --noproxy '*' --max-time 60 -o "$work/body" -w '%{http_code} ' "$url/acme/tiny/resolve/main/config.json" >"$work/slow" 2>&1 &
slow=$!
while [ ! -s "$work/body" ]; do read -rt 0.02 <> <(:); done
kill -TERM "$pid"
wait "$pid"
same 'SIGTERM: ends with 0' $? 0
wait "$slow"
same 'SIGTERM: what was under way is completed' "$? $(cmp "$work/body" "$model/config.json" && echo whole)" '0 whole'
ok 'SIGTERM: nothing listens any more' not status "$url/"
serve --fault stall --quiet
curl -sS --noproxy '*' --max-time 60 -o "$work/body" "$url/acme/tiny/resolve/main/model.safetensors" >"$work/slow" 2>&1 &
slow=$!
while [ "$(stat -c %s "$work/body" 2>/dev/null || echo 0)" -lt 1000000 ]; do read -rt 0.02 <> <(:); done
kill -TERM "$pid"
wait "$pid"
same 'SIGTERM: what does not end is ended' $? 0
wait "$slow"
same 'SIGTERM: and its client knows' $? 18
summary
