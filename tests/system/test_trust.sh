#!/usr/bin/env bash
# Signatures: `pkgmgr keys` and `sign`, what they say together with Debian's minisign, and that whatever was changed is
# refused with a sentence of its own, by pkgmgr, in a host and in its workers. Covers packager/trust/key_store.c,
# packager/trust/author_manifest.c, packager/trust/package_sign.c, packager/trust/plugin_trust.c,
# packager/commands/cmd_keys.c, packager/commands/cmd_sign.c,
# packager/commands/command_trust.c, store/archive/archive_sign.c, store/archive/archive_signature.c,
# store/archive/archive_folder.c, store/package_trust.c, store/trust/package_signature.c, host/model_trust.c.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
begin trust
export MODELHOST_STORE=$work/store XDG_CONFIG_HOME=$work/config
unset MODELHOST_PLUGIN_PATH MODELHOST_REQUIRE_SIGNATURE
pkgmgr=$build/bin/pkgmgr
modelhost=$build/bin/modelhost
keys=$work/config/modelhost/keys
trusted=$work/config/modelhost/trusted-keys.json
program=$pkgmgr
command -v minisign >/dev/null || { echo "minisign is not there; scripts/deps.sh installs it"; exit 1; }

id_of() { printf '%16s' "$(sed -n 's/.*key //p' "$1")" | tr ' ' 0; } # minisign leaves zeros out

# ---- keys

run keys new ada --no-password --comment 'Ada L.'
same 'a new key: where its public half is' "$out" "$keys/ada.pub"
same 'nobody else reads it' "$(stat -c %a "$keys" "$keys/ada.key" | tr '\n' ' ')" '700 600 '
ada=$(sed -n 's/.*key //p' "$keys/ada.pub")
fails 'it is not written over' 1 "pkgmgr: $keys/ada.key is there already, and keys are not written over; choose another name" keys new ada --no-password
fails 'a name that is none' 2 "pkgmgr keys: '../x' is no name for a key: want letters, digits, '-', '_' and '.'; see 'pkgmgr help keys'" keys new ../x --no-password
printf 'secret\n' >"$work/password"
run keys new bob --password-file "$work/password"
same 'a key with a password' "$code" 0
case $BUILD in
*address* | *thread*) skipped 'too little memory: sanitizers reserve terabytes' ;;
*)
    remember
    (ulimit -v 900000; exec "$pkgmgr" keys new poor --password-file "$work/password") >"$work/out" 2>"$work/err"
    code=$? out=$(cat "$work/out")
    failed 'where memory is short no key is made whose password is cheaper to guess' 1 \
        "pkgmgr: no memory for the key's password: it takes 1024 MiB, so that guesses are dear; free some, or raise the limit (ulimit -v); no key was made: make it where there is more, or with --no-password"
    ;;
esac
for mark in $'\xe2\x80\xae' $'\xc2\x9b' $'\n' $'\xe2\x80\xa8' $'\xe2\x81\xa6'; do
    fails 'a comment that would steer a terminal' 1 'pkgmgr: the comment is not one line of text of at most 1000 bytes, without control characters and marks of direction' \
        keys trust "$keys/ada.pub" --comment "Ada${mark}L."
done
printf 'sec\0ret\n' >"$work/nul"
fails 'a NUL byte in a password is refused by its name' 1 "pkgmgr: the password from $work/nul has a NUL byte at offset 3; want a line of text" \
    keys new nul --password-file "$work/nul"
run keys list --json
ok 'both are listed as trusted' json '[k["state"] for k in j] == ["trusted"] * 2 and j[0]["comment"] == "Ada L." and j[1]["name"] == "bob"'
run keys show ada
ok 'a public key is printed as minisign has it' cmp "$work/out" "$keys/ada.pub"
for action in trust show revoke; do
    fails "keys $action of a key that is not there" 3 \
        "pkgmgr: there is no key 'nobody.pub': want a file, the public key itself (it begins with RW), or the name or id of a key that \`pkgmgr keys list\` shows" \
        keys "$action" nobody.pub
    fails "keys $action of a key that was cut off" 7 \
        "pkgmgr: what was given is no public key: want 42 bytes in base64, as in the file.pub of 'pkgmgr keys show' or of minisign" \
        keys "$action" "$(sed -n 2p "$keys/ada.pub" | cut -c 1-40)"
