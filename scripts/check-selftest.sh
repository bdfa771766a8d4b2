#!/usr/bin/env bash
# Proves that every check can fail: in a copy of a part of the tree it plants one violation of each rule
# and expects the check to name its file, line and rule. The last line is the count.
set -u
cd "$(dirname "$0")/.." || exit 1
work=$(mktemp -d "${TMPDIR:-/tmp}/check-selftest.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT

# A small, sound house: the headers, and what of the base layer has a test of its name.
for source in base/*.c; do
    test=tests/unit/test_$(basename "$source")
    [ ! -f "$test" ] || printf '%s\n' "$test" "$source"
done | cat - <(scripts/tree.sh Makefile .clang-format 'scripts/*' 'include/*' 'base/*.h' tests/testing.h tests/in_folder.h tests/failing_memory.h tests/http_fixture.h tests/unit/json_fixture.h \
    'tests/abi/*.abi') | tar -cf - -T - | tar -xf - -C "$work"
cd "$work" || exit 1
mkdir -p store packager host/tokenizers plugins/kernels plugins/one plugins/two tests/unit docs/man \
    tests/abi tests/fuzz build/lib/modelhost/plugins
export CHECK_SKIP_DEPS=1 BUILD=build
unset MAKEFLAGS MFLAGS MAKELEVEL

passed=0 failed=0
report() {
    if [ "$1" = ok ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAIL  %s\n' "$2"
        sed 's/^/      /' out
    fi
}

# plant CHECK FILE EXPECTED: standard input becomes FILE; CHECK must fail and say EXPECTED.
plant() {
    local check=$1 file=$2 expected=$3
    [ ! -f "$file" ] || cp -p "$file" kept
    cat >"$file"
    expect "$check" "$expected" "$file"
    if [ -f kept ]; then mv kept "$file"; else rm "$file"; fi
}
expect() {
    if ! scripts/check.sh "$1" >out 2>&1 && grep -qF -- "$2" out; then
        report ok
    else
        report bad "$1 does not find in $3: $2"
    fi
}
c_lines() { # N lines of C
    awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) print "/* line */" }'
}

if scripts/check.sh >out 2>&1; then report ok; else report bad 'the untouched copy has findings'; fi

