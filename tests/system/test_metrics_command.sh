#!/usr/bin/env bash
# What the modelhost command says of its numbers: `metrics`, `run --metrics`, `run --log-format`, StatsD from a file of options.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
program=$build/bin/modelhost
begin metrics
export MODELHOST_STORE=$work/store
unset MODELHOST_PLUGIN_PATH
facts=$work/facts
demo_package "$facts"
question='Paris is the [MASK] of France.'

# The value behind a sample of a file of metrics.
value() { # FILE NAME{LABELS}
    awk -v name="$2" 'index($0, name " ") == 1 { print $NF }' "$1"
}
of() { echo "$1{model=\"facts\",backend=\"cpu\"${2:+,$2}}"; }

# ---- metrics

run metrics
same 'a host without models: exit code' "$code" 0
ok 'it has its version' prints 'modelhost_build_info{version="'
ok 'it has lanes' prints 'modelhost_lanes 1'
lacks 'it has no model' "$out" 'model='
said 'it says nothing else' ''

run metrics "$facts"
same 'a model was loaded' "$(value "$work/out" "$(of modelhost_loads_total 'outcome="ok"')")" 1
same 'it is open' "$(value "$work/out" "$(of modelhost_models_loaded)")" 1
same 'its weights are mapped' "$(value "$work/out" "$(of modelhost_model_mapped_bytes)")" \
    "$(stat -c %s "$facts/backends/cpu/model.safetensors")"
same 'nothing has run' "$(value "$work/out" "$(of modelhost_request_run_seconds_count)")" 0
cp "$work/out" "$work/first"
run metrics "$facts"
same 'names and labels come in one order' "$(sed 's/ [^ ]*$//' "$work/out")" "$(sed 's/ [^ ]*$//' "$work/first")"

run metrics ns/absent
same 'a model that is not there: exit code' "$code" 3
ok 'it says how to get it' says 'pkgmgr download ns/absent'
ok 'it prints nothing' empty "$work/out"
run metrics one two
same 'two packages: exit code' "$code" 2

# ---- run --metrics

run run "$facts" -q --text "$question" --text 'A cow says [MASK].' --metrics "$work/run.prom"
same 'a run with metrics: exit code' "$code" 0
requests=$(value "$work/run.prom" "$(of modelhost_requests_total 'outcome="ok"')")
ok 'its requests are counted' test "$requests" -ge 1
same 'each ran' "$(value "$work/run.prom" "$(of modelhost_request_run_seconds_count)")" "$requests"
same 'each is in the last bucket' \
    "$(value "$work/run.prom" "$(of modelhost_request_run_seconds_bucket 'le="+Inf"')")" "$requests"
run run "$facts" -q --text "$question" --metrics -
ok 'a dash is standard error' says 'modelhost_requests_total{model="facts",backend="cpu",outcome="ok"} 1'
lacks 'the answer stays alone' "$out" modelhost_

run run "$facts" -q --text "$question" --task question --metrics "$work/failed.prom"
same 'a run that fails' "$code" 1
ok 'has metrics, too' test "$(value "$work/failed.prom" "$(of modelhost_requests_total 'outcome="invalid"')")" -ge 1
run run "$facts" -q --text "$question" --metrics "$work/no/such/folder/x"
ok 'a file that cannot be written is an error' test "$code" -ne 0
ok 'that names it' says "$work/no/such/folder"

# ---- logs

run run "$facts" -v --text "$question" --log-format json
python3 - "$work/err" >"$work/out" <<'PY'
import json, re, sys
lines = [json.loads(l) for l in open(sys.argv[1])]
ended = [l for l in lines if 'queued' in l['message']]
assert lines and all(set(l) >= {'time', 'level', 'message'} for l in lines), lines
assert all(re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z', l['time']) for l in lines), lines
assert [l['level'] for l in lines if 'metadata.json' in l['message']] == ['warning'], lines
assert [l['model'] for l in lines if l['message'].startswith('loaded in')] == ['facts'], lines
assert ended and ended[0]['request'] == 1 and ended[0]['model'] == 'facts' and ended[0]['level'] == 'debug', ended
assert [l['level'] for l in lines if ' (model ' in l['message'] and ' load ' in l['message']] == ['info'], lines
print('good')
PY
same 'json lines have time, level, model and request' "$(cat "$work/out")" good
run run "$facts" -v --text "$question" --log-format text
ok 'text lines name model and request' says 'modelhost: debug: facts: request 1: ok, '
run run "$facts" --text "$question" --log-format xml
same 'another format: exit code' "$code" 2
ok 'another format: what there is' says "--log-format is 'xml', want text or json"

# ---- StatsD, by a file of options

python3 - "$work/port" >"$work/packets" <<'PY' &
import os, socket, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(('127.0.0.1', 0))
server.settimeout(100)
open(sys.argv[1] + '.new', 'w').write(str(server.getsockname()[1]))
os.rename(sys.argv[1] + '.new', sys.argv[1])
seen = ''
while 'modelhost.requests.facts.cpu.ok:' not in seen:
    seen += server.recv(65536).decode() + '\n'
print(seen, end='')
PY
server=$!
on_exit "kill $server"
while [ ! -s "$work/port" ] && kill -0 "$server" 2>/dev/null; do sleep 0.05; done
echo "{\"host\":{\"statsd_address\":\"127.0.0.1:$(cat "$work/port")\",\"statsd_interval_ms\":60000}}" >"$work/options.json"
run run "$facts" -q --text "$question" --config "$work/options.json"
same 'a run with a StatsD server' "$code" 0
wait "$server"
ok 'the server has got its request' grep -qx 'modelhost.requests.facts.cpu.ok:1|c' "$work/packets"
ok 'and how long it took' grep -qE '^modelhost.request_run_seconds.facts.cpu.p99:[0-9.]+\|g$' "$work/packets"
echo '{"host":{"statsd_address":"nowhere"}}' >"$work/options.json"
run run "$facts" -q --text "$question" --config "$work/options.json"
same 'an address that is none' "$code" 1
ok 'is told from one' says "StatsD address 'nowhere': no port, want HOST:PORT such as localhost:8125"

summary
