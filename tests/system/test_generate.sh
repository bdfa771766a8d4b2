#!/usr/bin/env bash
# modelhost run with models that generate: the character model that the repository ships (texts, streaming,
# sampling, stops, interrupts), and GPT-2s of ../shared against what transformers wrote (ids).
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
program=$build/bin/modelhost
begin generate
export MODELHOST_STORE=$work/store PYTHONDONTWRITEBYTECODE=1
unset MODELHOST_PLUGIN_PATH
shared=$(cd "${SHARED:-../shared}" 2>/dev/null && pwd)
tales=$work/tales facts=$work/facts
root=$PWD
source=$root/examples/demo/hub/modelhost/tales-char-lstm

author_folder() { # DIR PLUGIN MODEL: config.json and model.safetensors with a plugin
    mkdir -p "$1/backends/cpu"
    ln -s "$3/config.json" "$3/model.safetensors" "$1/backends/cpu/"
    cp "$build/lib/modelhost/plugins/lib$2.so" "$1/backends/cpu/libmodel.so"
}
author_folder "$tales" lstm "$source"
cp "$source"/tokenizer.json "$source"/tokenizer_config.json "$source"/generation_config.json "$tales/"
demo_package "$facts"
cd "$work" || exit 1

tale() { run run "$tales" -q "$@"; } # OPTION...
text_of() { # OPTION...: what the tale model goes on with; stdout without its last newline
    tale "$@"
    printf '%s' "$out"
}

# ---- texts

