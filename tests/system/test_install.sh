#!/usr/bin/env bash
# Installs into an empty folder and builds and runs programs against it as a stranger would: with the
# compiler, pkg-config and what is there.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
begin install

check() { # WHAT COMMAND...: one check, whose output is shown when it fails
    local what=$1
    shift
    "$@" >"$work/err" 2>&1
    ok "$what" test $? -eq 0
}

version=$(sed -n 's/^#define MODELHOST_VERSION "\(.*\)"/\1/p' include/modelhost.h)
prefix=/usr/local
root=$work/root$prefix
check 'install runs' scripts/install.sh "$BUILD" "$work/root" "$prefix" "$version"

for file in bin/modelhost bin/pkgmgr include/model_abi.h include/model_extensions.h include/modelhost.h lib/pkgconfig/modelhost.pc \
    include/modelhost/kernels.h lib/modelhost/libkernels.a lib/pkgconfig/modelhost-kernels.pc \
    share/licenses/modelhost/LICENSE; do
    check "$file is there" test -f "$root/$file"
done
same 'nothing stands outside the prefix' "$(find "$work/root" -not -type d -not -path "$root/*")" ''
same 'the library has its links' \
    "$(readlink "$root/lib/libmodelhost.so") $(readlink "$root/lib/libmodelhost.so.0")" \
    "libmodelhost.so.0 libmodelhost.so.$version"
for plugin in "$BUILD"/lib/modelhost/plugins/*.so; do
    [ ! -f "$plugin" ] || check "$plugin is installed" cmp "$plugin" \
        "$root/lib/modelhost/plugins/$(basename "$plugin")"
done

# A moved installation: pkg-config is told where it stands now.
export PKG_CONFIG_PATH=$root/lib/pkgconfig
flags() { pkg-config --define-variable=prefix="$root" "$@" modelhost; }
same 'pkg-config knows the version' "$(flags --modversion)" "$version"
same 'pkg-config knows the plugins' "$(flags --variable=pluginsdir)" "$root/lib/modelhost/plugins"

case $BUILD in
*address* | *thread*)
    skipped 'a plain program cannot load a library that was built with sanitizers'
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
        check "$example compiles" cc -std=c11 $shared "$example" $(flags --cflags --libs) -lpng -lm \
            -o "$work/example"
    done
    kernels() { pkg-config --define-variable=prefix="$root" "$@" modelhost-kernels; }
    for folder in examples/*/; do
        files=("$folder"*.c)
        [ -f "${files[0]}" ] || continue
        # shellcheck disable=SC2046
        check "$folder compiles as a stranger's plugin" cc -O2 -Wall -Wextra -Werror -shared "${files[@]}" \
            $(kernels --cflags --libs) -Wl,-z,defs -o "$work/stranger.so"
        same "$folder exports one symbol" \
            "$(nm -D --defined-only "$work/stranger.so" | awk '{ print $NF }')" create_model
    done
    same 'no header of the kernels is missing or private' \
        "$(cd "$root/include/modelhost" && grep -lE 'ot for plugins' ./*.h)" ''
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

for program in modelhost pkgmgr; do
    same "$program says its version" "$("$root/bin/$program" --version 2>&1)" "$program $version"
done
check 'installing again is fine' scripts/install.sh "$BUILD" "$work/root" "$prefix" "$version"


# ---- failures leave nothing half-made

mkdir "$work/empty"
program=$PWD/scripts/install.sh
fails 'a folder that was not built' 1 "$program: $work/empty has no bin/modelhost and bin/pkgmgr; run make first" "$work/empty" "$work/other" "$prefix" "$version"
: >"$work/file"
fails 'a place that is no folder' 1 "$program: cannot write to $work/file$prefix; choose another DESTDIR or PREFIX, or ask for the rights" "$build" "$work/file" "$prefix" "$version"

summary
