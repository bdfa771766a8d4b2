#!/usr/bin/env bash
# What modelhost says, to the letter, when something is wrong: texts, tensors, packages, plugins, the
# command line, the disk. Each failure has its exit code, prints no result and leaves all as it was.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
program=$build/bin/modelhost
begin modelhost-errors
export MODELHOST_STORE=$work/store PYTHONDONTWRITEBYTECODE=1
unset MODELHOST_PLUGIN_PATH
abi=$(sed -n 's/^#define MODEL_ABI_\(MAJOR\|MINOR\) \([0-9]*\).*/\2/p' include/model_abi.h | paste -sd .)
unverified() { echo "modelhost: warning: $1 has no metadata.json: its files are used as they are, unverified"; }

facts=$work/facts
demo_package "$facts"
write_tensors_module
cd "$work" || exit 1

# ---- tensors

python3 - <<'PY'
from tensors import write
ids = [2, 10, 11, 12, 3]
write('in.safetensors', {'input_ids': ('I64', [1, 5], ids)})
write('dtype.safetensors', {'input_ids': ('I32', [1, 5], ids)})
write('range.safetensors', {'input_ids': ('I64', [1, 2], [2, 999999])})
write('long.safetensors', {'input_ids': ('I64', [1, 65], [2] * 65)})
write('none.safetensors', {'token_type_ids': ('I64', [1, 5], [0] * 5)})
PY
tensors() { # NAME CODE TEXT INPUTS OPTION...
    local name=$1 want=$2 text=$3 inputs=$4
    shift 4
    fails "$name" "$want" "$text" run "$facts" -q --inputs "$inputs" --outputs x.safetensors "$@"
}
tensors 'a wrong dtype' 1 "modelhost: 'input_ids': dtype I32, want I64; 'modelhost run PKG --describe' shows what the model takes and gives" dtype.safetensors
tensors 'an id out of range' 1 "modelhost: plugin 'bert' 1.0.0: input_ids[0, 1] is 999999, want 0 to 1177 (vocab_size 1178); 'modelhost run PKG --describe' shows what the model takes and gives" range.safetensors
tensors 'more tokens than positions' 1 "modelhost: 'input_ids': dimension 1 (sequence) is 65, want 1 to 64; 'modelhost run PKG --describe' shows what the model takes and gives" long.safetensors
tensors 'a missing input' 1 "modelhost: the input 'input_ids' (I64, rank 2) is missing; 'modelhost run PKG --describe' shows what the model takes and gives" none.safetensors
tensors 'an unknown output' 1 "modelhost: the model has no output 'banana'; it has last_hidden_state, prediction_logits, logits; 'modelhost run PKG --describe' shows what the model takes and gives" in.safetensors --output-names banana
tensors 'an output named twice' 1 "modelhost: --output-names: output 'logits' is named twice; name it once" in.safetensors --output-names logits,last_hidden_state,logits
tensors 'no such input file' 3 'modelhost: cannot open absent.safetensors: No such file or directory; --inputs wants a whole safetensors file' absent.safetensors
head -c 20 in.safetensors >cut.safetensors
tensors 'a truncated input file' 7 'modelhost: cut.safetensors: truncated: a header of 80 bytes in a file of 20; --inputs wants a whole safetensors file' cut.safetensors
fails 'an output folder that is not there' 3 'modelhost: cannot create nowhere/x.safetensors: No such file or directory; make the folder first, or give --outputs another place' run "$facts" -q --inputs in.safetensors --outputs nowhere/x.safetensors
fails 'an output that is a folder' 1 "modelhost: $facts is not a regular file; give --outputs another place" run "$facts" -q --inputs in.safetensors --outputs "$facts"

# ---- texts

fails 'no mask' 1 'modelhost: text 1 has no mask; put [MASK] where the word is wanted' run "$facts" -q --text 'Paris.'
long=$(printf 'cow %.0s' $(seq 80))
fails 'a long text' 1 'modelhost: text 1 has 82 tokens, the model takes at most 64; shorten it or let it be cut (--truncate)' run "$facts" -q --task embed --text "$long"
run run "$facts" -q --task embed --truncate --text "$long"
same 'a long text can be cut' "$code" 0
fails 'invalid UTF-8' 1 'modelhost: text 1: the text is not UTF-8: byte 0xFF at offset 4; convert it, for example with iconv' run "$facts" -q --text $'cow \xff [MASK]'
fails 'an unknown task' 2 "modelhost run: unknown task 'dance'; there are embed, fill-mask, classify, token-classify, question, generate; see 'modelhost help run'" run "$facts" -q --task dance --text x
fails 'a task of another head' 1 "modelhost: task question wants the output 'start_logits', which this BertForMaskedLM does not have; its own task is fill-mask" run "$facts" -q --task question --text x --context y
fails 'no lines at all' 1 'modelhost: no text: give --text, or lines on standard input' run "$facts" -q
fails 'a folder without texts' 1 "$(unverified "$facts")
modelhost: text 1 has no mask; put [MASK] where the word is wanted" run "$facts" --text Paris.