long='Once upon a time'
whole=$(text_of --text "$long")
ok 'it goes on until its end of text' test ${#whole} -gt 100
has 'and it is a tale' "$whole" ' there was a little'
tale --text "$long" --json
same 'it succeeds' "$code" 0
ok 'JSON says all' json 'len(j) == 1 and sorted(j[0]) == ["finish_reason", "generated_text", "prompt_token_ids", "sequence", "task", "text", "token_ids"]'
ok 'JSON has the ids' json 'j[0]["prompt_token_ids"] == list(b"Once upon a time") and bytes(j[0]["token_ids"][:-1]).decode() == j[0]["generated_text"] and j[0]["token_ids"][-1] == 256'
ok 'JSON has the reason' json 'j[0]["finish_reason"] == "stop" and j[0]["text"] == "Once upon a time" and j[0]["sequence"] == 0'
same 'both forms say the same' "$(python3 -c 'import json; print(json.load(open("out"))[0]["generated_text"], end=".")')" "$whole
."
same 'a limit on tokens' "$(text_of --text "$long" --max-new-tokens 12)" "${whole:0:12}"
tale --text "$long" --max-new-tokens 12 --json
ok 'the limit is the reason' json 'j[0]["finish_reason"] == "length" and len(j[0]["token_ids"]) == 12'
same 'no tokens at all' "$(text_of --text "$long" --max-new-tokens 0)" ''
same '--greedy is what it does without numbers' "$(text_of --text "$long" --greedy)" "$whole"
same 'proposals change nothing' "$(text_of --text "$long" --speculation prompt)$(text_of --text "$long" --speculation off)" "$whole$whole"
same 'a temperature of 0 is greedy' "$(text_of --text "$long" --temperature 0)" "$whole"
same 'ids of the text give the same' "$(text_of --input-ids "$(printf %s "$long" | od -An -v -tu1 | xargs | tr ' ' ,)")" "$whole"
tale --text 'Once' --text 'The cow' --text 'One day' --max-new-tokens 9 --json
cp out several.json
for text in Once 'The cow' 'One day'; do tale --text "$text" --max-new-tokens 9 --json && cat out; done >singles
ok 'several texts give what each gives alone' python3 -c '
import json
a = json.load(open("several.json")); b = [json.loads(l)[0] for l in open("singles")]
assert a == b and [i["text"] for i in a] == ["Once", "The cow", "One day"]'
tale --text Once --text 'The cow' --max-new-tokens 9
same 'for people, each text has a line before it' "$(grep -c '^\[' out) $(sed -n '1p;3p' out | paste -sd' ')" '2 [Once] [The cow]'
printf 'Once\r\nThe cow\nOne day' >lines
timeout 60 "$program" run "$tales" -q --max-new-tokens 9 --json <lines >out 2>err
ok 'lines of standard input are texts' cmp -s <(python3 -c 'import json; print(json.load(open("out")))') \
    <(python3 -c 'import json; print(json.load(open("several.json")))')
tale
same 'no lines at all' "$code $(cat err)" '1 modelhost: no text: give --text, or lines on standard input'
run run "$tales" --text Once --max-new-tokens 5
ok 'timing is on stderr, after the warning' grep -qE '^modelhost: read 4 tokens in [0-9.]+ ms \([0-9.]+ tokens/s\), made 5, 4 behind the first in [0-9.]+ ms \([0-9.]+ tokens/s; load [0-9.]+ ms\)$' err
same 'the rate is that of the time beside it' "$(python3 -c 'import re
found = re.search(r"(\d+) behind the first in ([\d.]+) ms \(([\d.]+) ", open("err").read())
n, ms, rate = map(float, found.groups())
print(abs(n / rate * 1000 - ms) <= 0.0051)')" True
lacks 'and not on stdout' "$out" tokens/s

# ---- generation_config.json

cp -r "$tales" own
echo '{"max_new_tokens": 7, "eos_token_id": 101}' >own/generation_config.json
run run own -q --text "$long" --json
ok 'the package sets the limit and the end' json 'j[0]["token_ids"] == list(b" the")'
run run own -q --text "$long" --json --ignore-eos
ok 'which can be passed over' json 'j[0]["token_ids"] == list(b" there ")'
run run own -q --text "$long" --json --ignore-eos --max-new-tokens 3
ok 'wishes come first' json 'j[0]["token_ids"] == list(b" th")'
echo '{"max_length": 20, "do_sample": true, "temperature": 0.9}' >own/generation_config.json
run run own -q --text "$long" --json
ok 'max_length counts the prompt' json 'len(j[0]["token_ids"]) == 4'
seeds=$(for seed in 1 2 3 4 5; do run run own -q --text x --max-new-tokens 30 --seed $seed; sha256sum <out; done | sort -u | wc -l)
ok 'do_sample draws' test "$seeds" -gt 1
same 'and --greedy does not' "$(run run own -q --text "$long" --greedy --max-new-tokens 40; cat out)" "${whole:0:40}"
echo '{"temperature": "hot"}' >own/generation_config.json
fails 'a field of the wrong kind' 7 "modelhost: $work/own/generation_config.json: 'temperature' is not a number" run own -q --text x
echo '{' >own/generation_config.json
run run own -q --text x
same 'half a file' "$code $(grep -c 'own/generation_config.json' err)" '7 1'
rm -r own

# ---- sampling

draw() { text_of --text "$long" --temperature 1 --max-new-tokens 120 "$@"; }
one=$(draw --seed 7)
ok 'it draws something else' test "$one" != "${whole:0:120}"
same 'the same seed gives the same' "$(draw --seed 7)" "$one"
same 'with one thread' "$(draw --seed 7 --threads 1)" "$one"
tale --describe --threads 2
if [ "$code" = 0 ]; then
    same 'with two threads' "$(draw --seed 7 --threads 2)" "$one"
else
    skipped 'two threads: this process may use one processor'
fi
ok 'another seed gives another' test "$(draw --seed 8)" != "$one"
ok 'no seed is seed 0' test "$(draw)" = "$(draw --seed 0)"
for option in '--top-k 1' '--top-p 0' '--min-p 1'; do
    # shellcheck disable=SC2086 # an option and its value
    same "$option leaves the most probable" "$(draw $option)" "${whole:0:120}"
done
for option in '--top-k 2' '--top-p 0.5' '--min-p 0.3' '--temperature 5' '--repetition-penalty 1.3' '--presence-penalty 1' '--frequency-penalty 0.5'; do
    # shellcheck disable=SC2086
    ok "$option counts" test "$(draw --seed 7 $option)" != "$one"
done
tale --text 'aaaa' --greedy --max-new-tokens 25 --presence-penalty 100 --ignore-eos --json
ok 'a presence penalty of 100 lets no token come twice' json 'len(set(j[0]["token_ids"])) == len(j[0]["token_ids"]) > 20'
tale --text Once --text Twice --num-sequences 3 --temperature 1 --seed 3 --max-new-tokens 20 --json
ok 'several answers to each text' json '[i["text"] for i in j] == ["Once"] * 3 + ["Twice"] * 3 and sorted(i["sequence"] for i in j[:3]) == [0, 1, 2]'
ok 'the most probable first' json 'all(j[k]["cumulative_logprob"] >= j[k + 1]["cumulative_logprob"] for k in (0, 1, 3, 4))'
ok 'they differ' json 'len({i["generated_text"] for i in j[:3]}) == 3'
tale --text Once --num-sequences 2 --temperature 1 --max-new-tokens 9
same 'for people they are numbered' "$(grep '^\[' out | paste -sd' ')" '[Once, answer 1] [Once, answer 2]'
tale --text "$long" --max-new-tokens 6 --logprobs 3 --json
ok 'logprobs of each token' json 'len(j[0]["logprobs"]) == 6 and all(t["logprob"] == t["top"][0]["logprob"] and len(t["top"]) == 3 and t["top"][0]["logprob"] >= t["top"][1]["logprob"] for t in j[0]["logprobs"])'
ok 'they name the tokens, and add up' json '[t["top"][0]["token_id"] for t in j[0]["logprobs"]] == j[0]["token_ids"] and abs(sum(t["logprob"] for t in j[0]["logprobs"]) - j[0]["cumulative_logprob"]) < 1e-4'

# ---- stops

stop() { # NAME WANT REASON OPTION...: each character is a token, so that every stop string crosses some
    local name=$1 want=$2 reason=$3
    shift 3
    tale --text "$long" --json --max-new-tokens 60 "$@"
    same "$name" "$(python3 -c 'import json; i = json.load(open("out"))[0]; print(i["generated_text"] + "|" + i["finish_reason"])')" "$want|$reason"
}
stop 'a stop string' ' there was a ' stop --stop little
stop 'which ends at the first of several' ' there was ' stop --stop duck --stop 'a l' --stop little
stop 'one that begins at once' '' stop --stop ' '
stop 'one that is longer than the output' "${whole:0:60}" length --stop "${whole}${whole}"
stop 'the start of one at the end is shown' "${whole:0:60}" length --stop "${whole:55:5}never"
stop 'stop ids, whose text is not shown' ' th' stop --stop-ids 44,101
tale --text "$long" --json --stop-ids 101
ok 'the id that ends it is among the ids' json 'j[0]["token_ids"] == list(b" the")'

# ---- streaming

cat >pieces.py <<'PY'
"""Runs a command, reads its stdout piece by piece as it comes; each piece must be UTF-8 by itself.
pieces.py OUT SIGNAL AFTER_BYTES COMMAND...: prints the exit code, the number of pieces, and, if a signal was
sent after so many bytes, how many seconds later it had ended, rounded down."""
import os, signal, subprocess, sys, time
out, number, after = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
child = subprocess.Popen(sys.argv[4:], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, bufsize=0)
pieces, text, sent = 0, b'', None
while True:
    piece = os.read(child.stdout.fileno(), 1 << 16)
    if not piece:
        break
    piece.decode('utf-8')
    pieces, text = pieces + 1, text + piece
    if number and sent is None and len(text) >= after:
        sent = time.monotonic()
        child.send_signal(number)
code = child.wait()
open(out, 'wb').write(text)
print(code, pieces, *([int(time.monotonic() - sent)] if sent is not None else []))
PY
stream() { # OPTION...
    python3 pieces.py streamed 0 0 "$program" run "$tales" -q --stream "$@" 2>err
}
stream --text "$long" >/dev/null
same 'what is streamed is the text' "$(cat streamed)" "$whole"
same 'as does a drawn one' "$(stream --text "$long" --seed 7 --temperature 1 --max-new-tokens 120 >/dev/null; cat streamed)" "$one"
stream --text "$long" --temperature 30 --top-k 0 --max-new-tokens 2000 --ignore-eos --seed 5 >told
same 'any bytes are streamed as UTF-8' "$(cut -d' ' -f1 told)" 0
tale --text "$long" --temperature 30 --top-k 0 --max-new-tokens 2000 --ignore-eos --seed 5
ok 'and they are the text' cmp -s streamed out
ok 'with broken characters in it' grep -q $'\xef\xbf\xbd' streamed
stream --text "$long" --stop 'little duck' >/dev/null
same 'nothing of a stop string is streamed' "$(cat streamed)" ' there was a '
stream --text Once --text 'The cow' --max-new-tokens 9 >/dev/null
same 'several texts are streamed one after the other' "$(cat streamed)" "$(for t in Once 'The cow'; do text_of --text "$t" --max-new-tokens 9; echo; done)"
draws=(--temperature 1 --seed 7 --max-new-tokens 30)
tale --text Once --text Once "${draws[@]}" --json
together=$(python3 -c 'import json; print("".join(i["generated_text"] + "\n" for i in json.load(open("out"))), end="")')
stream --text Once --text Once "${draws[@]}" >/dev/null
same 'drawn, too: each text draws by its place' "$(cat streamed)" "$together"
printf 'Once\nOnce\n' | timeout 60 "$program" run "$tales" -q "${draws[@]}" >out
same 'as do lines of standard input' "$(cat out)" "$together"
ok 'equal texts in two places differ' test "$(sed -n 1p out)" != "$(sed -n 2p out)"
run run "$tales" --text Once --max-new-tokens 5 --stream
ok 'tokens/s come at the end, on stderr' grep -q 'tokens/s' err

# ---- interrupts and deadlines; the model would go on for minutes

forever=(run "$tales" -q --stream --text "$long" --ignore-eos --max-new-tokens 16777216)
for number in 2 15; do
    told=$(python3 pieces.py streamed $number 20 "$program" "${forever[@]}" 2>err)
    same "signal $number: the exit code" "${told%% *}" 130
    ok "signal $number: soon" test "${told##* }" -le 1
    same "signal $number: the sentence" "$(cat err)" 'modelhost: interrupted'
    ok "signal $number: what was streamed stays" test "$(head -c 20 streamed)" = "${whole:0:20}"
done
told=$(python3 pieces.py streamed 0 0 "$program" "${forever[@]}" --timeout 500ms 2>err)
same 'a deadline: the exit code' "${told%% *}" 124
ok 'a deadline: the sentence' grep -q '^modelhost: deadline passed' err
ok 'a deadline: what was streamed stays' python3 -c '
import sys
streamed = open("streamed").read()
assert streamed.startswith(sys.argv[1]) or sys.argv[1].startswith(streamed)' "$whole"
tale --text "$long" --ignore-eos --max-new-tokens 16777216 --timeout 300ms --json
same 'a deadline without streaming' "$code $out" '124 '
ok 'a deadline without streaming: the sentence' grep -qE '^modelhost: deadline passed .*; give it more with --timeout$' err
cat >blocked.py <<'PY'
"""Nobody reads: the pipe is full. The first Ctrl-C cannot be answered, the second ends the process."""
import array, fcntl, signal, subprocess, sys, termios, time
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, bufsize=0)
capacity = fcntl.fcntl(child.stdout.fileno(), 1031, 4096) # F_SETPIPE_SZ: soon full
def waiting():
    size = array.array('i', [0])
    fcntl.ioctl(child.stdout.fileno(), termios.FIONREAD, size)
    return size[0]