# ---- layers and fences
plant layers base/x.c 'base/x.c:2: base/ may not include "store_x.h" of store/' < <(
    touch store/store_x.h
    printf '/* x */\n#include "store_x.h"\n'
)
rm -f store/store_x.h
plant layers store/x.c 'no header "packager_x.h"' <<<'#include "packager_x.h"'
touch host/host_x.h packager/packager_x.h plugins/kernels/kernels.h plugins/kernels/inner.h plugins/two/two.h
plant layers packager/x.c 'packager/ may not include "host_x.h" of host/' <<<'#include "host_x.h"'
plant layers host/x.c 'host/ may not include "packager_x.h"' <<<'#include "packager_x.h"'
plant layers plugins/one/x.c 'plugin/ may not include "host_x.h"' <<<'#include "host_x.h"'
plant layers plugins/one/x.c 'plugin/ may not include "inner.h"' <<<'#include "inner.h"'
plant layers plugins/one/x.c 'plugin/ may not include "two.h"' <<<'#include "two.h"'
plant layers plugins/one/x.c 'plugin/ may not include "modelhost.h"' <<<'#include "modelhost.h"'
mkdir -p examples/one
plant layers examples/one/x.c 'plugin/ may not include "inner.h"' <<<'#include "inner.h"'
plant layers plugins/kernels/x.c 'kernels/ may not include "errors.h"' <<<'#include "errors.h"'
plant layers base/x.c 'by its file name alone' <<<'#include "../host/host_x.h"'
plant layers base/x.c 'is ours: include it with quotes' <<<'#include <errors.h>'
plant layers include/x.h 'may include <stddef.h> and <stdint.h> only' <<<'#include <stdio.h>'
plant layers include/x.h 'include/ may not include "errors.h"' <<<'#include "errors.h"'
rm host/host_x.h packager/packager_x.h plugins/kernels/*.h plugins/two/two.h
for header in curl/curl.h cjson/cJSON.h openssl/evp.h dlfcn.h oneapi/dnnl/dnnl.h pcre2.h \
    utf8proc.h zstd.h sodium.h uv.h omp.h cmocka.h; do
    plant layers store/x.c "store/x.c:1: <$header> belongs to" <<<"#include <$header>"
done
echo '#include <dlfcn.h>' >host/first.c
plant layers host/second.c 'is in host/first.c already' <<<'#include <dlfcn.h>'
rm host/first.c
plant layers store/x.c '<lz4.h> has no fence' <<<'#include <lz4.h>'
plant layers plugins/kernels/x.c '#pragma omp: use parallel_for' <<<'#pragma omp parallel for'

# ---- sizes and names
plant sizes base/x.c 'base/x.c:501: 501 lines' < <(c_lines 501)
plant sizes base/x.c 'base/x.c:2: a function of 71 lines' < <(
    printf 'int f(void)\n{\n'
    c_lines 71
    printf '}\n'
)
plant sizes examples/one/x.c 'examples/one/x.c:200: the plugin has 200 lines' < <(c_lines 200)
plant names store/errors.h 'store/errors.h:1: the name is taken by base/errors.h' </dev/null
plant names store/BigName.h 'names are lower case' </dev/null

# ---- banned words
for call in strcpy strcat sprintf vsprintf strtok gets alloca atoi atof mktemp uv_queue_work; do
    plant banned tests/unit/x.c "tests/unit/x.c:1: $call() " <<<"int x = $call(1);"
done
for call in printf puts exit setenv abort; do
    plant banned base/x.c "base/x.c:1: $call() " <<<"    $call (1);"
done
plant banned host/x.c 'stderr belongs to the command' <<<'fputs("x", stderr);'
plant banned host/x.c 'getenv() belongs to base/environment.c' <<<'x = getenv("HOME");'
plant banned packager/pkgmgr.c 'getenv() belongs to base/environment.c' <<<'x = getenv("HOME");'
printf '/* strcpy(a, b) */\nconst char *a = "atoi(1)"; // gets(x)\nint b = x->exit(1);\n' >base/x.c
if scripts/check.sh banned >out 2>&1; then report ok; else report bad 'comments and strings are code'; fi
rm base/x.c

# ---- texts
plant texts base/x.c 'base/x.c:1: a path of one machine' <<<"/* /""home/someone/x */"
plant texts scripts/x.sh 'scripts/x.sh:1: a path of one machine' <<<"cd /""work/x"
plant texts base/x.c 'base/x.c:2: an unfinished note' < <(printf '\n/* TO%s */\n' DO)
plant texts base/x.c 'an unfinished note' <<<"/* FIX""ME */"
plant texts base/x.c 'white space at the end' <<<'int x; '
plant texts base/x.c 'no newline at the end' < <(printf 'int x;')
plant texts base/x.c 'a conflict marker' <<<"<<<<""<<< HEAD"

# ---- tests
plant tested base/x.c 'base/x.c:1: no tests/unit/test_x.c' </dev/null
printf '/* test_y.c - y and base/x.c. */\n' >tests/unit/test_y.c
touch base/x.c
if scripts/check.sh tested >out 2>&1; then report ok; else report bad 'a covered source has findings'; fi
rm base/x.c tests/unit/test_y.c
plant tested tests/fuzz/fuzz_x.c 'no file in tests/fuzz/corpus/x/' </dev/null

