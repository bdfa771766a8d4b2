#!/usr/bin/env bash
# Commands that write the papers of one package at once, and one that is kept from it. What is checked holds in whatever
# order they come. Covers packager/plugin_install.c, packager/trust/package_sign.c, store/papers_lock.c.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
begin papers_writers
export MODELHOST_STORE=$work/store XDG_CONFIG_HOME=$work/config
unset MODELHOST_PLUGIN_PATH MODELHOST_REQUIRE_SIGNATURE
pkgmgr=$build/bin/pkgmgr
program=$pkgmgr
plugins=$build/lib/modelhost/plugins
run keys new ada --no-password
same 'a key' "$code" 0
run keys new bob --no-password
same 'another key' "$code" 0
own=$work/own
demo_package "$own"
run sign "$own" --name acme/own --key ada -q
same 'a package is signed' "$code" 0

# ---- two plugins at once

for round in 1 2 3 4 5 6; do
    "$pkgmgr" install "$own" "$plugins/libbert.so" --force -q >"$work/a" 2>&1 &
    a=$!
    "$pkgmgr" install "$own" "$plugins/libgpt2.so" --force -q >"$work/b" 2>&1 &
    b=$!
    wait "$a"
    a=$?
    wait "$b"
    same "round $round: both plugins were installed" "$a $?" '0 0'
    run verify "$own" -q
    same "round $round: and the package is good" "$code$(cat "$work/err")" 0
done

# ---- a plugin and a key at once

for round in 1 2 3 4 5 6 7 8; do
    plugin=$plugins/libbert.so
    [ $((round % 2)) = 0 ] || plugin=$plugins/libgpt2.so
    "$pkgmgr" install "$own" "$plugin" --force -q >"$work/a" 2>&1 &
    a=$!
    "$pkgmgr" sign "$own" --key ada -q >"$work/b" 2>"$work/b.err" &
    b=$!
    wait "$a"
    a=$?
    wait "$b"
    codes="$a $?"
    case $codes in '0 0' | '0 10' | '10 0') pass "round $round: no plugin of an install is called a change" ;;
    *) fail "round $round: no plugin of an install is called a change" "$codes $(cat "$work/a" "$work/b.err")" ;; esac
    run verify "$own" -q
    same "round $round: and the package is good" "$code$(cat "$work/err")" 0
done
run install "$own" "$plugins/libbert.so" --force -q
cp "$plugins/libgpt2.so" "$own/backends/cpu/libmodel.so" # as an install that was killed in between leaves it
for command in verify sign; do
    [ $command = sign ] && set -- --key ada || set --
    run $command "$own" "$@" -q
    same "a killed install: $command" "$code" 7
    has "a killed install: $command says what to do" "$(cat "$work/err")" "; if 'pkgmgr install' was interrupted, install the plugin once more; if that is yours, "
done
run install "$own" "$plugins/libgpt2.so" --force -q
run sign "$own" --key ada -q
same 'and that does it' "$code" 0

# ---- two keys at once

for round in 1 2 3 4 5 6; do
    rm -f "$own"/metadata.json.minisig*
    "$pkgmgr" sign "$own" --key ada -q >"$work/a" 2>"$work/a.err" &
    a=$!
    "$pkgmgr" sign "$own" --key bob -q >"$work/b" 2>"$work/b.err" &
    b=$!
    wait "$a"
    a=$?
    wait "$b"
    codes="$a $?"
    case $codes in '0 1' | '0 10' | '1 0' | '10 0') pass "round $round: one signs, the other is told" ;;
    *) fail "round $round: one signs, the other is told" "$codes $(cat "$work/a.err" "$work/b.err")" ;; esac
    run verify "$own" --require-signature -q
    same "round $round: and the signature is good" "$code" 0
done

# ---- somebody who keeps the lock

