#!/usr/bin/env bash
# Encrypted packages in one file: pack --encrypt, unpack, verify, info, inspect, sbom, diff and rekey, run and serve with a passphrase and with a
# key file, in this process and in workers, which have no key and share one copy. Covers
# base/command_passphrase.c.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
begin encryption
export MODELHOST_STORE=$work/store
unset MODELHOST_PLUGIN_PATH
pkgmgr=$build/bin/pkgmgr
modelhost=$build/bin/modelhost
facts=$work/facts
demo_package "$facts"
passphrase='correct horse battery staple'
printf '%s\n' "$passphrase" >"$work/pass"
echo 'wrong horse' >"$work/wrong"
head -c 32 /dev/urandom >"$work/key"
head -c 32 /dev/urandom >"$work/other-key"

program=$pkgmgr
run pack "$facts" -o "$work/pass.mhp" --encrypt --passphrase-file "$work/pass" -q
if [ "$code" != 0 ] && grep -q 'not compiled into' "$work/err"; then
    skipped 'built without libsodium'
    summary
    exit
fi
same 'packing with a passphrase succeeds' "$code" 0
run pack "$facts" -o "$work/key.mhp" --encrypt --key-file "$work/key" -q
same 'packing with a key succeeds' "$code" 0
"$pkgmgr" pack "$facts" -o "$work/ship.mhp" --ship --encrypt --passphrase-file - -q <"$work/pass" >"$work/out"
same 'a passphrase comes from standard input' "$?" 0
same 'nothing of a configuration can be read' "$(grep -c model_type "$work/pass.mhp")" 0
fails 'a passphrase is for --encrypt' 2 "pkgmgr pack: a passphrase or a key is for --encrypt; see 'pkgmgr help pack'" \
    pack "$facts" -o "$work/x.mhp" --key-file "$work/key"
fails 'both are one too many' 2 "pkgmgr pack: want one of --passphrase-file and --key-file; see 'pkgmgr help pack'" \
    pack "$facts" -o "$work/x.mhp" --encrypt --key-file "$work/key" --passphrase-file "$work/pass"
fails 'a file with no key in it' 4 "pkgmgr: $work/wrong: a key has 32 bytes, this one has fewer; 'head -c 32 /dev/urandom >FILE' makes one" \
    pack "$facts" -o "$work/x.mhp" --encrypt --key-file "$work/wrong"

# ---- unpacking and verifying

with() { # KIND: the option that opens it
    case $1 in key) echo "--key-file $work/key" ;; *) echo "--passphrase-file $work/pass" ;; esac
}
for kind in pass key ship; do
    # shellcheck disable=SC2046
    run unpack "$work/$kind.mhp" -o "$work/out-$kind" -q $(with $kind)
    same "$kind: unpacking gives back every file" "$(diff -r "$facts" "$work/out-$kind")" ''
    # shellcheck disable=SC2046
    run verify "$work/$kind.mhp" --json $(with $kind)
    ok "$kind: every file is verified" json 'j["ok"]'
done
wrong="pkgmgr: $work/pass.mhp: decryption: the passphrase is not the one that it was encrypted with (or its encryption parameters are damaged); try another, or get the file again"
fails 'another passphrase' 4 "$wrong" unpack "$work/pass.mhp" -o "$work/none" --passphrase-file "$work/wrong"
fails 'another key' 4 "pkgmgr: $work/key.mhp: decryption: the key is not the one that it was encrypted with (or its encryption parameters are damaged); try another, or get the file again" \
    unpack "$work/key.mhp" -o "$work/none" --key-file "$work/other-key"
fails 'a key for a passphrase' 4 "pkgmgr: $work/pass.mhp: decryption: a key file was given, but it is encrypted with a passphrase; give it with --passphrase-file" \
    unpack "$work/pass.mhp" -o "$work/none" --key-file "$work/key"
