#!/usr/bin/env bash
# `modelhost config` and `modelhost run --config`: files of options, good and bad.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
begin config
program=$build/bin/modelhost

cd "$work" || exit 1
printf '{"host":{"lanes":1,"threads":1},"models":{"*":{"isolation":"inproc"}}}' >good.json
run config check good.json
same 'a good file is ok' "$code $out" '0 good.json: ok'
run config check good.json --json
has 'all options are shown, those that the file does not name too' "$out" '"max_queue"'
has 'with the values of the file' "$out" '"isolation":	"inproc"'

printf '{"host":{"lane":1}}' >unknown.json
run config check unknown.json
same 'an unknown key fails' "$code" 1
has 'and is named with those that there are' "$(cat err)" 'unknown.json: host.lane is not known; there are store_dir'
printf '{"host":{"lanes":-1}}' >bounds.json
fails 'a value out of its bounds is refused' 1 \
    'modelhost: bounds.json: host.lanes: want a whole number from 0 to 1024' config check bounds.json
printf '{"host":' >broken.json
run config check broken.json
same 'a file that is no JSON is corrupt' "$code" 7
run config check none.json
same 'a file that is not there is not found' "$code" 3
run config check
same 'without a file it is a wrong command line' "$code" 2

run config keys
same 'the keys are listed' "$code" 0
same 'each with its kind' "$(awk '$2 !~ /^(boolean|number|string|word)$/' "$work/out")" ''
cd "$OLDPWD" || exit 1
for key in $(awk '{sub(/.*\./, "", $1); print $1}' "$work/out"); do
    ok "docs/config.md tells of $key" grep -qF "| \`$key\` |" docs/config.md
done

mkdir -p "$work/echo/backends/cpu"
cp "$build/tests/plugin_echo.so" "$work/echo/backends/cpu/libmodel.so"
echo '{}' >"$work/echo/backends/cpu/config.json"
run run "$work/echo" --describe --config "$work/good.json"
same 'run takes it' "$code" 0
run run "$work/echo" --describe --config "$work/bounds.json"
same 'run refuses a bad one' "$code" 1
printf '{"host":{"lanes":1,"threads":1024}}' >"$work/many.json"
run run "$work/echo" --describe --config "$work/many.json"
has 'what the file says counts' "$(cat "$work/err")" '1 lanes of 1024 threads are more than'
run run "$work/echo" --describe --config "$work/many.json" --threads 1
same 'the command line goes over it' "$code" 0
summary
