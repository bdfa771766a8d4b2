#!/usr/bin/env bash
# pkgmgr inspect and diff: what weights are made of and how they differ, with torch's own figures where torch is
# installed; exit codes; texts from files are escaped.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
begin inspect
program=$build/bin/pkgmgr
export MODELHOST_STORE=$work/store
check=tests/system/convert_check.py
python=$(command -v /usr/bin/python3 || command -v python3)

# ---- the model that the repository ships

run inspect "$model"
same 'a folder: exit code' "$code" 0
ok 'a folder: the sum of all' prints 'parameters    673562'
ok 'a folder: element types' prints 'dtypes        F32 (673562)'
ok 'a folder: branches with sums' grep -qE '^  encoder +496128 +1.98 MB  48 tensors$' "$work/out"
run inspect "$model/model.safetensors" --depth 1
ok 'one level: two branches' [ "$(sed '1,/^$/d' "$work/out" | wc -l)" -eq 2 ]
run inspect "$model/model.safetensors" --json
ok 'as JSON: sums agree' json "j['parameters'] == sum(t['parameters'] for t in j['tree']) == 673562 and j['bytes'] == sum(t['bytes'] for t in j['tensors'])"
ok 'as JSON: no statistics unless asked for' json "not any('statistics' in t for t in j['tensors'])"
run inspect "$model" --tensors
ok 'a line for each tensor' [ "$(sed '1,/^$/d' "$work/out" | wc -l)" -eq 58 ]
demo_package "$work/package"
run inspect "$work/package" --json
ok 'a package: says so, and that nobody signed it' json "j['package']['signature']['state'] == 'none' and j['package']['backend'] == 'cpu'"
python3 - "$work" <<'PY'
import json, struct, sys
def write(name, header):
    text = json.dumps(header).encode()
    open(f"{sys.argv[1]}/{name}.safetensors", "wb").write(struct.pack("<Q", len(text)) + text)
write("none", {"__metadata__": {"format": "pt"}})
write("hollow", {"a": {"dtype": "F32", "shape": [0, 3], "data_offsets": [0, 0]}})
PY
run inspect "$work/none.safetensors" --stats
same 'no tensors: exit code' "$code" 0
same 'no tensors: is said' "$(tail -n 3 "$work/out")" 'dtypes        none

no tensors'
run inspect "$work/hollow.safetensors" --stats
same 'a tensor without elements: is said' "$(tail -n 1 "$work/out" | tr -s ' ')" 'a F32 [0, 3] no elements'
cp -r "$work/package" "$work/broken"
echo '{' >"$work/broken/metadata.json"
for command in inspect pack info; do
    # shellcheck disable=SC2046
    fails "$command of a package whose metadata.json is broken" 7 \
        "pkgmgr: $work/broken/metadata.json: not valid JSON at byte 1; get the package's files again, or mend them" \
        $command "$work/broken" $([ $command != pack ] || echo -o "$work/x.mhp")
done

# ---- differences

run diff "$model" "$work/package"
same 'the same: exit code' "$code" 0
ok 'the same: prints nothing' empty "$work/out"
sed -i 's/"hidden_act"/"hidden\/act~"/' "$work/package/backends/cpu/config.json"
run diff "$model" "$work/package"
same 'another config: exit code' "$code" 1
same 'another config: says where' "$out" '- config /hidden_act: "gelu"
+ config /hidden~1act~0: "gelu"'
run convert "$model/model.safetensors" "$work/bf16.safetensors" --dtype bf16
run diff "$model/model.safetensors" "$work/bf16.safetensors" --json
same 'another element type: exit code' "$code" 1
ok 'another element type: every tensor' json "len(j['tensors']['changed']) == 58 and all(c['relative'] < 0.004 for c in j['tensors']['changed']) and not j['same']"
run diff "$model" "$work/bf16.safetensors" -q
same 'quiet: exit code' "$code" 1
ok 'quiet: prints nothing' empty "$work/out"
printf 'no weights' >"$work/text"
fails 'no weights: not the code of a difference' 7 "pkgmgr: $work/text: a header of 7523097587056930670 bytes, the limit is 100000000; is it a safetensors file?" diff "$model" "$work/text"
fails 'nothing there' 3 "pkgmgr: no such model: 'nothing' is no package's folder, and the store does not exist yet; get it with pkgmgr download nothing" diff "$model" nothing
run diff "$model"
same 'one argument: exit code' "$code" 2

# ---- texts from files

write_tensors_module
PYTHONPATH=$work "$python" -c "import tensors; tensors.write('$work/evil.safetensors', {'a\x1b[2Jb\u0085.c': ('F32', [1], [1.0])})"
run inspect "$work/evil.safetensors"
ok 'control characters are escaped' prints 'a\x1b[2Jb\xc2\x85'
ok 'no control character reaches the terminal' not grep -qP '[\x00-\x08\x0b-\x1f\x7f]' "$work/out"

# ---- the truth is torch's

mkdir "$work/t"
if "$python" tests/system/torch_files.py "$work/t" 2>"$work/err"; then
    run inspect "$work/t/statistics.bin" --stats --json
    same 'statistics: exit code' "$code" 0
    ok 'statistics: those of torch' "$python" $check statistics "$work/out" "$work/t/statistics.json"
    run inspect "$work/t/statistics.bin" --stats
    ok 'statistics: as text' grep -qE '^nothing +F32 +\[2\]  min 0  max 0  mean 0  std 0  nan 1  infinite 1$' "$work/out"
    run diff "$work/t/statistics.bin" "$work/t/other.bin" --json
    ok 'differences: those of torch' "$python" $check difference "$work/out" "$work/t/difference.json"
    ok 'differences: each tensor is in its place' json "[[t['name'] for t in j['tensors'][k]] for k in ('added', 'removed')] == [['two'], ['one']] and sorted(t['name'] for t in j['tensors']['changed']) == ['flags', 'half', 'normal', 'wild'] and j['tensors']['same'] == 4"
    ok 'differences: what has no figure is counted' json "[(t['different'], t['unlike']) for t in j['tensors']['changed'] if t['name'] == 'wild'] == [(1, 1)]"
    run diff "$work/t/statistics.bin" "$work/t/other.bin"
    ok 'differences: equal values of another type' prints '~ tensor half: F16 [5000] -> F32 [5000], equal values'
    ok 'differences: another shape' prints '~ tensor flags: BOOL [100] -> BOOL [50]'
    "$program" convert -q "$work/t/zip.bin" "$work/t/zip.safetensors" >"$work/out"
    run diff "$work/t/zip.bin" "$work/t/zip.safetensors"
    same 'shared tensors are no difference: exit code' "$code" 0
    run inspect "$work/t/zip.bin"
    ok 'shared tensors are told' prints 'shared        tied = parameter'
else
    skipped 'torch is not installed: its figures are not compared'
fi

summary