locked="$work/pass.mhp: decryption: entry 'backends/cpu/config.json' is encrypted with a passphrase; give it with --passphrase-file"
remember
setsid "$pkgmgr" unpack "$work/pass.mhp" -o "$work/none" >"$work/out" 2>"$work/err" </dev/null
code=$? out=$(cat "$work/out")
failed 'without a terminal nobody is asked' 4 "pkgmgr: $locked"
remember
setsid "$pkgmgr" verify "$work/pass.mhp" -q >"$work/out" 2>"$work/err" </dev/null
code=$? out=$(cat "$work/out")
failed 'nor is anything called damaged' 4 "pkgmgr: $locked"
flip() { # AT MASK: pass.mhp with these bits changed; AT may be +N, in the encryption parameters
    python3 - "$work/pass.mhp" "$work/flipped.mhp" "$1" "$2" <<'PY'
import struct, sys
data = bytearray(open(sys.argv[1], "rb").read())
begin = 128 + struct.unpack("<Q", data[32:40])[0] if sys.argv[3][0] == "+" else 0
data[begin + int(sys.argv[3])] ^= int(sys.argv[4])
open(sys.argv[2], "wb").write(data)
PY
}
for place in '8 4' '16 8' '20 2' '20 8' '+0 2' '+4 4' '+10 32' '+12 64' '+30 1' '+44 1' '+70 1'; do # version, flags, suite (twice), parameters
    # shellcheck disable=SC2086
    flip $place
    setsid "$pkgmgr" verify "$work/flipped.mhp" -q >"$work/out" 2>"$work/err" </dev/null
    same "a flipped bit ($place) is damage, also without the passphrase" $? 7
    has "and what to do is said ($place)" "$(cat "$work/err")" '; get the file again'
    for command in 'verify -q' 'unpack -o none'; do
        # shellcheck disable=SC2086
        (cd "$work" && "$pkgmgr" $command flipped.mhp --passphrase-file "$work/pass") >"$work/out" 2>"$work/err"
        same "$command: with it ($place)" $? 7
    done
done

# ---- at a terminal

cat >"$work/type.py" <<'PY'
"""Runs a command at a terminal of its own and answers each question; prints what was shown."""
import os, pty, sys
answers = sys.argv[1].split('|')
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
shown = b''
try:
    while True:
        piece = os.read(fd, 4096)
        if not piece:
            break
        shown += piece
        if shown.endswith(b': ') and answers:
            os.write(fd, answers.pop(0).encode() + b'\r')
except OSError:
    pass
sys.stdout.write(shown.decode().replace('\r', ''))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PY
type_at() { # ANSWERS ARGUMENT...
    local answers=$1
    shift
    python3 "$work/type.py" "$answers" "$pkgmgr" "$@" >"$work/out" 2>"$work/err" </dev/null
    code=$? out=$(cat "$work/out")
}
type_at 'mine|mine' pack "$facts" -o "$work/typed.mhp" --encrypt -q
same 'a new passphrase is asked for twice, and not shown' "$code $out" \
    "0 New passphrase: "$'\n'"The same again: "$'\n'"$work/typed.mhp"
type_at 'mine|yours' pack "$facts" -o "$work/typo.mhp" --encrypt -q
has 'two that differ are refused' "$out" 'the two passphrases differ; nothing was written'
ok 'and nothing is written' test ! -e "$work/typo.mhp"
type_at 'mine' verify "$work/typed.mhp" -q
same 'verify asks once' "$code $out" '0 Passphrase for typed.mhp: '
type_at 'yours' unpack "$work/typed.mhp" -o "$work/none" -q
same 'another one is refused' "$code" 4
type_at $'min\x03' unpack "$work/typed.mhp" -o "$work/none" -q
same 'Ctrl-C ends it' "$code" 130

type_at 'mine' verify "$work/typed.mhp" -q --passphrase-file -
same 'standard input that is a terminal is asked, and shows nothing' "$code $out" '0 Passphrase for typed.mhp: '
type_at 'mine' verify "$work/typed.mhp" -q --passphrase-file /dev/tty
same 'so is one that is given by its path' "$code $out" '0 Passphrase for typed.mhp: '
type_at 'mine|mine' pack "$facts" -o "$work/typed-again.mhp" --encrypt -q --passphrase-file -
same 'a new passphrase from it is asked for twice' "$code $out" \
    "0 New passphrase: "$'\n'"The same again: "$'\n'"$work/typed-again.mhp"
type_at 'mine' unpack "$work/pass.mhp" -o "$work/none" -q --key-file "$work/key" --passphrase-file -
same 'a key file and a terminal are one too many' "$code" 2
program=$modelhost
pkgmgr=$modelhost type_at 'mine' tokenize "$work/typed.mhp" --text 'a cow' --passphrase-file -
has 'modelhost asks a terminal, too' "$code $out" "0 Passphrase: "$'\n'
lacks 'and shows nothing' "$out" mine
program=$pkgmgr
for nul in first last; do
    case $nul in first) printf '\0secret\n' ;; last) printf 'secret\0\n' ;; esac >"$work/nul"
    offset=$(case $nul in first) echo 0 ;; last) echo 6 ;; esac)
    fails "$nul: a NUL byte in a passphrase is refused by its name" 4 "pkgmgr: $work/nul: a passphrase has no NUL bytes, this one has one at offset $offset; want a line of text, or give a key file" \
        verify "$work/pass.mhp" -q --passphrase-file "$work/nul"
