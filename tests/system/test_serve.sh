#!/usr/bin/env bash
# `pkgmgr serve` as clients and strangers meet it: every endpoint, headers, ranges, pages, redirects,
# refusals, broken requests. Covers packager/mirror/mirror.c, packager/mirror/mirror_repository.c,
# packager/mirror/mirror_api.c, packager/mirror/mirror_files.c and packager/mirror/mirror_reply.c.
# Needs curl; digests are checked with sha256sum and sha1sum.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
if ! command -v curl >/dev/null 2>&1; then
    echo 'skip: curl is not installed'
    echo '0 passed, 0 failed, 1 skipped'
    exit 0
fi
pkgmgr=$build/bin/pkgmgr program=$pkgmgr
begin serve
pids=()
stop_all() {
    local pid
    for pid in ${pids[@]+"${pids[@]}"}; do kill "$pid" 2>/dev/null; done
    wait
}
on_exit stop_all

# start NAME ARGUMENT...: a server whose address is in $url and whose process is $pid.
start() {
    local name=$1 i
    shift
    "$pkgmgr" serve "$@" >"$work/$name.out" 2>"$work/$name.err" &
    pid=$!
    pids+=("$pid")
    for ((i = 0; i < 400; i++)); do
        if [ -s "$work/$name.out" ]; then break; fi
        if ! kill -0 "$pid" 2>/dev/null; then break; fi
        sleep 0.05
    done
    url=$(head -n 1 "$work/$name.out")
    port=${url##*:}
}
get() { curl -s -m 20 --path-as-is "$@"; }
status() { curl -s -m 20 --path-as-is -o /dev/null -w '%{http_code}' "$@"; }
headers() { curl -s -m 20 --path-as-is -D - -o /dev/null "$@" | tr -d '\r'; }
header() { # header NAME CURL-ARGUMENT...
    local name=$1
    shift
    headers "$@" | sed -n "s/^$name: //Ip"
}
# raw BYTES: sends printf's bytes and prints what comes back until the server closes, or 5 s.
raw() {
    exec 9<>"/dev/tcp/127.0.0.1/$port" || return 1
    # shellcheck disable=SC2059
    printf "$1" >&9
    timeout 5 cat <&9
    exec 9>&-
}
raw_status() { raw "$1" 2>/dev/null | head -n 1 | cut -d ' ' -f 2; }

# ---- the folder

hub=$work/hub
mkdir -p "$hub/acme/tiny/sub/deep" "$hub/acme/other" "$hub/bare" "$hub/zoo/BigName" "$work/outside"
printf '{"model_type": "bert"}\n' >"$hub/acme/tiny/config.json"
head -c 3000000 /dev/urandom >"$hub/acme/tiny/model.safetensors"
printf 'deep\n' >"$hub/acme/tiny/sub/deep/x y+z%.txt"
: >"$hub/acme/tiny/empty.txt"
printf 'secret\n' >"$hub/acme/tiny/.hidden"
printf 'secret\n' >"$work/outside/secret.txt"
ln -s "$work/outside/secret.txt" "$hub/acme/tiny/leaves.txt"
ln -s config.json "$hub/acme/tiny/inside.json"
mkfifo "$hub/acme/tiny/pipe"
printf '{}\n' >"$hub/acme/other/config.json"
printf '{}\n' >"$hub/bare/config.json"
printf '{}\n' >"$hub/zoo/BigName/config.json"
blob() { { printf 'blob %d\0' "$(stat -c %s "$1")"; cat "$1"; } | sha1sum | cut -d ' ' -f 1; }
sha=$(sha256sum "$hub/acme/tiny/model.safetensors" | cut -d ' ' -f 1)
config_blob=$(blob "$hub/acme/tiny/config.json")

start plain "$hub" --port 0 --verbose --alias old-name=acme/other
same 'one line on stdout' "$(wc -l <"$work/plain.out") $url" "1 http://127.0.0.1:$port"

# ---- the API

info=$(get "$url/api/models/acme/tiny?blobs=true")
commit=$(sed -n 's/.*"sha":"\([0-9a-f]\{40\}\)".*/\1/p' <<<"$info")
same 'a commit is 40 hexadecimal digits' "${#commit}" 40
has 'info has the id' "$info" '"id":"acme/tiny"'
has 'info gives git blobs' "$info" "\"rfilename\":\"config.json\",\"size\":23,\"blobId\":\"$config_blob\""
has 'info gives sha256 of large files' "$info" "\"lfs\":{\"sha256\":\"$sha\",\"size\":3000000,\"pointerSize\":132}"
lacks 'hidden files are not listed' "$info" .hidden
lacks 'links that leave the folder are not listed' "$info" leaves.txt
lacks 'pipes are not listed' "$info" pipe
has 'links inside the folder are listed' "$info" inside.json
lacks 'no xet anywhere' "$info" xet
has 'siblings without blobs are names' "$(get "$url/api/models/acme/tiny")" '{"rfilename":"config.json"}'
for rev in main HEAD refs%2Fheads%2Fmain refs/heads/main "$commit"; do
    has "revision $rev" "$(get "$url/api/models/acme/tiny/revision/$rev")" "\"sha\":\"$commit\""
done
same 'the commit does not depend on the run' \
    "$(get "$url/api/models/acme/tiny" | grep -o '"sha":"[^"]*"')" "\"sha\":\"$commit\""

tree=$(get "$url/api/models/acme/tiny/tree/main")
has 'tree lists folders' "$tree" '"type":"directory","path":"sub"'
lacks 'a flat tree is flat' "$tree" sub/deep
has 'tree gives lfs.oid' "$tree" "\"lfs\":{\"oid\":\"$sha\""
for word in 1 true True; do
    has "recursive=$word" "$(get "$url/api/models/acme/tiny/tree/main?recursive=$word")" \
        '"path":"sub/deep/x y+z%.txt"'
done
has 'tree of a folder' "$(get "$url/api/models/acme/tiny/tree/main/sub/deep")" 'x y+z%.txt'
has 'expand gives the commit' "$(get "$url/api/models/acme/tiny/tree/main?expand=true")" "\"lastCommit\":{\"id\":\"$commit\""
same 'tree of no folder' "$(header X-Error-Code "$url/api/models/acme/tiny/tree/main/none")" EntryNotFound

pages='' next="$url/api/models/acme/tiny/tree/main?recursive=true&limit=2" n=0
while [ -n "$next" ] && [ $n -lt 20 ]; do
    pages+=$(get "$next")
    next=$(header Link "$next" | sed -n 's/^<\(.*\)>; rel="next"$/\1/p')
    n=$((n + 1))
done
same 'pages: how many' "$n" 4
same 'pages: the same items in all' "$(tr -d '[]' <<<"${pages//\]\[/,}")" \
    "$(get "$url/api/models/acme/tiny/tree/main?recursive=true" | tr -d '[]')"
has 'links are absolute, by Host' "$(header Link -H 'Host: hub.test:99' "$url/api/models/acme/tiny/tree/main?limit=1")" '<http://hub.test:99/api/'
has 'links follow X-Forwarded-*' "$(header Link -H 'X-Forwarded-Host: hub.test' -H 'X-Forwarded-Proto: https' \
    "$url/api/models/acme/tiny/tree/main?limit=1")" '<https://hub.test/api/'
same 'a broken cursor' "$(status "$url/api/models/acme/tiny/tree/main?cursor=-1")" 400

form=$(get -d 'paths=config.json&paths=sub&paths=none&expand=true' "$url/api/models/acme/tiny/paths-info/main")
has 'paths-info takes a form' "$form" "\"oid\":\"$config_blob\""
has 'paths-info knows folders' "$form" '"type":"directory","path":"sub"'
lacks 'paths-info leaves out what is not there' "$form" none
same 'paths-info takes JSON' "$(get -H 'Content-Type: application/json' \
    -d '{"paths":["config.json","sub","none"],"expand":true}' "$url/api/models/acme/tiny/paths-info/main")" "$form"
same 'paths-info with broken JSON' "$(status -H 'Content-Type: application/json' -d '{"paths":' "$url/api/models/acme/tiny/paths-info/main")" 400
same 'paths-info wants POST' "$(header Allow "$url/api/models/acme/tiny/paths-info/main")" POST
has 'refs' "$(get "$url/api/models/acme/tiny/refs")" "{\"name\":\"main\",\"ref\":\"refs/heads/main\",\"targetCommit\":\"$commit\"}"
has 'commits' "$(get "$url/api/models/acme/tiny/commits/main")" "\"id\":\"$commit\""
same 'whoami without a token' "$(status "$url/api/whoami-v2")" 401
has 'whoami with any token' "$(get -H 'Authorization: Bearer x' "$url/api/whoami-v2")" '"name":"mirror"'
has 'the list of models' "$(get "$url/api/models")" '"id":"acme/other"'
lacks 'the list, searched' "$(get "$url/api/models?search=TINY")" other
has 'the index for people' "$(get "$url/")" 'acme/tiny'
same 'no xet token' "$(status "$url/api/models/acme/tiny/xet-read-token/main")" 404

# ---- files

file=$url/acme/tiny/resolve/main
get "$file/model.safetensors" -o "$work/got"
same 'a large file, whole' "$(sha256sum "$work/got" | cut -d ' ' -f 1)" "$sha"
head_answer=$(headers -I "$file/model.safetensors" | grep -v '^Date')
same 'HEAD and GET have the same headers' "$head_answer" "$(headers "$file/model.safetensors" | grep -v '^Date')"
has 'ETag of a large file' "$head_answer" "ETag: \"$sha\""
has 'X-Repo-Commit' "$head_answer" "X-Repo-Commit: $commit"
has 'Content-Length' "$head_answer" 'Content-Length: 3000000'
has 'Accept-Ranges' "$head_answer" 'Accept-Ranges: bytes'
same 'ETag of a small file' "$(header ETag "$file/config.json")" "\"$config_blob\""
lacks 'no gzip' "$(headers -H 'Accept-Encoding: gzip, br' "$file/config.json")" Content-Encoding
same 'names are decoded' "$(get "$file/sub/deep/x%20y%2Bz%25.txt")" deep
same 'a plus is a plus' "$(get "$file/sub/deep/x%20y+z%25.txt")" deep
same 'a slash may be encoded' "$(get "$file/sub%2Fdeep/x%20y%2Bz%25.txt")" deep
same 'a link inside the folder' "$(get "$file/inside.json")" '{"model_type": "bert"}'
for rev in HEAD refs%2Fheads%2Fmain refs/heads/main "$commit"; do
    same "a file at $rev" "$(status "$url/acme/tiny/resolve/$rev/config.json")" 200
done
has 'raw gives the pointer' "$(get "$url/acme/tiny/raw/main/model.safetensors")" "oid sha256:$sha"
same 'raw gives small files' "$(get "$url/acme/tiny/raw/main/config.json")" '{"model_type": "bert"}'
same 'a bare repository' "$(get "$url/bare/resolve/main/config.json")" '{}'

same 'a range' "$(get -r 2-11 "$file/config.json")" model_type
same 'its status' "$(status -r 2-11 "$file/config.json")" 206
same 'its header' "$(header Content-Range -r 2-11 "$file/config.json")" 'bytes 2-11/23'
same 'a range to the end' "$(header Content-Range -r 2999999- "$file/model.safetensors")" 'bytes 2999999-2999999/3000000'
same 'the last bytes' "$(get -r -8 "$file/config.json")" '"bert"}'
same 'more than there is' "$(header Content-Range -r 20-999 "$file/config.json")" 'bytes 20-22/23'
same 'a range past the end' "$(status -r 23- "$file/config.json") $(header Content-Range -r 23- "$file/config.json")" '416 bytes */23'
for range in bytes=5-2 bytes=--1 bytes=a-b bytes=0-1,3-4 lines=0-1; do
    same "Range: $range is ignored" "$(status -H "Range: $range" "$file/config.json")" 200
done
same 'a range of an empty file' "$(status -r 0-0 "$file/empty.txt") $(header Content-Range -r 0-0 "$file/empty.txt")" '200 bytes */0'
same 'HEAD ignores ranges' "$(status -I -r 0-1 "$file/config.json")" 200
same 'If-Range with the tag' "$(status -r 0-1 -H "If-Range: \"$config_blob\"" "$file/config.json")" 206
same 'If-Range with another' "$(status -r 0-1 -H 'If-Range: "other"' "$file/config.json")" 200
same 'If-Range with a weak tag' "$(status -r 0-1 -H "If-Range: W/\"$config_blob\"" "$file/config.json")" 200
same 'If-None-Match' "$(status -H "If-None-Match: \"x\", W/\"$config_blob\"" "$file/config.json")" 304
same '304 has the commit' "$(header X-Repo-Commit -H "If-None-Match: \"$config_blob\"" "$file/config.json")" "$commit"
same 'If-None-Match of HEAD' "$(status -I -H "If-None-Match: \"$sha\"" "$file/model.safetensors")" 304
same 'If-None-Match with another' "$(status -H 'If-None-Match: "x"' "$file/config.json")" 200

