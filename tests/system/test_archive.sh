#!/usr/bin/env bash
# Packages in one file: `pkgmgr pack`, `unpack` and `verify`, `modelhost run` and `serve` of a .mhp, in this
# process and in workers; what is damaged is refused. Covers packager/archive/package_pack.c,
# packager/archive/package_unpack.c.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
begin archive
export MODELHOST_STORE=$work/store
unset MODELHOST_PLUGIN_PATH
pkgmgr=$build/bin/pkgmgr
modelhost=$build/bin/modelhost
facts=$work/facts
demo_package "$facts"
echo '{"eos_token_id": 3}' >"$facts/generation_config.json"
mkdir "$facts/.git"
echo x >"$facts/.git/HEAD"

# ---- packing

program=$pkgmgr
run pack "$facts" -o "$work/facts.mhp"
same 'packing succeeds' "$code" 0
same 'it prints the file' "$out" "$work/facts.mhp"
run pack "$facts" -o "$work/again.mhp" --json -q
ok 'as JSON it prints what it made' json 'j["entries"] == 6 and j["file_bytes"] > 0 and j["content_bytes"] > 0'
ok 'the same package gives the same bytes' cmp "$work/facts.mhp" "$work/again.mhp"
run pack "$facts" -o "$work/small.mhp" --ship -q
same 'packing for shipping succeeds' "$code" 0
ok 'and is smaller' test "$(stat -c %s "$work/small.mhp")" -lt "$(stat -c %s "$work/facts.mhp")"
run pack "$facts" -o "$work/plain.mhp" --compress 0 -q
ok 'nothing is left beside the files' test "$(find "$work" -name '.*.tmp' | wc -l)" = 0
killed=$work/.plain.mhp.123.4.tmp # what a killed process leaves of this name, and of another
echo x | tee "$killed" >"$work/.other.mhp.123.4.tmp"
run pack "$facts" -o "$work/plain.mhp" --compress 0 -q --force
ok 'what a killed one left goes with the next' not test -e "$killed"
ok 'and nothing else' test -e "$work/.other.mhp.123.4.tmp"
mkdir -p "$work/.unpacked.123.4.tmp/sub"
run unpack "$work/plain.mhp" -o "$work/unpacked" -q
ok 'a folder, too' not test -e "$work/.unpacked.123.4.tmp"
rm -r "$work/.other.mhp.123.4.tmp" "$work/unpacked"
echo mine >"$work/mine.txt"
fails 'what is there is not replaced' 1 "pkgmgr: $work/mine.txt is there already; give --force to replace it" pack "$facts" -o "$work/mine.txt"
same 'and stays' "$(cat "$work/mine.txt")" mine
ln -s mine.txt "$work/link.mhp"
run pack "$facts" -o "$work/link.mhp" --force -q
ok '--force replaces the file behind a link' cmp "$work/mine.txt" "$work/again.mhp"
ok 'which stays a link' test -L "$work/link.mhp"
mkfifo "$work/pipe"
for special in "$work/pipe" "$work" /dev/full /dev/null; do
    fails "$special is no file to replace" 1 "pkgmgr: $special is not a regular file" pack "$facts" -o "$special" --force
done
ok 'the pipe is still one' test -p "$work/pipe"
rm "$work/pipe" "$work/mine.txt" "$work/link.mhp"
fails 'packing wants a file to make' 2 'pkgmgr pack: want the file to make: -o FILE.mhp; see '"'pkgmgr help pack'" pack "$facts"
fails 'a level that there is not' 2 "pkgmgr pack: --compress is '20', want a whole number from 0 to 19; see 'pkgmgr help pack'" pack "$facts" -o x --compress 20
fails 'nor is one made within the package that it is to hold' 1 \
    "pkgmgr: $facts/x.mhp lies in the package that it is to hold; give another place with -o" pack "$facts" -o "$facts/x.mhp"
mkdir "$work/small"
if mount -t tmpfs -o size=64k tmpfs "$work/small" 2>/dev/null; then
    on_exit unmount_small
    unmount_small() { umount "$work/small" 2>/dev/null; }
    fails 'a disk that is full: what to do' 8 \
        "pkgmgr: cannot write $work/small/x.mhp: No space left on device; free some space, or choose a place on another disk" \
        pack "$facts" -o "$work/small/x.mhp"
    unmount_small
else
    skipped 'no disk can be mounted here: a full one is not tried'