done

cat >"$work/interrupt.py" <<'PY'
"""Sends a command a signal while it asks at a terminal; prints whether the question was silent, how the command has ended,
and whether the terminal echoes, edits and makes signals then."""
import fcntl, os, pty, signal, subprocess, sys, termios
number = getattr(signal, sys.argv[1])
master, slave = pty.openpty()
def modes():
    return termios.tcgetattr(slave)
def adopt():
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
def read_question(text=b''):
    while not text.endswith(b': '):
        text += os.read(master, 4096)
before = modes()
child = subprocess.Popen(sys.argv[2:], stdin=slave, stdout=slave, stderr=slave, preexec_fn=adopt)
read_question()
silent = not modes()[3] & termios.ECHO
child.send_signal(number)
if number == signal.SIGTSTP:  # nobody is there to continue it: it is asked again at once
    read_question()
    silent = silent and not modes()[3] & termios.ECHO
    os.write(master, b'mine\r')
print('silent' if silent else 'shown', child.wait(), 'as before' if modes() == before else 'changed')
PY
for name in INT TERM HUP QUIT; do
    same "SIG$name ends it, and leaves the terminal as it was" "$(timeout 60 python3 "$work/interrupt.py" "SIG$name" "$pkgmgr" verify "$work/typed.mhp" -q)" \
        "silent -$(kill -l $name) as before"
done
same 'after SIGTSTP it asks again' "$(timeout 60 python3 "$work/interrupt.py" SIGTSTP "$pkgmgr" verify "$work/typed.mhp" -q)" 'silent 0 as before'

# ---- looking into one

"$pkgmgr" import "$model" --name acme/facts --plugin-path "$build/lib/modelhost/plugins" -q >"$work/out"
"$pkgmgr" pack acme/facts -o "$work/plain-listed.mhp" -q >"$work/out"
"$pkgmgr" pack acme/facts -o "$work/pass-listed.mhp" --encrypt --passphrase-file "$work/pass" -q >"$work/out"
"$pkgmgr" pack acme/facts -o "$work/key-listed.mhp" --encrypt --key-file "$work/key" -q >"$work/out"
export SOURCE_DATE_EPOCH=1
listed() { # KIND, of what was printed
    sed -e "s/$1-listed/listed/" -e '/^size /d' "$work/out"
}
for what in info 'info --license' 'inspect --stats --json' sbom; do
    # shellcheck disable=SC2086
    run $what "$work/plain-listed.mhp"
    want=$(listed plain)
    for kind in pass key; do
        # shellcheck disable=SC2046,SC2086
        run $what "$work/$kind-listed.mhp" $(with $kind)
        same "$kind: $what tells what it tells of one that is readable" "$code $(listed $kind)" "0 $want"
    done
    # shellcheck disable=SC2086
    fails "$what: another passphrase" 4 "${wrong//pass.mhp/pass-listed.mhp}" $what "$work/pass-listed.mhp" --passphrase-file "$work/wrong"
    # shellcheck disable=SC2086
    fails "$what wants one of both" 2 "pkgmgr ${what%% *}: want one of --passphrase-file and --key-file; see 'pkgmgr help ${what%% *}'" \
        $what "$work/pass-listed.mhp" --passphrase-file "$work/pass" --key-file "$work/key"
    # shellcheck disable=SC2086
    type_at "$passphrase" $what "$work/pass-listed.mhp"
    has "$what asks at a terminal" "$code $out" '0 Passphrase for pass-listed.mhp: '
done
unset SOURCE_DATE_EPOCH

