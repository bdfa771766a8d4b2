#!/usr/bin/env bash
# Dynamic symbols of what was built: a plugin exports create_model alone and asks nothing of the host;
# libmodelhost exports the functions of modelhost.h, all of them and no others, under its soname.
set -u
n=0
exports() { nm -D --defined-only "$1" | awk '{ print $NF }' | sed 's/@.*//' | sort -u; }
complain() { echo "$*"; n=1; }

for plugin in "$BUILD"/lib/modelhost/plugins/*.so "$BUILD"/examples/*.so; do
    [ -f "$plugin" ] || continue
    for symbol in $(exports "$plugin"); do
        [ "$symbol" = create_model ] ||
            complain "$plugin: exports $symbol; a plugin exports create_model alone (scripts/plugin.map)"
    done
    exports "$plugin" | grep -qx create_model || complain "$plugin: does not export create_model"
    for symbol in $(nm -D --undefined-only "$plugin" | awk '{ print $NF }' | grep '^modelhost_'); do
        complain "$plugin: asks for $symbol; a plugin uses the services that it is given"
    done
    readelf -n "$plugin" | grep -q '^ *modelhost ' || complain "$plugin: no note (MODEL_PLUGIN_NOTE)"
done

library=$BUILD/lib/libmodelhost.so
[ -f "$library" ] || exit $n
declared=$(grep -v '^#' include/modelhost.h | tr '\n' ' ' | grep -oE 'MODELHOST_API[^(;]*\(' |
    grep -oE '[a-z_0-9]+\($' | tr -d '(' | sort -u)
exported=$(exports "$library")
for symbol in $(comm -13 <(echo "$declared") <(echo "$exported")); do
    complain "$library: exports $symbol, which include/modelhost.h does not declare"
done
for symbol in $(comm -23 <(echo "$declared") <(echo "$exported")); do
    complain "include/modelhost.h:1: declares $symbol, which $library does not export"
done
readelf -d "$library" | grep -q 'SONAME.*\[libmodelhost\.so\.0\]' ||
    complain "$library: its soname is not libmodelhost.so.0"
exit $n
