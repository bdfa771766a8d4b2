/* cmd_env.c - `pkgmgr env`: what this installation is made of and goes by, for reports of trouble. Secrets are
 * said to be there, and nothing else of them. */
#include "archive_zstd.h"
#include "cipher_primitives.h"
#include "commands.h"
#include "digest.h"
#include "environment.h"
#include "errors.h"
#include "files.h"
#include "hub_cache.h"
#include "hub_environment.h"
#include "hub_http.h"
#include "hub_url.h"
#include "model_abi.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <uv.h>

const char help_env[] =
    "usage: pkgmgr env [OPTION]...\n\n"
    "Prints what this installation is made of and goes by: versions, the store, the hub, whether there\n"
    "is a token (never the token), caches, proxies, certificates, the plugin path, this computer. For\n"
    "reports of trouble.\n\n"
    "  --store DIR    where packages live (default: MODELHOST_STORE, or ~/.cache/modelhost)\n"
    "  --json         print it as a JSON object\n";

#define MAX_TEXT_BYTES     ((size_t)1 << 20)
#define MAX_CPU_FILE_BYTES ((size_t)16 << 20)

/* A value, or null. */
static void add(json_node *object, const char *key, const char *value)
{
    if (value != NULL)
        (void)json_add_string(object, key, value);
    else
        (void)json_add_null(object, key);
}

/* An address without the name and password that it may hold. */
static void add_address(json_node *object, const char *key, const char *value)
{
    char shown[HUB_MASKED_BYTES];
    add(object, key, value != NULL ? hub_url_mask(value, shown) : NULL);
}

static void add_versions(json_node *root)
{
    char abi[24];
    (void)snprintf(abi, sizeof abi, "%d.%d", MODEL_ABI_MAJOR, MODEL_ABI_MINOR);
    add(root, "version", MODELHOST_VERSION);
    add(root, "abi", abi);
    json_node *libraries = json_add_object(root, "libraries");
    add(libraries, "curl", hub_http_version());
    add(libraries, "openssl", digest_library_version());
    add(libraries, "zstd", archive_zstd_version());
    add(libraries, "cjson", json_library_version());
    add(libraries, "libuv", uv_version_string());
    add(libraries, "libsodium", cipher_library_version());
}

/* Where a token comes from, not what it is. */
static void add_token(json_node *root, struct hub_environment *environment)
{
    struct model_error err = MODEL_ERROR_INIT;
    const model_status status = hub_environment_read_token(environment, &err);
    if (status != MODEL_OK)
        add(root, "token", err.message);
    else if (environment->token == NULL)
        add(root, "token", NULL);
    else
        add(root, "token",
            environment_value("HF_TOKEN") != NULL ? "**** (HF_TOKEN)" : "**** (token file)");
}

static void add_network(json_node *root, const struct hub_environment *environment)
{
    static const char *const proxies[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                          "ALL_PROXY",  "no_proxy",    "NO_PROXY"};
    char *endpoint = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    if (hub_endpoint_normalize(environment->endpoint, &endpoint, &err) == MODEL_OK)
        add_address(root, "endpoint", endpoint);
    else
        add_address(root, "endpoint", environment->endpoint);
    free(endpoint);
    (void)json_add_bool(root, "offline", environment->offline);
    json_node *object = json_add_object(root, "proxies");
    for (size_t i = 0; i < sizeof proxies / sizeof proxies[0]; i++)
        if (environment_value(proxies[i]) != NULL)
            add_address(object, proxies[i], environment_value(proxies[i]));
    add(root, "certificates", environment->ca_file);
}

/* The first "model name" that Linux tells. */
static void add_cpu(json_node *computer)
{
    struct buffer text = BUFFER_INIT(MAX_CPU_FILE_BYTES);
    if (file_read("/proc/cpuinfo", MAX_CPU_FILE_BYTES, &text, NULL) == MODEL_OK &&
        text.data != NULL) {
        const char *line = strstr(text.data, "model name");
        const char *value = line != NULL ? strchr(line, ':') : NULL;
        if (value != NULL) {
            value += 1 + strspn(value + 1, " ");
            (void)json_add_text(computer, "cpu", value, strcspn(value, "\n"));
        }
    }
    buffer_finish(&text);
}

static void add_computer(json_node *root)
{
    struct utsname name;
    json_node *computer = json_add_object(root, "computer");
    if (uname(&name) == 0) {
        add(computer, "system", name.sysname);
        add(computer, "release", name.release);
        add(computer, "machine", name.machine);
    }
    add_cpu(computer);
    (void)json_add_number(computer, "cpus", (double)sysconf(_SC_NPROCESSORS_ONLN));
}

static model_status collect(json_node *root, const char *store_dir, struct model_error *err)
{
    struct hub_environment environment = {0};
    char *cache_dir = NULL, *modelhost = NULL;
    model_status status = hub_environment_read(&environment, err);
    if (status == MODEL_OK)
        status = hub_cache_dir(&cache_dir, err);
    if (status == MODEL_OK)
        status = environment_worker_path(&modelhost, err);
    if (status == MODEL_OK) {
        add_versions(root);
        add(root, "store", store_dir != NULL ? store_dir : environment.store_dir);
        add(root, "hub_cache", cache_dir);
        add_network(root, &environment);
        add_token(root, &environment);
        add(root, "plugin_path", environment.plugin_path);
        add(root, "modelhost", modelhost);
        add(root, "config_file", NULL); /* modelhost reads one only when --config names it */
        add_computer(root);
    }
    free(cache_dir);
    free(modelhost);
    hub_environment_finish(&environment);
    return status;
}

/* ---- for people */

static void add_lines(const json_node *object, const char *prefix, struct buffer *text)
{
    for (const json_node *item = json_first(object); item != NULL; item = json_next(item)) {
        const char *key = json_key(item);
        char label[80];
        (void)snprintf(label, sizeof label, "%s%s", prefix, key);
        if (json_is_object(item))
            add_lines(item, strcmp(key, "computer") == 0 ? "" : "  ", text);
        else if (json_is_number(item))
            (void)buffer_printf(text, "%-16s %.0f\n", label, json_number_or(item, 0));
        else if (json_is_bool(item))
            (void)buffer_printf(text, "%-16s %s\n", label,
                                json_bool_or(item, false) ? "yes" : "no");
        else
            (void)buffer_printf(text, "%-16s %s\n", label, json_string_or(item, "-"));
    }
}

int cmd_env(int argc, char **argv)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct command_showing showing = {.json = false};
    if (!command_read_showing(argc, argv, &showing))
        return COMMAND_USAGE;
    if (optind < argc)
        return command_usage("env", "takes no argument, got '%s'", argv[optind]);
    json_node *root = json_new_object();
    struct buffer text = BUFFER_INIT(MAX_TEXT_BYTES);
    model_status status = collect(root, showing.store_dir, &err);
    if (status == MODEL_OK && showing.json) {
        status = command_print_json(root, &err);
    } else if (status == MODEL_OK) {
        add_lines(root, "", &text);
        status = command_print_text(&text, &err);
    }
    buffer_finish(&text);
    json_free(root);
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}
