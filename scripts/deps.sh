#!/bin/sh
# Installs what the project needs, once: `deps.sh build` (compiling and `make test`), `deps.sh check`
# (`make check`, `make fuzz`), `deps.sh oracles` (torch, with which tests compare what they skip without it), `deps.sh perf`
# (`make check-perf`), `deps.sh interop` (Node.js for npm's oracles, promtool), `deps.sh bench` (the peers:
# torch and Pillow from Debian, then onnxruntime-node and tokenizers from npm into build/bench/).
# Asks nothing when everything is there. Without apt it prints the list, with Homebrew's names.
set -eu

kind=${1:-build}
build_apt="gcc make pkg-config libuv1-dev libcurl4-openssl-dev libcjson-dev libssl-dev
  libutf8proc-dev libpcre2-dev libpng-dev libjpeg62-turbo-dev libhiredis-dev libzstd-dev libxxhash-dev libsodium-dev libdnnl-dev libseccomp-dev libprotobuf-c-dev protobuf-c-compiler
  libcmocka-dev minisign curl python3-numpy redis-server nghttp2-proxy strace zsh ca-certificates"
check_apt="clang clang-format llvm libclang-rt-14-dev libomp-dev abigail-tools binutils mandoc shellcheck"
perf_apt="valgrind python3-numpy"
interop_apt="nodejs npm"
promtool_apt="prometheus"
oracle_apt="python3-torch libopenblas0-pthread"
bench_apt="$oracle_apt python3-pil gnuplot-nox"
brew="pkg-config libuv curl cjson openssl@3 utf8proc pcre2 libpng jpeg-turbo hiredis redis zstd xxhash libsodium minisign onednn cmocka libomp numpy protobuf-c"

case $kind in
build) wanted=$build_apt ;;
check) wanted="$build_apt $check_apt" ;;
perf) wanted="$build_apt $perf_apt" ;;
oracles) wanted="$build_apt $oracle_apt" ;;
interop)
    wanted="$build_apt $promtool_apt"
    command -v npm >/dev/null 2>&1 || wanted="$wanted $interop_apt"
    ;;
bench) "$0" bench-apt; exec "$(dirname "$0")/../bench/peers/install.sh" ;;
bench-apt)
    wanted="$build_apt $bench_apt"
    command -v npm >/dev/null 2>&1 || wanted="$wanted $interop_apt"
    ;;
*) echo "deps.sh: unknown kind '$kind'; want build, check, oracles, perf, interop or bench" >&2; exit 2 ;;
esac

if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-query >/dev/null 2>&1; then
    [ -n "${MODELHOST_DEPS_QUIET:-}" ] || {
        echo "deps.sh: not a Debian system; the build needs these packages (Debian's names):"
        echo "  $wanted" | tr -s ' \n' ' '
        echo
        echo "with Homebrew: brew install $brew"
        echo "(MODELHOST_DEPS_QUIET=1 silences this.)"
    } >&2
    exit 0
fi

missing=
for package in $wanted; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

echo "deps.sh: installing$missing" >&2
sudo=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || {
        echo "deps.sh: installing needs root: as root, run: apt-get install$missing" >&2
        exit 1
    }
    sudo=sudo
fi

# Waits for another apt, as fresh machines run one. The list of packages may be missing or old.
apt() {
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@" >&2 </dev/null
}
# shellcheck disable=SC2086
apt install -y --no-install-recommends $missing || {
    apt update
    apt install -y --no-install-recommends $missing
}
