#!/usr/bin/env bash
# What is seen while pkgmgr works: a bar that fits the terminal at any size, lines in a pipe, JSON events one a line,
# nothing with -q, requests without the token with -v. Covers packager/commands/command_event.c.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
begin progress
unset MODELHOST_PLUGIN_PATH HF_ENDPOINT HF_HOME NO_COLOR
export MODELHOST_STORE=$work/store HOME=$work HF_TOKEN=hf_a_secret_that_nobody_sees
pkgmgr=$build/bin/pkgmgr program=$build/bin/pkgmgr
mkdir -p "$work/hub/org/tiny"
head -c 1200000 /dev/urandom >"$work/hub/org/tiny/a-file-with-a-rather-long-name.txt"
echo '{"model_type":"bert"}' >"$work/hub/org/tiny/config.json"
mkfifo "$work/fifo"
"$pkgmgr" serve "$work/hub" --port 0 -q --token $HF_TOKEN >"$work/fifo" 2>"$work/log" &
server=$!
stop() { kill "$server" 2>/dev/null; }
on_exit stop
read -r HF_ENDPOINT <"$work/fifo"
export HF_ENDPOINT

# ---- on a terminal

cat >"$work/terminal.py" <<'PY'
# terminal.py COLUMNS LATER COMMAND...: runs it on a terminal of so many columns, which has LATER ones from the first
# drawing on; prints, as JSON, the widths of what was drawn, and what the terminal shows at the end.
import fcntl, json, os, pty, re, struct, sys, termios
columns, later, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
def resize(fd, n):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', 24, n, 0, 0))
pid, fd = pty.fork()
if pid == 0:
    os.environ['TERM'] = 'xterm'
    resize(2, columns)
    out = os.open(os.devnull, os.O_WRONLY)
    os.dup2(out, 1)
    os.execv(command[0], command)
text, was_resized = b'', False
while True:
    try:
        more = os.read(fd, 65536)
    except OSError:
        more = b''
    if not more:
        break
    text += more
    if b'\x1b[K' in text and not was_resized:
        resize(fd, later)
        was_resized, before = True, text.count(b'\x1b[K')
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
drawn = [len(line.decode()) for line in re.findall(rb'\r([^\r\n\x1b]*)\x1b\[K', text)]
end = text.rsplit(b'\x1b[K', 1)[-1].decode()
print(json.dumps({'code': code, 'first': drawn[0], 'last': ([0] + [n for n in drawn if n])[-1], 'widest': max(drawn), 'n': len(drawn),
                  'cleared': drawn[-1] == 0, 'end': end}))
PY
terminal() { # COLUMNS LATER ARGUMENT...
    local columns=$1 later=$2
    shift 2
    rm -rf "$MODELHOST_STORE"
    python3 "$work/terminal.py" "$columns" "$later" "$pkgmgr" "$@" >"$work/out" 2>"$work/err"
}
terminal 20 20 download org/tiny
ok 'a bar fits 20 columns' json "j['code'] == 0 and 0 < j['widest'] <= 19"
ok 'and is taken away at the end' json "j['cleared'] and 'downloaded' in j['end']"
terminal 120 20 download org/tiny --limit-rate 600k
ok 'a terminal that becomes narrow' json "j['code'] == 0 and j['n'] > 3 and j['first'] > 40 and 0 < j['last'] <= 19"
terminal 20 120 download org/tiny --limit-rate 600k
ok 'and one that becomes wide' json "j['code'] == 0 and j['first'] <= 19 and j['last'] > 40"
terminal 1 1 download org/tiny
ok 'one column' json "j['code'] == 0 and j['widest'] == 0"
cat >"$work/quiet.py" <<'PY'
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.execv(sys.argv[1], sys.argv[1:])
text = b''
while True:
    try:
        more = os.read(fd, 65536)
    except OSError:
        break
    if not more:
        break
    text += more
sys.exit(1 if text else os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PY
rm -rf "$MODELHOST_STORE"
ok 'quiet says nothing, on a terminal too' env TERM=xterm python3 "$work/quiet.py" "$pkgmgr" download org/tiny -q
rm -rf "$MODELHOST_STORE"
ok 'a dumb terminal gets no bar' env TERM=dumb python3 -c '
import pty, sys, os
text = b""
def read(fd):
    global text
    data = os.read(fd, 65536)
    text += data
    return b""
pty.spawn(sys.argv[1:], read)
sys.exit(b"\x1b" in text)' "$pkgmgr" download org/tiny

# ---- in a pipe

rm -rf "$MODELHOST_STORE"
run download org/tiny
same 'a pipe: exit code' "$code" 0
ok 'a pipe gets lines' says 'config.json  '
ok 'and nothing that moves a cursor' not grep -q $'[\r\033]' "$work/err"

# ---- -v

rm -rf "$MODELHOST_STORE"
run download org/tiny -v
ok 'verbose tells each request' grep -qE "GET $HF_ENDPOINT/org/tiny/resolve/[0-9a-f]{40}/config.json.*, token \*\*\*\*: 200" "$work/err"
lacks 'and no token' "$(cat "$work/err")" "$HF_TOKEN"
ok 'what stands behind ? is not told' not grep -qE 'GET [^ ]*\?[^.]' "$work/err"
run update org/tiny -v
ok 'update tells them, too' says "GET $HF_ENDPOINT/api/models/org/tiny"
lacks 'without the token' "$(cat "$work/err")" "$HF_TOKEN"
rm -rf "$MODELHOST_STORE"
run download org/tiny
lacks 'without -v there is none of it' "$(cat "$work/err")" GET

# ---- --json

events() { # NAME EXPRESSION: over the list of events `e`, each a line of standard error
    ok "$1: events" python3 -c '
import json, sys
e = [json.loads(line) for line in open(sys.argv[1])]
names = [x["event"] for x in e]
sys.exit(not eval(sys.argv[2]))' "$work/err" "$2"
    ok "$1: the result is a document of its own" json 'j is not None'
}
rm -rf "$MODELHOST_STORE"
run download org/tiny --json
events download "names[-1] == 'done' and names.count('file') == 2 and 'progress' in names and e[-1]['downloaded_bytes'] > 1200000 and all(x['done_bytes'] <= x['total_bytes'] for x in e if x['event'] == 'progress')"
package=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["path"])' "$work/out")
run download org/tiny --json -q
ok 'download: quiet has no events' empty "$work/err"
(cd "$work" && "$pkgmgr" lock -q)
rm -rf "$MODELHOST_STORE"
run sync --lockfile "$work/modelhost.lock" --json
events sync "'progress' in names"
echo '{"model_type":"bert", "more":1}' >"$work/hub/org/tiny/config.json"
run update org/tiny --json
events update "'progress' in names"
run pack "$package" -o "$work/tiny.mhp" --json
events pack "set(names) == {'file'} and any(x['path'] == 'backends/cpu/config.json' and x['size'] > 0 for x in e)"
n_packed=$(wc -l <"$work/err")
run unpack "$work/tiny.mhp" -o "$work/unpacked" --json
events unpack "set(names) == {'file'} and len(e) == $n_packed"
run unpack "$work/tiny.mhp" -o "$work/filtered" --filter '*.txt' --json
events 'unpack with a filter' "len(e) == 1 and e[0]['size'] == 1200000"
run verify "$work/tiny.mhp" --json
events verify "set(names) == {'file'} and len(e) == $n_packed and all(x['ok'] for x in e)"
run verify org/tiny --json -q
ok 'verify: quiet has no events' empty "$work/err"

summary