# ---- names

same 'a bare name leads to the only one' "$(header Location "$url/tiny/resolve/main/config.json?a=b")" \
    '/acme/tiny/resolve/main/config.json?a=b'
same 'with 307' "$(status "$url/tiny/resolve/main/config.json")" 307
same 'in the API, too' "$(header Location "$url/api/models/tiny/revision/main")" /api/models/acme/tiny/revision/main
same 'another case' "$(header Location "$url/Zoo/bigname/resolve/main/config.json")" /zoo/BigName/resolve/main/config.json
same 'an alias' "$(header Location "$url/api/models/old-name")" /api/models/acme/other
same 'curl gets there' "$(get -L "$url/tiny/resolve/main/config.json")" '{"model_type": "bert"}'

# ---- what is not there

error() { echo "$(status "$1") $(header X-Error-Code "$1")"; }
same 'no such repository' "$(error "$url/api/models/acme/none")" '404 RepoNotFound'
same 'no such repository, file' "$(error "$url/acme/none/resolve/main/config.json")" '404 RepoNotFound'
same 'no such revision' "$(error "$url/api/models/acme/tiny/revision/v9")" '404 RevisionNotFound'
same 'no such revision, file' "$(error "$url/acme/tiny/resolve/v9/config.json")" '404 RevisionNotFound'
same 'no such commit' "$(error "$url/acme/tiny/resolve/0123456789012345678901234567890123456789/config.json")" '404 RevisionNotFound'
same 'no such file' "$(error "$file/none.json")" '404 EntryNotFound'
same 'a folder is no file' "$(error "$file/sub")" '404 EntryNotFound'
same 'errors are JSON' "$(get "$file/none.json")" "{\"error\":\"Entry not found: 'none.json' does not exist in acme/tiny at 'main'\"}"
same 'errors are headers' "$(header X-Error-Message "$file/none.json")" "Entry not found: 'none.json' does not exist in acme/tiny at 'main'"
for path in .hidden leaves.txt pipe ../other/config.json ../../../outside/secret.txt sub/../config.json \
    %2e%2e/other/config.json ..%2fother%2fconfig.json ./config.json sub//deep /etc/passwd %2Fetc%2Fpasswd; do
    same "not served: $path" "$(error "$file/$path")" '404 EntryNotFound'
