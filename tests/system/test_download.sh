#!/usr/bin/env bash
# pkgmgr against a hub that misbehaves (fake_hub.py): what is downloaded, what is refused, with which
# exit code and sentence, and what is left behind.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
pkgmgr=$PWD/$BUILD/bin/pkgmgr
plugins=$PWD/$BUILD/tests
dir=$(mktemp -d "${TMPDIR:-/tmp}/download.XXXXXX") || exit 1
n_passed=0 n_failed=0 n_skipped=0
hub_pid='' mounted=''

finish() {
    [ -z "$hub_pid" ] || kill "$hub_pid" 2>/dev/null
    [ -z "$mounted" ] || umount "$mounted" 2>/dev/null
    chmod -R u+rwx "$dir" 2>/dev/null
    rm -rf "$dir"
}
trap finish EXIT

ok() { # NAME COMMAND...: one check
    local name=$1
    shift
    if "$@" >/dev/null 2>&1; then
        echo "ok - $name"
        n_passed=$((n_passed + 1))
    else
        echo "FAIL - $name ($*)"
        sed 's/^/    stderr: /' "$dir/err" 2>/dev/null
        n_failed=$((n_failed + 1))
    fi
}
skipped() {
    echo "skip: $1"
    n_skipped=$((n_skipped + 1))
}
run() { # ARGUMENT...: pkgmgr with a code, an output and messages
    "$pkgmgr" "$@" >"$dir/out" 2>"$dir/err"
    code=$?
    out=$(cat "$dir/out")
}
says() { grep -qF -- "$1" "$dir/err"; }
prints() { grep -qF -- "$1" "$dir/out"; }
silent() { [ ! -s "$dir/out" ]; }
not() { ! "$@"; }
json() { # PYTHON: an expression over the JSON document `j` that pkgmgr printed
    python3 -c 'import json, sys; j = json.load(open(sys.argv[1])); sys.exit(not eval(sys.argv[2]))' "$dir/out" "$1"
}
fails() { # NAME CODE SENTENCE ARGUMENT...: the command fails so, prints nothing, leaves nothing
    local name=$1 want=$2 sentence=$3
    shift 3
    new_store
    run "$@"
    ok "$name: exit code $want" [ "$code" -eq "$want" ]
    ok "$name: says why" says "$sentence"
    ok "$name: prints no result" silent
    ok "$name: leaves no package" no_package
}
n_stores=0
new_store() {
    n_stores=$((n_stores + 1))
    export MODELHOST_STORE=$dir/store$n_stores
}
no_package() {
    [ -z "$(find "$MODELHOST_STORE/packages" "$MODELHOST_STORE/refs" "$MODELHOST_STORE/tmp" \
        -mindepth 1 2>/dev/null)" ]
}
wait_for() { # TEXT: until the hub has been asked for it
    local i
    for i in $(seq 200); do
        grep -qF -- "$1" "$dir/log" && return 0
        read -rt 0.05 <> <(:)
    done
    return 1
}

command -v python3 >/dev/null || {
    echo "skip: no python3 for the scripted hub"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}
: >"$dir/log"
python3 tests/system/fake_hub.py "$dir/log" >"$dir/port" &
hub_pid=$!
for _ in $(seq 200); do
    [ -s "$dir/port" ] && break
    read -rt 0.05 <> <(:)
done
port=$(cat "$dir/port")
export HF_ENDPOINT=http://127.0.0.1:$port HF_HOME=$dir/hf MODELHOST_PLUGIN_PATH=$dir/no-plugins
unset HF_TOKEN HF_TOKEN_PATH HF_HUB_OFFLINE MODELHOST_STORE
mkdir -p "$HF_HOME"

# ---- a plain download

