#!/usr/bin/env bash
# pkgmgr against a hub that misbehaves (fake_hub.py): what is downloaded, what is refused, with which
# exit code and sentence, and what is left behind.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
pkgmgr=$build/bin/pkgmgr program=$pkgmgr
plugins=$build/tests
begin download
abi=$(sed -n 's/^#define MODEL_ABI_\(MAJOR\|MINOR\) \([0-9]*\).*/\2/p' include/model_abi.h | paste -sd .)
hub_pid='' mounted=''
stop_all() {
    [ -z "$hub_pid" ] || kill "$hub_pid" 2>/dev/null
    [ -z "$mounted" ] || umount "$mounted" 2>/dev/null
}
on_exit stop_all

silent() { [ ! -s "$work/out" ]; }
refused() { # NAME CODE TEXT ARGUMENT...: fails, in a store of its own
    new_store
    fails "$@"
}
unreachable() { # NAME TEXT ARGUMENT...: the same; how long it took is the machine's affair
    local name=$1 text=$2
    shift 2
    new_store
    remember
    run "$@"
    sed -i 's/ after [0-9]* ms/ after N ms/' "$work/err"
    failed "$name" 5 "$text"
}
n_stores=0
new_store() {
    n_stores=$((n_stores + 1))
    export MODELHOST_STORE=$work/store$n_stores
}
wait_for() { # TEXT: until the hub has been asked for it
    local i
    for i in $(seq 200); do
        grep -qF -- "$1" "$work/log" && return 0
        read -rt 0.05 <> <(:)
    done
    return 1
}

command -v python3 >/dev/null || {
    echo "skip: no python3 for the scripted hub"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}
: >"$work/log"
python3 tests/system/fake_hub.py "$work/log" >"$work/port" &
hub_pid=$!
for _ in $(seq 200); do
    [ -s "$work/port" ] && break
    read -rt 0.05 <> <(:)
done
port=$(cat "$work/port")
export HF_ENDPOINT=http://127.0.0.1:$port HF_HOME=$work/hf MODELHOST_PLUGIN_PATH=$work/no-plugins
unset HF_TOKEN HF_TOKEN_PATH HF_HUB_OFFLINE MODELHOST_STORE
mkdir -p "$HF_HOME"

# ---- a plain download

new_store
export HF_TOKEN=hf_right
run download acme/tiny
same "download: exit code 0" "$code" 0
ok "download: prints the package's folder and nothing else" [ -f "$out/metadata.json" ]
ok "download: the weights are beside the config" [ -f "$out/backends/cpu/model.safetensors" ]
ok "download: a config in a folder stays there" [ -f "$out/1_Pooling/config.json" ]
ok "download: describes the model" [ -f "$out/model_info.json" ]
ok "download: no pickle" [ -z "$(find "$out" -name '*.bin')" ]
ok "download: no other framework's weights" [ -z "$(find "$out" -name '*.h5' -o -name '*.onnx')" ]
said "download: a line per file where stderr is no terminal, the bytes, what to do about the plugin" "1_Pooling/config.json  2 B
README.md  7 B
config.json  72 B
model.safetensors  104 B
vocab.txt  9 B
acme/tiny@aaaaaaaaaaaa: 194 B downloaded
pkgmgr: no plugin for the architecture 'bert' (BertModel) in $work/no-plugins: build or get one, then run 'pkgmgr install acme/tiny PLUGIN.so'"
ok "download: the token goes to the hub" grep -q '^127.0.0.1 GET /acme/tiny/resolve.* token$' "$work/log"
ok "download: the token never goes to another host" not grep -q '^localhost .* token$' "$work/log"
ok "download: the other host was asked" grep -q '^localhost GET /cdn/acme/tiny' "$work/log"
ok "download: only the commit was used" not grep -q '/resolve/main/' "$work/log"
ok "download: leaves no work behind" [ -z "$(ls "$MODELHOST_STORE/tmp")" ]
first=$out