fi
mkdir -p "$work/own/backends/cpu"
cp "$facts/backends/cpu/libmodel.so" "$work/own/backends/cpu/"
echo '{}' >"$work/own/backends/cpu/config.json"
echo secret >"$work/secret"
ln -s "$work/secret" "$work/own/notes.txt"
fails 'a link out of an author'"'"'s folder is not packed' 1 \
    "pkgmgr: $work/own/notes.txt links out of the folder, to $work/secret; put the file itself there" pack "$work/own" -o "$work/x.mhp"
ln -sfn backends/cpu/config.json "$work/own/notes.txt"
run pack "$work/own" -o "$work/own.mhp" -q
same 'a link within it is' "$code" 0
mkdir "$work/own/a"
touch "$work/own/a/"$'b\nc'
fails 'a name of two lines is refused in one' 1 \
    "pkgmgr: $work/own/a/b\\x0ac cannot be packed: other systems do not know such names; rename it" pack "$work/own" -o "$work/x.mhp"
fails 'an archive is not packed again' 1 "pkgmgr: $work/facts.mhp is an archive already" pack "$work/facts.mhp" -o "$work/x.mhp"

# ---- unpacking and verifying

for kind in facts small plain; do
    run unpack "$work/$kind.mhp" -o "$work/out-$kind" -q
    same "$kind: unpacking prints the folder" "$out" "$work/out-$kind"
    same "$kind: and gives back every file" "$(diff -r -x .git "$facts" "$work/out-$kind")" ''
    run verify "$work/$kind.mhp" --json
    ok "$kind: every file is verified" json 'j["ok"] and len(j["files"]) == 6'
done
run unpack "$work/facts.mhp" -o "$work/some" --filter '*.json' --filter '*.so' -q
same 'a filter chooses files' "$(cd "$work/some" && find . -type f | LC_ALL=C sort | tr '\n' ' ')" \
    './backends/cpu/config.json ./backends/cpu/libmodel.so ./generation_config.json ./tokenizer.json ./tokenizer_config.json '
(cd "$work" && "$pkgmgr" unpack small.mhp -q >"$work/out")
same 'the folder is named after the file' "$(cat "$work/out")" small
fails 'a filter that matches nothing' 3 "pkgmgr: $work/facts.mhp has no entry that matches; it has 6 in all; --filter takes globs such as 'backends/*'" \
    unpack "$work/facts.mhp" -o "$work/none" --filter '*.onnx'
fails 'a folder with something in it' 8 "pkgmgr: the folder $facts is not empty; give another one with -o" \
    unpack "$work/facts.mhp" -o "$facts"
fails 'what is no archive' 7 "pkgmgr: $facts/tokenizer.json is no package archive: it does not begin with the bytes of one; 'pkgmgr pack' makes them" \
    unpack "$facts/tokenizer.json" -o "$work/none"

# ---- running

program=$modelhost
question='Paris is the [MASK] of France.'
for kind in facts small plain; do
    for how in inproc worker; do
        run run "$work/$kind.mhp" --isolation "$how" --text "$question"
        ok "$kind runs ($how)" prints 'paris is the capital of france.'
    done
done
for loading in mapped eager streaming lazy; do
    for where in "$facts" "$work/facts.mhp" "$work/small.mhp"; do
        run run "$where" -q --loading $loading --json --text "$question"
        ok "$loading: ${where##*/} gives the same" json 'j[0]["masks"][0]["candidates"][0]["token_str"] == "capital"'
    done
done
for level in checksum standard paranoid; do
    run run "$work/facts.mhp" --verification $level --text "$question"
    ok "$level: it runs" prints 'capital'
done
(cd "$work" && "$modelhost" run facts.mhp -q --text "$question" >out 2>err)
ok 'a file here needs no ./' prints capital
run tokenize "$work/facts.mhp" --text 'a cow'
same 'its tokenizer is read' "$code" 0
run run "$work/facts.mhp" --describe
ok 'it is described' json "j['path'] == '$work/facts.mhp' and j['backends'] == ['cpu']"
run run "$work/facts.mhp" --memory-budget 1000 --text "$question"
same 'a budget that is too small refuses' "$code" 1
ok 'with both numbers' says 'bytes, memory_budget_bytes is 1000; load them with loading streaming, or allow more'
run run "$work/facts.mhp" --isolation worker --memory-budget 1000 --text "$question"
ok 'in a worker, too' says 'memory_budget_bytes is 1000'
fails 'a mode that there is not' 2 "modelhost run: --loading is 'x', want mapped, eager, streaming or lazy; see 'modelhost help run'" \
    run "$work/facts.mhp" --loading x --text x

