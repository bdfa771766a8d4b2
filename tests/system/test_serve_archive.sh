#!/usr/bin/env bash
# `pkgmgr serve FILE.mhp`: a package in one file as the repository that it came from, with ranges inside its compressed
# entries, and nothing unpacked. Covers packager/mirror/mirror_archive.c.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
begin serve_archive
unset MODELHOST_PLUGIN_PATH HF_ENDPOINT HF_TOKEN HF_HOME
export MODELHOST_STORE=$work/store
pkgmgr=$build/bin/pkgmgr program=$build/bin/pkgmgr

# A repository with weights of several frames, which compress, and one file twice.
repository=$work/org/tiny
mkdir -p "$repository/extra"
python3 - "$repository/model.safetensors" <<'PY'
import json, random, struct, sys
random.seed(1)
n = 3000000
head = json.dumps({'w': {'dtype': 'F32', 'shape': [n], 'data_offsets': [0, 4 * n]}}).encode()
head += b' ' * (-len(head) % 8)
with open(sys.argv[1], 'wb') as f:
    f.write(struct.pack('<Q', len(head)) + head + struct.pack('<%df' % n, *random.choices(range(256), k=n)))
PY
echo '{"model_type":"bert"}' >"$repository/config.json"
for i in $(seq 2000); do echo "word$i"; done >"$repository/vocab.txt"
cp "$repository/vocab.txt" "$repository/extra/vocab.txt"
: >"$repository/empty.txt"
run import "$repository" --name org/tiny -q
same 'the folder is imported' "$code" 0
package=$out
revision=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["revision"])' "$package/metadata.json")
"$pkgmgr" pack "$package" -o "$work/tiny.mhp" -q >"$work/out"
"$pkgmgr" pack "$package" -o "$work/ship.mhp" --ship -q >"$work/out"
ok 'shipped weights are compressed' test "$(stat -c %s "$work/ship.mhp")" -lt $(($(stat -c %s "$work/tiny.mhp") * 9 / 10))

