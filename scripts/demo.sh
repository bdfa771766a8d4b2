#!/usr/bin/env bash
# A stranger's first minute: serves the small models that the repository ships as a hub of its own,
# downloads them, asks one and has the other write. Everything stays on this machine and below
# $BUILD/demo. `make demo` calls it.
#
# The questions are the lines of examples/demo/texts.txt, if it is there.
set -u
cd "$(dirname "$0")/.." || exit 1

BUILD=${BUILD:-build}
model=modelhost/facts-bert-mini
writer=modelhost/tales-char-lstm
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

say '1. A hub, on this machine: pkgmgr serves the small models that come with the repository.'
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

say '3. Ask. The package has all it needs.'
ask=("$BUILD/bin/modelhost" run "$model" --store "$place/store" --top-k 3)
for text in "${texts[@]}"; do
    ask+=(--text "$text")
done
run "${ask[@]}"

say '4. Another architecture, the same two commands: an LSTM that writes a tale, letter by letter.'
run "$BUILD/bin/pkgmgr" download $writer --endpoint "$url" --store "$place/store" -q
stop_hub
write=("$BUILD/bin/modelhost" run "$writer" --store "$place/store" --stream --temperature 0.7)
run "${write[@]}" --seed 1 --text 'Once upon a time'

say 'That was it. The hub is gone, the packages are kept; ask for something else:'
show "$BUILD/bin/modelhost" run $model --store "$place/store" --text "${texts[0]}"
show "${write[@]}" --seed 2 --text 'One morning the cat'
echo
