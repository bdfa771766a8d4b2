#!/usr/bin/env bash
# A stranger's first minute: serves the small model that the repository ships as a hub of its own,
# downloads it, asks it. Everything stays on this machine and below $BUILD/demo. `make demo` calls it.
#
# The questions are the lines of examples/demo/texts.txt, if it is there.
set -u
cd "$(dirname "$0")/.." || exit 1

BUILD=${BUILD:-build}
model=modelhost/facts-bert-mini
place=$BUILD/demo
texts=('Paris is the [MASK] of France.' 'A dog is an [MASK].')
if [ -f examples/demo/texts.txt ]; then
    texts=()
    while IFS= read -r line; do
        case $line in '' | '#'*) ;; *) texts+=("$line") ;; esac
    done <examples/demo/texts.txt
fi

# What the user's shell has set must not change what the demo does.
for name in $(compgen -e | grep -E '^(HF_|MODELHOST_)|_(proxy|PROXY)$'); do
    unset "$name"
done

hub_pid=
stop_hub() {
    [ -z "$hub_pid" ] || { kill "$hub_pid" && wait "$hub_pid"; } 2>/dev/null
    hub_pid=
}
trap stop_hub EXIT
trap 'exit 130' INT TERM

bold='' dim='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\033[1m' dim=$'\033[2m' plain=$'\033[0m'
fi
say() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }
# The command as one would type it: words with spaces or brackets in quotes, long ones on several lines.
show() {
    local word line='  $'
    for word in "$@"; do
        [ "$word" != --text ] || line="$line \\"$'\n      '
        case $word in
        *[!A-Za-z0-9_./:=@%+,-]*) line="$line \"$word\"" ;;
        *) line="$line $word" ;;
        esac
    done
    printf '%s%s%s\n' "$dim" "$line" "$plain"
}
run() {
    show "$@"
    "$@" </dev/null || {
        code=$?
        echo "demo: this command ended with exit code $code" >&2
        exit "$code"
    }
}

rm -rf "$place"
mkdir -p "$place"

say '1. A hub, on this machine: pkgmgr serves the small BERT that comes with the repository.'
show "$BUILD/bin/pkgmgr" serve examples/demo/hub --port 0
mkfifo "$place/url" || exit 1
"$BUILD/bin/pkgmgr" serve examples/demo/hub --port 0 >"$place/url" 2>"$place/hub.log" </dev/null &
hub_pid=$!
exec 3<"$place/url"
rm "$place/url"
if ! read -r -t 20 url <&3; then
    echo 'demo: the hub did not start:' >&2
    cat "$place/hub.log" >&2
    exit 1
fi
echo "$url"

say '2. Download: the commit is resolved, every byte is checked, the plugin for BERT joins the package.'
run "$BUILD/bin/pkgmgr" download $model --endpoint "$url" --store "$place/store"
stop_hub

say '3. Ask. The hub is gone now; the package has all it needs.'
ask=("$BUILD/bin/modelhost" run "$model" --store "$place/store" --top-k 3)
for text in "${texts[@]}"; do
    ask+=(--text "$text")
done
run "${ask[@]}"

say 'That was it. The package is kept; ask something else:'
show "$BUILD/bin/modelhost" run $model --store "$place/store" --text "${texts[0]}"
echo