done
minisign -G -W -f -p "$work/mini.pub" -s "$work/mini.key" >/dev/null
printf 'geheim\ngeheim\n' | minisign -G -f -p "$work/locked.pub" -s "$work/locked.key" >/dev/null
for mask in 002 0; do
    ok "umask $mask: a key is made" sh -c "umask $mask && XDG_CONFIG_HOME='$work/umask$mask' '$pkgmgr' keys new eva --no-password -q"
    same "umask $mask: for its owner only" "$(cd "$work/umask$mask/modelhost" && stat -c %a . keys keys/eva.key trusted-keys.json | tr '\n' ' ')" '700 700 600 600 '
    ok "umask $mask: and is trusted" env XDG_CONFIG_HOME="$work/umask$mask" "$pkgmgr" keys trust "$keys/ada.pub" -q
done
python3 - "$keys/ada.pub" "$work/forged.pub" <<'PY'
import base64, sys
lines = open(sys.argv[1]).read().splitlines()
key = bytearray(base64.b64decode(lines[1]))
key[-1] ^= 1 # the id stays
open(sys.argv[2], "w").write(lines[0] + "\n" + base64.b64encode(key).decode() + "\n")
PY
cp "$trusted" "$work/trusted"
run keys revoke "$work/forged.pub" --reason 'please revoke'
same 'revoking a key that has the id of another' "$code" 1
has 'it says which is which' "$(cat "$work/err")" "pkgmgr: another key with the id $ada is known already: its fingerprint is $("$pkgmgr" keys show ada --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["fingerprint"])'), that of this one "
ok 'and nothing is revoked' cmp "$trusted" "$work/trusted"

# ---- signing, both ways

facts=$work/facts
demo_package "$facts"
run sign "$facts" --key ada --name acme/facts
same 'an author signs a folder' "$code" 0
ok 'it has a manifest of all its files' test "$(python3 -c 'import json; print(len(json.load(open("'"$facts"'/metadata.json"))["files"]))')" = 5
ok 'minisign verifies it' minisign -V -p "$keys/ada.pub" -m "$facts/metadata.json"
has 'its comment says what is signed' "$(minisign -V -p "$keys/ada.pub" -m "$facts/metadata.json")" 'package:acme/facts	revision:'
run verify "$facts" --json
ok 'so does verify' json 'j["signature"]["state"] == "good" and j["signature"]["signer"] == "Ada L." and j["signature"]["key"] == "'"$ada"'"'
run info "$facts"
has 'info shows who' "$out" "signature     good, by Ada L., key $ada"
run inspect "$facts"
has 'and inspect' "$out" "signature     good, by Ada L., key $ada"
cp -r "$facts" "$work/byhand"
for form in '' -l; do
    # shellcheck disable=SC2086
    minisign -S $form -s "$work/mini.key" -m "$work/byhand/metadata.json" >/dev/null
    fails "minisign's signature ${form:+(legacy) }by a key that nobody knows" 7 "pkgmgr: $work/byhand is signed with the key $(id_of "$work/mini.pub"), which is not trusted here; if its owner gave you that key: pkgmgr keys trust FILE.pub" verify "$work/byhand" --require-signature -q
done
run keys trust "$work/mini.pub" -q --comment Mini
for form in '' -l; do
    # shellcheck disable=SC2086
    minisign -S $form -s "$work/mini.key" -m "$work/byhand/metadata.json" >/dev/null
    run verify "$work/byhand" --require-signature -q
    same "minisign's signature ${form:+(legacy) }is good" "$code" 0
