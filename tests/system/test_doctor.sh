#!/usr/bin/env bash
# `pkgmgr doctor` and `pkgmgr env`: each check says what it finds and what to do, with the right exit code; nothing says a
# secret. Covers packager/health/health_store.c, packager/health/health_plugins.c, packager/health/health_trust.c.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
begin doctor
for name in $(compgen -e | grep -E '^(HF_|HUGGINGFACE|MODELHOST_PLUGIN|https?_proxy|HTTPS?_PROXY|all_proxy|ALL_PROXY|SSL_CERT)'); do unset "$name"; done
export MODELHOST_STORE=$work/store HOME=$work/home XDG_CONFIG_HOME=$work/config
mkdir "$HOME" "$work/hub"
pkgmgr=$build/bin/pkgmgr program=$build/bin/pkgmgr
servers=()
stop_all() { [ ${#servers[@]} -eq 0 ] || kill "${servers[@]}" 2>/dev/null; }
on_exit stop_all
cp -r "$model" "$work/hub/facts"
mkfifo "$work/fifo"
"$pkgmgr" serve "$work/hub" --port 0 -q --token the-right-one >"$work/fifo" 2>"$work/log" &
servers+=($!)
read -r url <"$work/fifo"
line() { grep -E "^(ok|skipped|warning|FAILED) +$1 " "$work/out"; }
silent() { # NAME: no secret stands anywhere
    ok "$1: no secret" not grep -qE 'the-right-one|a-wrong-one|geheim' "$work/out" "$work/err"
}

# ---- all is well

export HF_ENDPOINT=$url HF_TOKEN=the-right-one
run doctor
same 'before the first download: exit code' "$code" 0
has 'before the first download: the store' "$(line store)" "none at $work/store yet; the first download makes it"
has 'the hub answers' "$(line endpoint)" "$url answers"
same 'the token' "$(line token)" 'ok       token      it is accepted'
has 'the clock' "$(line clock)" 'within 300 s'
has 'plugins' "$(line plugins)" ' fit'
has 'modelhost' "$(line modelhost)" 'is of this version'
silent 'doctor'
ok 'it made no store' test ! -e "$work/store"
run download facts -q
run doctor
same 'with a package: exit code' "$code" 0
has 'the store' "$(line store)" "$work/store can be written"
ok 'how packages share' grep -qE '^ok +links +packages share their files by (reflinks|hard links|symbolic links)$' "$work/out"
has 'packages' "$(line packages)" '1 packages'
has 'no downloads' "$(line downloads)" 'no interrupted downloads'
same 'nothing is left of it' "$(find "$work/store/tmp" -mindepth 1)" ''
run doctor --json
ok 'as JSON' json "[f['check'] for f in j] == ['store', 'links', 'space', 'packages', 'downloads', 'leftovers', 'endpoint', 'token', 'clock', 'plugins', 'modelhost', 'trust'] and {f['verdict'] for f in j} <= {'ok', 'warning'}"
run doctor -q
lacks 'quiet says only what is wrong' "$out" 'ok '

# ---- what is wrong

HF_TOKEN=a-wrong-one run doctor
same 'a wrong token: exit code' "$code" 4
has 'a wrong token' "$(line token)" 'does not accept it (401); make a new one'
silent 'a wrong token'
HF_ENDPOINT=http://127.0.0.1:1 run doctor
same 'no hub: exit code' "$code" 5
has 'no hub' "$(line endpoint)" 'cannot reach http://127.0.0.1:1'
HF_HUB_OFFLINE=1 HF_ENDPOINT=http://127.0.0.1:1 run doctor
same 'offline: exit code' "$code" 0
has 'offline: it is not asked' "$(line endpoint)" 'not asked: HF_HUB_OFFLINE is set'
mkdir -p "$work/store/partial/interrupted"
head -c 5000 /dev/zero >"$work/store/partial/interrupted/data"
run doctor
has 'an interrupted download' "$(line downloads)" 'the same `pkgmgr download` goes on where it stopped'
same 'which is no failure' "$code" 0
rm -r "$work/store/partial/interrupted"
package=$(echo "$work"/store/packages/facts/*)
chmod u+w "$package" "$package/metadata.json"
echo broken >"$package/metadata.json"
run doctor
same 'a broken package: exit code' "$code" 7
has 'a broken package' "$(line packages)" '1 of 1 packages cannot be read, the first is facts'
rm -r "$work/store"
: >"$work/file"
run doctor --store "$work/file/store"
same 'no room for a store: exit code' "$code" 8
has 'no room for a store' "$(line store)" 'FAILED'
mkdir "$work/plugins"
echo 'no plugin' >"$work/plugins/libbad.so"
run doctor --plugin-path "$work/plugins"
ok 'a plugin that is none is named' grep -qE "^FAILED +plugin +.*libbad.so" "$work/out"
has 'and that there is no other' "$(line plugins)" 'none that can be opened'
mkdir -p "$work/elsewhere/bin"
cp "$pkgmgr" "$work/elsewhere/bin/"
printf '#!/bin/sh\necho modelhost 9.9.9\n' >"$work/elsewhere/bin/modelhost"
chmod +x "$work/elsewhere/bin/modelhost"
program=$work/elsewhere/bin/pkgmgr
run doctor
has 'another version' "$(line modelhost)" "says 'modelhost 9.9.9', want version"
program=$pkgmgr
HF_HUB_DOWNLOAD_TIMEOUT=x run doctor
has 'settings that make no sense' "$(line settings)" "HF_HUB_DOWNLOAD_TIMEOUT is 'x'"
fails 'an argument' 2 "pkgmgr doctor: takes no argument, got 'x'; see 'pkgmgr help doctor'" doctor x

# ---- trust

HF_HUB_OFFLINE=1 run doctor
if "$pkgmgr" env | grep -q '^ *libsodium *not compiled in$'; then
    has 'without libsodium' "$(line trust)" 'signatures and encryption are not compiled into this program; install one that was built with libsodium'
    same 'which is a warning' "$(line trust | cut -c1-7)" warning
else
    has 'nobody is trusted yet' "$(line trust)" "signs and encrypts; 0 trusted keys, 0 revoked, in $work/config/modelhost/trusted-keys.json"
    "$pkgmgr" keys new ada --no-password -q >"$work/out"
    HF_HUB_OFFLINE=1 run doctor
    ok 'the library has a version' grep -qE '^ok +trust +libsodium 1\.[0-9.]+ signs and encrypts; 1 trusted keys, 0 revoked' "$work/out"
    chmod 666 "$work/config/modelhost/trusted-keys.json"
    HF_HUB_OFFLINE=1 run doctor
    same 'a list that others may write: exit code' "$code" 7
    has 'a list that others may write' "$(line trust)" 'others may write to it, and so say what is trusted'
    rm -r "$work/config"
fi

# ---- env

https_proxy=http://user:geheim@proxy:3128 run env --json
same 'env: exit code' "$code" 0
ok 'env: versions' json "j['version'] == '$("$pkgmgr" --version | cut -d' ' -f2)' and set(j['libraries']) == {'curl', 'openssl', 'zstd', 'cjson', 'libuv', 'libsodium'} and all(j['libraries'].values())"
ok 'env: places' json "j['store'] == '$work/store' and j['endpoint'] == '$url' and j['hub_cache'] == '$work/home/.cache/huggingface/hub'"
ok 'env: the token is said to be there' json "j['token'] == '**** (HF_TOKEN)'"
ok 'env: a proxy without its password' json "j['proxies'] == {'https_proxy': 'http://****@proxy:3128'}"
silent 'env'
mkdir -p "$work/home/.cache/huggingface"
echo the-right-one >"$work/home/.cache/huggingface/token"
HF_TOKEN='' run env
ok 'env: a token file' grep -qE '^token +\*\*\*\* \(token file\)$' "$work/out"
silent 'env, as lines'
rm "$work/home/.cache/huggingface/token"
HF_TOKEN='' run env --json
ok 'env: no token' json "j['token'] is None"

summary