done
for path in /../../etc/passwd /api/models/../../etc/passwd /acme/../../outside/resolve/main/secret.txt \
    //etc/passwd /..%2f..%2foutside/resolve/main/secret.txt /static/x; do
    has "not served: $path" "$(status "$url$path")" 40
done
lacks 'the secret stays secret' "$(get "$url/acme/..%2f..%2foutside/resolve/main/secret.txt")" secret

# ---- broken requests

same 'broken percent-encoding' "$(status "$file/%zz")" 400
same 'half a percent-encoding' "$(status "$file/%4")" 400
same 'an encoded zero byte' "$(status "$file/config.json%00.txt")" 400
same 'an unknown method' "$(status -X BREW "$url/") $(header Allow -X DELETE "$url/")" '405 GET, HEAD'
same 'an address too long' "$(status "$url/$(printf 'a%.0s' {1..9000})")" 414
same 'headers too large' "$(status -H "X-A: $(printf 'a%.0s' {1..33000})" "$url/")" 431
same 'too many headers' "$(raw_status "GET / HTTP/1.1\r\nHost: x\r\n$(printf 'A: b\\r\\n%.0s' {1..150})\r\n")" 431
same 'a body too large' "$(head -c 1100000 /dev/zero | status --data-binary @- -H 'Content-Type: application/json' -H 'Expect:' "$url/api/models/acme/tiny/paths-info/main")" 413
same 'a chunked body' "$(printf '{"paths":["config.json"]}' | status -H 'Transfer-Encoding: chunked' -H 'Content-Type: application/json' --data-binary @- "$url/api/models/acme/tiny/paths-info/main")" 200
same 'no HTTP at all' "$(raw_status 'hello\r\n\r\n')" 400
same 'bare newlines' "$(raw_status 'GET / HTTP/1.1\nHost: x\n\n')" 400
same 'a zero byte' "$(raw_status 'GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n')" 400
same 'no Host' "$(raw_status 'GET / HTTP/1.1\r\n\r\n')" 400
same 'two lengths' "$(raw_status 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n')" 400
same 'length and chunks' "$(raw_status 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n')" 400
same 'a negative length' "$(raw_status 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n')" 400
same 'another version' "$(raw_status 'GET / HTTP/2.0\r\nHost: x\r\n\r\n')" 505
same 'HTTP/1.0 is closed' "$(raw 'GET / HTTP/1.0\r\n\r\n' | grep -c '^Connection: close')" 1
same 'pipelined requests come in order' \
    "$(raw 'GET /bare/resolve/main/config.json HTTP/1.1\r\nHost: x\r\n\r\nHEAD / HTTP/1.1\r\nHost: x\r\n\r\nGET /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' | grep -o '^HTTP/1.1 [0-9]*' | cut -d ' ' -f 2 | tr '\n' ' ')" '200 200 404 '