done
minisign -S -s "$work/mini.key" -t $'a\xe2\x80\xaeb\xc2\x9bc' -m "$work/byhand/metadata.json" >/dev/null
run info "$work/byhand" --json
ok "a comment of minisign's that would steer a terminal is escaped" json 'j["signature"]["state"] == "good" and j["signature"]["comment"] == "a\u202eb\u009bc"'
same 'in what is printed' "$(grep -c 'a\\u202eb\\u009bc' "$work/out") $(LC_ALL=C grep -c $'\xe2\x80\xae' "$work/out")" '1 0'
run sign "$work/byhand" --key "$work/mini.key" -q
ok "minisign's key signs here" minisign -V -p "$work/mini.pub" -m "$work/byhand/metadata.json"
printf 'geheim\n' >"$work/geheim"
run sign "$work/byhand" --key "$work/locked.key" --password-file "$work/geheim" --renew -q
ok "and its key with a password" minisign -V -p "$work/locked.pub" -m "$work/byhand/metadata.json"
ok 'our key with a password signs there' sh -c "printf 'secret\n' | minisign -S -s '$keys/bob.key' -m '$work/byhand/metadata.json'"
ok 'and is verified' minisign -V -p "$keys/bob.pub" -m "$work/byhand/metadata.json"
fails 'a wrong password' 4 "pkgmgr: $keys/bob.key: the password is wrong, or the key's file was changed: its checksum does not fit; try another, or take the copy that was put away" sign "$facts" --key bob --password-file "$work/geheim"
fails 'which of several keys' 1 'pkgmgr: there are 2 keys (ada, bob); say which with --key NAME' sign "$facts"
chmod 644 "$keys/ada.key"
fails 'a key that others may read' 8 "pkgmgr: $keys/ada.key: others may read this secret key, or it is somebody else's; if nobody did, chmod 600 it, else make another key and revoke this one" sign "$facts" --key ada
chmod 600 "$keys/ada.key"
cp "$keys/ada.key" "$work/changed.key"
sed -i '2s/^\(.\{170\}\)./\1_/; 2y/_/A/' "$work/changed.key"
cmp -s "$keys/ada.key" "$work/changed.key" && sed -i '2s/^\(.\{170\}\)A/\1B/' "$work/changed.key"
fails 'a key file that was changed' 7 "pkgmgr: $work/changed.key: the key's file was changed: its checksum does not fit; take the copy that was put away, or make another key" sign "$facts" --key "$work/changed.key"

demo_package "$work/hostile"
python3 - "$work/hostile" <<'PY'
import json, sys
evil = '\x1b]0;x\x07\u202ey\u009b31m'
info = {'format_version': 1, 'model_type': 'bert' + evil, 'architectures': ['B' + evil], 'task': evil}
json.dump(info, open(sys.argv[1] + '/model_info.json', 'w'))
open(sys.argv[1] + '/LICENSE', 'w').write('MIT' + evil)
PY
for form in '' --json --license; do
    # shellcheck disable=SC2086
    run info "$work/hostile" $form
    same "info${form:+ }$form of a hostile package steers no terminal" \
        "$code $(LC_ALL=C grep -c $'[\x01-\x08\x0e-\x1f\x7f]\\|\xe2\x80\xae\\|\xc2\x9b' "$work/out")" '0 0'
done

# ---- archives

run pack "$facts" -o "$work/facts.mhp" -q
same 'a signed folder is packed without a key' "$code" 0
run verify "$work/facts.mhp" --require-signature --json
ok 'the archive is signed by her' json 'j["signature"]["signer"] == "Ada L."'
run unpack "$work/facts.mhp" -o "$work/unpacked" --require-signature -q
same 'it unpacks to the same folder' "$(diff -r "$facts" "$work/unpacked")" ''
demo_package "$work/plain"
run sign "$work/plain" --key ada --name acme/plain -q
rm "$work/plain/metadata.json.minisig"
run pack "$work/plain" -o "$work/plain.mhp" -q
fails 'an archive that nobody signed' 7 "pkgmgr: $work/plain.mhp is not signed; get it signed from its author, or look through it and sign it yourself: pkgmgr sign $work/plain.mhp" unpack "$work/plain.mhp" -o "$work/x" --require-signature
run sign "$work/plain.mhp" --key ada -q
same 'it can be signed as it is' "$code" 0
run verify "$work/plain.mhp" --require-signature -q
same 'and is good' "$code" 0
run unpack "$work/plain.mhp" -o "$work/x" -q
rm "$work/x/metadata.json.minisig"
same 'with the same contents' "$(diff -r "$work/plain" "$work/x")" ''
echo x >"$facts/extra"
fails 'what is not listed is not packed with a signature' 7 "pkgmgr: 'extra' is in $facts, which is signed, but not in its metadata.json; remove it, or 'pkgmgr sign --renew' signs it, too" pack "$facts" -o "$work/y.mhp"
rm "$facts/extra"
echo x >"$work/plain/extra"
fails 'nor without one' 7 "pkgmgr: 'extra' is in $work/plain, but not in its metadata.json; remove it, or let 'pkgmgr install' add it if it is a plugin" pack "$work/plain" -o "$work/y.mhp"
rm "$work/plain/extra"
cp -r "$facts" "$work/stale"
for file in backends/cpu/model.safetensors backends/cpu/libmodel.so tokenizer.json; do
    printf 'damage' | dd of="$work/stale/$file" bs=1 seek=9 conv=notrunc status=none
    fails "a changed $file is not packed as signed" 7 "pkgmgr: $work/stale/$file is not what metadata.json lists: SHA-256 $(sha256sum "$work/stale/$file" | cut -c1-12)..., want $(sha256sum "$facts/$file" | cut -c1-12)...; it was changed since it was signed: get it again, or 'pkgmgr sign --renew' signs the package as it is now if that is yours" pack "$work/stale" -o "$work/y.mhp"
    cp "$facts/$file" "$work/stale/$file"
