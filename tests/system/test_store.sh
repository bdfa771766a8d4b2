#!/usr/bin/env bash
# What pkgmgr makes of a store that is damaged, read-only or full of dead processes' work, and of words that
# name no package: with which exit code and sentence, and what is left behind.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
pkgmgr=$PWD/$BUILD/bin/pkgmgr
modelhost=$PWD/$BUILD/bin/modelhost
plugins=$PWD/$BUILD/lib/modelhost/plugins
bert=$PWD/$BUILD/tests/plugin_named_bert.so
dir=$(mktemp -d "${TMPDIR:-/tmp}/store.XXXXXX") || exit 1
n_passed=0 n_failed=0 n_skipped=0
pids=()

finish() {
    [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null
    chmod -R u+rwx "$dir" 2>/dev/null
    rm -rf "$dir"
}
trap finish EXIT

ok() { # NAME COMMAND...: one check
    local name=$1
    shift
    if "$@" >/dev/null 2>&1; then
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
    "$pkgmgr" "$@" >"$dir/out" 2>"$dir/err" </dev/null
    code=$?
    out=$(cat "$dir/out")
}
expect() { # NAME CODE [LINE]: the code, and the last line of stderr, whole
    local name=$1 want=$2
    ok "$name: exit code $want, found $code" [ "$code" -eq "$want" ]
    [ $# -lt 3 ] || ok "$name: says '$3'" [ "$(tail -n 1 "$dir/err")" = "$3" ]
}
says() { grep -qF -- "$1" "$dir/err"; }
not() { ! "$@"; }
n_stores=0
new_store() {
    n_stores=$((n_stores + 1))
    export MODELHOST_STORE=$dir/store$n_stores
}
n_in() { find "$1" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l; }
wait_until() { # COMMAND...: up to 20 s
    for _ in $(seq 400); do
        "$@" >/dev/null 2>&1 && return 0
        read -rt 0.05 <> <(:)
    done
    return 1
}

# ---- a hub: the demo model under several names, each with its flaw

hub=$dir/hub
demo=examples/demo/hub/modelhost/facts-bert-mini
for name in m other broken case lacking; do
    mkdir -p "$hub/acme/$name"
    cp "$demo"/* "$hub/acme/$name/"
done
printf 'acme/other is another model\n' >"$hub/acme/other/README.md"
head -c 1000 /dev/zero >"$hub/acme/broken/model.safetensors"
printf 'x\n' >"$hub/acme/case/Vocab.txt"
header='{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}  '
printf "\\x$(printf %x ${#header})\\0\\0\\0\\0\\0\\0\\0%s\\0\\0\\0\\0" "$header" >"$hub/acme/lacking/model.safetensors"
"$pkgmgr" serve "$hub" --port 0 >"$dir/url" 2>"$dir/serve.err" &
pids+=($!)
ok 'the hub answers' wait_until test -s "$dir/url"
HF_ENDPOINT=$(cat "$dir/url")
export HF_ENDPOINT HF_HOME=$dir/hf MODELHOST_PLUGIN_PATH=$plugins
unset HF_TOKEN HF_TOKEN_PATH HF_HUB_OFFLINE MODELHOST_STORE

# ---- damage (the weights lie in the package as a hard link, a reflink or a symbolic link)

spoil() { # FILE: one byte of it changes
    chmod u+w "$1"
    printf 'X' | dd of="$1" bs=1 seek=200000 conv=notrunc 2>/dev/null
    touch -d 2001-01-01 "$1"
}
new_store
run download acme/m
expect 'download' 0
first=$out
weights=$first/backends/cpu/model.safetensors
spoil "$weights"
HF_HUB_OFFLINE=1 run download acme/m
expect 'offline, a damaged file' 7 "pkgmgr: offline: 'backends/cpu/model.safetensors' of the package $first is damaged; unset HF_HUB_OFFLINE and download it again"
run install acme/m "$bert"
if [ "$(stat -c %h "$(realpath "$weights")")" -gt 1 ]; then
    expect 'a plugin for a package whose blob is damaged' 7 "pkgmgr: 'backends/cpu/model.safetensors' of 'acme/m' is damaged in the store; download it again with --force"
fi
run download acme/other
expect 'another model of the same weights' 0
run verify acme/other
expect 'it is whole' 0
run download acme/m
expect 'download again' 0
ok 'the same package' [ "$out" = "$first" ]
for name in m other; do
    run verify acme/$name
    expect "acme/$name is whole in the end" 0
done
touch "$weights"
run download acme/m
expect 'a file that was only touched' 0
ok 'a file that was only touched: nothing is fetched' says ': 0 B downloaded'
blob=$MODELHOST_STORE/blobs/sha256/$(sha256sum "$weights" | sed 's/^\(..\)\([0-9a-f]*\).*/\1\/\1\2/')
ok 'its blob is where it should be' test -f "$blob"
rm -rf "$first"
spoil "$blob"
run download acme/m
expect 'a damaged blob' 0
ok 'a damaged blob: says so' says "pkgmgr: 'model.safetensors' is damaged in the store: fetching it again"
run verify acme/m
expect 'a damaged blob is not in the package' 0
new_store
run download acme/m -q
rm -rf "$out"
run download acme/m
ok 'what the store has is not fetched again, small files neither' says ': 0 B downloaded'

# ---- a package without a ref, as kill -9 at the wrong moment leaves it

rm -rf "${MODELHOST_STORE:?}/refs/"*
run list
ok 'without a ref: listed' grep -q '^acme/m  main ' "$dir/out"
run verify acme/m -q
expect 'without a ref: found' 0
run rm nothing
expect 'without a ref: the store is not called empty' 3 "pkgmgr: 'nothing' is not in the store $MODELHOST_STORE, which has acme/m; \`pkgmgr download nothing\` fetches it"
echo '{"format_version":1,"kind":"reader","subject":"packages/'"$(cd "$MODELHOST_STORE/packages" && echo acme--m/*)"'","machine":"another","host":"far\u202e","pid":4242,"started":""}' \
    >"$MODELHOST_STORE/leases/Ab3xYz.4242.0"
run rm acme/m
expect 'a package in use stays' 10 "pkgmgr: package $(echo "$MODELHOST_STORE"/packages/acme--m/*) is in use by process 4242 on far\\xe2\\x80\\xae; close it there, or remove it all the same with --force"
run rm acme/m --force
expect 'without a ref: removed' 0
rm "$MODELHOST_STORE/leases/Ab3xYz.4242.0"
ok 'without a ref: with all its space' [ -z "$(find "$MODELHOST_STORE" -type f ! -name CACHEDIR.TAG ! -path "*/prepared/*")" ]

# ---- a hub that is not there

new_store
run download acme/m
there=$out commit=$("$pkgmgr" list --json | sed -n 's/.*"revision":[[:space:]]*"\([0-9a-f]*\)".*/\1/p')
remote=$HF_ENDPOINT HF_ENDPOINT=http://127.0.0.1:1
run download "acme/m@$commit"
expect 'a commit that is there needs no hub' 0
ok 'a commit that is there: its package' [ "$out" = "$there" ]
ok 'a commit that is there: says so' says "pkgmgr: the hub cannot be reached; the store has this commit of 'acme/m'"
run download acme/m
expect 'a branch needs the hub' 5
ok 'a branch needs the hub: what the store has is told' says "; the store has 'acme/m' as it was downloaded before: HF_HUB_OFFLINE=1 takes that"
run download "acme/m@$commit" --force
expect 'a commit by force needs the hub' 5
ok 'a commit by force: no word of the store' not says 'HF_HUB_OFFLINE'
run download acme/m --revision "${commit%?}0"
expect 'another commit needs the hub' 5
rm "$there/backends/cpu/config.json"
run download "acme/m@$commit"
expect 'a commit that is not whole needs the hub' 5
HF_ENDPOINT=$remote

# ---- a package whose metadata.json cannot be read

new_store
run download acme/m
there=$out
chmod u+w "$there/metadata.json" && printf '{' >"$there/metadata.json"
remedy="$there/metadata.json: not valid JSON at byte 0; the package is broken: 'pkgmgr download acme/m' makes it anew, 'pkgmgr rm acme/m' removes it"
run list
expect 'list with a broken package' 0 "pkgmgr: $remedy"
ok 'list with a broken package: marked' grep -qE '^acme/m +- +broken ' "$dir/out"
run list --json
ok 'list with a broken package: in JSON, too' grep -qE '"broken":[[:space:]]*true' "$dir/out"
for command in info verify; do
    run $command acme/m
    expect "$command of a broken package" 7 "pkgmgr: $remedy"
done
"$modelhost" run acme/m --text x >"$dir/out" 2>"$dir/err" </dev/null
code=$?
expect 'run of a broken package' 7 "modelhost: $remedy"
run download acme/m
expect 'download of a broken package' 0
run verify -q acme/m
expect 'download makes it anew' 0
run list
ok 'list: not broken any more' not grep -q broken "$dir/out" "$dir/err"

# ---- several versions

new_store
run download acme/m
old=$out
printf 'newer\n' >"$hub/acme/m/README.md"
run download acme/m
new=$out
ok 'two versions are there' [ "$old" != "$new" ]
run list
ok 'list: main leads to one of them' [ "$(grep -c ' main ' "$dir/out")" -eq 1 ]
ok 'list: the other has no name but its commit' grep -q '^acme/m  -  ' "$dir/out"
run rm "$old"
expect 'rm by folder' 0
ok 'rm by folder removes one' [ ! -d "$old" ] && [ -d "$new" ]
git_like=$(printf 'older\n' >"$hub/acme/m/README.md"; "$pkgmgr" download -q acme/m)
ok 'a third version' [ -d "$git_like" ]
run rm acme/m
expect 'rm by name' 0
run list
ok 'rm by name removes all versions' [ ! -s "$dir/out" ]
ok 'rm by name frees all' [ -z "$(find "$MODELHOST_STORE" -type f ! -name CACHEDIR.TAG ! -path "*/prepared/*")" ]
run rm ./
expect 'rm of another folder' 3 "pkgmgr: $PWD is no package of the store $MODELHOST_STORE; \`pkgmgr list\` shows them"

# ---- a store that may only be read

new_store
run download acme/m --plugin-path "$dir/none"
ro=$out
if [ "$(id -u)" -ne 0 ]; then
    chmod -R a-w "$MODELHOST_STORE"
    run_read_only() { run "$@"; }
elif unshare -m true 2>/dev/null; then
    run_read_only() {
        unshare -m bash -c 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"' \
            "$MODELHOST_STORE" "$pkgmgr" "$@" >"$dir/out" 2>"$dir/err" </dev/null
        code=$?
        out=$(cat "$dir/out")
    }
else
    run_read_only() { code=-1; }
fi
run_read_only download acme/m --plugin-path "$dir/none"
if [ "$code" -eq -1 ] || says 'mount:'; then
    skipped 'a read-only store: no mount namespace of its own here'
else
    expect 'a complete package in a read-only store' 0
    ok 'a complete package in a read-only store: its path' [ "$out" = "$ro" ]
    run_read_only download acme/m
    expect 'a plugin that cannot be added' 0
    ok 'a plugin that cannot be added: says so' says "pkgmgr: the store $MODELHOST_STORE may not be written to: the package is left without the plugin that was found for it"
    HF_HUB_OFFLINE=1 run_read_only download acme/m
    expect 'offline in a read-only store' 0
    run_read_only download acme/other
    expect 'a new model in a read-only store' 8
fi
chmod -R u+w "$MODELHOST_STORE"

# ---- weights that nobody could open, names that differ in case

new_store
run download acme/broken
expect 'broken weights' 7
ok 'broken weights: names the model and the file' says "pkgmgr: acme/broken: backends/cpu/model.safetensors: "
ok 'broken weights: no path that is gone' not grep -q '/tmp/[A-Za-z0-9]*.held\|/view' "$dir/err"
ok 'broken weights: no package' [ "$(n_in "$MODELHOST_STORE/packages")$(n_in "$MODELHOST_STORE/tmp")" = 00 ]
run download acme/broken --include 'model*' --include config.json
expect 'broken weights that were asked for by name' 0
ok 'broken weights that were asked for by name: told' says "pkgmgr: the package gets no model_info.json: acme/broken: backends/cpu/model.safetensors: "
ok 'broken weights that were asked for by name: the plugin, too' says "pkgmgr: the plugin is installed, but does not open this model: acme/broken: backends/cpu/model.safetensors: "
ok 'broken weights that were asked for by name: no path that is gone' not grep -q '/view' "$dir/err"
run download acme/lacking
expect 'weights that the plugin misses' 0
ok 'weights that the plugin misses: names the model' grep -q "^pkgmgr: the plugin is installed, but does not open this model: plugin 'bert' [0-9.]* cannot run acme/lacking: weight " "$dir/err"
ok 'weights that the plugin misses: no path that is gone' not grep -q '/view' "$dir/err"
run download acme/case
expect 'names that differ in case only' 0
ok 'names that differ in case only: told' says "'Vocab.txt' and 'vocab.txt' differ in upper and lower case only: the package cannot be copied to a disk that does not tell them apart"

# ---- words and folders

new_store
for command in rm info verify; do
    run $command a/../../b
    expect "$command of no name" 2
    ok "$command of no name: says why" says "pkgmgr $command: 'a/../../b' is no repository id; want 'name' or 'namespace/name' of letters, digits, '-', '_' and '.'"
done
run install a/../../b "$bert"
expect 'install into no name' 2
run download a/../../b
expect 'download of no name' 2
run download acme/m --store /proc/x
expect 'a store that nobody can make' 8 "pkgmgr: cannot make the store /proc/x: cannot make folder /proc/x: No such file or directory; choose another with --store"
mkdir "$dir/folder" && cd "$dir" || exit 1
run install folder "$bert"
expect 'install into a folder that is no package' 3 "pkgmgr: no such model: 'folder' is no package's folder, and the store does not exist yet; get it with pkgmgr download folder; the folder 'folder' is no package, it has neither metadata.json nor backends/: say ./folder if you mean it"
run install ./folder "$bert"
expect 'install without a config' 3 "pkgmgr: $dir/folder has no backends/cpu/config.json, which says what model it is: put it there, or give --force if the plugin needs none"
run install ./folder "$bert" --force
expect 'install without a config if one knows better' 0
run verify ./folder
expect 'verify of an author'"'"'s folder' 3 "pkgmgr: $dir/folder has no metadata.json, so there is nothing to verify its files against: it is an author's folder, or no package; \`pkgmgr list\` shows the packages that can be verified"
mkfifo folder/metadata.json
run verify ./folder
expect 'verify: a manifest that is a pipe' 7
"$modelhost" run ./folder --describe >"$dir/out" 2>"$dir/err" </dev/null
code=$?
expect 'run: a manifest that is a pipe' 7
rm folder/metadata.json
mkfifo folder/backends/cpu/config.json
"$modelhost" run ./folder --describe >"$dir/out" 2>"$dir/err" </dev/null
code=$?
expect 'run: a config that is a pipe' 7 "modelhost: $dir/folder/backends/cpu/config.json is not a regular file; get the package's files again, or mend them"
cd "$OLDPWD" || exit 1

# ---- dead processes' work: a hub that answers slowly

if command -v python3 >/dev/null; then
    : >"$dir/log"
    python3 tests/system/fake_hub.py "$dir/log" >"$dir/port" &
    pids+=($!)
    wait_until test -s "$dir/port"
    HF_ENDPOINT=http://127.0.0.1:$(cat "$dir/port")
    for signal in KILL QUIT HUP; do
        new_store
        : >"$dir/log"
        (ulimit -c 0 && exec "$pkgmgr" download acme/big) >"$dir/out" 2>"$dir/err" </dev/null &
        pid=$!
        wait_until grep -q '/cdn/acme/big' "$dir/log"
        kill "-$signal" "$pid"
        wait "$pid" 2>/dev/null
        code=$?
        if [ $signal = HUP ]; then
            expect 'a lost terminal' 130 'pkgmgr: interrupted; the same command goes on where it was'
            ok 'a lost terminal: leaves nothing' [ "$(n_in "$MODELHOST_STORE/tmp")" -eq 0 ]
        else
            ok "SIG$signal leaves its work" [ "$(n_in "$MODELHOST_STORE/tmp")" -eq 1 ]
            run download acme/tiny
            expect "after SIG$signal" 0
            ok "after SIG$signal: the next command that writes takes it away" [ "$(n_in "$MODELHOST_STORE/tmp")" -eq 0 ]
            mkdir "$MODELHOST_STORE/tmp/abcdef.held"
            run download acme/tiny
            expect "after SIG$signal: a download with nothing to do" 0
            ok "after SIG$signal: it takes that away, too" [ "$(n_in "$MODELHOST_STORE/tmp")" -eq 0 ]
        fi
    done
    new_store
    : >"$dir/log"
    "$pkgmgr" download acme/big >"$dir/out" 2>"$dir/err" </dev/null &
    pid=$!
    # on the disk, not only as the size that a file is given beforehand
    holds_bytes() { find "$MODELHOST_STORE/partial" -name data -exec du -k {} + 2>/dev/null | grep -qv '^0[[:space:]]'; }
    wait_until holds_bytes
    kill -STOP "$pid"
    "$pkgmgr" download -q acme/tiny >/dev/null 2>&1
    ok 'the work of a process that is alive stays' [ "$(n_in "$MODELHOST_STORE/tmp")/$(n_in "$MODELHOST_STORE/partial")" = 1/1 ]
    run download acme/huge
    expect 'more than the disk has' 8
    ok 'more than the disk has: what others hold is told' grep -qE "; [0-9.]+ k?M?B are work in progress of others, in $MODELHOST_STORE/tmp" "$dir/err"
    kill -CONT "$pid"
    wait "$pid"
    ok 'a process that was stopped goes on' [ $? -eq 0 ]
else
    skipped 'dead processes: no python3 for the scripted hub'
fi

echo "$n_passed passed, $n_failed failed, $n_skipped skipped"
[ "$n_failed" -eq 0 ]
