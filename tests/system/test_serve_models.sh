#!/usr/bin/env bash
# `modelhost serve` as clients meet it: what there is, tensors through a model, refusals, clients that leave.
# Covers host/serve/model_service.c. Needs curl.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
program=$build/bin/modelhost
begin serve_models
pids=()
stop_all() {
    local pid
    for pid in ${pids[@]+"${pids[@]}"}; do kill "$pid" 2>/dev/null; done
    wait
}
on_exit stop_all

package() { # NAME CONFIG
    mkdir -p "$work/$1/backends/cpu"
    cp "$build/tests/plugin_echo.so" "$work/$1/backends/cpu/libmodel.so"
    echo "$2" >"$work/$1/backends/cpu/config.json"
}
# start NAME ARGUMENT...: a service whose address is in $url and whose process is $pid.
start() {
    local name=$1
    shift
    mkfifo "$work/$name.fifo"
    "$program" serve -q "$@" >"$work/$name.fifo" 2>"$work/$name.err" &
    pid=$!
    pids+=("$pid")
    exec 8<"$work/$name.fifo"
    IFS= read -r url <&8
}
get() { curl -s -m 20 "$@"; }
status() { curl -s -m 20 -o /dev/null -w '%{http_code}' "$@"; }
body() { # NUMBERS
    printf '{"inputs":[{"name":"x","shape":[%d],"datatype":"FP32","data":[%s]}]}' \
        "$(($(tr -cd , <<<"$1" | wc -c) + 1))" "$1"
}

package echo '{}'
package spin '{"echo_mode":"spin"}'
start all "$work/echo" "ns/other=$work/echo"

has 'plugins run in processes of their own' "$(ps -o args= --ppid "$pid")" ' worker'
same 'it lives' "$(get "$url/v2/health/live")" '{"live":true}'
same 'it is ready' "$(get "$url/v2/health/ready")" '{"ready":true}'
has 'it has a name' "$(get "$url/v2")" '"name":"modelhost"'
same 'a model is described' "$(get "$url/v2/models/echo")" \
    '{"name":"echo","platform":"Echo","inputs":[{"name":"x","datatype":"FP32","shape":[-1]}],"outputs":[{"name":"y","datatype":"FP32","shape":[-1]}]}'
same 'a model is ready' "$(get "$url/v2/models/echo/ready")" '{"ready":true}'
same 'tensors go through it' "$(get "$url/v2/models/echo/infer" -d "$(body 1,2.5)")" \
    '{"model_name":"echo","parameters":{"backend":"cpu"},"outputs":[{"name":"y","datatype":"FP32","shape":[2],"data":[1,2.5]}]}'
has 'a name may have a slash in it' "$(get "$url/v2/models/ns/other/infer" -d "$(body 7)")" '"data":[7]'

same 'another model is not found' "$(status "$url/v2/models/none/infer" -d "$(body 1)")" 404
same 'another address is not found' "$(status "$url/v1")" 404
same 'GET does not infer' "$(status "$url/v2/models/echo/infer")" 405
same 'POST does not describe' "$(status "$url/v2/models/echo" -d x)" 405
same 'no JSON is refused' "$(status "$url/v2/models/echo/infer" -d x)" 400
has 'an input of another name is refused with the reason' \
    "$(get "$url/v2/models/echo/infer" -d '{"inputs":[{"name":"z","shape":[1],"datatype":"FP32","data":[1]}]}')" \
    "the model has no input 'z'; its first is 'x'"
same 'a body that is compressed is refused' \
    "$(status "$url/v2/models/echo/infer" -H 'Content-Encoding: gzip' -d "$(body 1)")" 415
same 'one that is as it is, is not' \
    "$(status "$url/v2/models/echo/infer" -H 'Content-Encoding: Identity' -d "$(body 1)")" 200
same 'more numbers than it takes are too large' \
    "$(status "$url/v2/models/echo/infer" -d '{"inputs":[{"name":"x","shape":[2097153],"datatype":"FP32","data":[1]}]}')" 413
same 'a missing input is refused' "$(status "$url/v2/models/echo/infer" -d '{"inputs":[]}')" 400
same 'an unknown output is refused' \
    "$(status "$url/v2/models/echo/infer" -d '{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}],"outputs":[{"name":"q"}]}')" 400

metrics=$(get -i "$url/metrics")
has 'metrics are what Prometheus reads' "$metrics" 'text/plain; version=0.0.4; charset=utf-8'
has 'models have the names of their addresses there' "$metrics" 'modelhost_models_loaded{model="ns/other",backend="cpu"} 1'
has 'they count what was asked' "$metrics" 'modelhost_requests_total{model="echo",backend="cpu",outcome="invalid"} '
same 'they take no other method' "$(status "$url/metrics" -d x)" 405