new_store
export HF_TOKEN=hf_right
run download acme/tiny
ok "download: exit code 0" [ "$code" -eq 0 ]
ok "download: prints the package's folder and nothing else" [ -f "$out/metadata.json" ]
ok "download: the weights are beside the config" [ -f "$out/backends/cpu/model.safetensors" ]
ok "download: a config in a folder stays there" [ -f "$out/1_Pooling/config.json" ]
ok "download: describes the model" [ -f "$out/model_info.json" ]
ok "download: no pickle" [ -z "$(find "$out" -name '*.bin')" ]
ok "download: no other framework's weights" [ -z "$(find "$out" -name '*.h5' -o -name '*.onnx')" ]
ok "download: a line per file where stderr is no terminal" says "model.safetensors  104 B"
ok "download: says what to do about the plugin" says "no plugin for the architecture 'bert' (BertModel) in $dir/no-plugins: build or get one, then run 'pkgmgr install acme/tiny PLUGIN.so'"
ok "download: the token goes to the hub" grep -q '^127.0.0.1 GET /acme/tiny/resolve.* token$' "$dir/log"
ok "download: the token never goes to another host" not grep -q '^localhost .* token$' "$dir/log"
ok "download: the other host was asked" grep -q '^localhost GET /cdn/acme/tiny' "$dir/log"
ok "download: only the commit was used" not grep -q '/resolve/main/' "$dir/log"
ok "download: leaves no work behind" [ -z "$(ls "$MODELHOST_STORE/tmp")" ]
first=$out

: >"$dir/log"
run download acme/tiny
ok "again: the same folder" [ "$out" = "$first" ]
ok "again: fetches nothing" not grep -q -e /resolve/ -e /cdn/ "$dir/log"
run download acme/tiny@main --json
ok "again: JSON says so" json 'j["downloaded_bytes"] == 0 and j["reused_bytes"] == 194 and j["plugin"] is None'
ok "again: JSON has path, files, digests" json 'j["path"].endswith(j["path"]) and len(j["files"]) == 6 and all(len(f["sha256"]) == 64 for f in j["files"])'
kept=$MODELHOST_STORE
HF_ENDPOINT=http://127.0.0.1:1 HF_HUB_OFFLINE=1 run download acme/tiny
ok "offline: finds what is there" [ "$code:$out" = "0:$first" ]
HF_HUB_OFFLINE=1 run download acme/pages
ok "offline: exit code 9 for what is not" [ "$code" -eq 9 ]
ok "offline: says why" says "unset HF_HUB_OFFLINE"
HF_HUB_OFFLINE=1 run download acme/tiny --force
ok "offline: --force is refused" [ "$code" -eq 9 ] && says "--force has to ask the hub"
HF_HUB_OFFLINE=1 run download acme/tiny --include '*.gguf'
ok "offline: exit code 9 for files that are not there" [ "$code" -eq 9 ]
ok "offline: names what is not there" says "no file like '*.gguf'"
chmod u+w "$first/backends/cpu" && rm -f "$first/backends/cpu/model.safetensors"
HF_HUB_OFFLINE=1 run download acme/tiny
ok "offline: a package that lost a file: exit code 7" [ "$code" -eq 7 ]
ok "offline: a package that lost a file: names it" says "'backends/cpu/model.safetensors' is missing"
run download acme/tiny
ok "a package that lost a file is made whole" [ "$code:$out" = "0:$first" ]
run verify acme/tiny
ok "a package that lost a file is whole afterwards" [ "$code" -eq 0 ]
: >"$dir/log"
run download acme/tiny --force -q
ok "force: fetches again" grep -q /cdn/ "$dir/log"
ok "force: the same folder" [ "$out" = "$first" ]
ok "quiet: says nothing" [ ! -s "$dir/err" ]
: >"$dir/log"
run download acme/tiny --revision refs/pr/1
ok "another revision: a blob of the same content is not fetched" not grep -q /cdn/ "$dir/log"
ok "another revision: its slash is escaped" grep -qF 'GET /api/models/acme/tiny/revision/refs%2Fpr%2F1 ' "$dir/log"
run download acme/tiny@main --include '*.txt' --include '1_Pool*/'
ok "a part of what is there: nothing to do" [ "$out" = "$first" ]

new_store
run download acme/tiny --include '*.txt' --include '1_Pool*/' --exclude 'vocab*'
ok "include and exclude choose" [ "$(cd "$out" && find . -type f | sort | tr '\n' ' ')" = "./1_Pooling/config.json ./metadata.json ./model_info.json " ] ||
    (cd "$out" && find . -type f)
