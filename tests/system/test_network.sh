#!/usr/bin/env bash
# pkgmgr on the network, from outside: settings that are wrong, tokens and their files, names that a
# mirror does not know, and a mirror whose folder holds what cannot be served.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
pkgmgr=$PWD/$BUILD/bin/pkgmgr
hub=$PWD/examples/demo/hub
model=modelhost/facts-bert-mini
dir=$(mktemp -d "${TMPDIR:-/tmp}/network.XXXXXX") || exit 1
dir=$(cd "$dir" && pwd -P)
export HOME=$dir MODELHOST_STORE=$dir/store
unset HF_TOKEN HF_TOKEN_PATH HF_HOME HF_ENDPOINT HF_HUB_OFFLINE HF_HUB_DOWNLOAD_TIMEOUT XDG_CACHE_HOME
passed=0 failed=0
pids=()
finish() {
    local pid
    for pid in ${pids[@]+"${pids[@]}"}; do kill "$pid" 2>/dev/null; done
    wait
    rm -rf "$dir"
}
trap finish EXIT

ok() { passed=$((passed + 1)); echo "ok - $1"; }
fail() { failed=$((failed + 1)); echo "FAIL - $1: ${2:-}"; }
same() { # same WHAT FOUND WANT
    if [ "$2" = "$3" ]; then ok "$1"; else fail "$1" "found '$2', want '$3'"; fi
}
ends() { # ends WHAT CODE SENTENCE [NAME=VALUE...] pkgmgr's ARGUMENT...: exit code and whole stderr
    local what=$1 code=$2 sentence=$3 settings=()
    shift 3
    while [[ $1 == *=* && $1 != -* ]]; do
        settings+=("$1")
        shift
    done
    env ${settings[@]+"${settings[@]}"} timeout 60 "$pkgmgr" "$@" >"$dir/out" 2>"$dir/err"
    same "$what: exit code" "$?" "$code"
    same "$what: the sentence" "$(cat "$dir/err")" "$sentence"
}
start() { # start NAME ARGUMENT...: a mirror whose address is in $url
    local name=$1 i
    shift
    "$pkgmgr" serve "$@" --port 0 --quiet >"$dir/$name.out" 2>"$dir/$name.err" &
    pids+=("$!")
    for ((i = 0; i < 400; i++)); do
        if [ -s "$dir/$name.out" ]; then break; fi
        sleep 0.05
    done
    url=$(head -n 1 "$dir/$name.out")
}

# ---- settings that are wrong are wrong usage
help="; see 'pkgmgr help download'"
no_token="the hub's token is not one: want up to 4096 printable characters without spaces (a token is not shown here)"
ends 'a token with a space' 2 "pkgmgr download: --token: $no_token$help" download a/b --token 'bad token'
ends 'HF_TOKEN with a space' 2 "pkgmgr download: HF_TOKEN: $no_token$help" HF_TOKEN='bad token' download a/b
for value in abc 0 -1 86401; do
    ends "a timeout of $value" 2 \
        "pkgmgr download: HF_HUB_DOWNLOAD_TIMEOUT is '$value', want seconds, more than 0 and at most 86400$help" \
        HF_HUB_DOWNLOAD_TIMEOUT=$value download a/b
done

# ---- a token file that cannot be used
unusable="pkgmgr download: $dir is not a regular file; this is the token file by HF_TOKEN_PATH: name another with HF_TOKEN_PATH, or give the token with HF_TOKEN or --token ('--token \"\"' for none)$help"
ends 'an unusable token file' 2 "$unusable" HF_TOKEN_PATH="$dir" download a/b
ends 'an unusable token file, offline' 9 \
    "pkgmgr: offline, and the store $dir/store does not have 'a/b' at revision 'main'; unset HF_HUB_OFFLINE to download it" \
    HF_TOKEN_PATH="$dir" HF_HUB_OFFLINE=1 download a/b
start closed "$hub" --token hf_right
ends 'an unusable token file beside --token' 0 '' HF_ENDPOINT="$url" HF_TOKEN_PATH="$dir" download "$model" -q --token hf_right
ends 'HF_TOKEN with blanks around it' 0 '' HF_ENDPOINT="$url" HF_TOKEN=$' hf_right\r\n' download "$model" -q --force

# ---- a mirror's names
ends 'a mistyped --gated' 3 \
    "pkgmgr: cannot gate 'modelhost/facts': no such repository in $hub; want OWNER/NAME as its folders are called" \
    serve "$hub" --port 0 --gated modelhost/facts
ends 'a --gated without its owner' 3 \
    "pkgmgr: cannot gate 'facts-bert-mini': no such repository in $hub; did you mean '$model'?" \
    serve "$hub" --port 0 --gated facts-bert-mini
ends 'an --alias that leads nowhere' 3 \
    "pkgmgr: an alias leads to 'no/such': no such repository in $hub; want OWNER/NAME as its folders are called" \
    serve "$hub" --port 0 --alias=old=no/such
start gated "$hub" --gated "$model"
ends 'a gated repository of a mirror' 4 \
    "pkgmgr: the model '$model' is gated at $url (Access to model $model is restricted: give a token that may read it); give a token with HF_TOKEN or --token" \
    HF_ENDPOINT="$url" download "$model" --force

# ---- what needs an HTTP client
if command -v curl >/dev/null 2>&1; then
    get() { curl -s -m 20 "$@"; }
    status() { curl -s -m 20 -o /dev/null -w '%{http_code}' "$@"; }
    case $(get "$url/api/models") in
    *'"gated":"manual"'*) ok 'the list of models says which is gated' ;;
    *) fail 'the list of models says which is gated' "$(get "$url/api/models")" ;;
    esac

    deep=a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r
    mkdir -p "$dir/hub/acme/odd/$deep"
    echo '{}' >"$dir/hub/acme/odd/config.json"
    echo x >"$dir/hub/acme/odd/$deep/x"
    start odd "$dir/hub"
    same 'a repository with one bad entry' "$(get "$url/acme/odd/resolve/main/config.json")" '{}'
    same 'the bad entry alone is missing' "$(status "$url/acme/odd/resolve/main/$deep/x")" 404
    same 'the bad entry is warned of' "$(cat "$dir/odd.err")" \
        "pkgmgr serve: warning: $dir/hub/acme/odd/${deep%/r} is not served: too many folders lie in each other"

    file=$url/acme/odd/resolve/main/config.json
    same 'a range that begins beyond 64 bits' "$(status -H 'Range: bytes=99999999999999999999-' "$file")" 416
    same 'a range that ends beyond 64 bits' "$(status -H 'Range: bytes=0-99999999999999999999' "$file")" 206
else
    echo 'skip: curl is not installed'
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
