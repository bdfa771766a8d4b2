#!/usr/bin/env bash
# The papers of a package, metadata.json and its signature, through all that happens to them: kills, imports of the same
# contents with other papers, folders of authors with files of their tools, other signers, damage. Covers
# store/package_members.c, packager/trust/author_manifest.c, packager/life/package_adopt.c, packager/plugin_install.c.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
begin papers
export MODELHOST_STORE=$work/store XDG_CONFIG_HOME=$work/config
unset MODELHOST_PLUGIN_PATH MODELHOST_REQUIRE_SIGNATURE
pkgmgr=$build/bin/pkgmgr
keys=$work/config/modelhost/keys
program=$pkgmgr

id_of() { printf '%16s' "$(sed -n 's/.*key //p' "$1")" | tr ' ' 0; } # minisign leaves zeros out
run keys new ada --no-password --comment 'Ada L.'
same 'a key' "$code" 0
ada=$(id_of "$keys/ada.pub")
facts=$work/facts
demo_package "$facts"
run sign "$facts" --name acme/facts -q
same 'a package is signed' "$code" 0
run import "$facts" -q
same 'and imported' "$code" 0
stored=$out

# ---- its id

fails 'a package says its id itself' 2 "pkgmgr import: $facts is a package and says its id itself: leave --name out; see 'pkgmgr help import'" import "$facts" --name acme/other

# ---- damage that is no file's

run pack "$facts" -o "$work/facts.mhp" -q
same 'it is packed' "$code" 0
python3 - "$work/facts.mhp" "$work/reserved.mhp" "$work/padding.mhp" <<'PY'
import sys
for path, offset in ((sys.argv[2], 100), (sys.argv[3], 4000)):
    raw = bytearray(open(sys.argv[1], 'rb').read())
    raw[offset] ^= 1
    open(path, 'wb').write(raw)
PY
for where in reserved padding; do
    run unpack "$work/$where.mhp" -o "$work/none"
    refusal=$(cat "$work/err")
    fails "a bit of the $where: an import says what an unpack does" 7 "$refusal" import "$work/$where.mhp" --store "$work/store2"
done
rm -r "$work/store2"
run import "$work/facts.mhp" -q
same 'the whole one is imported' "$code" 0

# ---- what killed processes leave

bash -c 'exit 0' &
dead=$!
wait "$dead"
leave() { # FOLDER: what a process that is gone was writing there
    printf 'half' >"$1/.metadata.json.$dead.0.tmp"
    printf 'half' >"$1/.metadata.json.minisig.$dead.1.tmp"
    printf 'half' >"$1/backends/cpu/.libmodel.so.$dead.2.tmp"
}
n_left() { find "$1" -name '.*.tmp' | wc -l; }
for folder in "$facts" "$stored"; do
    leave "$folder"
    run verify "$folder" --require-signature -q
    same 'what a killed process left is no damage' "$code" 0
    same 'and verify removes nothing' "$(n_left "$folder")" 3
done
run sign "$facts" -q
same 'sign removes it' "$code $(n_left "$facts")" '0 0'
run import "$facts" -q
same 'import removes it' "$code $(n_left "$stored")" '0 0'
leave "$stored"
run gc -q
same 'gc removes it' "$code $(n_left "$stored")" '0 0'
leave "$facts"
run install "$facts" "$build/lib/modelhost/plugins/libbert.so" -q
same 'install removes it' "$code $(n_left "$facts")" '0 0'
run sign "$facts" -q
same 'and the package is signed again' "$code" 0

# ---- what an author's tools keep in his folder

own=$work/own
demo_package "$own"
mkdir "$own/.git" && echo ref >"$own/.git/HEAD" && echo x >"$own/backends/cpu/.DS_Store"
run sign "$own" --name acme/own -q
same 'a folder of an author with files of tools is signed' "$code" 0
run verify "$own" --require-signature -q
same 'and is good' "$code" 0
echo other >"$own/.git/HEAD"
run sign "$own" -q
same 'whatever they do' "$code" 0
run import "$own" -q
same 'in the store there are none' "$code $(find "$out" -name '.*' | wc -l)" '0 0'
run rm acme/own -q
cp "$own/metadata.json.minisig" "$own/metadata.json.minisig.old"
run pack "$own" -o "$work/own.mhp" -q
same 'nor in an archive' "$code $("$pkgmgr" inspect "$work/own.mhp" --json | grep -cE '\.git|DS_Store|\.old')" '0 0'

# ---- the same contents with other papers