exec 8<"$own"
flock 8
sum=$(cat "$own"/metadata.json* | sha256sum)
"$pkgmgr" install "$own" "$plugins/libbert.so" --force -q >"$work/install" 2>"$work/install.err" 8<&- &
install=$!
run sign "$own" --renew --key ada -q 8<&-
same 'sign waits, and not for ever' "$code" 10
has 'and says for what' "$(cat "$work/err")" "pkgmgr: $own is locked by another process, which has not let it go for 10 s: wait for that one, or end it ('fuser -v $own' shows it), and try again"
has 'and said so before' "$(cat "$work/err")" "pkgmgr: warning: waiting for $own, which another process has locked"
wait "$install"
same 'so does install' "$?" 10
has 'and says for what, too' "$(cat "$work/install.err")" "$own is locked by another process"
same 'and nothing was changed' "$(cat "$own"/metadata.json* | sha256sum)" "$sum"
run verify "$own" --require-signature -q
same 'reading waits for nobody' "$code" 0
exec 8<&-
run sign "$own" --renew --key ada -q
same 'and then it is done' "$code" 0

# ---- and one who is interrupted meanwhile

cp -r examples/demo/hub "$work/hub"
start_hub
run download modelhost/facts-bert-mini -q
stored=$out
exec 8<"$stored"
flock 8
mkfifo "$work/said"
"$pkgmgr" download modelhost/facts-bert-mini --force 8<&- 2>"$work/said" >"$work/download" &
download=$!
warning=
while read -r line; do
    case $line in *"waiting for $stored, which"*)
        warning=$line
        kill -TERM $download
        ;;
    esac
    last=$line
done <"$work/said"
wait $download
same 'a download into the store waits, and hears a signal meanwhile' "$?" 130
has 'and says for what it waits' "$warning" 'pkgmgr: waiting for'
same 'and that it was interrupted' "$last" 'pkgmgr: interrupted; the same command goes on where it was'
exec 8<&-
stop_hub

# ---- a signature that is none

for what in large empty zeros text folder; do
    rm -rf "$own/metadata.json.minisig"
    case $what in
    large) head -c 1000000 /dev/zero | tr '\0' x >"$own/metadata.json.minisig" ;;
    empty) : >"$own/metadata.json.minisig" ;;
    zeros) head -c 100 /dev/zero >"$own/metadata.json.minisig" ;;
    text) echo junk >"$own/metadata.json.minisig" ;;
    folder) mkdir "$own/metadata.json.minisig" ;;
    esac
    run sign "$own" --key ada -q
    same "a signature that is none ($what) is refused" "$code" 7
    has "a signature that is none ($what): what to do" "$(cat "$work/err")" '--renew signs it anew'
    [ $what != folder ] || continue
    run sign "$own" --renew --key ada -q
    same "a signature that is none ($what) is renewed" "$code" 0
    run verify "$own" --require-signature -q
    same "a signature that is none ($what): the new one is good" "$code" 0
done

# ---- what was changed, and what is no manifest

rm -r "$own/metadata.json.minisig"
echo more >>"$own/tokenizer.json"
run verify "$own" -q
same 'a changed file of an author is found' "$code" 7
has 'and what to do if he changed it' "$(cat "$work/err")" "files bad); if that is yours, 'pkgmgr sign --renew' signs it as it is now, else get the package again"
echo more >"$own/NOTES"
cp "$model/tokenizer.json" "$own/"
run verify "$own" -q
has 'or a new one' "$(cat "$work/err")" "NOTES: not in metadata.json (1 of 6 files bad); if that is yours, 'pkgmgr sign --renew' signs it as it is now, else remove it and get the package again"
run sign "$own" --renew -q --key ada
run verify "$own" --require-signature -q
same 'and it does' "$code" 0
echo '{' >"$own/metadata.json"
sum=$(sha256sum <"$own/backends/cpu/libmodel.so")
for command in sign 'sign --renew' import "install --force"; do
    # shellcheck disable=SC2086
    case $command in sign*) set -- --key ada ;; install*) set -- "$plugins/libgpt2.so" ;; *) set -- ;; esac
    # shellcheck disable=SC2086
    run $command "$own" "$@" -q
    same "a broken manifest: $command refuses" "$code" 7
    has "a broken manifest: $command names it, and what to do" "$(cat "$work/err")" "pkgmgr: $own/metadata.json: not valid JSON at byte 1; get the package's files again, or mend them"
done
same 'and the plugin is the same' "$(sha256sum <"$own/backends/cpu/libmodel.so")" "$sum"

summary