run diff "$work/pass-listed.mhp" "$work/key-listed.mhp" --passphrase-file "$work/pass" --key-file "$work/key"
same 'diff opens each with what it was encrypted with' "$code $out" '0 '
run diff "$work/plain-listed.mhp" "$work/pass-listed.mhp" --passphrase-file "$work/pass"
same 'and one that is readable without' "$code $out" '0 '
{ cat "$work/pass"; echo mine; } | "$pkgmgr" diff "$work/pass-listed.mhp" "$work/typed.mhp" --passphrase-file - >"$work/out" 2>"$work/err"
same 'standard input has a line for each' "$?" 0
type_at "$passphrase|mine" diff "$work/pass-listed.mhp" "$work/typed.mhp"
same 'a terminal is asked for each' "$code $out" "0 Passphrase for pass-listed.mhp: "$'\n'"Passphrase for typed.mhp: "
fails 'where neither is encrypted a passphrase is refused' 2 "pkgmgr: neither $work/plain-listed.mhp nor $facts is encrypted, and a passphrase or key was given for them: if one should be, another file was put in its place, so get it again; if not, compare them without one" \
    diff "$work/plain-listed.mhp" "$facts" --passphrase-file "$work/pass"

# ---- another passphrase

cp "$work/pass.mhp" "$work/new.mhp"
run rekey "$work/new.mhp" --passphrase-file "$work/pass" --new-key-file "$work/key" -q
same 'rekey prints the file' "$code $out" "0 $work/new.mhp"
run verify "$work/new.mhp" --key-file "$work/key" -q
same 'the new key opens it' "$code" 0
run verify "$work/new.mhp" --passphrase-file "$work/pass" -q
same 'the old passphrase does not' "$code" 4
same 'no content was written again' "$(cmp -l "$work/pass.mhp" "$work/new.mhp" | wc -l | awk '{print ($1 <= 160)}')" 1
fails 'rekey wants the old one' 4 "pkgmgr: $work/new.mhp: decryption: the key is not the one that it was encrypted with (or its encryption parameters are damaged); try another, or get the file again" \
    rekey "$work/new.mhp" --key-file "$work/other-key" --new-passphrase-file "$work/pass"
"$pkgmgr" pack "$facts" -o "$work/plain.mhp" -q >"$work/out"
fails 'what is not encrypted has no key' 1 "pkgmgr: $work/plain.mhp is not encrypted; 'pkgmgr pack --encrypt' makes one that is" \
    rekey "$work/plain.mhp" --new-key-file "$work/key"

# ---- a passphrase or a key is a demand

swapped="$work/plain.mhp is not encrypted, and a passphrase or key was given for it: if it should be, another file was put in its place, so get it again; if not, open it without one"
for kind in pass key; do
    # shellcheck disable=SC2046
    fails "$kind: an archive that is readable is not unpacked" 1 "pkgmgr: $swapped" unpack "$work/plain.mhp" -o "$work/none" $(with $kind)
    # shellcheck disable=SC2046
    fails "$kind: nor imported" 1 "pkgmgr: $swapped" import "$work/plain.mhp" $(with $kind)
    # shellcheck disable=SC2046
    fails "$kind: nor called good" 1 "pkgmgr: $swapped" verify "$work/plain.mhp" -q $(with $kind)
    for how in inproc worker; do
        # shellcheck disable=SC2046
        "$modelhost" run "$work/plain.mhp" --isolation "$how" --text x $(with $kind) >"$work/out" 2>"$work/err"
        same "$kind: nor run ($how)" "$?" 1
        has "$kind: the sentence ($how)" "$(cat "$work/err")" "$swapped"
    done
done

# ---- running

program=$modelhost
question='Paris is the [MASK] of France.'
for kind in pass key ship; do
    for how in inproc worker; do
        # shellcheck disable=SC2046
        run run "$work/$kind.mhp" --isolation "$how" --text "$question" $(with $kind)
        ok "$kind runs ($how)" prints 'paris is the capital of france.'
    done
done
for loading in mapped eager streaming lazy; do
    run run "$work/pass.mhp" -q --loading $loading --text "$question" --passphrase-file "$work/pass"
    ok "$loading: it runs" prints 'capital'
done
for level in checksum standard paranoid; do
    for how in inproc worker; do
        run run "$work/pass.mhp" --verification $level --isolation $how --text "$question" --passphrase-file "$work/pass"
        ok "$level: it runs ($how)" prints 'capital'
    done
