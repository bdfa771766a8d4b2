# Reads the names of the tree's headers from standard input, then every source. See layers.sh.
BEGIN {
    # Who may include whom: layer -> layers. "self" is the same folder.
    may["include"] = ""
    may["base"] = "base include"
    may["store"] = "store base include"
    may["packager"] = "packager store base include"
    may["host"] = "host store base include"
    may["kernels"] = "kernels"
    may["graph"] = "graph kernels"
    may["coreml-ane"] = "self"
    may["plugin"] = "self"
    may["examples"] = "self include"
    may["bindings"] = "self include"
    may["bench"] = "bench host store base include"
    may["tests"] = "tests host packager store base include kernels graph coreml-ane"
    may["fixture"] = "self" # tests/abi/plugin_*.c are plugins, too

    # Single headers beyond that: layer -> names.
    also["include"] = "model_abi.h modelhost_options.h"
    also["kernels"] = "model_abi.h"
    also["plugin"] = "model_abi.h model_extensions.h kernels.h"
    also["graph"] = "model_abi.h"
    also["coreml-ane"] = "model_abi.h model_extensions.h kernels.h graph.h graph_build.h graph_compose.h graph_services.h coreml_model.h coreml_weights.h coreml_constexpr.h coreml_cache.h coreml_bridge.h"
    also["fixture"] = "model_abi.h model_extensions.h"

    # Third parties: pattern of headers -> pattern of files -> where the fence stands.
    n_fences = 0
    fence("^curl/", "^packager/hub/hub_(http\\.c|easy\\.[ch])$", "packager/hub/hub_http.c and hub_easy.c")
    fence("cJSON\\.h$", "^base/json_view\\.c$", "base/json_view.c")
    fence("^openssl/(ssl|err)", "^base/http_tls\\.c$", "base/http_tls.c")
    fence("^openssl/evp", "^base/digest\\.c$", "base/digest.c")
    fence("^dlfcn\\.h$", "^host/[a-z0-9_]*\\.c$|^tests/", "host/openmp.c and one other file of host/ (and tests/)")
    fence("dnnl|^oneapi/", "^plugins/kernels/[a-z0-9_]*_onednn\\.[ch]$", "plugins/kernels/*_onednn.c")
    fence("^pcre2\\.h$", "^host/tokenizers/pattern\\.c$", "host/tokenizers/pattern.c")
    fence("^utf8proc\\.h$", "^host/tokenizers/", "host/tokenizers/")
    fence("^png\\.h$", "^host/images/image_png\\.c$|^examples/[a-z0-9_]*\\.c$",
          "host/images/image_png.c")
    fence("^(jpeglib|jerror)\\.h$", "^host/images/image_jpeg\\.c$", "host/images/image_jpeg.c")
    fence("^seccomp\\.h$", "^host/workers/worker_seccomp\\.c$", "host/workers/worker_seccomp.c")
    fence("^hiredis", "^host/results/redis_store\\.c$", "host/results/redis_store.c")
    fence("^zstd(_errors)?\\.h$", "^store/archive/archive_zstd\\.c$", "store/archive/archive_zstd.c")
    fence("^sodium\\.h$", "^store/trust/", "store/trust/")
    fence("^xxh", "^host/prepared/prepared_hash\\.c$", "host/prepared/prepared_hash.c")
    fence("^protobuf-c/|\\.pb-c\\.h$", "^store/coreml/", "store/coreml/")
    fence("^uv\\.h$", "^host/|^base/http_|^packager/|^tests/|^bench/|^examples/",
          "host/, base/http_*, packager/")
    fence("^omp\\.h$", "^plugins/kernels/[a-z0-9_]*_onednn\\.[ch]$|^tests/|^bench/",
          "plugins/kernels/*_onednn.c, as oneDNN runs on it; the host opens it in host/openmp.c")
    fence("^cmocka\\.h$", "^tests/", "tests/")

    # The C library and the system. Any other <header> needs a fence above.
    system_headers = "assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp " \
        "signal stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string " \
        "strings tgmath threads time uchar wchar wctype dirent fcntl fnmatch getopt glob grp langinfo libgen " \
        "netdb poll pthread pwd regex sched search semaphore spawn syslog termios ucontext unistd elf link " \
        "endian execinfo features cpuid immintrin arm_neon malloc"
    n = split(system_headers, word, " ")
    for (i = 1; i <= n; i++)
        is_system[word[i] ".h"] = 1
    freestanding["stddef.h"] = freestanding["stdint.h"] = 1
}
function fence(headers, files, where) {
    n_fences++
    fence_headers[n_fences] = headers
    fence_files[n_fences] = files
    fence_where[n_fences] = where
}
function base_name(path) {
    sub(/.*\//, "", path)
    return path
}
function folder(path) {
    if (!sub(/\/[^\/]*$/, "", path))
        return "."
    return path
}
function layer(path) {
    if (path ~ /^plugins\/kernels\//)
        return "kernels"
    if (path ~ /^plugins\/graph\//)
        return "graph"
    if (path ~ /^plugins\/coreml-ane\//)
        return "coreml-ane" # the one plugin that reads files of its own
    if (path ~ /^plugins\// || path ~ /^examples\/.*\//)
        return "plugin" # a folder of examples/ is a plugin that a stranger wrote
    if (path ~ /^tests\/abi\/plugin_/)
        return "fixture"
    sub(/\/.*/, "", path)
    return path
}
function has(list, word) {
    return index(" " list " ", " " word " ") > 0
}
function quoted(name,    from, to) {
    from = layer(FILENAME)
    if (name ~ /\//)
        return found("include \"" name "\" by its file name alone; the folders decide what is visible")
    if (!(name in home))
        return found("no header \"" name "\" in the tree; third-party headers are included as <" name ">")
    if (!(from in may))
        return 0
    to = layer(home[name])
    if (has(may[from], to) || has(also[from], name) ||
        (has(may[from], "self") && folder(home[name]) == folder(FILENAME)))
        return 0
    found(from "/ may not include \"" name "\" of " folder(home[name]) "/ (" \
          (may[from] also[from] == "" ? "it includes nothing" : \
           "it sees: " may[from] (may[from] != "" && also[from] != "" ? " " : "") also[from]) ")")
}
function angled(name,    i) {
    if (name in home && layer(FILENAME) ~ /^(examples|bindings)$/ && layer(home[name]) == "include")
        return 0 # as after an installation
    if (name in home)
        return found("<" name "> is ours: include it with quotes")
    if (layer(FILENAME) == "include" && !(name in freestanding))
        return found("include/ may include <stddef.h> and <stdint.h> only, not <" name ">")
    for (i = 1; i <= n_fences; i++)
        if (name ~ fence_headers[i]) {
            if (FILENAME !~ fence_files[i])
                found("<" name "> belongs to " fence_where[i] " alone")
            else if (name == "dlfcn.h" && FILENAME ~ /^host\// && FILENAME != "host/openmp.c") {
                if (dl_file != "" && dl_file != FILENAME)
                    found("<dlfcn.h> is in " dl_file " already: one file opens plugins")
                dl_file = FILENAME
            }
            return
        }
    if (!(name in is_system) && name !~ /^(sys|linux|asm|arpa|net|netinet|mach|mach-o)\//)
        found("<" name "> has no fence: give the library one place, in scripts/checks/layers.awk")
}
FILENAME == "-" || FILENAME == "" {
    home[base_name($0)] = $0
    next
}
{
    text = code()
}
text ~ /^[ \t]*#[ \t]*include/ {
    name = $0
    if (match(name, /"[^"]*"/))
        quoted(substr(name, RSTART + 1, RLENGTH - 2))
    else if (match(name, /<[^>]*>/))
        angled(substr(name, RSTART + 1, RLENGTH - 2))
}
text ~ /^[ \t]*#[ \t]*pragma[ \t]+omp/ {
    found("#pragma omp: use parallel_for of the services, or parallel_run() in the host")
}