same 'the server is still there' "$(status "$file/config.json")" 200

# ---- changes while it runs

printf '{"model_type": "gpt2"}\n' >"$work/new"
mv "$work/new" "$hub/acme/tiny/config.json"
same 'a replaced file has its new tag' "$(header ETag "$file/config.json")" "\"$(blob "$hub/acme/tiny/config.json")\""
lacks 'and the repository a new commit' "$(get "$url/api/models/acme/tiny")" "$commit"
same 'the old commit is gone' "$(error "$url/acme/tiny/resolve/$commit/config.json")" '404 RevisionNotFound'
printf 'abc\n' >"$hub/acme/tiny/later.txt"
has 'a new file is listed' "$(get "$url/api/models/acme/tiny/tree/main")" later.txt
printf 'abd\n' >"$hub/acme/tiny/later.txt"
same 'a rewritten file of the same size' "$(header ETag "$file/later.txt")" "\"$(blob "$hub/acme/tiny/later.txt")\""
rm "$hub/acme/tiny/later.txt"
same 'a removed file' "$(error "$file/later.txt")" '404 EntryNotFound'
mkdir "$hub/acme/new" && printf '{}\n' >"$hub/acme/new/config.json"
for ((i = 0; i < 40; i++)); do
    [ "$(status "$url/api/models/acme/new")" = 200 ] && break
    sleep 0.1
