#!/usr/bin/env bash
# Manual pages, if any, are sound.
set -u
mapfile -t pages < <(scripts/tree.sh 'docs/man/*.[1-8]')
[ ${#pages[@]} -eq 0 ] || mandoc -T lint -W warning "${pages[@]}"