while waiting() < capacity - 8:
    time.sleep(0.01)
while child.poll() is None:
    child.send_signal(signal.SIGINT)
    time.sleep(0.05)
print(child.returncode)
PY
has 'a reader that stopped does not keep it' '-2 130' "$(timeout 60 python3 blocked.py "$program" "${forever[@]}" 2>/dev/null)"

cat >closed.py <<'PY'
"""Reads 20 bytes and closes the pipe: prints the exit code and stderr."""
import subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
text = b''
while len(text) < 20:
    text += child.stdout.read(20 - len(text))
child.stdout.close()
print(child.wait(), child.stderr.read().decode().strip())
PY
same 'a reader that has enough ends it' "$(timeout 60 python3 closed.py "$program" "${forever[@]}")" \
    '8 modelhost: cannot write the result to standard output: Broken pipe; what came out is incomplete: send it to a place that takes it all'

# ---- what is refused

usage() { # NAME TEXT OPTION...
    local name=$1 text=$2
    shift 2
    fails "$name" 2 "modelhost run: $text; see 'modelhost help run'" run "$tales" -q "$@"
}
usage 'ids that are none' "--input-ids is 'x', want token ids with commas between, such as 15496,11, at most 65536" --input-ids x
usage 'a comma at the end' "--input-ids is '1,', want token ids with commas between, such as 15496,11, at most 65536" --input-ids 1,
usage 'a negative id' "--stop-ids is '-4', want token ids with commas between, such as 15496,11, at most 65536" --text x --stop-ids -4
usage 'an id beyond 64 bits' "--input-ids is '9223372036854775808', want token ids with commas between, such as 15496,11, at most 65536" --input-ids 9223372036854775808
usage 'a text and ids' 'give a text or its ids (--input-ids), not both' --text x --input-ids 1
usage 'a stream of JSON' '--stream shows one answer as text; leave out --json' --text x --stream --json
usage 'a stream of several' '--stream shows one answer as text; leave out --num-sequences' --text x --stream --num-sequences 2 --temperature 1
usage 'logprobs for people' '--logprobs goes with --json' --text x --logprobs 2
usage 'several greedy answers' '--greedy has one answer; leave out --num-sequences' --text x --greedy --num-sequences 2
usage 'a greedy temperature' '--greedy draws nothing; leave out --temperature' --text x --greedy --temperature 1
usage 'a greedy top-k' '--greedy draws nothing; leave out --top-k' --text x --greedy --top-k 4
usage 'a speculation that there is not' "--speculation is 'wild', want off or prompt" --text x --speculation wild
usage 'no sequences' "--num-sequences is '0', want a whole number from 1 to 64" --text x --num-sequences 0
usage 'a negative seed' "--seed is '-1', want a whole number from 0 to 9223372036854775807" --text x --seed -1
usage 'fewer than no tokens' "--max-new-tokens is '-1', want a whole number from 0 to 16777216" --text x --max-new-tokens -1
usage 'a temperature that is none' "--temperature is 'warm', want a number" --text x --temperature warm
usage 'generating from tensors' '--greedy is for texts, not for --inputs' --inputs a --outputs b --greedy
usage 'generating from pictures' '--seed is for texts, not for --image' --image a --seed 1
wrong() { # NAME CODE TEXT OPTION...
    local name=$1 want=$2 text=$3
    shift 3
    fails "$name" "$want" "modelhost: $text" run "$tales" -q "$@"
}
wrong 'a temperature of NaN' 1 'temperature is nan, want a number from 0 to 100' --text x --temperature nan
wrong 'an endless temperature' 1 'temperature is inf, want a number from 0 to 100' --text x --temperature inf
wrong 'a negative temperature' 1 'temperature is -1, want a number from 0 to 100' --text x --temperature -1
wrong 'top-p beyond 1' 1 'top_p is 1.5, want a number from 0 to 1' --text x --top-p 1.5
wrong 'min-p of NaN' 1 'min_p is nan, want a number from 0 to 1' --text x --min-p nan
wrong 'a repetition penalty of 0' 1 'repetition_penalty is 0, want a number from 0.01 to 100' --text x --repetition-penalty 0
wrong 'several greedy answers without the word' 1 'num_sequences is 2, but without sampling all would be the same: give a temperature above 0, or 1 sequence' --text x --num-sequences 2 --temperature 0
wrong 'an empty prompt' 1 'prompt 1: no tokens, and the model names no bos_token_id to begin with' --text ''
wrong 'an empty one behind others' 1 'prompt 2: no tokens, and the model names no bos_token_id to begin with' --text x --text ''
wrong 'no ids' 1 'prompt 1: no tokens, and the model names no bos_token_id to begin with' --input-ids ''
wrong 'an unknown id' 1 "plugin 'lstm' 1.0.0: input_ids[0, 1] is 257, want 0 to 256 (vocab_size 257)" --input-ids 1,257
wrong 'a prompt that is not UTF-8' 1 'prompt 1: the text is not UTF-8: byte 0xFF at offset 1; convert it, for example with iconv' --text $'x\xff'
wrong 'an empty stop string' 1 'stop string 1 is empty or longer than 4096 bytes' --text x --stop ''
wrong 'a stop string of half a character' 1 'stop string 2 is not UTF-8' --text x --stop ok --stop $'\xa9'
wrong 'a stop id that there is not' 1 'stop token id 99999 is not in the vocabulary, want 0 to 256' --text x --stop-ids 99999
wrong 'too many stop ids' 1 '40 stop token ids, at most 32' --text x --stop-ids "$(seq -s, 40)"
wrong 'a second text' 1 '--pair is not for models that generate text, as this one does' --text x --pair y
wrong 'a cut' 1 '--truncate is not for models that generate text, as this one does' --text x --truncate
wrong 'a task that it has no output for' 1 "task embed wants the output 'last_hidden_state', which this LSTM does not have; its own task is text-generation" --text x --task embed
fails 'a model that does not generate' 1 'modelhost: --seed is for models that generate text; the task of this one is fill-mask' run "$facts" -q --text 'a [MASK]' --seed 1
fails 'a model that cannot' 1 'modelhost: this BertForMaskedLM cannot generate: its task is fill-mask' run "$facts" -q --text 'a [MASK]' --task generate

