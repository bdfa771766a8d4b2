#!/usr/bin/env bash
# Files under names that packages keep for themselves: from a hub, a folder, a hub's cache, an archive and a lockfile they
# never become part of a package, and what is made without them is good. Covers store/package_members.c,
# store/manifest.c, packager/download/file_selection.c.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
begin kept_names
export MODELHOST_STORE=$work/store XDG_CONFIG_HOME=$work/config
unset MODELHOST_PLUGIN_PATH MODELHOST_REQUIRE_SIGNATURE
pkgmgr=$build/bin/pkgmgr
program=$pkgmgr
digits=$(printf 'ab%.0s' {1..32})
names=(metadata.json.minisig metadata.json.minisig.old METADATA.json.minisig .metadata.json.1.1.tmp
    ".metadata.json.$digits.minisig" .Metadata.json.minisig.1.1.tmp metadata.json/x Metadata.json.minisig.old/x/y
    backends/cpu/.libmodel.so.1.1.tmp backends/ane/.libmodel.dylib.1.1.tmp)
put_all() { # FOLDER
    local name
    for name in "${names[@]}"; do
        case $2/$name in own/*/[xy]) continue ;; esac # an author's folders are not passed over
        mkdir -p "$(dirname "$1/$name")" && echo junk >"$1/$name"
    done
}
strangers_of() { # FOLDER: how many of them are there
    local name n=0
    for name in "${names[@]}"; do [ ! -e "$1/$name" ] || n=$((n + 1)); done
    echo "$n"
}
good() { # WHAT FOLDER NAME
    same "$1: ends well" "$code" 0
    same "$1: took none of them" "$(strangers_of "$2")" 0
    run verify "$3" -q
    same "$1: is good" "$code$(cat "$work/err")" 0
}

# ---- a hub

run keys new ada --no-password
same 'a key' "$code" 0
id=modelhost/facts-bert-mini
cp -r examples/demo/hub "$work/hub"
put_all "$work/hub/$id" hub
start_hub
run download $id -q
stored=$out
good 'a hub' "$stored" $id
run download $id -q --include '*' --include '.*'
good 'a hub whose every file is asked for' "$out" "$out"
run download $id -q --force
good 'and again' "$stored" "$stored"
run sign "$stored" -q
same 'it can be signed' "$code" 0
run verify "$stored" --require-signature -q
same 'and is good then' "$code" 0
run lock -q --lockfile "$work/lock"
same 'and locked' "$code" 0
export MODELHOST_STORE=$work/store2
run sync -q --lockfile "$work/lock"
good 'sync' "$("$pkgmgr" info $id --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["dir"])' 2>/dev/null)" $id
n_before=$(find "$work/store2" | wc -l)
for name in "${names[@]}"; do
    python3 - "$work/lock" "$work/lock2" "$name" <<'PY'
import json, sys
lock = json.load(open(sys.argv[1]))
files = lock["packages"][0]["files"]
files.append(dict(files[0], path=sys.argv[3], source=sys.argv[3]))
json.dump(lock, open(sys.argv[2], "w"))
PY
    run sync -q --lockfile "$work/lock2"
    same "a lockfile that lists $name is refused" "$code" 7
    has "a lockfile that lists $name: and why" "$(cat "$work/err")" "lists '$name', a name that packages keep for themselves"
done
same 'and changes nothing' "$(find "$work/store2" | wc -l)" "$n_before"
stop_hub

# ---- a folder with a model, a hub's cache

export MODELHOST_STORE=$work/store3
mkdir -p "$work/folder"
cp -r "$work/hub/$id/." "$work/folder/"
run import "$work/folder" --name acme/folder -q
good 'a folder' "$out" acme/folder
commit=$(printf '%040d' 7)
cache=$work/cache/models--acme--cached
mkdir -p "$cache/refs" "$cache/snapshots/$commit"
cp -r "$work/hub/$id/." "$cache/snapshots/$commit/"
printf %s "$commit" >"$cache/refs/main"
run import "$cache" -q
good "a hub's cache" "$out" acme/cached

# ---- a folder of an author, and its archive

own=$work/own
demo_package "$own"
put_all "$own" own
run sign "$own" --name acme/own -q
same 'a folder of an author is signed' "$code" 0
run verify "$own" --require-signature -q
same 'and is good' "$code" 0
for name in metadata.json.minisig.old METADATA.JSON; do
    for state in signed unsigned; do
        rm -rf "$work/folders"
        cp -r "$own" "$work/folders"
        rm -rf "$work/folders/$name"
        [ $state = signed ] || rm "$work/folders"/metadata.json*
        mkdir "$work/folders/$name"
        echo x >"$work/folders/$name/x"
        why="pkgmgr: $work/folders/$name is a folder with a name that packages keep for themselves; rename it"
        for command in sign 'sign --renew' "pack -o $work/folders.mhp"; do
            case $command in sign*) set -- --name acme/own ;; *) set -- ;; esac
            [ "$state $command" != 'signed sign' ] || set --
            # shellcheck disable=SC2086
            run $command "$work/folders" "$@" -q
            same "a folder $name, $state: $command refuses" "$code $(cat "$work/err")" "7 $why"
        done
        [ $state = signed ] || continue
        run verify "$work/folders" -q
        has "a folder $name: verify names a remedy that works" "$(cat "$work/err")" "; rename or remove what has a name that packages keep for themselves, and verify it again"
    done
done
rm -rf "$work/folders"
cp -r "$own" "$work/folders"
rm "$work/folders"/metadata.json*
echo x >"$work/folders/METADATA.JSON"
run sign "$work/folders" --name acme/own
same 'a file is left out' "$code" 0
has 'with a warning' "$(cat "$work/err")" "pkgmgr: warning: leaving out 'METADATA.JSON': a name that packages keep for themselves"
lacks 'and none of what is in progress' "$(cat "$work/err")" libmodel
run pack "$own" -o "$work/own.mhp" -q
same 'and packed' "$code" 0
run import "$own" -q
same 'and imported' "$code" 0
run verify acme/own --require-signature -q
same 'and is good there' "$code" 0
run pack "$own" -o "$work/own.mhp" --without-signature --force -q
for name in metadata.json.minisig METADATA.json.minisig .metadata.json.1.1.tmp backends/cpu/.libmodel.so.1.1.tmp; do
    python3 tests/system/archive_forge.py "$work/own.mhp" "$work/forged.mhp" add "$name"
    run unpack "$work/forged.mhp" -o "$work/out1" -q
    same "an archive with a manifest, and $name, is refused" "$code" 7
    python3 tests/system/archive_forge.py "$work/own.mhp" "$work/bare.mhp" drop metadata.json
    python3 tests/system/archive_forge.py "$work/bare.mhp" "$work/forged.mhp" add "$name"
    rm -rf "$work/out1"
    run unpack "$work/forged.mhp" -o "$work/out1" -q
    same "an archive without a manifest, with $name: it is left out" "$code $(strangers_of "$work/out1")" '0 0'
    run sign "$work/out1" --name acme/out -q
    run verify "$work/out1" --require-signature -q
    same "an archive without a manifest, with $name: what is left is good" "$code" 0
    python3 - "$work/out1/metadata.json" "$name" <<'PY'
import json, sys
manifest = json.load(open(sys.argv[1]))
manifest["files"].append(dict(manifest["files"][0], path=sys.argv[2]))
json.dump(manifest, open(sys.argv[1], "w"))
PY
    rm "$work/out1/metadata.json.minisig"
    for command in verify import "pack -o $work/again.mhp"; do
        # shellcheck disable=SC2086
        run $command "$work/out1" -q
        same "a manifest that lists $name: $command refuses" "$code" 7
        has "a manifest that lists $name: $command says why" "$(cat "$work/err")" "lists '$name', a name that packages keep for themselves"
    done
done

summary