kill -TERM "$pid"
wait "$pid"
same 'a signal ends it cleanly' $? 0
same 'without a word' "$(cat "$work/all.err")" ''

has_running() { get "$url/metrics" | grep -q '^modelhost_lanes_busy 1'; }

# One lane: while the first request has it, nobody else is served.
start stuck "$work/spin" "$work/echo" --lanes 1
same 'a deadline is a status of its own' \
    "$(status "$url/v2/models/spin/infer" -d '{"parameters":{"timeout":50000},"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}]}')" 504
curl -s -m 0.5 "$url/v2/models/spin/infer" -d "$(body 1)" >/dev/null
same 'a client left in the middle' $? 28
has 'and its request was cancelled: the lane is free' \
    "$(get "$url/v2/models/echo/infer" -d "$(body 3)")" '"data":[3]'
has 'the time to stop was measured of both' "$(get "$url/metrics")" 'modelhost_cancel_seconds_count{model="spin",backend="cpu"} 2'
curl -s -m 20 -w ' %{http_code}' "$url/v2/models/spin/infer" -d "$(body 1)" >"$work/last" &
last=$!
until has_running; do :; done
kill -INT "$pid"
wait "$pid"
same 'what runs when the signal comes does not hold it up' $? 0
wait "$last"
same 'and is answered' "$(cat "$work/last")" '{"error":"the server is ending"} 503'

# A plugin that hangs, and clients who name no deadline: the server has one, and its worker is killed.
BUILD=$build examples/chaos/make_package.sh "$work/hang" mode=hang >/dev/null
start timeouts "$work/hang" "$work/echo" --lanes 1 --timeout 100ms
same 'a request without a deadline has that of the server' \
    "$(status "$url/v2/models/hang/infer" -d '{"inputs":[{"name":"input","shape":[1,2],"datatype":"FP32","data":[1,2]}]}')" 504
has 'a request may name ten times that' \
    "$(get "$url/v2/models/echo/infer" -d '{"parameters":{"timeout":1000000},"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}]}')" '"data":[1]'
has 'and no more' \
    "$(get -w ' %{http_code}' "$url/v2/models/hang/infer" -d '{"parameters":{"timeout":1000001},"inputs":[{"name":"input","shape":[1,2],"datatype":"FP32","data":[1,2]}]}')" \
    "parameters.timeout: 1000001 us, want at most 1000000 us (the server's --max-timeout)\"} 400"
has 'so others are served' "$(get "$url/v2/models/echo/infer" -d "$(body 4)")" '"data":[4]'
for worker in $(ps -o pid= --ppid "$pid"); do kill -STOP "$worker"; done
same 'a worker that was stopped is one that hangs' "$(status "$url/v2/models/echo/infer" -d "$(body 5)")" 504
until [ "$(status "$url/v2/models/echo/infer" -d "$(body 6)")" = 200 ]; do :; done
pass 'and is replaced'
kill -TERM "$pid"
wait "$pid"

# A plugin that does not stop: its model refuses, and says that it is not ready.
echo '{"models":{"*":{"max_abandoned_lanes":1}}}' >"$work/one.json"
start refusing "$work/hang" "$work/echo" --isolation inproc --config "$work/one.json"
same 'it is ready at first' "$(get "$url/v2/models/hang/ready")" '{"ready":true}'
same 'a deadline passes' \
    "$(status "$url/v2/models/hang/infer" -d '{"parameters":{"timeout":50000},"inputs":[{"name":"input","shape":[1,2],"datatype":"FP32","data":[1,2]}]}')" 504
until [ "$(status "$url/v2/models/hang/ready")" = 503 ]; do :; done
has 'a model that refuses is not ready, and says why' "$(get "$url/v2/models/hang/ready")" \
    '{"ready":false,"error":"'"'hang' takes no calls: backend 'cpu': 1 lanes are stuck in the plugin of 'hang'"
has 'nor is the service' "$(get "$url/v2/health/ready")" "'hang' takes no calls"
same 'others are' "$(get "$url/v2/models/echo/ready")" '{"ready":true}'
kill -KILL "$pid"

fails 'two models of one name are refused' 1 \
    "modelhost: two models are called 'echo'; give one another name: NAME=PKG" serve -q "$work/echo" "$work/echo"
start here "$work/echo" --isolation inproc
same 'unless told otherwise' "$(ps -o args= --ppid "$pid")" ''
kill -TERM "$pid"
fails 'a backend that no package has is refused' 3 "$(
    "$program" run "$work/echo" --backend torch --describe -q 2>&1 >/dev/null
)" serve -q "$work/echo" --backend torch
run serve "$work/echo" --isolation elsewhere
same 'another isolation is a wrong command line' "$code" 2
run serve
same 'without a package it is a wrong command line' "$code" 2
summary