run keys new eve --no-password
eve=$(id_of "$keys/eve.pub")
run keys new bob --no-password --comment Bob
bob=$(id_of "$keys/bob.pub")
python3 - "$work/config/modelhost/trusted-keys.json" "$eve" <<'PY'
import json, sys
keys = json.load(open(sys.argv[1]))
keys["keys"] = [key for key in keys["keys"] if key["id"] != sys.argv[2]]
json.dump(keys, open(sys.argv[1], "w"))
PY
run import "$facts" -q
stored=$out
cp -r "$stored" "$work/good"
as_good() { cmp "$stored/metadata.json" "$work/good/metadata.json" && cmp "$stored/metadata.json.minisig" "$work/good/metadata.json.minisig"; }
revision=$("$pkgmgr" info acme/facts --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["revision"][:12])')
there="pkgmgr: warning: acme/facts@$revision is in the store signed with the key $ada (Ada L.), and what was to take its place is"
stays="the one that is there stays; 'pkgmgr rm acme/facts@$revision' first if that is not what you want"
other=$work/other
make_other() { # with papers of its own, not signed
    rm -rf "$other"
    cp -r "$facts" "$other"
    rm "$other/metadata.json.minisig"
    sed -i 's/"created":[^,]*/"created": "2026-01-01T00:00:00Z"/' "$other/metadata.json"
}
import_other() { # STATE
    run import "$other"
    same "import of what is $1: exit code" "$code" 0
    has "import of what is $1: says that the signature stays" "$(cat "$work/err")" "$there $1: $stays"
    ok "import of what is $1: destroys no good signature" as_good
    run verify acme/facts --require-signature -q
    same "import of what is $1: it is good" "$code" 0
}
make_other
import_other 'not signed'
run import "$other" --json
ok 'and in JSON' json '"the one that is there stays" in j["note"]'
echo junk >"$other/metadata.json.minisig"
import_other 'signed badly (bad)'
cp "$work/good/metadata.json.minisig" "$other/metadata.json.minisig"
import_other 'signed badly (manifest_changed)'
make_other
run sign "$other" --key eve -q
import_other "signed with the key $eve, which is not trusted here"
make_other
run sign "$other" --key bob -q
run import "$other"
has 'who else is trusted may sign' "$(cat "$work/err")" "pkgmgr: warning: acme/facts@$revision was signed with the key $ada (Ada L.), and is signed with the key $bob (Bob) now"
ok 'and its papers are there' cmp "$stored/metadata.json" "$other/metadata.json"
run import "$facts" -q
ok 'and back' as_good
run rm acme/facts -q
make_other
run import "$other" -q
run import "$facts"
said 'a signature where none was needs no word' "$(grep -v warning "$work/err")"
ok 'and is there' as_good

# ---- other contents under the same name

changed=$work/changed
cp -r "$facts" "$changed"
rm "$changed"/metadata.json*
echo more >"$changed/NOTES"
run sign "$changed" --name acme/facts --key ada -q
run import "$changed"
lacks 'a new version of the same signer needs no word' "$(cat "$work/err")" warning
before=$("$pkgmgr" info acme/facts --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["revision"][:12])')
rm "$changed"/metadata.json*
echo more >>"$changed/NOTES"
run sign "$changed" --name acme/facts --key ada -q
rm "$changed/metadata.json.minisig"
run import "$changed"
now=$("$pkgmgr" info acme/facts --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["revision"][:12])')
has 'another one is told' "$(cat "$work/err")" "pkgmgr: warning: 'main' of acme/facts led to $before, signed with the key $ada (Ada L.), and leads to $now now, which is not signed"

other=$work/other
cp -r "$facts" "$other"
rm "$other"/metadata.json*
echo one >"$other/NOTES"
run sign "$other" --name acme/same --key ada -q
rm "$other/metadata.json.minisig"
run import "$other" -q
python3 - "$other" <<'PY'
import hashlib, json, sys
open(sys.argv[1] + '/NOTES', 'w').write('two\n')
path = sys.argv[1] + '/metadata.json'
manifest = json.load(open(path))
for file in manifest['files']:
    if file['path'] == 'NOTES':
        file['sha256'] = hashlib.sha256(b'two\n').hexdigest()
json.dump(manifest, open(path, 'w'))
PY
run import "$other"
commit=$("$pkgmgr" info acme/same --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["revision"][:12])')
has 'other files of the same commit are told, signed or not' "$(cat "$work/err")" "pkgmgr: warning: 'main' of acme/same led to other files of the same commit $commit (not signed), and leads to these now, which are not signed"
run versions acme/same
ok 'versions says that the former are superseded' prints 'main to superseded'
run import "$other"
lacks 'the same files again need no word' "$(cat "$work/err")" warning

# ---- a download where the manifest alone was damaged

cp -r examples/demo/hub "$work/hub"
start_hub
id=modelhost/facts-bert-mini
export MODELHOST_PLUGIN_PATH=$build/lib/modelhost/plugins
run download $id -q
stored=$out
run sign $id --key ada -q
cp -rL "$stored" "$work/signed"
damage() { # TEXT AT: of what is no JSON any more
    printf '%s' "$1" | dd of="$stored/metadata.json" bs=1 seek="$2" conv=notrunc status=none
}
size=$(stat -c %s "$stored/metadata.json")
for at in 0 40 $((size / 2)) $((size - 1)); do
    damage '!' "$at"
    run download $id -q
    same "byte $at: download ends well" "$code $out" "0 $stored"
    run verify $id --require-signature -q
    same "byte $at: the manifest is the signed one again" "$(cat "$work/err")$(diff -r "$work/signed" "$stored")" ''
done
truncate -s $((size / 2)) "$stored/metadata.json"
run download $id
same 'half a manifest: download ends well' "$code" 0
has 'half a manifest: and says what is lost' "$(cat "$work/err")" "'$id' has no signature any more: the metadata.json that was signed is lost; what signed it lies beside as metadata.json.minisig.old; import the package from where it came from, or sign it anew: pkgmgr sign $id"
ok 'the signature is kept' cmp "$out/metadata.json.minisig.old" "$work/signed/metadata.json.minisig"
run verify $id -q
same 'and is no damage' "$code" 0
run sign $id --key ada -q
same 'a new one takes its place' "$code $(find "$stored" -name '*.old' | wc -l)" '0 0'
run verify $id --require-signature -q
same 'and is good' "$code" 0

summary