HF_HUB_OFFLINE=1 run download acme/tiny
ok "offline: exit code 9 for a package without weights" [ "$code" -eq 9 ]
run download acme/tiny
ok "then all: the rest is added" [ -f "$out/backends/cpu/model.safetensors" ]
run download acme/tiny --include 'onnx/'
ok "then more: nothing is lost" [ -f "$out/onnx/model.onnx" ] && [ -f "$out/backends/cpu/model.safetensors" ]

new_store
run download acme/tiny --dry-run
ok "dry run: a table with the total" prints "194 B  in 5 files of acme/tiny@aaaaaaaaaaaa; 194 B to fetch"
ok "dry run: makes no store" [ ! -e "$MODELHOST_STORE" ]
run download acme/tiny --dry-run --json
ok "dry run: JSON" json 'j["total_bytes"] == 194 and len(j["files"]) == 5'

# ---- names, pages, odd files

new_store
run download legacy
ok "a renamed repository (307) has its new name" says "'legacy' is called 'acme/tiny' now"
HF_HUB_OFFLINE=1 run download legacy
ok "a renamed repository is found by its old name" [ "$code" -eq 0 ]
run download old/tiny
ok "a renamed repository (200) has its new name" says "'old/tiny' is called 'acme/tiny' now"
run info acme/tiny --json
ok "both are one package" json 'j["id"] == "acme/tiny"'
ours=$HF_ENDPOINT
HF_ENDPOINT=http://localhost:$port run download legacy
ok "another hub cannot take over a name: exit code 1" [ "$code" -eq 1 ]
ok "another hub cannot take over a name: names both" says "http://localhost:$port says that 'legacy' is 'acme/tiny'"
ok "another hub cannot take over a name: says what to do" says "from $ours: give this hub a store of its own with --store DIR, or 'pkgmgr rm acme/tiny' first"
run download bare
ok "a name without an owner" [ "$code" -eq 0 ]
run download acme/pages
ok "all pages of the list are read" [ "$(find "$out" -maxdepth 1 -name 'f*.txt' | wc -l)" -eq 7 ]
run download acme/odd
ok "names with spaces, signs and letters" [ -f "$out/a b#c?d%.txt" ] && [ -f "$out/über/文.txt" ]
: >"$dir/log"
run download acme/foreign-page
ok "a page of another host is read" [ "$code" -eq 0 ]
ok "a page of another host gets no token" not grep -q '^localhost .*tree.* token$' "$dir/log"

# ---- who may

run download acme/secret
ok "a private model with the right token" [ "$code" -eq 0 ]
unset HF_TOKEN
fails "no such model" 3 "no such model: 'acme/nothing' at $HF_ENDPOINT; check the name, or give a token" download acme/nothing
fails "no such revision" 3 "the model 'acme/tiny' has no revision 'v9'" download acme/tiny@v9
fails "gated" 4 "the model 'acme/gated' is gated: ask for access at $HF_ENDPOINT/acme/gated, then give your token" download acme/gated
fails "wrong token" 4 "$HF_ENDPOINT does not accept the token (Invalid credentials in Authorization header)" download acme/tiny --token hf_wrong
fails "gated, with a token that was not let in" 4 "your account has not been let in" download acme/gated --token hf_right
fails "private, without a token" 3 "no such model: 'acme/private'" download acme/private
fails "secret, without a token" 3 "no such model: 'acme/secret'" download acme/secret
echo " hf_right " >"$HF_HOME/token"
new_store
run download acme/secret
ok "the token file in HF_HOME is read" [ "$code" -eq 0 ]
rm "$HF_HOME/token"
echo hf_right >"$dir/my-token"
new_store
HF_TOKEN_PATH=$dir/my-token run download acme/secret
ok "HF_TOKEN_PATH is read" [ "$code" -eq 0 ]

# ---- bytes that are wrong

good=$(cd "$first" && sha256sum backends/cpu/model.safetensors | cut -d' ' -f1)
fails "wrong digest" 7 "the file 'model.safetensors' came with wrong bytes: its SHA-256 is " download acme/wrong
ok "wrong digest: names what was wanted" says ", want $good"
ok "wrong digest: was fetched once more" says "fetching it once more"
fails "wrong git digest" 7 "the file 'config.json' came with wrong bytes: its git SHA-1 is " download acme/wrong-git
fails "longer than announced" 7 "is longer than the 104 bytes that the hub announced" download acme/long
fails "no digest" 7 "the hub gives no digest for 'config.json'" download acme/nodigest
new_store
run download acme/wrong-once
ok "wrong bytes once: succeeds" [ "$code" -eq 0 ]
run verify acme/wrong-once
ok "wrong bytes once: the right ones were kept" [ "$code" -eq 0 ]