: >"$work/log"
run download acme/tiny
ok "again: the same folder" [ "$out" = "$first" ]
ok "again: fetches nothing" not grep -q -e /resolve/ -e /cdn/ "$work/log"
run download acme/tiny@main --json
ok "again: JSON says so" json 'j["downloaded_bytes"] == 0 and j["reused_bytes"] == 194 and j["plugin"] is None'
ok "again: JSON has path, files, digests" json 'j["path"].endswith(j["path"]) and len(j["files"]) == 6 and all(len(f["sha256"]) == 64 for f in j["files"])'
kept=$MODELHOST_STORE
HF_ENDPOINT=http://127.0.0.1:1 HF_HUB_OFFLINE=1 run download acme/tiny
ok "offline: finds what is there" [ "$code:$out" = "0:$first" ]
HF_HUB_OFFLINE=1 fails "offline: what is not there" 9 "pkgmgr: offline, and the store $MODELHOST_STORE does not have 'acme/pages' at revision 'main'; unset HF_HUB_OFFLINE to download it" download acme/pages
HF_HUB_OFFLINE=1 fails "offline: another revision" 9 "pkgmgr: offline, and the store $MODELHOST_STORE does not have 'acme/tiny' at revision 'v9'; unset HF_HUB_OFFLINE to download it" download acme/tiny@v9
HF_HUB_OFFLINE=1 fails "offline: --force" 9 'pkgmgr: offline: --force has to ask the hub; unset HF_HUB_OFFLINE' download acme/tiny --force
HF_HUB_OFFLINE=1 fails "offline: --dry-run" 9 'pkgmgr: offline: --dry-run has to ask the hub; unset HF_HUB_OFFLINE' download acme/tiny --dry-run
HF_HUB_OFFLINE=1 fails "offline: files that are not there" 9 "pkgmgr: offline, and the package of 'acme/tiny' has no file like '*.gguf'; unset HF_HUB_OFFLINE to download it" download acme/tiny --include '*.gguf'
chmod u+w "$first/backends/cpu" && rm -f "$first/backends/cpu/model.safetensors"
HF_HUB_OFFLINE=1 fails "offline: a package that lost a file" 7 "pkgmgr: offline: the package $first is damaged: 'backends/cpu/model.safetensors' is missing; unset HF_HUB_OFFLINE and download it again" download acme/tiny
run download acme/tiny
ok "a package that lost a file is made whole" [ "$code:$out" = "0:$first" ]
run verify acme/tiny
same "a package that lost a file is whole afterwards" "$code" 0
: >"$work/log"
run download acme/tiny --force -q
ok "force: fetches again" grep -q /cdn/ "$work/log"
ok "force: the same folder" [ "$out" = "$first" ]
ok "quiet: says nothing" [ ! -s "$work/err" ]
: >"$work/log"
run download acme/tiny --revision refs/pr/1
ok "another revision: a blob of the same content is not fetched" not grep -q /cdn/ "$work/log"
ok "another revision: its slash is escaped" grep -qF 'GET /api/models/acme/tiny/revision/refs%2Fpr%2F1 ' "$work/log"
run download acme/tiny@main --include '*.txt' --include '1_Pool*/'
ok "a part of what is there: nothing to do" [ "$out" = "$first" ]

new_store
run download acme/tiny --include '*.txt' --include '1_Pool*/' --exclude 'vocab*'
ok "include and exclude choose" [ "$(cd "$out" && find . -type f | sort | tr '\n' ' ')" = "./1_Pooling/config.json ./metadata.json ./model_info.json " ] ||
    (cd "$out" && find . -type f)
HF_HUB_OFFLINE=1 fails "offline: a package without weights" 9 "pkgmgr: offline, and the package of 'acme/tiny' has no weights: only a part of the model was downloaded; unset HF_HUB_OFFLINE to download the rest, or name the files you want with --include" download acme/tiny
run download acme/tiny
ok "then all: the rest is added" [ -f "$out/backends/cpu/model.safetensors" ]
run download acme/tiny --include 'onnx/'
ok "then more: nothing is lost" [ -f "$out/onnx/model.onnx" ] && [ -f "$out/backends/cpu/model.safetensors" ]

