/* conformance_report.c - see conformance_report.h. */
#include "conformance_report.h"
#include "files.h"
#include "json_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_REPORT_BYTES  ((size_t)64 << 10)
#define MAX_REPORT_VALUES 200

bool is_sha256(const char *text)
{
    return strlen(text) == SHA256_HEX_BYTES - 1 &&
           strspn(text, "0123456789abcdef") == SHA256_HEX_BYTES - 1;
}

bool conformance_report_is_conformant(const struct conformance_report *report)
{
    for (size_t i = 0; i < CHECK_COUNT; i++)
        if (!report->checks[i].has_run || report->checks[i].verdict != CHECK_PASSED)
            return false;
    return true;
}

size_t conformance_report_list(const struct conformance_report *report, enum check_verdict verdict,
                               char *text, size_t text_bytes)
{
    size_t n = 0, used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < CHECK_COUNT; i++) {
        if (!report->checks[i].has_run || report->checks[i].verdict != verdict)
            continue;
        const int length =
            snprintf(text + used, text_bytes - used, "%s%zu", n > 0 ? ", " : "", i + 1);
        used += length > 0 && (size_t)length < text_bytes - used ? (size_t)length : 0;
        n++;
    }
    return n;
}

char *conformance_report_print(const struct conformance_report *report)
{
    char abi[16];
    json_node *root = json_new_object();
    (void)snprintf(abi, sizeof abi, "%u.%u", report->abi_major, report->abi_minor);
    (void)json_add_number(root, "format_version", CONFORMANCE_REPORT_FORMAT_VERSION);
    (void)json_add_string(root, "sha256", report->sha256);
    (void)json_add_string(root, "plugin", report->plugin);
    (void)json_add_string(root, "plugin_version", report->plugin_version);
    (void)json_add_string(root, "abi", abi);
    (void)json_add_string(root, "host_version", report->host_version);
    (void)json_add_number(root, "created_s", (double)report->created_s);
    (void)json_add_bool(root, "conformant", conformance_report_is_conformant(report));
    json_node *checks = json_add_array(root, "checks");
    for (size_t i = 0; i < CHECK_COUNT; i++) {
        const struct conformance_result *result = &report->checks[i];
        if (!result->has_run)
            continue;
        json_node *check = json_add_object(checks, NULL);
        (void)json_add_number(check, "number", (double)i + 1);
        (void)json_add_string(check, "name", check_list[i].name);
        (void)json_add_string(check, "verdict", check_verdict_name(result->verdict));
        (void)json_add_number(check, "time_ms", (double)result->time_ms);
        (void)json_add_string(check, "reason", result->reason);
    }
    char *text = json_print(root, true);
    json_free(root);
    return text;
}

/* A string member that fits; false: it is absent, no string, or too long. */
static bool take_string(const json_node *object, const char *key, char *ret, size_t ret_bytes)
{
    const char *text = json_string_or(json_member(object, key), NULL);
    if (text == NULL || strlen(text) >= ret_bytes)
        return false;
    memcpy(ret, text, strlen(text) + 1);
    return true;
}

static bool take_abi(const json_node *root, struct conformance_report *ret)
{
    char text[16], *end = text;
    if (!take_string(root, "abi", text, sizeof text) || text[0] < '0' || text[0] > '9')
        return false;
    const unsigned long major = strtoul(text, &end, 10);
    if (*end != '.' || end[1] < '0' || end[1] > '9')
        return false;
    const unsigned long minor = strtoul(end + 1, &end, 10);
    ret->abi_major = (uint16_t)major;
    ret->abi_minor = (uint16_t)minor;
    return *end == '\0' && major <= UINT16_MAX && minor <= UINT16_MAX;
}