# ---- a network that breaks

run download acme/short-once
ok "a transfer that breaks off is repeated" [ "$code" -eq 0 ]
ok "a transfer that breaks off: says so" says "trying again in 1 s (1 of 4)"
run download acme/busy
ok "429 is waited for" [ "$code" -eq 0 ]
run download acme/busy-file
ok "503 with Retry-After is repeated" [ "$code" -eq 0 ]
run download acme/expired
ok "an address that expired is asked for again" [ "$code" -eq 0 ]
HF_HUB_DOWNLOAD_TIMEOUT=1 run download acme/stall-once
ok "a transfer that stalls is broken off and repeated" [ "$code" -eq 0 ]
fails "429 for a day" 6 "too many requests: slow down; wait 86001 s" download acme/refused
fails "redirects without end" 5 "redirects more than 10 times" download acme/loop
fails "not a hub" 7 "not valid JSON" download acme/html
fails "an answer nobody understands" 5 "answers 400 for 'acme/error': bad  [31mrequest" download acme/error
fails "a list without end" 7 "list of files of 'acme/endless' does not end" download acme/endless
fails "a file that is listed twice" 7 "the hub lists the file '" download acme/twice
HF_ENDPOINT=http://127.0.0.1:1 fails "nobody answers" 5 "cannot reach http://127.0.0.1:1/" download acme/tiny
ok "nobody answers: counts to the attempts there are" says "trying again in 2 s (2 of 2)"

# ---- hostile repositories

fails "pickles only" 1 "the model 'acme/pickle' has no safetensors, only pickles ('pytorch_model.bin')" download acme/pickle
run download acme/pickle --allow-pickle
ok "pickles if asked for" [ -n "$(find "$out" -name pytorch_model.bin)" ]
new_store
run download acme/reserved
ok "a repository cannot bring a plugin" [ ! -e "$out/backends/cpu/libmodel.so" ]
ok "a repository cannot bring a plugin: says so" says "leaving out 'backends/cpu/libmodel.so': a name that packages keep for themselves"
ok "a repository cannot write the manifest" grep -q format_version "$out/metadata.json"
for i in 0 1 2 3 4 5 6 7 8; do
    new_store
    run download "acme/evil$i"
    ok "unsafe path $i is refused" [ "$code" -eq 7 ]
    ok "unsafe path $i: nothing is written" no_package
done
ok "unsafe paths: the terminal is not obeyed" not grep -q "$(printf '\033')" "$dir/err"
ok "unsafe paths: nothing outside the store" [ ! -e "$dir/outside" ]
run download acme/evil0
ok "unsafe paths: says why" says "the hub lists a file named '../outside', which is not a safe name"

# ---- the disk

fails "more than the disk has" 8 "no space left for the download: it takes " download acme/huge
full=$dir/small-disk
mkdir "$full"
if mount -t tmpfs -o size=6m tmpfs "$full" 2>/dev/null; then
    mounted=$full
    export MODELHOST_STORE=$full/store
    : >"$dir/log"
    "$pkgmgr" download acme/big >"$dir/out" 2>"$dir/err" &
    pid=$!
    wait_for "/cdn/acme/big"
    dd if=/dev/zero of="$full/filler" bs=64k 2>/dev/null
    wait "$pid"
    code=$?
    ok "disk full in the middle: exit code 8" [ "$code" -eq 8 ]
    ok "disk full in the middle: says what to do" says "no space left on the disk while writing 'big.safetensors'"
    ok "disk full in the middle: leaves nothing" no_package
    rm -rf "$full/filler" "$full/store"
    mkdir "$dir/large" && cp "$plugins/plugin_named_bert.so" "$dir/large/libbert.so"
    truncate -s 8M "$dir/large/libbert.so"
    run download acme/tiny --plugin-path "$dir/large"
    ok "disk full at the plugin: exit code 8" [ "$code" -eq 8 ]
    ok "disk full at the plugin: says what to do" says "No space left on device; free some space, or choose another --store"
    ok "disk full at the plugin: leaves nothing" no_package
    umount "$full" && mounted=''
