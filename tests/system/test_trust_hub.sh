#!/usr/bin/env bash
# What comes from a hub brings no signature: under the policy neither download nor sync, update or rollback leads to
# what nobody signed, and none of them takes a signature away. packager/life/package_adopt.c.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
begin trust_hub
export MODELHOST_STORE=$work/store XDG_CONFIG_HOME=$work/config
unset MODELHOST_PLUGIN_PATH MODELHOST_REQUIRE_SIGNATURE
pkgmgr=$build/bin/pkgmgr
program=$pkgmgr
run keys new ada --no-password
same 'a key' "$code" 0

# ---- a hub's files bring no signature

cp -r examples/demo/hub "$work/hub"
start_hub
id=modelhost/facts-bert-mini
fails 'a download' 7 "pkgmgr: '$id' is not in the store with a signature, and what a hub has brings none; get its package from its author and import that, or download it, look through it and sign it yourself" download $id --require-signature -q
run download $id -q
fails 'nor what it left in the store' 7 "pkgmgr: $out is not signed; get it signed from its author, or look through it and sign it yourself: pkgmgr sign $id" download $id --require-signature -q
run lock -q --lockfile "$work/lock"
run sync --lockfile "$work/lock" --require-signature -q
same 'nor a lockfile' "$code" 7
run sign $id --key ada -q
for word in download 'sync --lockfile'; do
    # shellcheck disable=SC2086
    case $word in download) run download $id --require-signature -q ;; *) run $word "$work/lock" --require-signature -q ;; esac
    same "$word: what the store has signed is taken" "$code" 0
done
python3 - "$work/lock" "$work/lock2" <<'PY'
import json, sys
lock = json.load(open(sys.argv[1]))
for package in lock["packages"]:
    package["files"] = [file for file in package["files"] if file["path"] != "README.md"]
json.dump(lock, open(sys.argv[2], "w"))
PY
store_now() { (cd "$work/store" && find packages refs | sort && find refs -type f -exec cat {} + -o -type l -printf '%l\n'); }
before=$(store_now)
run sync --lockfile "$work/lock2" --require-signature -q
same 'sync: other files than those that were signed' "$code" 7
has 'and it says why' "$(cat "$work/err")" 'has other files than were locked, and a lockfile and a hub bring no signature for those'
same 'and nothing was made' "$(store_now)" "$before"
find "$work/store/refs" -name main -delete
run sync --lockfile "$work/lock" --require-signature -q
same 'sync: refs of a signed package are made' "$code" 0
run verify $id --require-signature -q
same 'and lead to what is signed' "$code" 0
run download $id -q
MODELHOST_PLUGIN_PATH=$build/lib/modelhost/plugins run download $id -q
run verify $id --require-signature -q
same 'and no download takes the signature away' "$code" 0
HF_HUB_OFFLINE=1 MODELHOST_REQUIRE_SIGNATURE=1 run download $id -q
same 'offline, by the environment' "$code" 0

# ---- nor do updates and the way back

dir=$("$pkgmgr" download $id -q)
run update $id --require-signature -q
same 'update: what is up to date and signed' "$code" 0
echo more >>"$work/hub/$id/README.md"
start_hub
before=$(store_now)
for option in '' --all; do
    MODELHOST_REQUIRE_SIGNATURE=1 run update ${option:-$id} -q
    same "update ${option:-ID}: a new version has no signature" "$code" 7
    has 'and it says so' "$(cat "$work/err")" "'$id' is not in the store with a signature"
    has 'and what to look at' "$(cat "$work/err")" "'pkgmgr update $id --dry-run' shows what is new"
    same 'and main stays' "$(store_now)" "$before"
done
run update $id -q
MODELHOST_REQUIRE_SIGNATURE=1 run update $id -q
same 'update: what is up to date and unsigned' "$code" 7
run rollback $id --require-signature -q
same 'rollback to what is signed' "$out" "$dir"
run download $id -q
run sign $id --key ada -q
mv "$dir/metadata.json.minisig" "$work/minisig"
run update $id --require-signature -q
same 'update: what was signed since' "$code" 0
before=$(store_now)
fails 'rollback to what is not signed' 7 "pkgmgr: $dir is not signed; get it signed from its author, or look through it and sign it yourself: pkgmgr sign $id" rollback $id --require-signature
same 'main stays' "$(store_now)" "$before"
run rollback $id -q
same 'without the policy it goes there' "$out" "$dir"

summary