# ---- compilers and formatters
plant format base/x.c 'base/x.c:1: not as clang-format writes it' <<<'int   x;'
plant compile base/x.c 'unused variable' <<<'int f(void); int f(void) { int x; return 0; }'
plant compile base/x.c 'variable length array' <<<'int f(int n); int f(int n) { char x[n]; return x[0]; }'
plant compile base/x.c 'implicit conversion' <<<'int f(long n); int f(long n) { return n; }'
plant compile base/x.h 'base/x.h:1: does not compile alone' <<<'size_t x;'
plant compile include/x.h 'include/x.h:1: does not compile as C++11' <<<'static inline int f(void *p) { int *class = p; return *class; }'
plant compile plugins/kernels/x_portable.c 'x_portable.c' <<<'int f(void) { return y; }'

# ---- what was built
shared() { # shared OUTPUT: a library out of standard input
    gcc -shared -fPIC -w -x c - -Iinclude -o "$1"
}
plugin=build/lib/modelhost/plugins/libone.so
note='#include "model_abi.h"
MODEL_PLUGIN_NOTE("one", "1.0.0", "one");
model_status create_model(const struct model_services *s, const struct model_create_args *a,
    struct model **r, struct model_error *e)'
shared $plugin <<<"$note { return 0; }"
if scripts/check.sh symbols >out 2>&1; then report ok; else report bad 'a sound plugin has findings'; fi
shared $plugin <<<"$note { return 0; } int helper(void) { return 1; }"
expect symbols "$plugin: exports helper" $plugin
shared $plugin <<<'#include "model_abi.h"
MODEL_PLUGIN_NOTE("one", "1.0.0", "one");'
expect symbols "$plugin: does not export create_model" $plugin
shared $plugin <<<"$note { return modelhost_create(); }"
expect symbols "$plugin: asks for modelhost_create" $plugin
shared $plugin <<<'int create_model(void) { return 0; }'
expect symbols "$plugin: no note" $plugin
rm $plugin
shared build/lib/libmodelhost.so <<<'int modelhost_secret(void) { return 0; }'
expect symbols 'libmodelhost.so: exports modelhost_secret, which' libmodelhost.so
expect symbols 'declares modelhost_create, which build/lib/libmodelhost.so does not export' libmodelhost.so
expect symbols 'its soname is not' libmodelhost.so
rm build/lib/libmodelhost.so
mkdir -p build/obj/plugins/one
printf 'static int calls;\nint f(void) { return ++calls; }\n' >plugins/one/x.c
gcc -c -fPIC plugins/one/x.c -o build/obj/plugins/one/x.o
expect globals "plugins/one/x.c:1: the global 'calls' can be written" plugins/one/x.c
printf 'static const char *const names[] = {"a"};\nconst char *f(int i) { return names[i]; }\n' >plugins/one/x.c
gcc -c -fPIC plugins/one/x.c -o build/obj/plugins/one/x.o
if scripts/check.sh globals >out 2>&1; then report ok; else report bad 'constant tables are globals'; fi
rm -r build/obj/plugins plugins/one/x.c

# ---- the ABI
abi() { # abi SED-SCRIPT EXPECTED
    cp include/model_abi.h kept_abi
    sed -i "/^MODEL_STATIC_ASSERT(offsetof/d; $1" include/model_abi.h
    expect abi "$2" "$1"
    mv kept_abi include/model_abi.h
}
abi '/^MODEL_STATIC_ASSERT(sizeof(struct model_call)/d' 'struct model_call has no pinned size'
unpinned='s/^MODEL_STATIC_ASSERT(sizeof(struct \([a-z_]*\)) == [0-9]*,/MODEL_STATIC_ASSERT(sizeof(struct \1) == sizeof(struct \1),/'
abi "$unpinned; s/^    double number;/    float number;/" 'differs from'
abi "$unpinned; s/^    int64_t deadline_ns;/    int64_t deadline_ns, more;/" 'differs from'
abi "$unpinned; s/MODEL_BUSY = 9/MODEL_BUSY = 99/" 'differs from'
abi 's/^#define MODEL_ABI_MINOR 3/#define MODEL_ABI_MINOR 99/' 'no tests/abi/model_abi-1.99.abi'