servers=()
stop_all() { [ ${#servers[@]} -eq 0 ] || kill "${servers[@]}" 2>/dev/null; }
on_exit stop_all
start() { # ARGUMENT...: $url
    rm -f "$work/fifo"
    mkfifo "$work/fifo"
    "$pkgmgr" serve --port 0 -q "$@" >"$work/fifo" 2>"$work/log" &
    servers+=($!)
    read -r url <"$work/fifo"
}
get() { curl -sS -m 60 "$@"; }
piece() { dd if="$repository/model.safetensors" iflag=skip_bytes,count_bytes skip="$1" count="$2" status=none | sha256sum; }

for kind in tiny ship; do
    start "$work/$kind.mhp"
    base=$url/org/tiny/resolve/main
    get "$url/api/models/org/tiny" >"$work/out"
    ok "$kind: the commit is the package's" json "j['sha'] == '$revision' and j['id'] == 'org/tiny'"
    ok "$kind: its files are the repository's" json \
        "[s['rfilename'] for s in j['siblings']] == ['config.json', 'empty.txt', 'extra/vocab.txt', 'model.safetensors', 'vocab.txt']"
    get "$url/api/models" >"$work/out"
    ok "$kind: it is listed" json "[m['id'] for m in j] == ['org/tiny']"
    get "$url/api/models/org/tiny/tree/$revision?recursive=true" >"$work/out"
    ok "$kind: digests are the index's" json "[f['lfs']['oid'] for f in j if f['path'] == 'vocab.txt'] == ['$(sha256sum <"$repository/vocab.txt" | cut -d' ' -f1)']"
    for file in config.json empty.txt extra/vocab.txt model.safetensors vocab.txt; do
        same "$kind: $file" "$(get "$base/$file" | sha256sum)" "$(sha256sum <"$repository/$file")"
    done
    # within a frame, over one and two borders of frames (4 MiB), the last bytes
    for range in 0-0 5000-200000 4194000-4195000 4194303-8388608 4194304-4194304 11990000-12000010; do
        same "$kind: bytes $range" "$(get -r "$range" "$base/model.safetensors" | sha256sum)" \
            "$(piece "${range%-*}" $((${range#*-} - ${range%-*} + 1)))"
    done
    get -D "$work/head" -o "$work/body" -r 4194300-4194310 "$base/model.safetensors"
    has "$kind: a part says which" "$(tr -d '\r' <"$work/head")" "Content-Range: bytes 4194300-4194310/$(stat -c %s "$repository/model.safetensors")"
    etag=$(sha256sum <"$repository/model.safetensors" | cut -d' ' -f1)
    has "$kind: the tag is the digest" "$(cat "$work/head")" "ETag: \"$etag\""
    same "$kind: what the client has is not sent" "$(get -o /dev/null -w '%{http_code}' -H "If-None-Match: \"$etag\"" "$base/model.safetensors")" 304
    same "$kind: a range outside" "$(get -o /dev/null -w '%{http_code}' -r 99999999-999999999 "$base/model.safetensors")" 416
    same "$kind: another version of the file is sent whole" "$(get -o /dev/null -w '%{http_code}' -r 0-9 -H 'If-Range: "x"' "$base/config.json")" 200
    same "$kind: a file that there is not" "$(get -o /dev/null -w '%{http_code}' "$base/metadata.json")" 404
    same "$kind: a revision that there is not" "$(get -o /dev/null -w '%{http_code}' "$url/org/tiny/resolve/v9/config.json")" 404
    same "$kind: by its bare name" "$(get -L "$url/tiny/resolve/main/config.json")" '{"model_type":"bert"}'
    run download org/tiny --endpoint "$url" --store "$work/store-$kind" -q
    same "$kind: pkgmgr downloads it" "$code" 0
    for file in backends/cpu/config.json backends/cpu/model.safetensors extra/vocab.txt vocab.txt; do
        ok "$kind: and has the same $file" cmp "$out/$file" "$package/$file"
    done
    run download "org/tiny@$revision" --endpoint "$url" --store "$work/store-$kind" -q
    same "$kind: by its commit, too" "$code" 0
    seq 8 | xargs -P 8 -I{} curl -sS -m 60 -o "$work/side{}" "$base/model.safetensors"
    same "$kind: eight at once get the same" "$(cat "$work"/side? | sha256sum)" \
        "$(for _ in 1 2 3 4 5 6 7 8; do cat "$repository/model.safetensors"; done | sha256sum)"
    for i in $(seq 20); do # clients that leave while a frame is decoded
        curl -sN -m 60 "$base/model.safetensors" 2>/dev/null | head -c "$((i * 1000))" >/dev/null
    done
    same "$kind: clients that leave do no harm" "$(get "$base/config.json")" '{"model_type":"bert"}'
    kill "${servers[-1]}"
    wait "${servers[-1]}"
    same "$kind: it ends well" "$?" 0
done
same 'nothing was unpacked' "$(find "$work" -maxdepth 1 -newer "$work/ship.mhp" -name '*.safetensors')" ''

# ---- with what else a mirror does

echo 'alice secret-token *' >"$work/tokens"
chmod 600 "$work/tokens"
start "$work/ship.mhp" --gated org/tiny --alias old=org/tiny --token-file "$work/tokens" --anonymous
same 'gated: without a token' "$(get -o /dev/null -w '%{http_code}' "$url/org/tiny/resolve/main/vocab.txt")" 403
same 'gated: with one' "$(get -H 'Authorization: Bearer secret-token' "$url/org/tiny/resolve/main/vocab.txt" | sha256sum)" "$(sha256sum <"$repository/vocab.txt")"
has 'an alias leads to it' "$(get -D - -o /dev/null "$url/api/models/old")" 'Location: /api/models/org/tiny'
start "$work/ship.mhp" --fault truncate=1 --fault gzip=always
run download org/tiny --endpoint "$url" --store "$work/store-fault" -q
same 'a client gets over a connection that ends' "$code" 0

# ---- what is refused

fails 'what is no archive' 7 "pkgmgr: $repository/vocab.txt is no package archive: it does not begin with the bytes of one; 'pkgmgr pack' makes them" \
    serve "$repository/vocab.txt" --port 0
fails 'a hub behind a file' 1 "pkgmgr: cannot keep what comes from http://127.0.0.1:1 in $work/ship.mhp: it is a file; give a folder" \
    serve "$work/ship.mhp" --port 0 --upstream http://127.0.0.1:1
mkdir -p "$work/own/backends/cpu"
cp "$repository"/{config.json,model.safetensors} "$work/own/backends/cpu/"
cp "$build/tests/plugin_echo.so" "$work/own/backends/cpu/libmodel.so"
"$pkgmgr" pack "$work/own" -o "$work/own.mhp" -q >"$work/out"
fails 'an author'"'"'s folder in a file' 1 "pkgmgr: cannot serve $work/own.mhp: it has no metadata.json, so no repository stands for it; 'pkgmgr import' makes a package of its folder that has one" \
    serve "$work/own.mhp" --port 0
echo secret >"$work/passphrase"
if "$pkgmgr" pack "$package" -o "$work/secret.mhp" --encrypt --passphrase-file "$work/passphrase" -q >"$work/out" 2>"$work/err"; then
    fails 'an encrypted archive' 1 "pkgmgr: cannot serve $work/secret.mhp: it is encrypted, and a mirror has no key; unpack it and serve the folder, or hand on the file itself" \
        serve "$work/secret.mhp" --port 0
else
    ok 'a build without libsodium says so' says 'libsodium'
fi

summary
