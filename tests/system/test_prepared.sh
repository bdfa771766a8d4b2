#!/usr/bin/env bash
# Prepared weights in the store, with a real plugin and model: the numbers of a load that packs nothing are those of one
# that packs, to the last bit, in this process and in workers, of folders and archives, for each dtype; `cache ls` shows
# what is kept, `gc` leaves it alone.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
begin prepared
export MODELHOST_STORE=$work/store
unset MODELHOST_PLUGIN_PATH
program=$build/bin/modelhost
facts=$work/facts
demo_package "$facts"

kept() { find "$work/store/prepared" -type f 2>/dev/null | wc -l; }
ask() { # ARGUMENT...: the answer as JSON without times, and what was said of prepared weights
    run run "$@" --text 'Paris is the capital of [MASK].' --json --set log_level=debug
    answer=$(python3 -c '
import json, sys
def plain(j):
    if isinstance(j, dict):
        return {k: plain(v) for k, v in j.items() if not k.endswith("_ms")}
    return [plain(i) for i in j] if isinstance(j, list) else j
for line in open(sys.argv[1]):
    print(json.dumps(plain(json.loads(line)), sort_keys=True))' "$work/out" 2>&1)
    word=none
    says 'debug: prepared weights are kept: ' && word=kept
    says 'prepared weights are kept now' && word=made # also where the file that was there lacked some
}

ask "$facts"
same 'without a store it runs' "$code" 0
truth=$answer
has 'and knows something' "$truth" france
ok 'and makes no store' test ! -e "$work/store"
mkdir "$work/store"
ask "$facts" --set prepared_max_bytes=1
same 'switched off it keeps nothing' "$(kept) $answer" "0 $truth"
ask "$facts"
same 'the first load packs' "$word $(kept) $answer" "made 1 $truth"
ask "$facts"
same 'the second packs nothing, and says the same' "$word $(kept) $answer" "kept 1 $truth"
ask "$facts" --isolation worker
same 'nor does a worker' "$(kept) $answer" "1 $truth"
ok 'which was handed the file' says 'prepared weights are kept: '
ask "$facts" --threads 1
same 'threads make no difference' "$word $(kept)" 'kept 1'

for file in "$work"/store/prepared/*; do
    chmod 644 "$file"
    printf x | dd of="$file" bs=1 seek=100000 conv=notrunc status=none
done
ask "$facts" --isolation worker --workers 2
same 'a damaged file is packed again' "$(kept) $answer" "1 $truth"
ok 'and the log says why' says 'in it is damaged'
ask "$facts"
same 'by the worker, for all' "$word $answer" "kept $truth"

# The library packs for the processor that it may use: AVX2 is less than this one has, SSE41 less than any of today's.
for limit in AVX2 SSE41; do
    export DNNL_MAX_CPU_ISA=$limit
    ask "$facts"
    [ "$word" = kept ] || break
done
limited=$answer
if [ "$word" = kept ]; then
    skipped 'other instruction sets: these kernels pack alike for all'
else
    same 'another instruction set is packed for' "$code $word $(kept)" '0 made 2'
    ask "$facts"
    same 'into a file of its own' "$word $(kept) $answer" "kept 2 $limited"
    unset DNNL_MAX_CPU_ISA
    ask "$facts"
    same 'beside the other, which is still there' "$word $(kept) $answer" "kept 2 $truth"
    ask "$facts" --isolation worker
    same 'for workers, too' "$(kept) $answer" "2 $truth"
    ok 'which are handed both, and take one' says 'prepared weights are kept: '
    DNNL_MAX_CPU_ISA=$limit ask "$facts" --isolation worker
    same 'of both instruction sets' "$(kept) $answer" "2 $limited"
    ok 'each with its own' says 'prepared weights are kept: '
fi
unset DNNL_MAX_CPU_ISA
rm -rf "$work/store/prepared"
ask "$facts"
same 'a store without the folder is filled again' "$word $(kept)" 'made 1'

ask "$facts" --dtype bf16
same 'another dtype has a file of its own' "$code $word $(kept)" '0 made 2'
other=$answer
ask "$facts" --dtype bf16
same 'which gives the same numbers' "$word $answer" "kept $other"
ask "$facts" --dtype int8
same 'what is less than 1 MiB has none' "$code $word $(kept)" '0 none 2'

"$build/bin/pkgmgr" pack "$facts" -o "$work/facts.mhp" -q >/dev/null
ask "$work/facts.mhp"
same 'an archive has one, too' "$word $(kept) $answer" "made 3 $truth"
ask "$work/facts.mhp"
same 'and finds it again' "$word $(kept) $answer" "kept 3 $truth"
ask "$work/facts.mhp" --isolation worker
same 'in a worker as well' "$(kept) $answer" "3 $truth"
for level in standard paranoid; do
    ask "$work/facts.mhp" --set "verification=$level"
    same "$level: what was verified is what is packed" "$word $answer" "none $truth"
done

cp "$facts/backends/cpu/model.safetensors" "$work/again" # the same bytes, written anew
cp "$work/again" "$facts/backends/cpu/model.safetensors"
ask "$facts"
same 'weights that were written over are packed anew' "$word $(kept) $answer" "made 4 $truth"

program=$build/bin/pkgmgr
run cache ls --json
ok 'cache ls shows them' json 'len(j["prepared"]) == 4 and all(p["size"] > 1 << 20 for p in j["prepared"])'
run gc --grace 0 -q
same 'gc leaves them alone' "$code $(kept)" '0 4'
touch -a -d '40 days ago' "$work"/store/prepared/*
touch -m -d '41 days ago' "$work"/store/prepared/*
run gc --grace 0 --json
same 'until no host has used them for long' "$code $(kept)" '0 0'
ok 'and says so' json 'len([r for r in j["removed"] if r["kind"] == "prepared"]) == 4'
summary
