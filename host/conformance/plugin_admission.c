/* plugin_admission.c - see plugin_admission.h. */
#include "plugin_admission.h"
#include "conformance_report.h"
#include "quarantine.h"

#include <string.h>

/* In the largest of these units that it has two of; rounded up. */
static int64_t readable_time(int64_t seconds, const char **ret_unit)
{
    static const struct {
        int64_t seconds;
        const char *unit;
    } units[] = {{3600, "h"}, {60, "min"}, {1, "s"}};
    size_t i = 0;
    while (units[i].seconds > 1 && seconds < 2 * units[i].seconds)
        i++;
    *ret_unit = units[i].unit;
    return (seconds + units[i].seconds - 1) / units[i].seconds;
}

static model_status refuse_quarantined(const struct quarantine_entry *entry, const char *plugin,
                                       int64_t now_s, struct model_error *err)
{
    const char *unit = "";
    const int64_t left = readable_time(entry->expires_s - now_s, &unit);
    if (entry->expires_s == 0)
        return error_set(err, MODEL_UNSUPPORTED,
                         "%s is in quarantine: %s; to open it all the same: modelhost quarantine "
                         "clear %.12s",
                         plugin, entry->reason, entry->sha256);
    return error_set(err, MODEL_UNSUPPORTED,
                     "%s is in quarantine for %lld %s more: %s; to open it all the same: modelhost "
                     "quarantine clear %.12s",
                     plugin, (long long)left, unit, entry->reason, entry->sha256);
}

static model_status require_report(const char *store_dir, const char *plugin, const char *sha256,
                                   struct model_error *err)
{
    struct conformance_report report;
    char numbers[64];
    model_status status = conformance_report_load(store_dir, sha256, &report, err);
    if (status == MODEL_NOT_FOUND)
        return error_set(err, MODEL_UNSUPPORTED,
                         "%s has no conformance report, and the load policy is \"conformant\"; get "
                         "one: modelhost check-plugin %s --package PKG",
                         plugin, plugin);
    if (status != MODEL_OK)
        return status;
    if (report.abi_major != MODEL_ABI_MAJOR)
        return error_set(
            err, MODEL_UNSUPPORTED,
            "the conformance report of %s is for ABI %u; run modelhost check-plugin again", plugin,
            report.abi_major);
    if (conformance_report_is_conformant(&report))
        return MODEL_OK;
    const bool failed = conformance_report_list(&report, CHECK_FAILED, numbers, sizeof numbers) > 0;
    if (!failed)
        (void)conformance_report_list(&report, CHECK_SKIPPED, numbers, sizeof numbers);
    return error_set(
        err, MODEL_UNSUPPORTED,
        "%s %s check %s of its conformance run, and the load policy is \"conformant\"; "
        "see: modelhost check-plugin %s --package PKG",
        plugin, failed ? "failed" : "skipped", numbers, plugin);
}

bool plugin_admission_asks(const char *store_dir, int32_t policy)
{
    return policy != MODELHOST_LOAD_ANY || (store_dir != NULL && quarantine_is_used(store_dir));
}

model_status plugin_admission_check_digest(const char *store_dir, const char *plugin,
                                           const char *sha256, int32_t policy, int64_t now_s,
                                           struct model_error *err)
{
    struct quarantine_entry entry;
    if (!plugin_admission_asks(store_dir, policy))
        return MODEL_OK;
    if (store_dir == NULL)
        return error_set(err, MODEL_UNSUPPORTED,
                         "the load policy is \"conformant\", and there is no store with reports");
    model_status status = quarantine_find(store_dir, sha256, now_s, &entry, err);
    if (status == MODEL_OK)
        return refuse_quarantined(&entry, plugin, now_s, err);
    if (status != MODEL_NOT_FOUND)
        return status;
    return policy == MODELHOST_LOAD_ANY ? MODEL_OK : require_report(store_dir, plugin, sha256, err);
}

model_status plugin_admission_check(const char *store_dir, const char *plugin, int32_t policy,
                                    int64_t now_s, struct model_error *err)
{
    char sha256[SHA256_HEX_BYTES] = "";
    uint64_t size_bytes = 0;
    model_status status = MODEL_OK;
    if (plugin_admission_asks(store_dir, policy) && store_dir != NULL)
        status = digest_file_sha256(plugin, sha256, &size_bytes, err);
    return status == MODEL_OK
               ? plugin_admission_check_digest(store_dir, plugin, sha256, policy, now_s, err)
               : status;
}