done
sed -i 's/"requested_revision":[^,]*/"requested_revision": "v2"/' "$work/stale/metadata.json"
fails 'nor a signature with a manifest that was changed' 7 "pkgmgr: $work/stale: metadata.json was changed since the key $ada signed it; get the package again, or sign it anew if the change is yours; --without-signature packs it without" pack "$work/stale" -o "$work/y.mhp"
run pack "$work/stale" -o "$work/y.mhp" --without-signature -q
same 'which can be left out' "$code" 0
run verify "$work/y.mhp" --json
ok 'and then is not there' json 'j["signature"]["state"] == "none"'
rm "$work/y.mhp"
cp "$facts/metadata.json" "$work/stale/metadata.json"
sed -i '4s/^\(.\{20\}\)./\1A/; 4s/^\(.\{21\}\)./\1B/' "$work/stale/metadata.json.minisig"
fails 'nor one that is bad' 7 "pkgmgr: $work/stale: the signature is bad: the key $ada (Ada L.) has not made it so, it is damaged or forged; get it again from who signed the package; --without-signature packs it without" pack "$work/stale" -o "$work/y.mhp"
echo x >"$work/stale/metadata.json.minisig"
run pack "$work/stale" -o "$work/y.mhp"
same 'nor what is none' "$code" 7
rm -r "$work/stale"

# ---- the store

run import "$facts" --require-signature -q
same 'a signed folder is imported' "$code" 0
dir=$out
ok 'manifest and signature are the same bytes' sh -c "cmp '$facts/metadata.json' '$dir/metadata.json' && cmp '$facts/metadata.json.minisig' '$dir/metadata.json.minisig'"
run import "$work/plain.mhp" --require-signature -q
same 'a signed archive, too' "$code" 0
run verify acme/plain --require-signature -q
same 'and stays signed' "$code" 0
demo_package "$work/raw"
fails 'a folder that is no package' 7 "pkgmgr: $work/raw/backends/cpu is no package and so has no signature; import it without --require-signature, look through it and sign it yourself" import "$work/raw/backends/cpu" --require-signature
cp "$build/lib/modelhost/plugins/libgpt2.so" "$work/other.so"
fails 'a plugin that nobody signed' 7 "pkgmgr: $work/other.so is not signed: there is no $work/other.so.minisig; its author makes one with minisign -S -m PLUGIN.so" install acme/facts "$work/other.so" --force --require-signature
minisign -S -s "$work/mini.key" -m "$work/other.so" >/dev/null
run install acme/facts "$work/other.so" --force --require-signature
same 'a plugin that is signed is installed' "$code" 0
has 'and it is said that the signature is gone' "$(cat "$work/err")" "'acme/facts' has other files now than were signed, and so no signature any more; sign it anew: pkgmgr sign acme/facts"
run verify acme/facts --json
ok 'it has none' json 'j["signature"]["state"] == "none"'
run sign acme/facts --key ada -q
run verify acme/facts --require-signature -q
same 'a package of the store is signed' "$code" 0
run rm acme/facts -q

# ---- what is refused, each with its own sentence, by pkgmgr and in a host

program=$modelhost
opens() { # NAME ARGUMENT...
    local name=$1
    shift
    run run "$@" --require-signature --text 'Paris is [MASK].'
    same "$name" "$code" 0
}
refuses() { # NAME TEXT FOLDER [ARGUMENT...]: in this process and in a worker
    local name=$1 text=$2
    shift 2
    for isolation in inproc worker; do
        run run "$@" --isolation $isolation --require-signature --text x
        same "$name, $isolation: exit code" "$code" 7
        has "$name, $isolation: sentence" "$(cat "$work/err")" "$text"
    done
}
for isolation in inproc worker; do
    for package in "$facts" "$work/facts.mhp" acme/plain; do
        opens "$isolation: ${package#"$work/"} opens" "$package" --isolation $isolation
    done