# ---- GPT-2, by ids

cat >reference.py <<'PY'
"""reference.py FOLDER: prints each greedy text of reference.safetensors, "prompt ids" and "new ids" a line."""
import json, struct, sys
raw = open(sys.argv[1] + '/reference.safetensors', 'rb').read()
n = struct.unpack('<Q', raw[:8])[0]
head = json.loads(raw[8:8 + n])
def ids(name):
    a, b = head[name]['data_offsets']
    return struct.unpack('<%dq' % ((b - a) // 8), raw[8 + n + a:8 + n + b])
for name in sorted(head):
    if name.startswith('greedy_'):
        prompt = ids('input_ids' if name == 'greedy_20' else name.replace('greedy', 'input_ids'))
        every = ids(name)
        assert every[:len(prompt)] == prompt
        print(','.join(map(str, prompt)), ','.join(map(str, every[len(prompt):])))
PY
greedy_of() { # FOLDER PACKAGE OPTION...: each must be the reference's
    local prompt want
    while read -r prompt want; do
        run run "$2" -q --greedy --input-ids "$prompt" --max-new-tokens "$(tr ',' '\n' <<<"$want" | wc -l)" --json
        same "$(basename "$1"): greedy from $(tr ',' '\n' <<<"$prompt" | wc -l) ids" \
            "$(python3 -c 'import json; print(*json.load(open("out"))[0]["token_ids"], sep=",")')" "$want"
    done < <(python3 reference.py "$1")
}
capp=$shared/models/real/capp-gpt2
if [ -n "$shared" ] && [ -d "$capp" ]; then
    for dtype in '' -f16 -bf16; do
        author_folder "gpt2$dtype" gpt2 "$capp$dtype"
        greedy_of "$capp$dtype" "gpt2$dtype"
    done
    ones=$(yes 1 | head -513 | paste -sd,)
    fails 'a prompt beyond the context' 1 'modelhost: prompt 1 has 513 tokens, the model looks back on at most 512; shorten it, or let its oldest part go (sliding window)' run gpt2 -q --input-ids "$ones"
    run run gpt2 -q --input-ids "$ones" --sliding-window --max-new-tokens 700 --ignore-eos --json
    ok 'the sliding window goes on beyond the context' json 'len(j[0]["token_ids"]) == 700 and j[0]["finish_reason"] == "length"'
    run run gpt2 --input-ids "${ones:0:1019}" --max-new-tokens 700 --ignore-eos
    ok 'without it the context ends the text' test "$code" = 0 -a "$(wc -w <out)" = 3
    ok 'and that is said' says "the model's context is full; --sliding-window goes on"
    fails 'an unknown id of GPT-2' 1 "modelhost: plugin 'gpt2' 1.0.0: input_ids[0, 1] is 53, want 0 to 52 (vocab_size 53)" run gpt2 -q --input-ids 1,53
    fails 'a text without a tokenizer' 3 'modelhost: prompt 1: the package has no tokenizer: give token ids instead of text' run gpt2 -q --text x
    fails 'a stop string without a tokenizer' 3 'modelhost: stop strings want text, but the package has no tokenizer: give stop token ids instead' run gpt2 -q --input-ids 1 --stop x
    fails 'an empty prompt whose beginning is unknown' 1 "modelhost: plugin 'gpt2' 1.0.0: input_ids[0, 0] is 50256, want 0 to 52 (vocab_size 53)" run gpt2 -q --input-ids ''
    python3 pieces.py streamed 0 0 "$program" run gpt2 -q --stream --input-ids 1,2,3 --max-new-tokens 5 >/dev/null
    run run gpt2 -q --input-ids 1,2,3 --max-new-tokens 5
    ok 'without a tokenizer ids are streamed' cmp -s streamed out
else
    skipped 'capp-gpt2: SHARED/models is absent'
fi
synth=$shared/models/gpt2-124m-synth
if [ -n "$shared" ] && [ -d "$synth" ] && /usr/bin/python3 -c 'import numpy' 2>/dev/null; then
    full=$root/build/models # where the tests of plugins put it
    [ -s "$full/gpt2-124m-synth/model.safetensors" ] || full=$work/synth
    [ -s "$full/gpt2-124m-synth/model.safetensors" ] || /usr/bin/python3 "$shared/models/synth.py" "$full" gpt2-124m-synth >/dev/null
    author_folder gpt2-124m gpt2 "$full/gpt2-124m-synth"
    greedy_of "$synth" gpt2-124m
    cp "$shared"/tokenizers/gpt2/tokenizer*.json gpt2-124m/
    run run gpt2-124m -q --input-ids 15496,11 --text x
    same 'a text or ids' "$code" 2
    told=$(python3 pieces.py streamed 0 0 "$program" run gpt2-124m -q --stream --text 'Hello,' --max-new-tokens 8 --temperature 1.5 --seed 4)
    run run gpt2-124m -q --text 'Hello,' --max-new-tokens 8 --temperature 1.5 --seed 4 --json --threads 1
    ok 'Hello, is 15496,11' json 'j[0]["prompt_token_ids"] == [15496, 11]'
    same 'what is streamed is the text, whatever the threads' "$(cat streamed)" "$(python3 -c 'import json; print(json.load(open("out"))[0]["generated_text"])')"
else
    skipped 'gpt2-124m-synth: SHARED/models is absent'
fi
summary