done
{ cat "$work/pass"; echo "$question"; } | "$modelhost" run "$work/pass.mhp" -v --passphrase-file - >"$work/out" 2>"$work/err"
ok 'a passphrase comes from standard input, and texts behind it' prints capital
lacks 'it is in no line of the log' "$(cat "$work/err")" "$passphrase"
echo '{"models": {"*": {"passphrase_file": "'"$work/pass"'"}}}' >"$work/config.json"
run run "$work/pass.mhp" --config "$work/config.json" --text "$question"
ok 'a configuration names the file' prints capital
run run "$work/plain.mhp" --config "$work/config.json" --text "$question"
has 'its passphrase for all models is wanted of each archive' "$(cat "$work/err")" "$swapped"
run run "$facts" --config "$work/config.json" --text "$question"
ok 'not of folders' prints capital
run run "$work/pass.mhp" --text "$question"
same 'without a passphrase it does not run' "$code" 4
has 'and says what is missing' "$(cat "$work/err")" 'encrypted with a passphrase; give it with --passphrase-file'
run run "$work/pass.mhp" --text "$question" --passphrase-file "$work/wrong"
same 'with another one neither' "$code" 4
run run "$work/pass.mhp" --memory-budget 1000 --text "$question" --passphrase-file "$work/pass"
ok 'a budget that is too small refuses' says "the archive's weights are compressed or encrypted and unpack to"

run tokenize "$work/pass.mhp" --text 'a cow' --passphrase-file "$work/pass"
same 'its tokenizer is read' "$code" 0
run explain "$work/key.mhp" --key-file "$work/key"
ok 'its plugin is explained' prints "taken         $work/key.mhp/backends/cpu/libmodel.so (package)"
run tokenize "$work/pass.mhp" --text 'a cow'
same 'without a passphrase it is not' "$code" 4

# ---- one exit code for each case, whatever the command

cp "$work/key-listed.mhp" "$work/flipped.mhp"
python3 - "$work/flipped.mhp" <<'PY'
import struct, sys
with open(sys.argv[1], 'r+b') as f:
    header = f.read(128)
    at = 128 + struct.unpack('<Q', header[32:40])[0] + 112 # the tag of the metadata
    f.seek(at)
    byte = f.read(1)[0]
    f.seek(at)
    f.write(bytes([byte ^ 4]))
PY
codes() { # CODE NAME FILE OPTION...: all commands end so
    local want=$1 name=$2 file=$3 command
    shift 3
    for command in 'pkgmgr info' 'pkgmgr inspect' 'pkgmgr sbom' 'pkgmgr verify' 'pkgmgr unpack' \
        'modelhost run' 'modelhost serve' 'modelhost tokenize' 'modelhost explain'; do
        local more=()
        case $command in
        *unpack) more=(-o "$work/none") ;;
        *run | *tokenize) more=(--text "$question") ;;
        *serve) more=(--port 0) ;;
        esac
        program=$build/bin/${command%% *}
        setsid timeout 60 "$program" "${command##* }" "$file" "$@" ${more[@]+"${more[@]}"} >"$work/out" 2>"$work/err" </dev/null
        same "$name: $command" "$?" "$want"
    done
}
codes 4 'a passphrase is missing' "$work/pass-listed.mhp"
codes 4 'a key is missing' "$work/key-listed.mhp"
codes 4 'the wrong key' "$work/key-listed.mhp" --key-file "$work/other-key"
codes 4 'a key for a passphrase' "$work/pass-listed.mhp" --key-file "$work/key"
codes 1 'a key for a readable one' "$work/plain-listed.mhp" --key-file "$work/key"
codes 3 'no such file of a key' "$work/key-listed.mhp" --key-file "$work/no-key"
codes 7 'the tag of the metadata is damaged' "$work/flipped.mhp" --key-file "$work/key"
program=$modelhost

mkfifo "$work/fifo"
"$modelhost" serve -q facts="$work/pass.mhp" --workers 2 --passphrase-file "$work/pass" >"$work/fifo" 2>"$work/err" &
server=$!
stop() { kill "$server" 2>/dev/null; }
on_exit stop
read -r url <"$work/fifo"
same 'it is served' "$(curl -s -m 20 -o /dev/null -w '%{http_code}' "$url/v2/models/facts/ready")" 200
if [ -d /proc/self ]; then
    weights_of() { # PID: device and inode of what it has mapped
        awk '/memfd:model.safetensors/ {print $4, $5; exit}' "/proc/$1/maps"
    }
    mapfile -t workers < <(pgrep -P "$server")
    same 'two workers' "${#workers[@]}" 2
    ok 'have weights in memory' test -n "$(weights_of "${workers[0]}")"
    same 'both the same' "$(weights_of "${workers[0]}")" "$(weights_of "${workers[1]}")"
    ok 'core files leave them out' grep -q '^VmFlags:.* dd' <(grep -A 30 'memfd:model.safetensors' "/proc/${workers[0]}/smaps")
fi
stop
wait "$server"
summary