done
same 'a new repository' "$(status "$url/api/models/acme/new")" 200

# ---- many and rude clients

for ((i = 0; i < 300; i++)); do exec {fd}<>"/dev/tcp/127.0.0.1/$port" || break; done
same '300 idle connections' "$i $(status "$file/config.json")" '300 200'
for ((fd2 = fd - i + 1; fd2 <= fd; fd2++)); do exec {fd2}>&-; done
for ((i = 0; i < 20; i++)); do
    curl -s -m 5 "$file/model.safetensors" 2>/dev/null | head -c 1000 >/dev/null
done
same 'clients that leave in the middle' "$(status "$file/config.json")" 200
truncate -s 200M "$hub/acme/other/model.bin"
same 'a large file is hashed' "$(status -I "$url/acme/other/resolve/main/model.bin")" 200
{
    curl -s -m 20 --limit-rate 20M "$url/acme/other/resolve/main/model.bin" -o "$work/cut"
    echo $? >"$work/cut.code"
} &
curl_pid=$!
for ((i = 0; i < 200; i++)); do
    [ "$(stat -c %s "$work/cut" 2>/dev/null || echo 0)" -gt 1000000 ] && break
    sleep 0.02
done
truncate -s 1M "$hub/acme/other/model.bin"
wait "$curl_pid"
same 'a file that is cut while it is sent is not whole' "$(cat "$work/cut.code")" 18
same 'and the server goes on' "$(status "$file/config.json")" 200
has 'requests are logged' "$(cat "$work/plain.err")" 'GET /api/models/acme/tiny?blobs=true 200'

# ---- addresses and ends

fails 'a port in use' 10 "pkgmgr: cannot listen on 127.0.0.1:$port: address already in use; give another --port, or 0 for any free one" \
    serve "$hub" --port "$port"
kill -TERM "$pid"
wait "$pid"
same 'SIGTERM ends it with 0' "$?" 0

start token "$hub" --port 0 --token secret-token --page-size 1
same 'no token' "$(status "$url/api/models/acme/tiny")" 401
same 'a wrong token' "$(status -H 'Authorization: Bearer secret-tokem' "$url/acme/tiny/resolve/main/config.json")" 401
same 'another scheme' "$(status -H 'Authorization: Basic secret-token' "$url/api/models")" 401
same 'the token' "$(status -H 'Authorization: Bearer secret-token' "$url/acme/tiny/resolve/main/config.json")" 200
has '--page-size' "$(header Link -H 'Authorization: Bearer secret-token' "$url/api/models/acme/tiny/tree/main")" cursor=1
lacks 'the token is not logged' "$(cat "$work/token.err")" secret-token
kill -INT "$pid"
wait "$pid"
same 'SIGINT ends it with 0' "$?" 0