yes 'A cow says [MASK].' | head -n 500 | sed '401s/.*/no mask here/' >many
remember
"$program" run "$facts" -q --json --top-k 1 <many >"$work/out" 2>"$work/err"
code=$?
ok 'what was printed before a bad text stays, and is JSON' json '300 < len(j) <= 400'
: >"$work/out"
failed 'a bad text far down is named by its number' 1 'modelhost: text 401 has no mask; put [MASK] where the word is wanted'

tokenize_lines() { # NAME CODE TEXT OPTION...: standard input is tokenized, the answers stay in $work/lines
    local name=$1 want=$2 text=$3
    shift 3
    "$program" tokenize "$model" "$@" >"$work/lines" 2>"$work/err"
    code=$?
    same "$name: exit code" "$code" "$want"
    said "$name: the sentence" "$text"
}
tokenize_lines 'bad lines are counted' 1 "modelhost: 3 of 5 lines could not be tokenized; the \"error\" in a line's place says why" --jsonl < <(printf '"cow"\n{"x":1}\n{"text":\n\n"moo"\n')
(echo '['; sed '$!s/$/,/' "$work/lines"; echo ']') >"$work/out"
ok 'tokenize has one answer per line' json '["error" in a for a in j] == [False, True, True, True, False]'
same 'tokenize says in its place what is wrong' "$(grep error "$work/lines")" "{\"error\":\"want a JSON string or {\\\"text\\\":..,\\\"pair\\\":..}\"}
{\"error\":\"the line: not valid JSON at byte 7\"}
{\"error\":\"the line: not valid JSON at byte 0\"}"
tokenize_lines 'a bad line is named' 1 'modelhost: line 2: the text is not UTF-8: byte 0xFF at offset 1; convert it, for example with iconv
modelhost: 1 of 3 lines could not be tokenized; what is wrong with each stands above' < <(printf 'cow\nc\xff\nmoo\n')
same 'tokenize goes on behind a bad line' "$(grep -c -F '[CLS] moo [SEP]' "$work/lines")" 1
tokenize_lines 'half a surrogate' 1 "modelhost: 1 of 3 lines could not be tokenized; the \"error\" in a line's place says why" --jsonl < <(printf '"cow"\n"\\ud800"\n"moo"\n')
same 'tokenize keeps to one answer a line' "$(wc -l <"$work/lines")" 3
fails 'tokenize: a bad text' 1 'modelhost: the text is not UTF-8: byte 0xFF at offset 1; convert it, for example with iconv' tokenize "$model" --text $'c\xff'
fails 'tokenize: no tokenizer here' 3 "modelhost: $facts/backends has no tokenizer: neither tokenizer.json, nor vocab.txt, nor vocab.json with merges.txt; put one there, or download the model again" tokenize "$facts/backends"

# ---- packages

fails 'no such model' 3 "modelhost: no such model: 'absent' is no package's folder, and the store does not exist yet; get it with pkgmgr download absent" run absent --text x
fails 'no such model in a store' 3 "modelhost: 'absent' is not in the store $facts, which is empty; \`pkgmgr download absent\` fetches it" run absent --store "$facts" --text x
fails 'no such folder' 3 "modelhost: cannot open the package ./absent: No such file or directory; give a package's folder, or the name of a model in the store" run ./absent --text x
fails 'a folder that is no package' 3 "modelhost: $facts/backends is not a package: no metadata.json and no backends/cpu/libmodel.so; give the folder that 'pkgmgr download' made, or put a plugin there" run "$facts/backends" --text x

b=$work/broken
broken() { # a fresh copy of the package to break
    rm -rf "$b"
    demo_package "$b"
}
opening() { # NAME CODE TEXT: the broken package cannot be run
    fails "$@" run "$b" -q --text 'A cow says [MASK].'
}
weights=backends/cpu/model.safetensors
broken
rm "$b/$weights"
opening 'no weights' 7 "modelhost: plugin 'bert' 1.0.0 cannot run $b: $b/backends/cpu has no model.safetensors and no model.safetensors.index.json; get the package's files again, or mend them"
touch "$b/backends/cpu/pytorch_model.bin"
opening 'a pickle instead of weights' 7 "modelhost: plugin 'bert' 1.0.0 cannot run $b: $b/backends/cpu has no model.safetensors and no model.safetensors.index.json; pytorch_model.bin is a pickle, which is never opened: make safetensors of it with 'pkgmgr convert'; get the package's files again, or mend them"
head -c 1000000 "$facts/$weights" >"$b/$weights"
opening 'truncated weights' 7 "modelhost: $b/$weights: tensor 'bert.encoder.layer.0.intermediate.dense.weight': truncated: ends at data byte 1101312, the file has 993520; get the package's files again, or mend them"
head -c 1000 "$facts/$weights" >"$b/$weights"
opening 'weights truncated in the header' 7 "modelhost: $b/$weights: truncated: a header of 6472 bytes in a file of 1000; get the package's files again, or mend them"
head -c 5 "$facts/$weights" >"$b/$weights"
opening 'weights truncated before the header' 7 "modelhost: $b/$weights: truncated: 5 bytes, a safetensors file has at least 8; get the package's files again, or mend them"
{ cat "$facts/$weights"; echo more; } >"$b/$weights"
opening 'weights with more behind' 7 "modelhost: $b/$weights: 5 bytes behind the last tensor, want none; get the package's files again, or mend them"
printf '\377\377\377\377\377\0\0\0{}' >"$b/$weights"
opening 'weights with a header beyond the limit' 7 "modelhost: $b/$weights: a header of 1099511627775 bytes, the limit is 100000000; is it a safetensors file? get the package's files again, or mend them"
head_of() { # JSON N-BYTES: weights with this header
    python3 -c 'import sys; from tensors import write_raw; write_raw(sys.argv[1], sys.argv[2].encode(), bytes(int(sys.argv[3])))' "$b/$weights" "$1" "$2"
}
head_of '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}' 12
opening 'overlapping weights' 7 "modelhost: $b/$weights: tensor 'b': starts at data byte 4 and overlaps the one that ends at 8; get the package's files again, or mend them"
head_of '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[12,20]}}' 20
opening 'weights with a hole' 7 "modelhost: $b/$weights: tensor 'b': starts at data byte 12, behind a hole that begins at 8; get the package's files again, or mend them"
head_of '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}' 16
opening 'a weight that stands twice' 7 "modelhost: $b/$weights: tensor 'a': the name stands twice; get the package's files again, or mend them"
head_of '{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}}' 8
opening 'a shape that overflows' 7 "modelhost: $b/$weights: tensor 'a': the size of shape [4294967296, 4294967296] overflows; get the package's files again, or mend them"
head_of '{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}' 8
opening 'a shape that is not the data' 7 "modelhost: $b/$weights: tensor 'a': shape [3] of F32 takes 12 bytes, data_offsets 8; get the package's files again, or mend them"
head_of '{"a":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}}' 8
opening 'an unknown dtype' 7 "modelhost: $b/$weights: tensor 'a': unknown dtype 'F31', want one such as F32, F16, BF16 or I64; get the package's files again, or mend them"
head_of '{"a":' 8
opening 'a broken header' 7 "modelhost: $b/$weights: header: byte 8: not valid JSON, want '{'; get the package's files again, or mend them"

broken
printf '{"weight_map":{"a":"model-1.safetensors"}}' >"$b/$weights.index.json"
run run "$b" --text 'A cow says [MASK].' -q
same 'the single file and shards: quiet' "$code:$(cat "$work/err")" '0:'
run run "$b" --text 'A cow says [MASK].'
same 'the single file and shards: the single file' "$code" 0
same 'the single file and shards: says which' "$(head -n 2 "$work/err")" "modelhost: warning: $b has no metadata.json: its files are used as they are, unverified
modelhost: warning: $b/backends/cpu has both model.safetensors and model.safetensors.index.json: the single file is taken, the shards are not read; remove one"
rm "$b/$weights"
opening 'a missing shard' 7 "modelhost: $b/backends/cpu: shard 'model-1.safetensors' is missing, model.safetensors.index.json lists it; get the package's files again, or mend them"
printf '{"weight_map":{"a":"../model-1.safetensors"}}' >"$b/$weights.index.json"
opening 'a shard that leaves the folder' 7 "modelhost: $b/$weights.index.json: '../model-1.safetensors' is no safe name for a shard; get the package's files again, or mend them"
printf '{"weight_map":' >"$b/$weights.index.json"
opening 'a broken index' 7 "modelhost: $b/$weights.index.json: byte 14: not valid JSON, want '{'; get the package's files again, or mend them"

broken
printf '{"model_type": "bert", ' >"$b/backends/cpu/config.json"
opening 'a broken config' 7 "modelhost: $b/backends/cpu/config.json: not valid JSON at byte 22; get the package's files again, or mend them"
printf '[1]' >"$b/backends/cpu/config.json"
opening 'a config that is no object' 7 "modelhost: $b/backends/cpu/config.json: not a JSON object; get the package's files again, or mend them"
rm "$b/backends/cpu/config.json"
opening 'no config' 7 "modelhost: $b/backends/cpu/config.json is missing; a model without a configuration has one that says {}; get the package's files again, or mend them"
configured() { # SED-EXPRESSION
    broken
    sed -i "$1" "$b/backends/cpu/config.json"
}
configured 's/"hidden_size": *[0-9]*/"hidden_size": 96/'
opening 'a wrong shape' 7 "modelhost: plugin 'bert' 1.0.0 cannot run $b: weight 'bert.embeddings.word_embeddings.weight': shape [1178, 128], want [1178, 96]; get the package's files again, or mend them"
configured 's/"num_hidden_layers": *[0-9]*/"num_hidden_layers": 4/'
opening 'a missing weight' 7 "modelhost: plugin 'bert' 1.0.0 cannot run $b: weight 'bert.encoder.layer.3.attention.self.query.weight' is missing from the package; the files are of another architecture, or one of them was not downloaded; get the package's files again, or mend them"
configured 's/"model_type": *"bert"/"model_type": "roberta"/'
opening 'another architecture' 1 "modelhost: plugin 'bert' 1.0.0 cannot run $b: config.json: 'model_type' is \"roberta\", this plugin computes \"bert\" only; 'modelhost explain PKG' shows which plugins there are"
configured 's/"hidden_size": *[0-9]*/"hidden_size": "many"/'
opening 'a number that is none' 7 "modelhost: plugin 'bert' 1.0.0 cannot run $b: config.json: 'hidden_size' is \"many\", want a whole number from 1 to 65536; get the package's files again, or mend them"
configured 's/"hidden_act": *"[a-z_]*"/"hidden_act": "wave"/'
opening 'an unknown activation' 1 "modelhost: plugin 'bert' 1.0.0 cannot run $b: the activation 'wave' is not computed, want gelu, gelu_new, gelu_fast, gelu_pytorch_tanh, gelu_10, quick_gelu, relu, relu2, relu6, leaky_relu, sigmoid, silu, mish, tanh, laplace or linear; 'modelhost explain PKG' shows which plugins there are"

broken
printf '{"version":"1.0","model":{"type":"Unigram"}}' >"$b/tokenizer.json"
opening 'a tokenizer of another kind' 1 "modelhost: $b/tokenizer.json: model type 'Unigram' is not supported yet; supported: WordPiece, BPE"
printf '{"version":' >"$b/tokenizer.json"
opening 'a broken tokenizer' 7 "modelhost: $b/tokenizer.json: not valid JSON at byte 10; get the package's files again, or mend them"
mv "$b/tokenizer.json" "$b/backends/cpu/tokenizer.json"
opening 'a broken tokenizer beside the weights' 7 "modelhost: $b/backends/cpu/tokenizer.json: not valid JSON at byte 10; get the package's files again, or mend them"
rm "$b/backends/cpu/tokenizer.json"
opening 'no tokenizer' 3 "modelhost: $b has no tokenizer: neither tokenizer.json, nor vocab.txt, nor vocab.json with merges.txt; put one there, or download the model again"
printf 'cow\nmoo\n' >"$b/vocab.txt"
opening 'a vocabulary of another model' 7 "modelhost: $b/vocab.txt: the special token '[CLS]' is not among its 2 tokens; is this the vocabulary of a BERT model? get the package's files again, or mend them"
broken
printf '{' >"$b/tokenizer_config.json"
opening 'a broken tokenizer_config.json' 7 "modelhost: $b/tokenizer_config.json: not valid JSON at byte 0; get the package's files again, or mend them"

# ---- plugins

plugin() { # FIXTURE: a fresh package with this plugin
    broken
    cp "$build/tests/plugin_$1.so" "$b/backends/cpu/libmodel.so"
}
broken
printf 'not a plugin' >"$b/backends/cpu/libmodel.so"
opening 'a file that is no plugin' 1 "modelhost: $b/backends/cpu/libmodel.so is not a shared object (no ELF file); build the plugin with -shared"
plugin wrong_major
opening 'a plugin of another major version' 1 "modelhost: $b/backends/cpu/libmodel.so: plugin 'bert' 1.0.0 was built for ABI 2.3, this host speaks $abi; rebuild the plugin with this host's model_abi.h, or use a host of ABI 2"
plugin no_note
opening 'a plugin without a note' 1 "modelhost: $b/backends/cpu/libmodel.so carries no modelhost note; it is not a plugin, or MODEL_PLUGIN_NOTE() is missing"
plugin extra_exports
opening 'a plugin that exports more' 1 "modelhost: $b/backends/cpu/libmodel.so: plugin 'bert' 1.0.0 exports 2 symbols beside create_model (helper_of_bert table_of_bert); hide them: compile with -fvisibility=hidden and link with the version script { global: create_model; local: *; };"
plugin no_create_model
opening 'a plugin without create_model' 1 "modelhost: $b/backends/cpu/libmodel.so: plugin 'bert' 1.0.0 does not export create_model; define it with the signature of model_abi.h and mark it MODEL_EXPORT"
broken
rm "$b/backends/cpu/libmodel.so"
opening 'no plugin' 3 "modelhost: $b is not a package: no metadata.json and no backends/cpu/libmodel.so; give the folder that 'pkgmgr download' made, or put a plugin there"
fails 'explain: no plugin' 3 "modelhost: $b is not a package: no metadata.json and no backends/cpu/libmodel.so; give the folder that 'pkgmgr download' made, or put a plugin there" explain "$b"
mkdir "$work/empty"
for folder in empty nowhere; do
    run plugins --plugin-path "$work/$folder"
    same "plugins: $folder: exit code" "$code" 0
    said "plugins: $folder: says so" \
        "modelhost: no plugins in $work/$folder; build some there, or name other folders with --plugin-path"
done

# ---- deadlines

mkdir -p "$work/echo/backends/cpu"
cp "$build/tests/plugin_echo.so" "$work/echo/backends/cpu/libmodel.so"
python3 -c 'from tensors import write; write("x.safetensors", {"x": ("F32", [2], [1.0, 2.0])})'
echo '{"model_type":"echo","echo_mode":"spin"}' >"$work/echo/backends/cpu/config.json"
late() { # NAME ARGUMENT...: a deadline passes, after how long is the machine's affair
    local name=$1
    shift
    remember
    run "$@"
    sed -i 's/after [0-9]* ms/after N ms/' "$work/err"
    failed "$name" 124 'modelhost: deadline passed after N ms while the request was running; give it more with --timeout'
}
late 'a deadline' run "$work/echo" -q --timeout 50ms --inputs x.safetensors --outputs y.safetensors
echo '{"model_type":"echo","echo_mode":"ignore_cancel","spin_ms":600000}' >"$work/echo/backends/cpu/config.json"
late 'a plugin that never listens' run "$work/echo" -q --timeout 50ms --inputs x.safetensors --outputs y.safetensors
fails 'texts for a model of tensors' 1 "modelhost: this model takes no text: it has no input 'input_ids' of I64 and rank 2; give it tensors (--inputs)" run "$work/echo" -q --text x

# ---- inputs that change under the model

printf '{"model_type":"echo","echo_mode":"truncate","truncate_path":"%s"}' "$work/gone.safetensors" >"$work/echo/backends/cpu/config.json"
cp x.safetensors gone.safetensors
run run "$work/echo" -q --inputs gone.safetensors --outputs gone-out.safetensors
remember # the plugin itself has cut the file
failed 'inputs truncated while they are read' 7 'modelhost: gone.safetensors was truncated while it was in use: 80 bytes when opened, 0 now; run again when nothing writes to it'
ok 'truncated inputs leave no output' test ! -e gone-out.safetensors

# ---- the command line

usage() { # NAME TEXT ARGUMENT...
    local name=$1 text=$2
    shift 2
    fails "$name" 2 "$text" "$@"
}
usage 'an unknown command' "modelhost: unknown command 'dance'; there are: run serve tokenize preprocess plugins explain config metrics bench quantize check-plugin quarantine; see 'modelhost --help'" dance
usage 'an unknown option' "modelhost run: unknown option '--dance'; see 'modelhost help run'" run "$facts" --dance
usage 'an unknown letter' "modelhost run: unknown option '-x'; see 'modelhost help run'" run "$facts" -x
usage 'an option without its value' "modelhost run: option '--text' wants a value; see 'modelhost help run'" run "$facts" --text
usage 'a value too many' "modelhost run: option '--json' takes no value; see 'modelhost help run'" run "$facts" --json=yes
usage 'no package' "modelhost run: wants one package, got 0; see 'modelhost help run'" run --text x
usage 'two packages' "modelhost run: wants one package, got 2; see 'modelhost help run'" run "$facts" "$facts" --text x
usage 'inputs without outputs' "modelhost run: --inputs and --outputs go together; see 'modelhost help run'" run "$facts" --inputs in.safetensors
usage 'texts and tensors' "modelhost run: give texts (--text, --pair) or tensors (--inputs), not both; see 'modelhost help run'" run "$facts" --inputs in.safetensors --outputs x.safetensors --text x
for option in '--task embed' '--top-k 3' --truncate; do
    # shellcheck disable=SC2086
    usage "$option with --inputs" "modelhost run: ${option%% *} is for texts, not for --inputs; see 'modelhost help run'" run "$facts" --inputs in.safetensors --outputs x.safetensors $option
done
usage 'output names with texts' "modelhost run: --output-names goes with --inputs; see 'modelhost help run'" run "$facts" --text '[MASK]' --output-names logits
usage 'a timeout without a unit' "modelhost run: --timeout is '5', want a time such as 500ms, 2s or 1m; see 'modelhost help run'" run "$facts" --timeout 5 --text '[MASK]'
usage 'a timeout without a unit that exists' "modelhost run: --timeout is '5 weeks', want a time such as 500ms, 2s or 1m; see 'modelhost help run'" run "$work/echo" --timeout '5 weeks' --inputs x.safetensors --outputs y.safetensors
if command -v taskset >/dev/null 2>&1; then
    # one CPU wherever this runs
    printf '#!/bin/sh\nexec taskset -c %s %s "$@"\n' "$(taskset -cp $$ | sed 's/.*: \([0-9]*\).*/\1/')" "$program" >one-cpu
    chmod +x one-cpu
    program=$work/one-cpu
    for n in 0 2 4096 many; do
        usage "--threads $n" "modelhost run: --threads, with 1 CPU that this process may use, is '$n', want a whole number from 1 to 1; see 'modelhost help run'" \
            run "$facts" -q --threads $n --text '[MASK]'
    done
    program=$build/bin/modelhost
else
    skipped '--threads beyond the CPUs: no taskset command'
fi
usage 'top-k is no number' "modelhost run: --top-k is 'many', want a whole number from 0 to 10000; see 'modelhost help run'" run "$facts" -q --top-k many --text '[MASK]'
usage 'plugins with an argument' "modelhost plugins: takes no argument, got 'more'; see 'modelhost help plugins'" plugins more
usage 'explain without a package' "modelhost explain: wants one package, got 0; see 'modelhost help explain'" explain
usage 'tokenize without a package' "modelhost tokenize: wants one package or folder, got 0; see 'modelhost help tokenize'" tokenize

# ---- a standard output that takes nothing

full() { # NAME ARGUMENT...
    local name=$1
    shift
    "$program" "$@" >/dev/full 2>"$work/err" </dev/null
    code=$?
    same "$name >/dev/full: exit code" "$code" 8
    said "$name >/dev/full: the sentence" 'modelhost: cannot write the result to standard output: No space left on device; what came out is incomplete: send it to a place that takes it all'
}
if [ -c /dev/full ]; then
    full help --help
    full 'help of a command' run --help
    full version --version
    full plugins plugins
    full 'plugins --json' plugins --json
    full explain explain "$facts"
    full 'explain --json' explain "$facts" --json
    full tokenize tokenize "$model" --text cow
    full 'tokenize --jsonl' tokenize "$model" --jsonl --text cow
    full run run "$facts" -q --text 'A cow says [MASK].'
    full 'run --json' run "$facts" -q --json --text 'A cow says [MASK].'
    full 'run --describe' run "$facts" -q --describe
else
    skipped 'a full standard output: no /dev/full here'
fi

summary