# ---- the bridge
bridge=plugins/coreml-ane/bridge
mkdir -p $bridge/declarations
printf 'void later(void) __attribute__((availability(macos, introduced = 14.0)));\n' >$bridge/declarations/later.h
plant bridge $bridge/x.m "'later' is only available on macOS 14.0" < <(
    printf '#include <later.h>\nvoid f(void);\nvoid f(void) { later(); }\n'
)
plant bridge $bridge/x.m 'no object defines coreml_predict()' < <(printf 'int x;\n')
plant bridge $bridge/x.m 'no object defines coreml_plan()' < <(
    printf 'int coreml_plan(void);\nint coreml_plan_x(void);\nint coreml_plan_x(void)\n{\n    return coreml_plan();\n}\n'
)
guard='int bridge_guard(void);\nint bridge_plan(void);\n'
plant bridge $bridge/x.m 'x.m:3: bridge_plan() calls' < <(
    printf '%bint bridge_plan(void)\n{\n    return 0;\n}\n' "$guard"
)
plant bridge $bridge/x.m 'x.m:3: bridge_guard() has no @autoreleasepool' < <(
    printf '%bint bridge_guard(void)\n{\n    @try {\n        return 0;\n    } @catch (...) {\n        return 1;\n    }\n}\n' "$guard"
)
plant bridge $bridge/x.m 'x.m:3: bridge_guard() has no @try' < <(
    printf '%bint bridge_guard(void)\n{\n    @autoreleasepool {\n        return 0;\n    }\n}\n' "$guard"
)
rm -r $bridge

# ---- scripts and manuals
plant shell scripts/x.sh 'not executable' < <(printf '#!/bin/sh\nset -eu\n')
plant shell scripts/x.sh "no 'set -u'" < <(printf '#!/bin/sh\ntrue\n')
plant shell scripts/x.sh 'want #!/bin/sh' < <(printf 'set -eu\n')
plant shell scripts/x.sh 'Syntax error' < <(printf '#!/bin/sh\nset -eu\nif true\n')
plant shell scripts/x.sh 'SC2164' < <(printf '#!/bin/sh\nset -u\ncd /tmp\nls\n')
plant manuals docs/man/x.1 'x.1' < <(printf '.Dd now\n.Xx\n')
mkdir -p packager/commands
printf '.Dd January 1, 2026\n.Dt PKGMGR 1\n.Os\n.Sh NAME\n.Nm pkgmgr\n.Nd test\n.Sh OPTIONS\n.Bl -tag -width x\n.It Fl -known\nx\n.El\n' \
    >docs/man/pkgmgr.1
plant manuals packager/commands/cmd_x.c '--unknown is not in docs/man/pkgmgr.1' < <(
    printf 'const char help[] =\n    "  --known   x\\n"\n    "  --unknown   x\\n";\n'
)
printf 'const char help[] =\n    "  --known   x\\n";\n' >packager/commands/cmd_y.c
page='.Dd January 1, 2026\n.Dt PKGMGR 1\n.Os\n.Sh NAME\n.Nm pkgmgr\n.Nd test\n.Sh DESCRIPTION\nx\n%b.Sh OPTIONS\n.Bl -tag -width x\n.It Fl %s\nx\n.El\n'
table='static const struct command commands[] = {\n    {"%s", cmd_y,\n "does it", help_y},\n};\n'
# shellcheck disable=SC2059
{
    printf "$table" get >packager/pkgmgr.c
    plant manuals docs/man/pkgmgr.1 'no help of packager/commands names --unknown' < <(printf "$page" '.Ss get\nx\n' -unknown)
    plant manuals docs/man/pkgmgr.1 "no section for the command 'get'" < <(printf "$page" '' -known)
    plant manuals docs/man/pkgmgr.1 "a section for 'put', which packager/pkgmgr.c does not have" < <(printf "$page" '.Ss get , put\nx\n' -known)
}
rm -rf docs/man/pkgmgr.1 packager/commands packager/pkgmgr.c

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