done
opens 'lazily, too' "$facts" --loading lazy
cp -r "$facts" "$work/kept"
mkfifo "$work/fifo"
"$modelhost" serve -q facts="$work/kept" --isolation worker --workers 1 --require-signature >"$work/fifo" 2>"$work/err" &
server=$!
stop_server() { kill "$server" 2>/dev/null; }
on_exit stop_server
read -r url <"$work/fifo"
asks() { curl -s -m 20 -o /dev/null -w '%{http_code}' "$url/v2/models/facts/ready"; }
same 'it is served' "$(asks)" 200
worker=$(pgrep -P "$server")
echo x >"$work/kept/notes"
opens 'beside a file that the manifest does not list' "$work/kept"
kill -KILL "$worker"
for ((i = 0; i < 1000; i++)); do # a process starts in its place; each question takes its time
    next=$(pgrep -P "$server")
    [ -n "$next" ] && [ "$next" != "$worker" ] && [ "$(asks)" = 200 ] && break
done
same 'beside such a file a worker is started anew' "$(asks)" 200
lacks 'and nothing is called replaced' "$(cat "$work/err")" 'were replaced'
stop_server
wait "$server"
"$pkgmgr" pack "$facts" -o "$work/shipped.mhp" --ship -q >/dev/null
"$modelhost" serve -q facts="$work/shipped.mhp" --require-signature >"$work/fifo" 2>"$work/err" &
server=$!
read -r url <"$work/fifo"
answer() { curl -s -m 20 "$url/v2/models/facts/infer" -d '{"inputs":[{"name":"input_ids","shape":[1,3],"datatype":"INT64","data":[2,5,3]},{"name":"attention_mask","shape":[1,3],"datatype":"INT64","data":[1,1,1]}]}'; }
before=$(answer)
has 'an archive for shipping answers' "$before" outputs
printf '%0600000d' 0 | dd of="$work/shipped.mhp" bs=8192 seek=100 conv=notrunc status=none
same 'what is written over its weights in place does not reach a model that runs' "$(answer)" "$before"
stop_server
wait "$server"
run run "$work/shipped.mhp" --require-signature --text x
same 'and the next one refuses it' "$code" 7
changed() { # makes $work/t, a copy of the signed folder
    rm -rf "$work/t"
    cp -r "$facts" "$work/t"
}
changed
rm "$work/t/metadata.json.minisig"
refuses 'unsigned' "$work/t is not signed; get it signed from its author, or look through it and sign it yourself: pkgmgr sign $work/t" "$work/t"
rm "$work/t/metadata.json"
refuses "an author's folder" "$work/t has no metadata.json, so nothing in it is signed" "$work/t"
changed
minisign -G -W -f -p "$work/eve.pub" -s "$work/eve.key" >/dev/null
minisign -S -s "$work/eve.key" -m "$work/t/metadata.json" >/dev/null
refuses 'unknown key' "$work/t is signed with the key $(id_of "$work/eve.pub"), which is not trusted here" "$work/t"
"$pkgmgr" keys trust "$work/eve.pub" -q >/dev/null
opens 'a key that became trusted' "$work/t"
"$pkgmgr" keys revoke "$(id_of "$work/eve.pub")" --reason 'laptop stolen' -q >/dev/null
refuses 'revoked key' ': laptop stolen; get it signed anew with another key' "$work/t"
"$pkgmgr" keys new gone --no-password -q >/dev/null
"$pkgmgr" keys revoke "$(id_of "$keys/gone.pub")" --reason 'laptop stolen' -q >/dev/null
"$pkgmgr" sign "$facts" --key gone 2>"$work/err"
same 'nothing is signed with a revoked key: exit code' "$?" 7
has 'and it says so' "$(cat "$work/err")" "the key $(id_of "$keys/gone.pub") was revoked on "
changed
sed -i '4s/^\(.\{20\}\)./\1A/; 4s/^\(.\{21\}\)./\1B/' "$work/t/metadata.json.minisig"
refuses 'bad signature' "the signature is bad: the key $ada (Ada L.) has not made it so, it is damaged or forged" "$work/t"
changed
sed -i 's/"requested_revision":[^,]*/"requested_revision": "v2"/' "$work/t/metadata.json"
refuses 'manifest changed' "metadata.json was changed since the key $ada signed it" "$work/t"
changed
cp "$work/plain/metadata.json" "$work/t/metadata.json"
refuses 'of another package' "has the signature of another package: it was made by the key $ada for acme/facts@" "$work/t"
changed
printf '\1' | dd of="$work/t/backends/cpu/model.safetensors" bs=1 seek=5000 conv=notrunc status=none
refuses 'weight changed' "$work/t/backends/cpu/model.safetensors is not the file that was signed: SHA-256 " "$work/t"
changed
printf '\1' | dd of="$work/t/backends/cpu/libmodel.so" bs=1 seek=300 conv=notrunc status=none
refuses 'plugin changed' "the plugin was changed: $work/t/backends/cpu/libmodel.so is not the file that was signed: SHA-256 " "$work/t"
changed
sed -i 's/"hidden_size"/"hidden_sizf"/' "$work/t/backends/cpu/config.json"
refuses 'configuration changed' "$work/t/backends/cpu/config.json is not the file that was signed" "$work/t"
changed
sed -i 's/"version"/"versioN"/' "$work/t/tokenizer.json"
run run "$work/t" --require-signature --text x
same 'tokenizer changed: exit code' "$code" 7
has 'tokenizer changed: sentence' "$(cat "$work/err")" "$work/t/tokenizer.json is not the file that was signed"
if [ -d /proc/self ]; then
    changed
    python3 - "$work/t/backends/cpu/libmodel.so" <<'PY'