start gated "$hub" --port 0 --gated acme/tiny --quiet
same 'a gated file' "$(error "$url/acme/tiny/resolve/main/config.json")" '403 GatedRepo'
same 'a gated file with a token' "$(status -H 'Authorization: Bearer any' "$url/acme/tiny/resolve/main/config.json")" 200
has 'a gated repository says so' "$(get "$url/api/models/acme/tiny")" '"gated":"manual"'
same 'another one is open' "$(status "$url/acme/other/resolve/main/config.json")" 200

fails 'no folder' 2 "pkgmgr serve: wants one folder or file to serve, got 0; see 'pkgmgr help serve'" serve
fails 'two folders' 2 "pkgmgr serve: wants one folder or file to serve, got 2; see 'pkgmgr help serve'" serve "$hub" "$hub"
fails 'a bad port' 2 "pkgmgr serve: --port is '99999', want a whole number from 0 to 65535; see 'pkgmgr help serve'" serve "$hub" --port 99999
fails 'a bad page size' 2 "pkgmgr serve: --page-size is 'many', want a whole number from 1 to 1000000; see 'pkgmgr help serve'" serve "$hub" --page-size many
fails 'a bad alias' 2 "pkgmgr serve: --alias wants OLD=OWNER/NAME, but got 'nothing'; see 'pkgmgr help serve'" serve "$hub" --alias nothing
fails 'an unknown option' 2 "pkgmgr serve: unknown option '--wrong'; see 'pkgmgr help serve'" serve "$hub" --wrong
fails 'an empty token' 2 "pkgmgr serve: --token wants a token that is not empty; see 'pkgmgr help serve'" serve "$hub" --token ''
fails 'no such folder' 3 "pkgmgr: cannot serve $work/none: No such file or directory; give the folder that holds OWNER/NAME/... or NAME/..." serve "$work/none" --port 0
fails 'a file is no folder' 7 "pkgmgr: $hub/bare/config.json is no package archive: it does not begin with the bytes of one; 'pkgmgr pack' makes them" serve "$hub/bare/config.json" --port 0
fails 'no such host' 5 "pkgmgr: cannot listen on no.such.host.invalid:0: unknown node or service; give --host an address of this machine" serve "$hub" --host no.such.host.invalid --port 0
fails 'an address of another machine' 5 "pkgmgr: cannot listen on 192.0.2.1:0: address not available; give --host an address of this machine" serve "$hub" --host 192.0.2.1 --port 0
if [ -c /dev/full ]; then
    timeout 20 "$pkgmgr" serve "$hub" --port 0 -q >/dev/full 2>"$work/err"
    same 'no room for the address: exit code' "$?" 8
    said 'no room for the address: the sentence' 'pkgmgr: cannot write the result to standard output: No space left on device; what came out is incomplete: send it to a place that takes it all'
fi

# ---- few descriptors: it starts or says why, and ends on the first signal

for n in 9 10 11 12 13 14 16 20; do
    : >"$work/address"
    (
        ulimit -n "$n"
        exec "$pkgmgr" serve "$hub" --port 0 -q --fault cdn-302 >"$work/address" 2>"$work/err"
    ) &
    pid=$!
    while [ ! -s "$work/address" ] && kill -0 "$pid" 2>/dev/null; do read -rt 0.02 <> <(:); done
    clients=()
    for _ in $(seq 12); do
        [ ! -s "$work/address" ] || curl -s --noproxy '*' --max-time 20 -o "$work/body" "$(head -n 1 "$work/address")" &
        clients+=($!)
    done
    kill -TERM "$pid" 2>/dev/null
    wait "$pid"
    code=$?
    wait "${clients[@]}"
    if [ -s "$work/address" ]; then
        same "$n descriptors: the first SIGTERM ends it" "$code" 0
    else
        same "$n descriptors: exit code" "$code" 8
        ok "$n descriptors: says what helps" grep -q 'raise the limit of open files (ulimit -n)$' "$work/err"
    fi
done

run serve --help
same 'help: exit code' "$code" 0
has 'help' "$out" 'usage: pkgmgr serve DIR'

summary