new_store
run download acme/tiny --dry-run
same "dry run: a table with what is left out, and the total" "$out" "       2 B  fetch     1_Pooling/config.json
       7 B  fetch     README.md
      72 B  fetch     config.json
     104 B  fetch     model.safetensors
       9 B  fetch     vocab.txt
       7 B  left out  .gitattributes  (the repository's housekeeping)
       4 B  left out  onnx/model.onnx  (another framework's weights)
       8 B  left out  pytorch_model.bin  (a pickle, which can run code)
       3 B  left out  tf_model.h5  (another framework's weights)
     194 B  in 5 files of acme/tiny@aaaaaaaaaaaa; 194 B to fetch"
said "dry run: says nothing else" ''
ok "dry run: makes no store" [ ! -e "$MODELHOST_STORE" ]
run download acme/tiny --dry-run --json
ok "dry run: JSON" json 'j["total_bytes"] == 194 and len(j["files"]) == 5'
ok "dry run: JSON says what is left out" json '{f["path"]: f["reason"] for f in j["left_out"]} == {".gitattributes": "the repository\x27s housekeeping", "pytorch_model.bin": "a pickle, which can run code", "tf_model.h5": "another framework\x27s weights", "onnx/model.onnx": "another framework\x27s weights"}'

# ---- names, pages, odd files

new_store
run download legacy
ok "a renamed repository (307) has its new name" says "'legacy' is called 'acme/tiny' now"
HF_HUB_OFFLINE=1 run download legacy
same "a renamed repository is found by its old name" "$code" 0
run download old/tiny
ok "a renamed repository (200) has its new name" says "'old/tiny' is called 'acme/tiny' now"
run info acme/tiny --json
ok "both are one package" json 'j["id"] == "acme/tiny"'
ours=$HF_ENDPOINT HF_ENDPOINT=http://localhost:$port
fails "another hub cannot take over a name" 1 "pkgmgr: http://localhost:$port says that 'legacy' is 'acme/tiny', but the store $MODELHOST_STORE has 'acme/tiny' from $ours: give this hub a store of its own with --store DIR, or 'pkgmgr rm acme/tiny' first" download legacy
HF_ENDPOINT=$ours
run download bare
same "a name without an owner" "$code" 0
run download acme/pages
ok "all pages of the list are read" [ "$(find "$out" -maxdepth 1 -name 'f*.txt' | wc -l)" -eq 7 ]
run download acme/odd
ok "names with spaces, signs and letters" [ -f "$out/a b#c?d%.txt" ] && [ -f "$out/über/文.txt" ]
: >"$work/log"
run download acme/foreign-page
same "a page of another host is read" "$code" 0
ok "a page of another host gets no token" not grep -q '^localhost .*tree.* token$' "$work/log"

# ---- who may

run download acme/secret
same "a private model with the right token" "$code" 0
unset HF_TOKEN
refused "no such model" 3 "pkgmgr: no such model: 'acme/nothing' at $HF_ENDPOINT; check the name, or give a token with HF_TOKEN or --token if it is private" download acme/nothing
refused "no such revision" 3 "pkgmgr: the model 'acme/tiny' has no revision 'v9'; see $HF_ENDPOINT/acme/tiny for its branches" download acme/tiny@v9
refused "gated" 4 "pkgmgr: the model 'acme/gated' is gated at $HF_ENDPOINT (Access to this model is restricted); give a token with HF_TOKEN or --token" download acme/gated
refused "wrong token" 4 "pkgmgr: $HF_ENDPOINT does not accept the token (Invalid credentials in Authorization header); check HF_TOKEN, --token or the token file" download acme/tiny --token hf_wrong
refused "gated, with a token that was not let in" 4 "pkgmgr: the model 'acme/gated' is gated at $HF_ENDPOINT (Access to this model is restricted); the token has not been let in: ask who runs the server" download acme/gated --token hf_right
refused "private, without a token" 3 "pkgmgr: no such model: 'acme/private' at $HF_ENDPOINT; check the name, or give a token with HF_TOKEN or --token if it is private" download acme/private
refused "secret, without a token" 3 "pkgmgr: no such model: 'acme/secret' at $HF_ENDPOINT; check the name, or give a token with HF_TOKEN or --token if it is private" download acme/secret
echo " hf_right " >"$HF_HOME/token"
new_store
run download acme/secret
same "the token file in HF_HOME is read" "$code" 0
rm "$HF_HOME/token"
echo hf_right >"$work/my-token"
new_store
HF_TOKEN_PATH=$work/my-token run download acme/secret
same "HF_TOKEN_PATH is read" "$code" 0

# ---- bytes that are wrong

good=$(cd "$first" && sha256sum backends/cpu/model.safetensors | cut -d' ' -f1)
refused "wrong digest" 7 "config.json  72 B
pkgmgr: the file 'model.safetensors' came with wrong bytes: its SHA-256 is 8e543522100973966fc39400fbed2740c52ff9b84e85331a7e9eb572e2116e91, want $good; fetching it once more
pkgmgr: the file 'model.safetensors' came with wrong bytes: its SHA-256 is 8e543522100973966fc39400fbed2740c52ff9b84e85331a7e9eb572e2116e91, want $good; it was fetched twice; try again later, and if that does not help the server or a proxy damages it" download acme/wrong --max-workers 1
refused "wrong git digest" 7 "pkgmgr: the file 'config.json' came with wrong bytes: its git SHA-1 is 9d859b6ee58dc0affb7914bc08617a2f7227996b, want 825d829a4bb5f23d6cf3afa96da6307bb2e894b9; fetching it once more
pkgmgr: the file 'config.json' came with wrong bytes: its git SHA-1 is 9d859b6ee58dc0affb7914bc08617a2f7227996b, want 825d829a4bb5f23d6cf3afa96da6307bb2e894b9; it was fetched twice; try again later, and if that does not help the server or a proxy damages it" download acme/wrong-git --max-workers 1
refused "longer than announced" 7 "config.json  72 B
pkgmgr: the file 'model.safetensors' is longer than the 104 bytes that the hub announced; fetching it once more
pkgmgr: the file 'model.safetensors' is longer than the 104 bytes that the hub announced; it was fetched twice; try again later, and if that does not help the server or a proxy damages it" download acme/long --max-workers 1
refused "no digest" 7 "pkgmgr: the hub gives no digest for 'config.json', so its bytes cannot be checked; is this a hub?" download acme/nodigest
new_store
run download acme/wrong-once
same "wrong bytes once: succeeds" "$code" 0
run verify acme/wrong-once
same "wrong bytes once: the right ones were kept" "$code" 0

# ---- a network that breaks

run download acme/short-once
same "a transfer that breaks off is repeated" "$code" 0
said "a transfer that breaks off: says so" "config.json  72 B  (in the store already)
pkgmgr: the transfer from http://localhost:$port/cdn/acme/short-once/model.safetensors?signature=1 broke off: transfer closed with 52 bytes remaining to read; trying again in 1 s (1 of 4)
model.safetensors  104 B
acme/short-once@aaaaaaaaaaaa: 104 B downloaded, 72 B in the store already
pkgmgr: no plugin for the architecture 'bert' (BertModel) in $work/no-plugins: build or get one, then run 'pkgmgr install acme/short-once PLUGIN.so'"
run download acme/busy
same "429 is waited for" "$code" 0
run download acme/busy-file
same "503 with Retry-After is repeated" "$code" 0
run download acme/expired
same "an address that expired is asked for again" "$code" 0
HF_HUB_DOWNLOAD_TIMEOUT=1 run download acme/stall-once
same "a transfer that stalls is broken off and repeated" "$code" 0
refused "429 for a day" 6 "pkgmgr: $HF_ENDPOINT says that there were too many requests: slow down; wait 86001 s, or give a token, which is allowed more" download acme/refused
refused "redirects without end" 5 "pkgmgr: $HF_ENDPOINT/acme/loop/resolve/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/config.json redirects more than 10 times; is this a hub, or a proxy's login page?" download acme/loop --max-workers 1
refused "not a hub" 7 "pkgmgr: the hub's answer about the model: not valid JSON at byte 0; is this a hub, or a page in between that wants you to log in?" download acme/html
refused "an answer nobody understands" 5 "pkgmgr: $HF_ENDPOINT answers 400 for 'acme/error': bad  [31mrequest; is this a hub?" download acme/error
refused "a list without end" 7 "pkgmgr: the hub's list of files of 'acme/endless' does not end; is this a hub?" download acme/endless
refused "a file that is listed twice" 7 "pkgmgr: the hub lists the file 'config.json' twice; tell whoever runs it, nothing was downloaded" download acme/twice
HF_ENDPOINT=http://127.0.0.1:1 unreachable "nobody answers" "pkgmgr: cannot reach http://127.0.0.1:1/api/models/acme/tiny/revision/main: Failed to connect to 127.0.0.1 port 1 after N ms: Couldn't connect to server; trying again in 1 s (1 of 2)
pkgmgr: cannot reach http://127.0.0.1:1/api/models/acme/tiny/revision/main: Failed to connect to 127.0.0.1 port 1 after N ms: Couldn't connect to server; trying again in 2 s (2 of 2)
pkgmgr: cannot reach http://127.0.0.1:1/api/models/acme/tiny/revision/main: Failed to connect to 127.0.0.1 port 1 after N ms: Couldn't connect to server; check the network, the address of the hub (HF_ENDPOINT, --endpoint) and the proxy (https_proxy, no_proxy)" download acme/tiny
http_proxy=http://127.0.0.1:1 HF_ENDPOINT=http://hub.invalid unreachable "the proxy does not answer" "pkgmgr: cannot reach http://hub.invalid/api/models/acme/tiny/revision/main: Failed to connect to 127.0.0.1 port 1 after N ms: Couldn't connect to server; trying again in 1 s (1 of 2)
pkgmgr: cannot reach http://hub.invalid/api/models/acme/tiny/revision/main: Failed to connect to 127.0.0.1 port 1 after N ms: Couldn't connect to server; trying again in 2 s (2 of 2)
pkgmgr: cannot reach http://hub.invalid/api/models/acme/tiny/revision/main: Failed to connect to 127.0.0.1 port 1 after N ms: Couldn't connect to server; check the network, the address of the hub (HF_ENDPOINT, --endpoint) and the proxy (https_proxy, no_proxy)" download acme/tiny

# ---- hostile repositories

refused "pickles only" 1 "pkgmgr: the model 'acme/pickle' has no safetensors, only pickles ('pytorch_model.bin'), which can run any code when they are opened: look for a revision with safetensors (often --revision refs/pr/N), or give --allow-pickle and make safetensors of them with 'pkgmgr convert', which runs nothing" download acme/pickle
run download acme/pickle --allow-pickle
ok "pickles if asked for" [ -n "$(find "$out" -name pytorch_model.bin)" ]
new_store
run download acme/reserved
ok "a repository cannot bring a plugin" [ ! -e "$out/backends/cpu/libmodel.so" ]
said "a repository cannot bring a plugin: says so" "pkgmgr: leaving out 'backends/cpu/libmodel.so': a name that packages keep for themselves
pkgmgr: leaving out 'metadata.json': a name that packages keep for themselves
1_Pooling/config.json  2 B
README.md  7 B
config.json  72 B
model.safetensors  104 B
vocab.txt  9 B
acme/reserved@aaaaaaaaaaaa: 194 B downloaded
pkgmgr: no plugin for the architecture 'bert' (BertModel) in $work/no-plugins: build or get one, then run 'pkgmgr install acme/reserved PLUGIN.so'"
ok "a repository cannot write the manifest" grep -q format_version "$out/metadata.json"
i=0
for shown in ../outside /etc/passwd a/../../b a//b 'a\b' C:evil 'a?b' . 'x/?[2J'; do
    refused "the unsafe path $shown" 7 "pkgmgr: the hub lists a file named '$shown', which is not a safe name; nothing was downloaded" \
        download "acme/evil$i"
    i=$((i + 1))
done
ok "unsafe paths: nothing outside the store" [ ! -e "$work/outside" ]

# ---- the disk

new_store
remember
run download acme/huge
sed -i 's/ has [0-9.]* [kMGTP]*B;/ has N;/' "$work/err"
failed "more than the disk has" 8 "pkgmgr: no space left for the download: it takes 563 TB and the disk of '$MODELHOST_STORE' has N; free some, or choose another disk with --store DIR"
full=$work/small-disk
mkdir "$full"
if mount -t tmpfs -o size=6m tmpfs "$full" 2>/dev/null; then
    mounted=$full
    export MODELHOST_STORE=$full/store
    remember
    : >"$work/log"
    "$pkgmgr" download acme/big -q >"$work/out" 2>"$work/err" &
    pid=$!
    wait_for "/cdn/acme/big"
    dd if=/dev/zero of="$full/filler" bs=64k 2>/dev/null
    wait "$pid"
    code=$?
    rm "$full/filler"
    failed "disk full in the middle" 8 "pkgmgr: no space left on the disk while writing 'big.safetensors' to the store $work/small-disk/store; free some, or choose another disk with --store DIR"
    rm -rf "$full/store"
    mkdir "$work/large" && cp "$plugins/plugin_named_bert.so" "$work/large/libbert.so"
    truncate -s 8M "$work/large/libbert.so"
    fails "disk full at the plugin" 8 "pkgmgr: cannot write plugin in the store $work/small-disk/store: No space left on device; free some space, or choose another --store" download acme/tiny -q --plugin-path "$work/large"
    umount "$full" && mounted=''
else
    skipped "a full disk: mounting a small tmpfs is not permitted here"
fi
if [ "$(id -u)" -ne 0 ]; then
    mkdir "$work/closed" && chmod 555 "$work/closed"
    MODELHOST_STORE=$work/closed/store fails "a store that cannot be made" 8 "pkgmgr: cannot make the store $work/closed/store: cannot make folder $work/closed/store: Permission denied; choose another with --store" download acme/tiny
else
    skipped "a store without permission: root may write everywhere"
fi

# ---- interrupted

for signal in INT TERM KILL; do
    new_store
    remember
    : >"$work/log"
    "$pkgmgr" download acme/big -q >"$work/out" 2>"$work/err" &
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
        failed "SIG$signal" 130 'pkgmgr: interrupted; the same command goes on where it was'
    fi
done

# ---- plugins

export MODELHOST_STORE=$kept
remember
fails "a plugin of another architecture" 1 "pkgmgr: the plugin $plugins/plugin_named_lstm.so serves 'lstm', but the model's architecture is 'bert' (BertModel); choose another plugin, or give --force if you know better" install acme/tiny "$plugins/plugin_named_lstm.so"
fails "no plugin at all" 1 "pkgmgr: $pkgmgr carries no modelhost note; it is not a plugin, or MODEL_PLUGIN_NOTE() is missing" install acme/tiny "$pkgmgr"
fails "a plugin that is not there" 3 "pkgmgr: cannot open $work/nothing.so: No such file or directory; give the path of a plugin that was built" install acme/tiny "$work/nothing.so"
fails "a model that is not there" 3 "pkgmgr: 'acme/none' is not in the store $MODELHOST_STORE, which has acme/tiny; \`pkgmgr download acme/none\` fetches it" install acme/none "$plugins/plugin_named_bert.so"
fails "a plugin without a note" 1 "pkgmgr: $plugins/plugin_no_note.so carries no modelhost note; it is not a plugin, or MODEL_PLUGIN_NOTE() is missing" install acme/tiny "$plugins/plugin_no_note.so"
fails "a plugin that exports more" 1 "pkgmgr: $plugins/plugin_extra_exports.so: plugin 'bert' 1.0.0 exports 2 symbols beside create_model (helper_of_bert table_of_bert); hide them: compile with -fvisibility=hidden and link with the version script { global: create_model; local: *; };" install acme/tiny "$plugins/plugin_extra_exports.so"
fails "a plugin without create_model" 1 "pkgmgr: $plugins/plugin_no_create_model.so: plugin 'bert' 1.0.0 does not export create_model; define it with the signature of model_abi.h and mark it MODEL_EXPORT" install acme/tiny "$plugins/plugin_no_create_model.so"
python3 - "$plugins/plugin_named_bert.so" "$work/old.so" <<'PYTHON'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
at = data.index(b"MODLHOST") + 12
data[at:at + 2] = (9).to_bytes(2, "little")
open(sys.argv[2], "wb").write(data)
PYTHON
fails "a plugin of another major version" 1 "pkgmgr: $work/old.so: plugin 'named-bert' 1.2.3 was built for ABI 9.3, this host speaks $abi; rebuild the plugin with this host's model_abi.h, or use a host of ABI 9" install acme/tiny "$work/old.so"
run install acme/tiny "$plugins/plugin_named_bert.so"
same "install: exit code 0" "$code" 0
ok "install: a new version of the package" [ "$out" != "$first" ] && [ -f "$out/backends/cpu/libmodel.so" ]
ok "install: the old version is as it was" [ ! -e "$first/backends/cpu/libmodel.so" ]
second=$out
run verify acme/tiny
same "install: the package is whole" "$code" 0
run info acme/tiny --json
ok "info: JSON has path, files and plugin" json 'j["path"] == "'"$second"'" and j["plugin"]["name"] == "named-bert" and j["plugin"]["version"] == "1.2.3" and j["plugin"]["abi"] == "1.3" and len(j["plugin"]["sha256"]) == 64 and j["model_info"]["model_type"] == "bert" and j["requested_id"] == "acme/tiny" and {f["path"]: f["source"] for f in j["files"]}["backends/cpu/config.json"] == "config.json" and {f["path"]: f["source"] for f in j["files"]}["backends/cpu/libmodel.so"] is None'
run info acme/tiny
ok "info: a table" prints "named-bert 1.2.3 (ABI 1.3)"
run download acme/tiny --force
ok "download again keeps the plugin" [ -f "$out/backends/cpu/libmodel.so" ]
run install "$second" "$plugins/plugin_named_lstm.so" --force
ok "install by folder makes a new version in the store, too" [ "$code" -eq 0 ] && [ "$out" != "$second" ]
cp -R "$first" "$work/folder" && chmod -R u+w "$work/folder"
run install "$work/folder" "$plugins/plugin_named_bert.so"
ok "install into a plain folder" [ "$code" -eq 0 ] && [ -f "$work/folder/backends/cpu/libmodel.so" ]
run verify "$work/folder"
same "install into a plain folder: its manifest knows" "$code" 0
ok "install into a plain folder: nothing else" [ "$(find "$work/folder/backends/cpu" -type f | wc -l)" -eq 3 ]

new_store
mkdir "$work/plugins" && cp "$plugins/plugin_named_bert.so" "$work/plugins/libbert.so"
run download acme/tiny --plugin-path "$work/plugins"
ok "download installs the plugin from the plugin path" [ -f "$out/backends/cpu/libmodel.so" ]
ok "download with a plugin gives no advice" not says "no plugin"
new_store
run download bare
MODELHOST_PLUGIN_PATH=$work/plugins run download bare
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
same "verify: exit code for a damaged file" "$code" 7
said "verify: names it" "pkgmgr: $package: backends/cpu/config.json: sha256 85f64d8492258ed08cf18bcd4da7056188cc80b8257e6ded95a6631fb7b58cb9, want 6234686314aefc5e87247830fe9e9c2a44d66d0392d3cb4c2f3ae6c5ec5daea3 (1 of 4 files bad); download it again with --force"
ok "verify: marks it in the table" prints "DAMAGED backends/cpu/config.json"
run verify bare --json
ok "verify: JSON names it" json 'not j["ok"] and [f["path"] for f in j["files"] if not f["ok"]] == ["backends/cpu/config.json"]'
run download bare --force -q
run verify bare -q
same "download --force repairs it" "$code" 0
run rm bare nothing --json
same "rm: exit code when one is not there" "$code" 3
said "rm: names what is not there" "pkgmgr: 'nothing' is not in the store $MODELHOST_STORE, which is empty; \`pkgmgr download nothing\` fetches it"
ok "rm: JSON" json '[(r["name"], r["removed"]) for r in j] == [("bare", True), ("nothing", False)] and j[0]["freed_bytes"] > 0 and "nothing" in j[1]["error"]'
ok "rm: gone with its files" [ -z "$(find "$MODELHOST_STORE" -type f ! -name CACHEDIR.TAG ! -path "*/prepared/*")" ]
fails "rm: what is not there" 3 "pkgmgr: 'bare' is not in the store $MODELHOST_STORE, which is empty; \`pkgmgr download bare\` fetches it" rm bare
run list
same "list: an empty store is an empty list" "$code:$out" 0:
said "list: an empty store: says so" "pkgmgr: no packages in the store $MODELHOST_STORE; \`pkgmgr download ID\` gets one"
new_store
run list
same "list: no store is an empty list" "$code:$out" 0:
said "list: no store: says so" "pkgmgr: no store at $MODELHOST_STORE; \`pkgmgr download\` makes one, --store names another"
run list --json
same "list: no store as JSON" "$code:$out:$(cat "$work/err")" '0:[]:'
fails "list: a store that was named and is not there" 3 "pkgmgr: no store at $work/nope; \`pkgmgr download\` makes one, --store names another" list --store "$work/nope"
fails "rm: no store" 3 "pkgmgr: no store at $MODELHOST_STORE; \`pkgmgr download\` makes one, --store names another" rm acme/tiny
fails "verify: no store" 3 "pkgmgr: no such model: 'acme/tiny' is no package's folder, and the store does not exist yet; get it with pkgmgr download acme/tiny" verify acme/tiny
fails "info: no store" 3 "pkgmgr: no such model: 'acme/tiny' is no package's folder, and the store does not exist yet; get it with pkgmgr download acme/tiny" info acme/tiny
fails "info: no such folder" 3 "pkgmgr: cannot open the package ./nothing: No such file or directory; give a package's folder, or the name of a model in the store" info ./nothing

# ---- the command line

fails "no command" 2 "$("$pkgmgr" --help)"
commands=$("$pkgmgr" --help | sed -n 's/^  \([a-z]\{1,\}\)  .*/\1/p' | paste -sd ' ')
has "the commands are listed" "$commands" "download install list info verify "
fails "unknown command" 2 "pkgmgr: unknown command 'fetch'; there are: $commands; see 'pkgmgr --help'" fetch
fails "unknown option" 2 "pkgmgr download: unknown option '--fast'; see 'pkgmgr help download'" download --fast x
fails "unknown letter" 2 "pkgmgr list: unknown option '-z'; see 'pkgmgr help list'" list -z
fails "option without its value" 2 "pkgmgr download: option '--revision' wants a value; see 'pkgmgr help download'" download x --revision
fails "no model" 2 "pkgmgr download: which model? want ID; see 'pkgmgr help download'" download
fails "two revisions" 2 "pkgmgr download: two revisions: '@main' and --revision main; see 'pkgmgr help download'" download acme/tiny@main --revision main
fails "not a name" 2 "pkgmgr download: 'acme/../x' is not a model's name; want 'name' or 'owner/name' of letters, digits, '-', '_' and '.'; see 'pkgmgr help download'" download 'acme/../x'
fails "not an endpoint" 2 "pkgmgr download: the hub's endpoint: the URL 'ftp://x' begins with neither http:// nor https://; see 'pkgmgr help download'" download acme/tiny --endpoint ftp://x
for command in download install list info verify rm; do
    run help $command
    ok "help $command" prints "usage: pkgmgr $command"
    run $command --help
    ok "$command --help" prints "usage: pkgmgr $command"
done
run --version
same "--version" "$out" "pkgmgr $(sed -n 's/^#define MODELHOST_VERSION "\(.*\)"/\1/p' include/modelhost.h)"
run --help
ok "--help" prints "download"

# ---- a standard output that takes nothing

export MODELHOST_STORE=$kept
full() { # NAME ARGUMENT...
    local name=$1
    shift
    "$pkgmgr" "$@" >/dev/full 2>"$work/err" </dev/null
    code=$?
    same "$name >/dev/full: exit code" "$code" 8
    said "$name >/dev/full: the sentence" 'pkgmgr: cannot write the result to standard output: No space left on device; what came out is incomplete: send it to a place that takes it all'
}
if [ -c /dev/full ]; then
    full help --help
    full version --version
    full list list
    full 'list --json' list --json
    full info info acme/tiny
    full 'info --json' info acme/tiny --json
    full verify verify acme/tiny
    full 'verify --json' verify acme/tiny --json -q
    full 'download --dry-run' download acme/tiny --dry-run
    full download download acme/tiny -q
    full install install acme/tiny "$plugins/plugin_named_bert.so" -q
    full 'rm --json' rm acme/tiny --json
else
    skipped 'a full standard output: no /dev/full here'
fi

# ---- a terminal

new_store
if script --version >/dev/null 2>&1; then
    TERM=xterm script -qec "'$pkgmgr' download acme/big --limit-rate 3M" "$work/typescript" >/dev/null 2>&1 </dev/null
    ok "a terminal sees bytes, total, rate and time left" grep -qE '[1-3]/3 files  .*MB of 4.19 MB  [0-9]+%  .*/s  [0-9]:[0-9]+ left' "$work/typescript"
else
    skipped "progress on a terminal: no 'script' command"
fi

summary