"""The first library that a plugin needs becomes a folder of libraries: DT_NEEDED, DT_RUNPATH."""
import struct, sys
data = bytearray(open(sys.argv[1], 'rb').read())
start, = struct.unpack_from('<Q', data, 32)
size, count = struct.unpack_from('<HH', data, 54)
heads = [struct.unpack_from('<IIQQQQ', data, start + i * size) for i in range(count)]
at, = [head[2] for head in heads if head[0] == 2]
while struct.unpack_from('<q', data, at)[0] != 1:
    at += 16
struct.pack_into('<q', data, at, 29)
open(sys.argv[1], 'wb').write(data)
PY
    rm "$work/t/metadata.json" "$work/t/metadata.json.minisig"
    program=$pkgmgr
    run sign "$work/t" --key ada --name acme/facts
    same 'a plugin that brings libraries is signed' "$code" 0
    has 'with a warning' "$(cat "$work/err")" "pkgmgr: warning: $work/t/backends/cpu/libmodel.so takes libraries from places of its own, which the signature does not cover: with require_signature it is not opened"
    program=$modelhost
    refuses 'and is not opened' "plugin $work/t/backends/cpu/libmodel.so takes libraries from places of its own (" "$work/t"
    "$pkgmgr" pack "$work/t" -o "$work/brings.mhp" -q >"$work/out"
    refuses 'nor in an archive' "plugin $work/brings.mhp/backends/cpu/libmodel.so takes libraries from places of its own (" "$work/brings.mhp"
fi
changed
rm "$work/t/backends/cpu/libmodel.so"
run run "$work/t" --require-signature --text x
same 'plugin missing: exit code' "$code" 7
cp "$trusted" "$work/trusted"
sed -i 's/"key":\(\s*\)"RW\(.\)../"key":\1"RW\2__/; s/__/AB/' "$trusted"
refuses 'the list of keys changed' "$trusted: the key '" "$facts"
cp "$work/trusted" "$trusted"
chmod 666 "$trusted"
refuses 'a list that others may write' "$trusted: others may write to it, and so say what is trusted" "$facts"
mkdir -m 777 "$work/open"
cp "$work/trusted" "$work/open/list.json"
chmod 600 "$work/open/list.json"
ln -s open/list.json "$work/list.json"
refuses 'one behind a link into a folder of others' "others may write to $work/open, and so say what is trusted" "$facts" --trusted-keys "$work/list.json"
"$modelhost" run "$facts" --trusted-keys "$work/list.json" --text x >"$work/out" 2>"$work/err"
ok 'a list where no signature is wanted: a warning' says 'modelhost: warning: --trusted-keys is for --require-signature: no signature is looked at'
"$modelhost" run "$facts" --require-signature --trusted-keys "$work/no-list.json" --text x >"$work/out" 2>"$work/err"
same 'a list that is not there: exit code' "$?" 3
has 'a list that is not there: what to do' "$(cat "$work/err")" "cannot open the list of trusted keys, $work/no-list.json: No such file or directory; 'pkgmgr keys trust' writes one, at ~/.config/modelhost/trusted-keys.json, to be copied there"
chmod 644 "$trusted"
echo '{"format_version": 1, "keys": []}' >"$work/nobody.json"
refuses 'another list' 'which is not trusted here' "$facts" --trusted-keys "$work/nobody.json"
cp "$work/facts.mhp" "$work/t.mhp"
python3 - "$work/t.mhp" <<'PY'
import sys
data = bytearray(open(sys.argv[1], 'rb').read())
size = int.from_bytes(data[32:40], 'little')
at = data.index(b'trusted comment: timestamp', 128 + size)
data[at + 30] ^= 1
open(sys.argv[1], 'wb').write(data)
PY
cp "$work/t.mhp" "$work/signature.mhp"
for file in backends/cpu/libmodel.so tokenizer.json backends/cpu/config.json backends/cpu/model.safetensors; do
    python3 - "$work/facts.mhp" "$work/t.mhp" $file <<'PY'
