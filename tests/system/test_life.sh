#!/usr/bin/env bash
# The life of a store: imports, versions and the way back, updates, lockfiles, garbage, lists of what a
# package is made of, and the cache that the hub's own clients share. With exit codes and sentences. Covers
# packager/life/download_cache.c packager/life/package_import.c packager/life/package_sync.c
# packager/life/package_license.c packager/life/sbom.c packager/plugin_choice.c
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
pkgmgr=$build/bin/pkgmgr program=$pkgmgr
begin life
n_fetched() { grep -c '/resolve/' "$work/log"; }
new_store() { export MODELHOST_STORE=$work/store$((++n_stores)); }
n_stores=0
export HF_HOME=$work/hf MODELHOST_PLUGIN_PATH=$build/lib/modelhost/plugins
unset HF_TOKEN HF_TOKEN_PATH HF_HUB_OFFLINE HF_HUB_CACHE HUGGINGFACE_HUB_CACHE XDG_CACHE_HOME

mkdir -p "$work/hub/acme/m/extra"
cp "$model"/* "$work/hub/acme/m/"
printf -- '---\nlicense: apache-2.0\n---\n# m\n' >"$work/hub/acme/m/README.md"
printf 'one\n' >"$work/hub/acme/m/extra/notes.txt"
start_hub
new_store

# ---- the hub's cache

repo=$HF_HOME/hub/models--acme--m
run download acme/m --hf-cache -q
same 'download --hf-cache ends well' "$code" 0
dir1=$out
commit1=$(basename "$(ls -d "$repo"/snapshots/*)")
same 'the ref is the commit without a newline' "$(od -An -c "$repo/refs/main" | tr -d ' \n')" "$commit1"
same 'a file in a folder is three steps from the blobs' "$(readlink "$repo/snapshots/$commit1/extra/notes.txt")" \
    "../../../blobs/$(printf 'blob 4\0one\n' | sha1sum | cut -c1-40)"
same 'weights are named by their SHA-256' "$(readlink "$repo/snapshots/$commit1/model.safetensors")" \
    "../../blobs/$(sha256sum <"$model/model.safetensors" | cut -c1-64)"
for file in config.json README.md vocab.txt; do
    same "$file is named as git names it" "$(basename "$(readlink "$repo/snapshots/$commit1/$file")")" \
        "$(git hash-object "$work/hub/acme/m/$file")"
    ok "$file has its bytes" cmp "$repo/snapshots/$commit1/$file" "$work/hub/acme/m/$file"
done
same 'nothing else lies in the cache' "$(find "$repo" -type f ! -path '*/blobs/*' -printf '%P\n')" refs/main

new_store
fetched=$(n_fetched)
run download acme/m -q
same 'a second store takes all from the cache' "$(n_fetched)" "$fetched"
ok 'and what it took is right' "$pkgmgr" verify acme/m -q

new_store
blob=$(readlink -f "$repo/snapshots/$commit1/vocab.txt")
cp "$blob" "$work/good" && chmod u+w "$work/good"
tr a b <"$work/good" >"$work/bad" && rm -f "$blob" && cp "$work/bad" "$blob"
run download acme/m -q
same 'a damaged file of the cache is not believed' "$(n_fetched)" "$((fetched + 1))"
ok 'but fetched' cmp "$out/vocab.txt" "$work/good"
run import "$repo" --store "$work/store-damaged"
same 'import refuses it: exit code' "$code" 7
ok 'import refuses it: and says which' says "$(basename "$blob")"
run download acme/m --hf-cache -q
ok '--hf-cache mends it, though the package is there already' cmp "$blob" "$work/good"
chmod u+w "$blob" && printf 'x' | dd of="$blob" conv=notrunc status=none # with one inode, the store's, too
run download acme/m --hf-cache --force -q
ok 'a write in place is mended in the cache' cmp "$blob" "$work/good"
ok 'and in the store' "$pkgmgr" verify acme/m -q
HF_HUB_OFFLINE=1 run download acme/m --hf-cache
same '--hf-cache without a hub is wrong usage' "$code" 2

# ---- import

new_store
run import "$repo" --json
ok 'a repository of the cache becomes a package of its id and commit' json \
    "j['id'] == 'acme/m' and j['revision'] == '$commit1'"
ok 'which is whole' "$pkgmgr" verify acme/m@main -q
run import "$repo/snapshots/$commit1" -q
same 'so does a snapshot: the same package' "$out" "$("$pkgmgr" info acme/m --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["path"])')"
mkdir "$work/saved" && cp "$model"/{config.json,model.safetensors,tokenizer.json} "$work/saved/"
touch "$work/saved/.hidden"
run import "$work/saved" --name me/saved -q
same 'a folder becomes a package' "$code" 0
ok 'with the plugin that serves it' test -f "$out/backends/cpu/libmodel.so"
ok 'without hidden files' test ! -e "$out/.hidden"
first=$out
run import "$work/saved" --name me/saved -q
same 'the same folder is the same package' "$out" "$first"
ok 'the folder stays as it was: writable, its own file' test -w "$work/saved/config.json" -a "$(stat -c %h "$work/saved/config.json")" = 1
rm -f "$first/tokenizer.json" && printf 'x' >"$first/tokenizer.json"
run verify me/saved -q
ok 'a damaged import is to be imported again' says 'files bad); import it again'
run import "$work/saved" --name me/saved -q
ok 'which mends it' "$pkgmgr" verify me/saved -q
ln -s /etc/hostname "$work/saved/extra.txt"
fails 'a link out of the folder is refused' 7 \
    "pkgmgr: 'extra.txt' is a link to $(readlink -f /etc/hostname), out of $work/saved: put the file itself there" import "$work/saved"
rm "$work/saved/extra.txt"
fails 'a folder that is not there' 3 "pkgmgr: cannot import $work/nowhere: No such file or directory" import "$work/nowhere"
mkdir -p "$work/package/backends/cpu" && cp "$model"/{config.json,model.safetensors} "$work/package/backends/cpu/"
cp "$model/tokenizer.json" "$work/package/"
fails 'weights that would be left out are no success' 1 \
    "pkgmgr: the weights of '$work/package' ('backends/cpu/model.safetensors') are where packages keep their own, and are not taken from there, since a plugin could come with them: move them to the top of the folder; only a package with its metadata.json, a folder or an archive of this disk, is imported as it is" \
    import "$work/package"
mkdir "$work/twins" && cp "$model"/{config.json,model.safetensors} "$work/twins/"
printf 'x' >"$work/twins/Notes.txt" && printf 'y' >"$work/twins/notes.txt"
twins="'Notes.txt' and 'notes.txt' differ in upper and lower case only: the package cannot be copied to a disk that does not tell them apart"
run import "$work/twins" --name me/twins
ok 'names that are one on other disks are warned of' says "$twins"
"$pkgmgr" pack me/twins -o "$work/twins.mhp" -q >"$work/out"
run unpack "$work/twins.mhp" -o "$work/twins.unpacked"
ok 'also in an archive' says "$twins"
same 'and unpacked where they are two' "$(cat "$work/twins.unpacked/"[Nn]otes.txt)" xy
printf 'x' >"$work/saved/tf_model.h5"
run import "$work/saved" --name me/saved
ok 'what is left out is said' says "leaving out 'tf_model.h5': another framework's weights"
rm "$work/saved/tf_model.h5"
cp -r "$work/saved" "$work/broken"
echo '{' >"$work/broken/config.json"
run import "$work/broken" --name me/broken --store "$work/store-broken"
ok 'a broken config.json is named as the package has it' says 'no plugin can be chosen: backends/cpu/config.json: not valid JSON at byte'
mkdir "$work/saved/.." 2>/dev/null
cp -r "$work/saved" "$work/my model"
fails 'a name that cannot be an id wants --name' 1 \
    "pkgmgr: 'my model' is no repository id; want 'name' or 'namespace/name' of letters, digits, '-', '_' and '.'; give one with --name" \
    import "$work/my model"

# ---- versions, update, rollback

export MODELHOST_STORE=$work/store1
printf 'two\n' >"$work/hub/acme/m/extra/notes.txt"
printf 'new\n' >"$work/hub/acme/m/added.txt"
rm "$work/hub/acme/m/vocab.txt"
start_hub
run update acme/m --dry-run --json
ok 'update --dry-run names what changed' json \
    "[(f['change'], f['path']) for f in j[0]['files']] == [('added', 'added.txt'), ('changed', 'extra/notes.txt'), ('removed', 'vocab.txt')] and j[0]['from'] == '$commit1' and j[0]['changed']"
run info acme/m --json
ok 'and fetches nothing' json "j['revision'] == '$commit1'"
run update --all
same 'update --all ends well' "$code" 0
ok 'and shows sizes' prints 'changed  extra/notes.txt  4 B -> 4 B'
run info acme/m --json
dir2=$(python3 -c 'import json; j = json.load(open("'"$work/out"'")); print(j["path"]); print(j["revision"])')
commit2=${dir2#*$'\n'} dir2=${dir2%%$'\n'*}
ok 'the new version is there' test "$commit2" != "$commit1"
run update acme/m
same 'a second update finds nothing new' "$out" "acme/m@main is up to date (${commit2:0:12})"
run versions acme/m --json
ok 'versions shows both, and what main led to' json \
    "sorted(v['revision'] for v in j['versions']) == sorted(['$commit1', '$commit2']) and [h['revision'] for h in j['history']] == ['$commit1', '$commit2']"
run rollback acme/m
same 'rollback prints the package' "$out" "$dir1"
said 'and says what it did' "pkgmgr: main leads from ${commit2:0:12} to ${commit1:0:12} now"
fails 'further back there is nothing' 3 \
    "pkgmgr: no version of 'acme/m@main' before this one is in the store; \`pkgmgr versions acme/m\` shows what there is, and \`pkgmgr download ID@COMMIT\` gets another" rollback acme/m
run rollback acme/m "${commit2:0:9}" -q
same 'forward by the beginning of a commit' "$out" "$dir2"
run rollback "acme/m@$commit1" main
same 'a commit cannot be moved' "$code" 2
HF_HUB_OFFLINE=1 run update acme/m
same 'update without a hub: exit code' "$code" 9

# ---- lock and sync

echo '{' >"$work/.modelhost.lock.4194305.0.tmp" # of a process that is dead
run lock --lockfile "$work/modelhost.lock"
same 'lock ends well' "$code" 0
same 'and takes away what a killed one left' "$(find "$work" -maxdepth 1 -name '.modelhost.lock*')" ''
cp "$work/modelhost.lock" "$work/first.lock"
"$pkgmgr" lock --lockfile - -q >"$work/modelhost.lock"
ok 'the same store gives the same bytes' cmp "$work/modelhost.lock" "$work/first.lock"
run sync --frozen --lockfile "$work/first.lock"
same 'the store is as it was locked' "$code" 0
new_store
run sync --frozen --lockfile "$work/first.lock" --store "$work/store1" -q
same 'also by name' "$code" 0
mkdir -p "$work/empty"
run sync --frozen --lockfile "$work/first.lock" --store "$work/empty"
same 'frozen, and absent' "$code" 3
"$pkgmgr" download acme/m -q >/dev/null
"$pkgmgr" rm acme/m -q
run sync --lockfile "$work/first.lock"
same 'sync makes another store the same' "$code" 0
ok 'in the same folder' test -d "$MODELHOST_STORE/packages/acme--m/$(basename "$dir2")"
ok 'with the same files' "$pkgmgr" verify acme/m -q
run sync --frozen --lockfile "$work/first.lock" --json
ok 'to which nothing has to be done' json "all(p['same'] and p['was'] == 'same' for p in j)"
"$pkgmgr" lock --hub-only --lockfile "$work/hub.lock" -q
new_store
run sync --lockfile "$work/hub.lock" -q --plugin-path "$work/none"
same 'without plugins in the lock' "$code" 0
run sync --frozen --lockfile "$work/hub.lock"
same 'it fits as well' "$code" 0
new_store
run download acme/m --include config.json --include tokenizer.json -q --plugin-path "$work/none"
"$pkgmgr" lock --hub-only --lockfile "$work/two.lock" -q
run download acme/m -q
run sync --frozen --lockfile "$work/two.lock"
same 'frozen, with files of the hub that were not locked' "$code" 7
ok 'frozen, with files of the hub that were not locked: why' says 'has other files than were locked'
run sync --lockfile "$work/two.lock" -q
same 'sync leaves them out' "$code" 0
run info acme/m --json
ok 'and keeps the locked ones' json \
    "{f['source'] for f in j['files'] if f.get('source')} == {'config.json', 'tokenizer.json'}"
run sync --frozen --lockfile "$work/two.lock" -q
same 'so that the package is as it was locked' "$code" 0
sed 's/"sha256":\t"\(...\)/"sha256":\t"000/' "$work/first.lock" >"$work/wrong.lock"
new_store
run sync --lockfile "$work/wrong.lock"
same 'a hub with other bytes is refused' "$code" 7
new_store
run sync --lockfile "$work/first.lock" --plugin-path "$work/none"
same 'a plugin that is nowhere: exit code' "$code" 3
ok 'a plugin that is nowhere: what to do' says 'put that very plugin there, or lock with --hub-only'
fails 'a lockfile in no folder' 3 "pkgmgr: cannot create $work/nowhere/x.lock: No such file or directory; make the folder first, or choose another with --lockfile" \
    lock --lockfile "$work/nowhere/x.lock"
mkfifo "$work/pipe"
exec 9<>"$work/pipe"
fails 'a lockfile that is a pipe' 1 "pkgmgr: $work/pipe is not a regular file; give --lockfile a file of a disk: save what comes from elsewhere" \
    sync --lockfile "$work/pipe"
exec 9>&-
rm "$work/pipe"
printf '{"lock_version": 9, "packages": []}' >"$work/new.lock"
run sync --lockfile "$work/new.lock"
ok 'a newer lockfile is refused' says "lock_version 9, this program reads 1"

# ---- garbage and the census

export MODELHOST_STORE=$work/store1
run cache ls --json
ok 'cache ls tells own bytes from shared' json \
    "len(j['packages']) == 2 and all(p['own_size'] + p['shared_size'] == p['size'] and p['shared_size'] > 2000000 for p in j['packages'])"
ok 'and that nobody used them' json "all(p['last_use'] is None and not p['in_use'] for p in j['packages'])"
half=$(printf half | sha256sum | cut -c1-64)-4096
mkdir -p "$MODELHOST_STORE/partial/$half" && printf half >"$MODELHOST_STORE/partial/$half/data"
orphan=$(printf orphan | sha256sum | cut -c1-64)
mkdir -p "$MODELHOST_STORE/blobs/sha256/${orphan:0:2}" && printf orphan >"$MODELHOST_STORE/blobs/sha256/${orphan:0:2}/$orphan"
run cache ls
ok 'an interrupted download is listed' prints "partial/$half"
ok 'and what nothing uses' prints 'used by no package: 1 files'
run verify acme/m --deep
ok 'verify --deep says so, too' says '1 files of the store, 6 B, are named by no package'
run gc
ok 'gc keeps what is young' says '--grace'
ok 'all of it' test -e "$MODELHOST_STORE/partial/$half/data"
run gc --grace 0 --dry-run --json
ok 'a dry run tells what would go' json "sorted(r['kind'] for r in j['removed']) == ['blob', 'partial'] and j['dry_run']"
run gc --grace 0
same 'gc ends well' "$code" 0
ok 'the partial download is gone' test ! -e "$MODELHOST_STORE/partial/$half"
ok 'the blob is gone' test ! -e "$MODELHOST_STORE/blobs/sha256/${orphan:0:2}/$orphan"
ok 'the packages are whole' "$pkgmgr" verify acme/m -q
ok 'both' "$pkgmgr" verify "acme/m@$commit1" -q
run gc --grace 7
same 'a time without a unit is wrong usage' "$code" 2

# ---- what a host has open stays

"$build/bin/modelhost" run acme/m --text 'Paris is the [MASK] of France.' >/dev/null 2>"$work/err"
run cache ls --json
ok 'a run leaves the time of use' json "sum(p['last_use'] is not None for p in j['packages']) == 1"
ok 'and no lease' test -z "$(ls "$MODELHOST_STORE/leases")"

# ---- killed while it writes: the next command mends it

new_store
killed_at() { # CALL NTH COMMAND...: by the kernel, at that call
    { strace -f -qq -o "$work/trace" -e trace="$1" -e inject="$1:signal=KILL:when=$2" "${@:3}" >/dev/null 2>&1; } 2>/dev/null
}
if command -v strace >/dev/null && strace -o "$work/trace" true 2>/dev/null; then
    for n in 1 2 3 5 8 13 20 28; do
        killed_at rename "$n" "$pkgmgr" download acme/m -q
    done
    find "$MODELHOST_STORE/tmp" -mindepth 1 -maxdepth 1 -empty -exec touch -d '2 minutes ago' {} +
    for n in 1 2 3; do
        killed_at unlink "$n" "$pkgmgr" gc --grace 0
        killed_at rename "$n" "$pkgmgr" gc --grace 0
    done
    find "$MODELHOST_STORE/tmp" -mindepth 1 -maxdepth 1 -empty -exec touch -d '2 minutes ago' {} +
    run gc --grace 0
    same 'after all these kills gc ends well' "$code" 0
    same 'and leaves nothing behind' "$(find "$MODELHOST_STORE/tmp" "$MODELHOST_STORE/leases" -mindepth 1)" ''
    same 'nor a blob that is broken' "$(broken_blobs)" ''
else
    skipped 'no strace to kill at a system call'
fi
run download acme/m -q
same 'a plain run completes' "$code" 0
ok 'with all bytes right' "$pkgmgr" verify acme/m -q

# ---- licence and SPDX

run info acme/m --license
ok 'the licence that the author declares' prints 'license       Apache-2.0, as README.md declares'
SOURCE_DATE_EPOCH=1700000000 run sbom acme/m
cp "$work/out" "$work/first.spdx"
ok 'an SPDX document' json \
    "j['spdxVersion'] == 'SPDX-2.3' and j['creationInfo']['created'] == '2023-11-14T22:13:20Z' and j['packages'][0]['licenseDeclared'] == 'Apache-2.0' and j['packages'][0]['versionInfo'] == '$commit2'"
ok 'with two digests of each file' json \
    "all({c['algorithm'] for c in f['checksums']} == {'SHA1', 'SHA256'} for f in j['files']) and len(j['relationships']) == len(j['files']) + 1"
sha1=$(sha1sum <"$model/model.safetensors" | cut -c1-40)
ok 'that are right' grep -q "$sha1" "$work/out"
python3 - "$work/out" <<'PY'
import hashlib, json, sys
j = json.load(open(sys.argv[1]))
sums = sorted(c['checksumValue'] for f in j['files'] for c in f['checksums'] if c['algorithm'] == 'SHA1')
sys.exit(hashlib.sha1(''.join(sums).encode()).hexdigest() != j['packages'][0]['packageVerificationCode']['packageVerificationCodeValue'])
PY
same 'and the code over them' $? 0
SOURCE_DATE_EPOCH=1700000000 run sbom acme/m
ok 'which is the same again' cmp "$work/out" "$work/first.spdx"
package=$("$pkgmgr" info acme/m --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["path"])')
cp -RL "$package" "$work/lacking"
rm -f "$work/lacking/README.md"
fails 'a file that is missing is damage' 7 "pkgmgr: $work/lacking lacks 'README.md', which its metadata.json lists; get the package again" sbom "$work/lacking"
SOURCE_DATE_EPOCH=soon run sbom acme/m
same 'a time that is none is wrong usage' "$code" 2

# ---- numbers that are none

write_tensors_module
mkdir -p "$work/nan" && cp "$model/config.json" "$work/nan/"
python3 - "$work" <<'PY'
import sys
sys.path.insert(0, sys.argv[1])
import tensors
nan = float('nan')
tensors.write(sys.argv[1] + '/nan/model.safetensors', {'w': ('F32', [4], [1.0, nan, 2.0, nan])})
PY
run import "$work/nan" --name me/nan --plugin-path "$work/none" -q
run verify me/nan -q
same 'a NaN is no damage' "$code" 0
run verify me/nan --deep -q
same 'but --deep finds it: exit code' "$code" 7
ok 'but --deep finds it: where' says "weight 'w' of backends/cpu (weights) has 2 of 4 elements that are no number, the first at 1"

# ---- packages that cannot be seen

export MODELHOST_STORE=$work/store1
mv "$MODELHOST_STORE/packages" "$work/packages" && mkdir "$MODELHOST_STORE/packages"
blobs=$(find "$MODELHOST_STORE/blobs" -type f | sort)
run gc --grace 0
same 'a mount that is lost is no reason to collect' "$(find "$MODELHOST_STORE/blobs" -type f | sort)" "$blobs"
ok 'gc says what is not to be seen' says 'should be there and is not: mount what it lies on'
run cache ls
ok 'cache ls promises nothing' not grep -q 'used by no package' "$work/out"
rmdir "$MODELHOST_STORE/packages" && mv "$work/packages" "$MODELHOST_STORE/packages"
ok 'mounted again all is there' "$pkgmgr" verify acme/m -q

# ---- tokens

start_hub --token hf_secret
ok 'no token is to be seen in the list of processes' not grep -q hf_secret "/proc/$hub_pid/cmdline"
new_store
printf 'hf_secret\n' >"$work/token" && : >"$work/no-token"
run download acme/m --token-file "$work/token" -q
same 'download takes the token of a file' "$code" 0
run update acme/m --token-file "$work/token" -q
same 'so does update' "$code" 0
run download acme/m --force --token hf_secret -q
same 'a hidden token is used all the same' "$code" 0
fails 'a file without a token' 2 "pkgmgr download: $work/no-token has no token in its first line; see 'pkgmgr help download'" \
    download acme/m --token-file "$work/no-token"
fails 'a file that is not there' 3 "pkgmgr: cannot open $work/nothing: No such file or directory" \
    download acme/m --token-file "$work/nothing"
run update acme/m --token x --token-file "$work/token"
same 'two tokens are wrong usage' "$code" 2

# ---- a disk that is full, or may only be read (where this process may mount one)

small=$work/small
mkdir -p "$small" "$work/large" && echo '{"model_type": "bert"}' >"$work/large/config.json"
head -c 3000000 /dev/zero >"$work/large/vocab.txt"
if mount -t tmpfs -o size=1m tmpfs "$small" 2>/dev/null; then
    run import "$work/large" --name acme/large --store "$small/store" --plugin-path "$work/none"
    same 'import on a full disk: exit code' "$code" 8
    ok 'import on a full disk: what to do' says "No space left on device; 'pkgmgr gc' frees what nothing uses; or choose another disk with --store"
    rm "$work/large/vocab.txt"
    run import "$work/large" --name acme/large --store "$small/store" -q --plugin-path "$work/none"
    mount -o remount,ro "$small"
    for command in gc 'rm acme/large'; do
        # shellcheck disable=SC2086
        run $command --store "$small/store"
        same "$command of a disk that may only be read: exit code" "$code" 8
        ok "$command of a disk that may only be read: what to do" says 'do this where it may be written to, or name another with --store'
    done
    run list --store "$small/store"
    ok 'list shows what is there all the same' prints acme/large
    umount "$small"
else
    skipped "a disk that is full, or may only be read: mounting a small tmpfs is not permitted here"
fi

# ---- no password is shown

for setting in HF_ENDPOINT=https://me:hidden@127.0.0.1:1 HF_ENDPOINT=ftp://me:hid/hidden@127.0.0.1; do
    for command in 'download acme/none -v' 'download acme/none --json' env 'env --json' doctor; do
        # shellcheck disable=SC2086
        env HF_ENDPOINT=http://127.0.0.1:1 "$setting" "$pkgmgr" $command >"$work/out" 2>&1
        ok "$command: ${setting%%:*} is there" grep -q '\*\*\*\*@127' "$work/out"
        ok "$command: and nothing hidden" [ "$(grep -c hidden "$work/out")" = 0 ]
    done
done
http_proxy='http://me:hidden@[x' HF_ENDPOINT=http://127.0.0.1:1 run download acme/none -v
ok 'nor that of a proxy' says "http://****@[x"

# ---- no store, and none can be meant

for command in list 'cache ls' gc lock 'versions acme/m' 'rm acme/m'; do
    # shellcheck disable=SC2086
    (unset HOME MODELHOST_STORE XDG_CACHE_HOME && "$pkgmgr" $command >"$work/out" 2>"$work/err")
    same "$command without HOME: exit code" $? 3
    same "$command without HOME: the sentence" "$(cat "$work/err")" \
        'pkgmgr: no store: neither MODELHOST_STORE nor HOME is set; give --store DIR'
done

summary
