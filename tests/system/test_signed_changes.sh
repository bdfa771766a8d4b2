#!/usr/bin/env bash
# Packages that were signed and then changed: signed again knowingly, mended as they were signed when files were damaged, and
# told when another key has signed since they were locked. Covers packager/trust/signed_changes.c,
# packager/trust/package_sign.c, packager/life/package_repair.c, packager/life/manifest_blobs.c,
# packager/life/locked_signer.c, packager/download/download_mend.c.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
begin signed_changes
export MODELHOST_STORE=$work/store XDG_CONFIG_HOME=$work/config
unset MODELHOST_PLUGIN_PATH MODELHOST_REQUIRE_SIGNATURE
pkgmgr=$build/bin/pkgmgr
keys=$work/config/modelhost/keys
program=$pkgmgr
command -v minisign >/dev/null || { echo "minisign is not there; scripts/deps.sh installs it"; exit 1; }

id_of() { printf '%16s' "$(sed -n 's/.*key //p' "$1")" | tr ' ' 0; } # minisign leaves zeros out

printf 'secret\n' >"$work/password"
run keys new ada --no-password --comment 'Ada L.'
run keys new bob --password-file "$work/password"
ada=$(id_of "$keys/ada.pub")
python3 - "$keys/ada.pub" "$work/forged.pub" <<'PY'
import base64, sys
lines = open(sys.argv[1]).read().splitlines()
key = bytearray(base64.b64decode(lines[1]))
key[-1] ^= 1 # the id stays
open(sys.argv[2], "w").write(lines[0] + "\n" + base64.b64encode(key).decode() + "\n")
PY
facts=$work/facts
demo_package "$facts"
run sign "$facts" --key ada --name acme/facts -q
same 'a package is signed' "$code" 0

# ---- signing again what was edited

edited=$work/edited
demo_package "$edited"
run sign "$edited" --key ada --name acme/edited -q
cp -r "$edited" "$work/as_signed"
run sign "$edited" --key ada -q
same 'what was not edited is signed again' "$code" 0
sed -i 's/"version"/"versioN"/' "$edited/tokenizer.json"
echo notes >"$edited/NOTES"
rm "$edited/tokenizer_config.json"
changes="'NOTES' was added, 'tokenizer.json' was changed, 'tokenizer_config.json' was removed"
fails 'what was edited since it was signed' 7 "pkgmgr: $edited was changed since it was signed: $changes; if that is yours, --renew signs it as it is now, else get the package again" sign "$edited" --key ada
before=$("$pkgmgr" info "$edited" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["revision"])')
run sign "$edited" --key ada --renew
same 'renewed: exit code' "$code" 0
said 'renewed: says what changed' "pkgmgr: since it was signed: NOTES added
pkgmgr: since it was signed: tokenizer.json changed
pkgmgr: since it was signed: tokenizer_config.json removed
$(grep '^pkgmgr: acme/edited@' "$work/err")"
ok 'renewed: minisign verifies it' minisign -V -p "$keys/ada.pub" -m "$edited/metadata.json"
run verify "$edited" --require-signature -q
same 'renewed: it is good' "$code" 0
lacks 'renewed: other files are another revision' "$("$pkgmgr" info "$edited" --json)" "$before"
echo more >>"$edited/NOTES"
run sign "$edited" --key ada --renew --revision v2 --json
ok 'renewed: the changes in JSON, the revision as it was given' json 'j["changes"] == [{"path": "NOTES", "change": "changed"}] and j["revision"] == "v2"'
bob=$(id_of "$keys/bob.pub")
fails 'what another trusted key has signed' 1 "pkgmgr: $edited is signed by the key $ada (Ada L.) already, and a package has one signature; --renew puts yours in its place" sign "$edited" --key bob --password-file "$work/password"
run sign "$edited" --key bob --password-file "$work/password" -q --renew
same 'is signed by another one knowingly' "$code" 0
sed -i 's/"requested_revision":[^,]*/"requested_revision": "v3"/' "$edited/metadata.json"
for key in 'ada' "bob --password-file $work/password"; do
    # shellcheck disable=SC2086
    fails "a manifest that was edited by hand, $key" 7 "pkgmgr: $edited: metadata.json was changed since the key $bob signed it; if the change is yours, --renew signs it as it is now, else get the package again" sign "$edited" --key $key
