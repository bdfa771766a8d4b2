#!/usr/bin/env bash
# Installs into an empty folder and builds and runs programs against it as a stranger would: with the
# compiler, pkg-config and what is there.
set -u
BUILD=${BUILD:-build}
passed=0 failed=0 skipped=0
work=$(mktemp -d "${TMPDIR:-/tmp}/install.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT

check() { # check WHAT COMMAND...
    local what=$1
    shift
    if "$@" >"$work/out" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL: $what: $*"
        cat "$work/out"
    fi
}
same() { [ "$1" = "$2" ] || { echo "found '$1', want '$2'"; return 1; }; }

version=$(sed -n 's/^#define MODELHOST_VERSION "\(.*\)"/\1/p' include/modelhost.h)
prefix=/usr/local
root=$work/root$prefix
check 'install runs' scripts/install.sh "$BUILD" "$work/root" "$prefix" "$version"

for file in bin/modelhost bin/pkgmgr include/model_abi.h include/modelhost.h lib/pkgconfig/modelhost.pc \
    share/licenses/modelhost/LICENSE; do
    check "$file is there" test -f "$root/$file"
done
check 'nothing stands outside the prefix' same "$(find "$work/root" -not -type d -not -path "$root/*")" ''
check 'the library has its links' same \
    "$(readlink "$root/lib/libmodelhost.so") $(readlink "$root/lib/libmodelhost.so.0")" \
    "libmodelhost.so.0 libmodelhost.so.$version"
for plugin in "$BUILD"/lib/modelhost/plugins/*.so; do
    [ ! -f "$plugin" ] || check "$plugin is installed" cmp "$plugin" \
        "$root/lib/modelhost/plugins/$(basename "$plugin")"
done

# A moved installation: pkg-config is told where it stands now.
export PKG_CONFIG_PATH=$root/lib/pkgconfig
flags() { pkg-config --define-variable=prefix="$root" "$@" modelhost; }
check 'pkg-config knows the version' same "$(flags --modversion)" "$version"
check 'pkg-config knows the plugins' same "$(flags --variable=pluginsdir)" "$root/lib/modelhost/plugins"

case $BUILD in
*address* | *thread*)
    echo 'skip: a plain program cannot load a library that was built with sanitizers'
    skipped=1
    ;;
*)
    cat >"$work/host.c" <<'C'
#include <modelhost.h>
#include <stdio.h>
int main(void)
{
    struct model_error err = {sizeof err, ""};
    struct modelhost *host = NULL;
    if (modelhost_create(NULL, &host, &err) != MODEL_OK)
        return printf("%s\n", err.message), 1;
    modelhost_destroy(host);
    return 0;
}
C
    # shellcheck disable=SC2046
    check 'a program compiles' cc -std=c11 -Wall -Wextra -Wpedantic -Werror "$work/host.c" \
        $(flags --cflags --libs) -o "$work/host"
    check 'it runs and makes a host' env LD_LIBRARY_PATH="$root/lib" HOME="$work" "$work/host"
    for example in examples/*.c; do
        [ -f "$example" ] || continue
        shared=
        case $example in */plugin_*) shared='-shared -fPIC -fvisibility=hidden' ;; esac
        # shellcheck disable=SC2046
        check "$example compiles" cc -std=c11 $shared "$example" $(flags --cflags --libs) -o "$work/example"
    done
    ;;
esac

# A plugin's author has the header alone.
cat >"$work/plugin.c" <<'C'
#include <model_abi.h>
MODEL_PLUGIN_NOTE("none", "1.0.0", "none");
model_status create_model(const struct model_services *services, const struct model_create_args *args,
                          struct model **ret, struct model_error *err)
{
    (void)services, (void)args, (void)ret, (void)err;
    return MODEL_UNSUPPORTED;
}
C
# shellcheck disable=SC2046
check 'a plugin compiles' cc -std=c11 -Wall -Wextra -Wpedantic -Werror -shared -fPIC \
    -fvisibility=hidden "$work/plugin.c" $(flags --cflags) -o "$work/plugin.so"

check 'modelhost says its version' grep -qF "$version" <("$root/bin/modelhost" --version 2>&1)
check 'pkgmgr says its version' grep -qF "$version" <("$root/bin/pkgmgr" --version 2>&1)
check 'installing again is fine' scripts/install.sh "$BUILD" "$work/root" "$prefix" "$version"

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