else
    skipped "a full disk: mounting a small tmpfs is not permitted here"
fi
if [ "$(id -u)" -ne 0 ]; then
    mkdir "$dir/closed" && chmod 555 "$dir/closed"
    MODELHOST_STORE=$dir/closed/store run download acme/tiny
    ok "a store that cannot be made: exit code 8" [ "$code" -eq 8 ]
else
    skipped "a store without permission: root may write everywhere"
fi

# ---- interrupted

for signal in INT TERM KILL; do
    new_store
    : >"$dir/log"
    "$pkgmgr" download acme/big >"$dir/out" 2>"$dir/err" &
    pid=$!
    wait_for "/cdn/acme/big"
    kill "-$signal" "$pid"
    wait "$pid" 2>/dev/null
    code=$?
    if [ $signal = KILL ]; then
        ok "killed: no package is seen" [ -z "$(find "$MODELHOST_STORE/packages" "$MODELHOST_STORE/refs" -mindepth 1)" ]
        run list
        ok "killed: list shows nothing" silent
        run download acme/big
        ok "killed: the next download succeeds" [ "$code" -eq 0 ]
        run verify acme/big
        ok "killed: and is whole" [ "$code" -eq 0 ]
    else
        ok "SIG$signal: exit code 130" [ "$code" -eq 130 ]
        ok "SIG$signal: leaves no package and no work" no_package
        ok "SIG$signal: says so" says "interrupted"
    fi
done

# ---- plugins

export MODELHOST_STORE=$kept
run install acme/tiny "$plugins/plugin_named_lstm.so"
ok "a plugin of another architecture: exit code 1" [ "$code" -eq 1 ]
ok "a plugin of another architecture: says both" says "serves 'lstm', but the model's architecture is 'bert' (BertModel)"
run install acme/tiny "$pkgmgr"
ok "no plugin at all is refused" says "carries no modelhost note"
run install acme/tiny "$dir/nothing.so"
ok "a plugin that is not there: exit code 3" [ "$code" -eq 3 ]
python3 - "$plugins/plugin_named_bert.so" "$dir/old.so" <<'PYTHON'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
at = data.index(b"MODLHOST") + 12
data[at:at + 2] = (9).to_bytes(2, "little")
open(sys.argv[2], "wb").write(data)
PYTHON
run install acme/tiny "$dir/old.so"
ok "a plugin of another major version: exit code 1" [ "$code" -eq 1 ]
ok "a plugin of another major version: says both" says "9."
run install acme/tiny "$plugins/plugin_named_bert.so"
ok "install: exit code 0" [ "$code" -eq 0 ]
ok "install: a new version of the package" [ "$out" != "$first" ] && [ -f "$out/backends/cpu/libmodel.so" ]
ok "install: the old version is as it was" [ ! -e "$first/backends/cpu/libmodel.so" ]
second=$out
run verify acme/tiny
ok "install: the package is whole" [ "$code" -eq 0 ]
run info acme/tiny --json
ok "info: JSON has path, files and plugin" json 'j["path"] == "'"$second"'" and j["plugin"]["name"] == "named-bert" and j["plugin"]["version"] == "1.2.3" and j["plugin"]["abi"] == "1.0" and len(j["plugin"]["sha256"]) == 64 and j["model_info"]["model_type"] == "bert"'
run info acme/tiny
ok "info: a table" prints "named-bert 1.2.3 (ABI 1.0)"
run download acme/tiny --force
ok "download again keeps the plugin" [ -f "$out/backends/cpu/libmodel.so" ]
run install "$second" "$plugins/plugin_named_lstm.so" --force
ok "install by folder makes a new version in the store, too" [ "$code" -eq 0 ] && [ "$out" != "$second" ]
cp -R "$first" "$dir/folder" && chmod -R u+w "$dir/folder"
run install "$dir/folder" "$plugins/plugin_named_bert.so"
ok "install into a plain folder" [ "$code" -eq 0 ] && [ -f "$dir/folder/backends/cpu/libmodel.so" ]
run verify "$dir/folder"
ok "install into a plain folder: its manifest knows" [ "$code" -eq 0 ]
ok "install into a plain folder: nothing else" [ "$(find "$dir/folder/backends/cpu" -type f | wc -l)" -eq 3 ]