done
run sign "$edited" --key ada --renew
has 'it is renewed as it is' "$(cat "$work/err")" 'pkgmgr: since it was signed: metadata.json changed'
ok 'and stays what it was made' grep -q '"requested_revision": "v3"' "$edited/metadata.json"
sed -i '4s/^\(.\{20\}\)./\1A/; 4s/^\(.\{21\}\)./\1B/' "$edited/metadata.json.minisig"
fails 'a damaged signature' 7 "pkgmgr: $edited: the signature that is there is bad: the key $ada has not made it so; look through the package, then --renew signs it anew, or get it again" sign "$edited" --key ada
run pack "$work/as_signed" -o "$work/as_signed.mhp" -q
run sign "$work/as_signed.mhp" --key bob --password-file "$work/password" -q
same 'nor is an archive signed by another one by accident' "$code" 1
run sign "$work/as_signed.mhp" --key bob --password-file "$work/password" -q --renew
same 'an archive that fits is signed anew' "$code" 0
rm -r "$edited" "$work/as_signed"

# ---- a package of a hub, signed in the store

cp -r examples/demo/hub "$work/hub"
start_hub
id=modelhost/facts-bert-mini
MODELHOST_PLUGIN_PATH=$build/lib/modelhost/plugins run download $id -q
run sign $id --key ada -q
same 'it is signed' "$code" 0

# ---- a lockfile says who signed

sync="sync --lockfile $work/signed.lock -q"
run lock $id --lockfile "$work/signed.lock" -q
cp "$work/signed.lock" "$work/out"
ok 'a lockfile has the signer' json 'j["packages"][0]["signer"] == {"key": "'"$ada"'", "public_key": "'"$(tail -n 1 "$keys/ada.pub")"'"}'
commit=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["packages"][0]["revision"][:12])' "$work/signed.lock")
# shellcheck disable=SC2086
run $sync --frozen
same 'sync --frozen: the same signer' "$code" 0
dir=$("$pkgmgr" download $id -q)
run sign $id --key bob --password-file "$work/password" -q --renew
remedy='get the package of that signer (pkgmgr import), or lock it again if this is right'
fails 'sync --frozen: another signer' 7 "pkgmgr: frozen: $id@$commit is signed by the key $bob, and was by the key $ada when it was locked; $remedy" $sync --frozen
fails 'sync: another signer' 7 "pkgmgr: $id@$commit is signed by the key $bob, and was by the key $ada when it was locked; $remedy" $sync
rm "$dir/metadata.json.minisig"
fails 'sync --frozen: not signed any more' 7 "pkgmgr: frozen: $id@$commit is not signed, and was by the key $ada when it was locked; $remedy" $sync --frozen
run sync --lockfile "$work/signed.lock"
same 'sync: no hub brings the signature' "$code" 0
has 'sync: and that is said' "$(cat "$work/err")" "pkgmgr: warning: $id@$commit is not signed, and was by the key $ada when it was locked; 'pkgmgr import' gets it signed from who made it"
run sign $id --key ada -q
sed "s|$(tail -n 1 "$keys/ada.pub")|$(tail -n 1 "$work/forged.pub")|" "$work/signed.lock" >"$work/forged.lock"
fails 'sync --frozen: another key with the same id' 7 "pkgmgr: frozen: $id@$commit has a signature that the key $ada, which had signed it when it was locked, has not made for it; $remedy" sync --lockfile "$work/forged.lock" --frozen -q
sed -i '4s/^\(.\{20\}\)./\1A/; 4s/^\(.\{21\}\)./\1B/' "$dir/metadata.json.minisig"
fails 'sync --frozen: a bad signature' 7 "pkgmgr: frozen: $id@$commit has a signature that the key $ada, which had signed it when it was locked, has not made for it; $remedy" $sync --frozen
run lock $id --lockfile "$work/bad.lock" -q
same 'a bad signature is not locked' "$code" 7
has 'and it is told' "$(cat "$work/err")" "the signature is bad: the key $ada (Ada L.) has not made it so"
run sign $id --key ada --renew -q

# ---- what was damaged since it was signed is mended as it is, under the policy, too

