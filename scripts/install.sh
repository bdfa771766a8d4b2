#!/usr/bin/env bash
# Installs what was built: install.sh BUILD DESTDIR PREFIX VERSION; `make install` calls it.
#
#   bin/                    modelhost, pkgmgr
#   lib/                    libmodelhost.so.VERSION with its links (or the .dylib), pkgconfig/modelhost.pc
#   lib/modelhost/plugins/  the plugins that come with the project
#   include/                model_abi.h and model_extensions.h for plugin authors, modelhost.h and its options for applications
#   include/modelhost/      kernels.h and the headers that it includes: what plugins compute with
#   lib/modelhost/          libkernels.a, the same; pkgconfig/modelhost-kernels.pc knows how to use it
#   share/bash-completion/, share/zsh/  what completes command lines
#   share/man/, share/doc/modelhost/, share/licenses/modelhost/
#
# The commands find the plugins beside themselves, so the installed folder may be moved.
set -eu
[ $# -eq 4 ] || { echo "usage: $0 BUILD DESTDIR PREFIX VERSION" >&2; exit 2; }
build=$1 destination=$2$3 prefix=$3 version=$4
cd "$(dirname "$0")/.."

put() { # put MODE FOLDER FILE...
    local mode=$1 folder=$destination/$2
    shift 2
    mkdir -p "$folder"
    for file in "$@"; do
        install -m "$mode" "$file" "$folder/"
    done
}
shopt -s nullglob

[ -x "$build/bin/modelhost" ] && [ -x "$build/bin/pkgmgr" ] || {
    echo "$0: $build has no bin/modelhost and bin/pkgmgr; run make first" >&2
    exit 1
}
mkdir -p "$destination" 2>/dev/null && [ -w "$destination" ] || {
    echo "$0: cannot write to $destination; choose another DESTDIR or PREFIX, or ask for the rights" >&2
    exit 1
}

put 755 bin "$build/bin/modelhost" "$build/bin/pkgmgr"
put 644 include include/model_abi.h include/model_extensions.h include/modelhost.h include/modelhost_options.h
put 755 lib/modelhost/plugins "$build"/lib/modelhost/plugins/*.so "$build"/lib/modelhost/plugins/*.dylib

# The library: one file, the name that programs ask for when they start, the name that the linker wants.
if [ -f "$build/lib/libmodelhost.dylib" ]; then
    put 755 lib "$build/lib/libmodelhost.dylib"
else
    mkdir -p "$destination/lib"
    install -m 755 "$build/lib/libmodelhost.so" "$destination/lib/libmodelhost.so.$version"
    ln -sf "libmodelhost.so.$version" "$destination/lib/libmodelhost.so.0"
    ln -sf libmodelhost.so.0 "$destination/lib/libmodelhost.so"
fi

mkdir -p "$destination/lib/pkgconfig"
sed -e "s|@PREFIX@|$prefix|" -e "s|@VERSION@|$version|" modelhost.pc.in \
    >"$destination/lib/pkgconfig/modelhost.pc"
chmod 644 "$destination/lib/pkgconfig/modelhost.pc"

# What plugins compute with: kernels.h, what it includes, what that includes.
headers='' found=kernels.h
while [ -n "$found" ]; do
    headers="$headers $found" next=''
    for name in $(cd plugins/kernels && sed -n 's/^#include "\(.*\)"$/\1/p' $found | sort -u); do
        case " $headers $next " in *" $name "*) continue ;; esac
        [ ! -f "plugins/kernels/$name" ] || next="$next $name"
    done
    found=$next
done
for name in $headers; do
    put 644 include/modelhost "plugins/kernels/$name"
done
put 644 lib/modelhost "$build/lib/libkernels.a"
libraries='-lm'
! nm "$build/lib/libkernels.a" 2>/dev/null | grep -q ' U dnnl_' || libraries='-ldnnl -fopenmp -lm'
sed -e "s|@PREFIX@|$prefix|" -e "s|@VERSION@|$version|" -e "s|@LIBRARIES@|$libraries|" \
    modelhost-kernels.pc.in >"$destination/lib/pkgconfig/modelhost-kernels.pc"
chmod 644 "$destination/lib/pkgconfig/modelhost-kernels.pc"

for section in 1 3 7; do
    pages=(docs/man/*."$section")
    [ ${#pages[@]} -eq 0 ] || put 644 "share/man/man$section" "${pages[@]}"
done
for name in pkgmgr modelhost; do
    mkdir -p "$destination/share/bash-completion/completions" "$destination/share/zsh/site-functions"
    "$build/bin/$name" completion bash >"$destination/share/bash-completion/completions/$name"
    "$build/bin/$name" completion zsh >"$destination/share/zsh/site-functions/_$name"
    chmod 644 "$destination/share/bash-completion/completions/$name" "$destination/share/zsh/site-functions/_$name"
done
put 644 share/licenses/modelhost LICENSE
for text in README.md CHANGELOG.md; do
    [ ! -f "$text" ] || put 644 share/doc/modelhost "$text"
done
echo "installed modelhost $version into $destination"