new_store
mkdir "$dir/plugins" && cp "$plugins/plugin_named_bert.so" "$dir/plugins/libbert.so"
run download acme/tiny --plugin-path "$dir/plugins"
ok "download installs the plugin from the plugin path" [ -f "$out/backends/cpu/libmodel.so" ]
ok "download with a plugin gives no advice" not says "no plugin"
new_store
run download bare
MODELHOST_PLUGIN_PATH=$dir/plugins run download bare
ok "download again adds a plugin that is there now" [ -f "$out/backends/cpu/libmodel.so" ]

# ---- list, info, verify, rm

package=$out
run list --json
ok "list: JSON" json 'len(j) == 1 and j[0]["id"] == "bare" and j[0]["has_plugin"] and j[0]["path"] == "'"$package"'"'
run list
ok "list: a table" prints "bare"
chmod u+w "$package/backends/cpu" "$package/backends/cpu/config.json"
printf 'X' | dd of="$package/backends/cpu/config.json" bs=1 seek=3 conv=notrunc 2>/dev/null
run verify bare
ok "verify: exit code 7 for a damaged file" [ "$code" -eq 7 ]
ok "verify: names it" says "backends/cpu/config.json"
run verify bare --json
ok "verify: JSON names it" json 'not j["ok"] and [f["path"] for f in j["files"] if not f["ok"]] == ["backends/cpu/config.json"]'
run download bare --force -q
run verify bare -q
ok "download --force repairs it" [ "$code" -eq 0 ]
run rm bare
ok "rm: exit code 0" [ "$code" -eq 0 ]
ok "rm: gone with its files" [ -z "$(find "$MODELHOST_STORE" -type f ! -name CACHEDIR.TAG)" ]
run rm bare
ok "rm: exit code 3 for what is not there" [ "$code" -eq 3 ]
new_store
run list
ok "list: no store is an empty list" [ "$code" -eq 0 ] && silent
run info acme/tiny
ok "info: exit code 3 for what is not there" [ "$code" -eq 3 ]

# ---- the command line

usage() { # NAME SENTENCE ARGUMENT...
    local name=$1 sentence=$2
    shift 2
    run "$@"
    ok "$name: exit code 2" [ "$code" -eq 2 ]
    ok "$name: says why" says "$sentence"
    ok "$name: prints nothing" silent
}
usage "no command" "usage: pkgmgr COMMAND"
usage "unknown command" "unknown command 'fetch'; there are: download" fetch
usage "unknown option" "unknown option '--fast'; see 'pkgmgr help download'" download --fast x
usage "unknown letter" "unknown option '-z'" list -z
usage "option without its value" "option '--revision' wants a value" download x --revision
usage "no model" "which model?" download
usage "two revisions" "two revisions" download acme/tiny@main --revision main
usage "not a name" "is not" download 'acme/../x'
usage "not an endpoint" "begins with neither http:// nor https://" download acme/tiny --endpoint ftp://x
for command in download install list info verify rm; do
    run help $command
    ok "help $command" prints "usage: pkgmgr $command"
    run $command --help
    ok "$command --help" prints "usage: pkgmgr $command"
done
run --version
ok "--version" prints "pkgmgr "
run --help
ok "--help" prints "download"

# ---- a terminal

new_store
if script --version >/dev/null 2>&1; then
    TERM=xterm script -qec "'$pkgmgr' download acme/big" "$dir/typescript" >/dev/null 2>&1 </dev/null
    ok "a terminal sees bytes, total, rate and time left" grep -qE '[1-3]/3 files  .*MB of 4.19 MB  [0-9]+%  .*/s  [0-9]:[0-9]+ left' "$dir/typescript"
else
    skipped "progress on a terminal: no 'script' command"
fi

echo "$n_passed passed, $n_failed failed, $n_skipped skipped"
[ "$n_failed" -eq 0 ]