static bool take_check(const json_node *node, struct conformance_report *ret)
{
    int64_t number = 0;
    if (!json_integer(json_member(node, "number"), 1, CHECK_COUNT, &number))
        return false;
    struct conformance_result *result = &ret->checks[number - 1];
    const int verdict = check_verdict_of(json_string_or(json_member(node, "verdict"), ""));
    if (result->has_run || verdict < 0 ||
        !json_integer(json_member(node, "time_ms"), 0, (int64_t)1 << 40, &result->time_ms) ||
        !take_string(node, "reason", result->reason, sizeof result->reason))
        return false;
    result->has_run = true;
    result->verdict = (enum check_verdict)verdict;
    return true;
}

static bool take_fields(const json_node *root, struct conformance_report *ret)
{
    int64_t version = 0;
    if (!json_integer(json_member(root, "format_version"), CONFORMANCE_REPORT_FORMAT_VERSION,
                      CONFORMANCE_REPORT_FORMAT_VERSION, &version) ||
        !take_string(root, "sha256", ret->sha256, sizeof ret->sha256) || !is_sha256(ret->sha256) ||
        !take_string(root, "plugin", ret->plugin, sizeof ret->plugin) ||
        !take_string(root, "plugin_version", ret->plugin_version, sizeof ret->plugin_version) ||
        !take_string(root, "host_version", ret->host_version, sizeof ret->host_version) ||
        !take_abi(root, ret) ||
        !json_integer(json_member(root, "created_s"), 0, (int64_t)1 << 40, &ret->created_s) ||
        !json_is_array(json_member(root, "checks")))
        return false;
    for (const json_node *check = json_first(json_member(root, "checks")); check != NULL;
         check = json_next(check))
        if (!take_check(check, ret))
            return false;
    /* The reader's own count, not the file's word; a file that says another thing is broken. */
    const json_node *said = json_member(root, "conformant");
    return json_is_bool(said) && json_bool_or(said, false) == conformance_report_is_conformant(ret);
}

model_status conformance_report_parse(const char *text, size_t size_bytes, const char *what,
                                      struct conformance_report *ret, struct model_error *err)
{
    json_node *root = NULL;
    struct conformance_report report = {.created_s = 0};
    model_status status = json_parse_limited(text, size_bytes, MAX_REPORT_VALUES, what, &root, err);
    if (status == MODEL_OK && !take_fields(root, &report))
        status =
            error_set(err, MODEL_CORRUPT,
                      "%s is no conformance report of format %d; run modelhost check-plugin again",
                      what, CONFORMANCE_REPORT_FORMAT_VERSION);
    json_free(root);
    if (status == MODEL_OK)
        *ret = report;
    return status;
}

static char *report_path(const char *store_dir, const char *sha256)
{
    return text_format("%s/conformance/%s.json", store_dir, sha256);
}

model_status conformance_report_save(const char *store_dir, const struct conformance_report *report,
                                     char **ret_path, struct model_error *err)
{
    char *dir = path_join(store_dir, "conformance");
    char *path = report_path(store_dir, report->sha256);
    char *text = conformance_report_print(report);
    model_status status = dir == NULL || path == NULL || text == NULL
                              ? error_no_memory(err, "a report")
                              : dir_make_all(dir, err);
    if (status == MODEL_OK)
        status = file_write_atomic(path, text, strlen(text), err);
    if (status == MODEL_OK && ret_path != NULL) {
        *ret_path = path;
        path = NULL;
    }
    free(dir);
    free(path);
    free(text);
    return status;
}

model_status conformance_report_load(const char *store_dir, const char *sha256,
                                     struct conformance_report *ret, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(MAX_REPORT_BYTES);
    struct conformance_report report;
    char *path = report_path(store_dir, sha256);
    model_status status = path != NULL ? file_read(path, MAX_REPORT_BYTES, &text, err)
                                       : error_no_memory(err, "a path");
    if (status == MODEL_OK)
        status = conformance_report_parse(text.data != NULL ? text.data : "", text.size, path,
                                          &report, err);
    if (status == MODEL_OK && strcmp(report.sha256, sha256) != 0)
        status = error_set(err, MODEL_CORRUPT, "%s is the report of another plugin, %.12s...", path,
                           report.sha256);
    if (status == MODEL_OK)
        *ret = report;
    buffer_finish(&text);
    free(path);
    return status;
}