import json, sys
data = bytearray(open(sys.argv[1], 'rb').read())
meta = json.loads(data[128:128 + int.from_bytes(data[32:40], 'little')])
entry, = [entry for entry in meta["entries"] if entry["path"] == sys.argv[3]]
data[entry["offset"] + entry.get("stored", entry["size"]) // 2] ^= 1
open(sys.argv[2], 'wb').write(data)
PY
    for how in '--isolation inproc' '--isolation worker --verification standard' '--loading lazy'; do
        # shellcheck disable=SC2086
        run run "$work/t.mhp" $how --require-signature --text x
        same "$file, $how: exit code" "$code" 7
        has "$file, $how: the entry is named" "$(cat "$work/err")" ": entry '$file'"
        same "$file, $how: with one advice" "$(grep -o '; [^;]*again' "$work/err")" '; get the file again'
    done
done
cp "$work/signature.mhp" "$work/t.mhp"
refuses 'a bit of the signature in an archive' 'the signature is bad: the key ' "$work/t.mhp"
program=$pkgmgr
fails 'verify of a package with a bad signature needs no flag' 7 "pkgmgr: $work/t.mhp: digests: the file's SHA-256 is not the one in its header: a bit was changed somewhere; get the file again" verify "$work/t.mhp" -q
for value in 1 yes y 2 required ' 1'; do
    MODELHOST_REQUIRE_SIGNATURE=$value "$modelhost" run "$work/raw" --text x >"$work/out" 2>"$work/err"
    same "the environment can require signatures: '$value'" "$?" 7
done
changed
rm "$work/t/metadata.json.minisig"
MODELHOST_REQUIRE_SIGNATURE=y run verify "$work/t" -q
same 'of pkgmgr, too' "$code" 7
MODELHOST_REQUIRE_SIGNATURE=1 "$modelhost" metrics "$work/raw" >"$work/out" 2>"$work/err"
same 'and of what opens a model to measure it' "$?" 7
rm "$work/t/metadata.json"
run verify "$work/t" -q
same 'a folder without a manifest: nothing to verify' "$code" 3
for command in 'pkgmgr verify' 'pkgmgr import' 'modelhost run'; do
    "$build/bin/${command%% *}" "${command##* }" "$work/t" --require-signature >"$work/out" 2>"$work/err" </dev/null
    same "and nothing that is signed: $command" "$?" 7
done
for what in folder pipe giant; do
    changed
    rm "$work/t/metadata.json.minisig"
    case $what in
    folder) mkdir "$work/t/metadata.json.minisig" ;;
    pipe) mkfifo "$work/t/metadata.json.minisig" ;;
    giant) truncate -s 10G "$work/t/metadata.json.minisig" ;;
    esac
    run verify "$work/t" -q
    same "a $what in place of a signature is a bad one" "$code" 7
    run info "$work/t" --json
    ok "a $what: which is told" json 'j["signature"]["state"] == "bad" and j["signature"]["error"].endswith("get it again from who signed the package")'
done
for value in '' 0 no Off; do
    MODELHOST_REQUIRE_SIGNATURE=$value "$modelhost" metrics "$work/raw" >"$work/out" 2>"$work/err"
    same "nobody is required to sign: '$value'" "$?" 0
done

summary