export MODELHOST_REQUIRE_SIGNATURE=1
dir=$("$pkgmgr" download $id -q)
cp -rL "$dir" "$work/whole"
run lock $id --lockfile "$work/lock3" -q
damage() { # FILE...: in the package and in what it shares
    local file
    for file in "$@"; do
        chmod u+w "$dir/$file"
        printf 'damage' | dd of="$dir/$file" bs=1 seek=9 conv=notrunc status=none
    done
}
same_as_signed() { diff -r "$work/whole" "$dir"; }
weights=backends/cpu/model.safetensors
damage $weights README.md
run verify $id -q
said 'damaged files are found' "pkgmgr: $dir: README.md: sha256 $(sha256sum "$dir/README.md" | cut -d' ' -f1), want $(sha256sum "$work/whole/README.md" | cut -d' ' -f1) (2 of $(($(find "$work/whole" -type f | wc -l) - 2)) files bad); download it again with --force"
run sync --lockfile "$work/lock3" --frozen -q
same 'sync --frozen tells them' "$code" 7
run verify $id --repair
same 'verify --repair: exit code' "$code" 0
has 'verify --repair: says how many' "$(cat "$work/err")" 'pkgmgr: 2 damaged files mended'
ok 'verify --repair: to the last byte, with its papers' same_as_signed
run verify $id --repair --json
ok 'verify --repair of what is whole mends nothing' json 'j["mended_files"] == 0 and j["ok"] and j["signature"]["state"] == "good"'
for command in "download $id" "download $id --force" "sync --lockfile $work/lock3"; do
    damage $weights
    rm -f "$dir/README.md"
    # shellcheck disable=SC2086
    run $command -q
    same "${command%%" $work"*}: exit code" "$code" 0
    ok "${command%%" $work"*}: mended, with its papers" same_as_signed
    run verify $id -q
    same "${command%%" $work"*}: as it was signed" "$code" 0
done
damage $weights
MODELHOST_REQUIRE_SIGNATURE='' run download $id -q
same 'without the policy: mended' "$code" 0
ok 'and it stays what was signed' same_as_signed
damage $weights
run verify $id --repair --endpoint http://127.0.0.1:9 -q
same 'without a hub: exit code' "$code" 5
ok 'and the papers are untouched' cmp "$dir/metadata.json.minisig" "$work/whole/metadata.json.minisig"
HF_HUB_OFFLINE=1 run verify $id --repair -q
same 'offline: exit code' "$code" 9
has 'offline: says what is missing' "$(cat "$work/err")" "offline, and $dir has 1 damaged files that only a hub has; unset HF_HUB_OFFLINE to repair it"
cp "$work/hub/$id/config.json" "$work/config.json"
damage backends/cpu/config.json
sed -i 's/{/{ /' "$work/hub/$id/config.json"
start_hub
run verify $id --repair -q
same 'a hub with other bytes: exit code' "$([ "$code" != 0 ] && echo fails)" fails
ok 'nothing is taken of them' test "$(sha256sum <"$dir/backends/cpu/config.json")" != "$(sha256sum <"$work/hub/$id/config.json")"
cp "$work/config.json" "$work/hub/$id/config.json"
start_hub
run verify $id --repair -q
same 'and with the right ones it is mended' "$code" 0
sed -i 's/"requested_revision":[^,]*/"requested_revision": "v2"/' "$dir/metadata.json"
damage $weights
run verify $id --repair -q
same 'papers that were changed: exit code' "$code" 7
has 'papers that were changed: refused before anything is fetched' "$(cat "$work/err")" "metadata.json was changed since the key $ada signed it"
cp "$work/whole/metadata.json" "$dir/metadata.json"
run verify $id --repair -q
same 'and with the right ones it is mended' "$code" 0
dir=$("$pkgmgr" import "$facts" -q)
damage tokenizer.json
run verify acme/facts --repair -q
said "an author's package" "pkgmgr: acme/facts: 'tokenizer.json' is damaged and came from no hub; get the package again from where it came from (pkgmgr import), or put a plugin that is this very file (sha256 $(sha256sum "$facts/tokenizer.json" | cut -d' ' -f1)) on the plugin path"
run import "$facts" -q
same 'is mended by importing it again' "$("$pkgmgr" verify acme/facts -q && diff -r "$facts" "$dir")" ''
damage backends/cpu/libmodel.so
mkdir "$work/plugins" && cp "$facts/backends/cpu/libmodel.so" "$work/plugins/libany.so"
run verify acme/facts --repair -q --plugin-path "$work/plugins"
same 'its plugin from the plugin path' "$(diff -r "$facts" "$dir")" ''
run rm acme/facts -q
fails 'a folder outside of the store' 1 "pkgmgr: $facts is no package of the store, and only those can be repaired; get it again from where it came from" verify "$facts" --repair
unset MODELHOST_REQUIRE_SIGNATURE

summary