run explain "$work/facts.mhp"
ok 'its plugin goes by its place in the file' prints "taken         $work/facts.mhp/backends/cpu/libmodel.so (package)"

# ---- looking into it

program=$pkgmgr
for kind in facts small; do
    run inspect "$work/$kind.mhp" --json
    ok "$kind is inspected" json "j['parameters'] == 673562 and j['package']['path'] == '$work/$kind.mhp' and len(j['tensors']) == 58"
    run inspect "$work/$kind.mhp" --stats
    cp "$work/out" "$work/stats"
    run inspect "$facts" --stats
    same "$kind: its statistics are the folder's" "$(sed 1,/^$/d "$work/stats")" "$(sed 1,/^$/d "$work/out")"
    run diff "$facts" "$work/$kind.mhp"
    same "$kind and the folder are the same" "$code$out" 0
    run diff "$work/$kind.mhp" "$facts" -q
    same "$kind: the other way round, too" "$code" 0
    run info "$work/$kind.mhp" --json
    ok "$kind: info" json "j['path'] == '$work/$kind.mhp' and j['plugin']['path'] == '$work/$kind.mhp/backends/cpu/libmodel.so' and j['plugin']['name'] == 'bert' and j['model_info']['model_type'] == 'bert'"
done
cp "$work/facts.mhp" "$work/no-suffix"
run inspect "$work/no-suffix"
ok 'without its suffix, too' prints '673562'
cp -r "$facts" "$work/other"
sed -i 's/"hidden_act"/"hidden_activation"/' "$work/other/backends/cpu/config.json"
run diff "$work/other" "$work/small.mhp"
same 'another config: exit code' "$code" 1
has 'and where it differs' "$out" '/hidden_act'
run import "$model" --name org/facts -q
printf -- '---\nlicense: apache-2.0\n---\n' >"$work/README.md"
mkdir "$work/licensed"
cp -r "$model"/* "$work/licensed/"
cp "$work/README.md" "$work/licensed/"
printf 'Apache License\nVersion 2.0, January 2004\n' >"$work/licensed/LICENSE"
run import "$work/licensed" --name org/licensed -q
licensed=$out
run pack "$licensed" -o "$work/licensed.mhp" --ship -q
run info "$work/licensed.mhp"
ok 'info says where it came from' prints 'org/licensed'
run info --license "$work/licensed.mhp"
cp "$work/out" "$work/license"
run info --license "$licensed"
ok 'its licence is the package'"'"'s' cmp "$work/license" "$work/out"
ok 'and is said' prints 'Apache-2.0, as README.md declares'
export SOURCE_DATE_EPOCH=1
run sbom "$work/licensed.mhp"
cp "$work/out" "$work/sbom"
run sbom "$licensed"
ok 'the list of what it is made of is the package'"'"'s' cmp "$work/sbom" "$work/out"

# ---- forged: every digest of the archive itself is right

forged() { # WHAT ARGUMENT...
    python3 tests/system/archive_forge.py "$work/licensed.mhp" "$work/forged.mhp" "$@"
}
run pack "$licensed" -o "$work/licensed.mhp" --compress 0 --force -q
weights=backends/cpu/model.safetensors
for what in "change $weights" 'change backends/cpu/config.json' 'add extra' "drop $weights" 'change metadata.json' \
    "name LICENSE LICENCE"; do
    # shellcheck disable=SC2086 # words
    forged $what
    for command in verify 'verify --deep' inspect 'unpack -o '"$work/forged"; do
        # shellcheck disable=SC2086
        run $command "$work/forged.mhp"
        same "$what: $command refuses" "$code" 7
    done
    ok "$what: by its manifest" says 'forged.mhp: signature: '
    ok "$what: nothing was unpacked" not test -e "$work/forged"
    program=$modelhost
    for level in checksum standard paranoid; do
        run run "$work/forged.mhp" --verification $level --text "$question"
        same "$what: it does not run ($level)" "$code" 7
    done
    program=$pkgmgr
done
forged drop metadata.json
run verify "$work/forged.mhp"
same 'without a manifest it is an author'"'"'s' "$code" 0
ok 'which is said' says "pkgmgr: warning: $work/forged.mhp has no metadata.json"

mkdir -p "$work/broken/backends/cpu"
cp "$facts"/backends/cpu/* "$work/broken/backends/cpu/"
echo 'no plugin' >"$work/broken/backends/cpu/libmodel.so"
run pack "$work/broken" -o "$work/broken.mhp" -q
program=$modelhost
for how in inproc worker; do
    run run "$work/broken.mhp" -q --isolation "$how" --text "$question"
    ok "a bad plugin goes by its name in the file ($how)" says "modelhost: $work/broken.mhp/backends/cpu/libmodel.so is not a shared object"
    lacks "and by nothing else ($how)" "$(cat "$work/err")" /proc/
done
program=$pkgmgr

# ---- other commands

fails 'it is not converted' 1 "pkgmgr: $work/facts.mhp is a package in one file, which is not converted as it is: 'pkgmgr unpack' makes a folder of it" \
    convert "$work/facts.mhp" "$work/converted" --dtype bf16
program=$modelhost
for kind in facts small; do
    run check-plugin "$facts/backends/cpu/libmodel.so" --package "$work/$kind.mhp" --only 1,3,9 --json
    same "$kind: a plugin is checked with it" "$code" 0
    ok "$kind: with its weights" json "[c['verdict'] for c in j['checks'] if c['number'] in (1, 3, 9)] == ['passed'] * 3"
done
refuses 'a file that is no package' 7 'is no package archive' \
    check-plugin "$facts/backends/cpu/libmodel.so" --package "$work/README.md" --only 1

# ---- serving

mkdir -p "$work/echo/backends/cpu"
cp "$build/tests/plugin_echo.so" "$work/echo/backends/cpu/libmodel.so"
echo '{}' >"$work/echo/backends/cpu/config.json"
"$pkgmgr" pack "$work/echo" -o "$work/echo.mhp" -q >"$work/out"
mkfifo "$work/fifo"
"$modelhost" serve -q "$work/echo.mhp" >"$work/fifo" 2>"$work/err" &
server=$!
stop() { kill "$server" 2>/dev/null; }
on_exit stop
read -r url <"$work/fifo"
same 'tensors go through a served file' "$(curl -s -m 20 "$url/v2/models/echo/infer" -d '{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[7]}]}')" \
    '{"model_name":"echo","parameters":{"backend":"cpu"},"outputs":[{"name":"y","datatype":"FP32","shape":[1],"data":[7]}]}'
stop
wait "$server"

# ---- damage

damaged=$work/damaged.mhp
flip() { # OFFSET: of a copy of facts.mhp
    cp "$work/facts.mhp" "$damaged"
    python3 - "$damaged" "$1" <<'PY'
import sys
f = open(sys.argv[1], 'r+b')
f.seek(int(sys.argv[2]))
b = f.read(1)[0]
f.seek(-1, 1)
f.write(bytes([b ^ 1]))
PY
}
weights=$(python3 - "$work/facts.mhp" <<'PY'
import json, struct, sys
raw = open(sys.argv[1], 'rb').read()
meta = json.loads(raw[128:128 + struct.unpack_from('<Q', raw, 32)[0]])
print(next(e for e in meta['entries'] if e['path'].endswith('.safetensors'))['offset'])
PY
)
same 'weights are aligned to pages' $((weights % 4096)) 0
flip $((weights + 5000))
for level in standard paranoid; do
    run run "$damaged" --verification $level --text "$question"
    same "$level: damaged weights are refused" "$code" 7
done
run run "$damaged" --loading lazy --verification standard --text "$question"
ok 'lazily, too, with the file named' says "entry 'backends/cpu/model.safetensors' has SHA-256"
run run "$damaged" --isolation worker --verification standard --text "$question"
same 'and in a worker' "$code" 7
program=$pkgmgr
run verify "$damaged"
same 'verify finds them' "$code" 7
ok 'and says where' prints 'DAMAGED backends/cpu/model.safetensors'
remember
run unpack "$damaged" -o "$work/none"
same 'nothing is unpacked' "$code" 7
same 'nor left behind' "$(state | diff "$work/state" -)" ''
flip 4000 # between the metadata and the first entry
run verify "$damaged"
same 'padding counts' "$code" 7
program=$modelhost
flip 200
run run "$damaged" --text "$question"
ok 'metadata are compared first' says 'metadata: SHA-256 '
head -c 100000 "$work/facts.mhp" >"$damaged"
run run "$damaged" --text "$question"
ok 'a truncated file is refused by its header' says 'header: the file has 100000 bytes and should have'

summary
