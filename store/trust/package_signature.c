/* package_signature.c - see package_signature.h. */
#include "package_signature.h"
#include "buffer.h"
#include "errors.h"
#include "package.h"

#include <stdlib.h>
#include <string.h>

static const char *const state_names[] = {
    [SIGNATURE_NONE] = "none",
    [SIGNATURE_GOOD] = "good",
    [SIGNATURE_UNKNOWN_KEY] = "unknown_key",
    [SIGNATURE_REVOKED_KEY] = "revoked_key",
    [SIGNATURE_BAD] = "bad",
    [SIGNATURE_OTHER_PACKAGE] = "other_package",
    [SIGNATURE_CHANGED] = "manifest_changed",
};

const char *signature_state_name(enum signature_state state)
{
    return state_names[state];
}

char *package_signature_comment(const struct manifest *manifest, time_t now)
{
    return text_format("timestamp:%lld\tpackage:%s\trevision:%s", (long long)now, manifest->id,
                       manifest->revision);
}

/* The value of a field of a comment, in a copy; NULL: it has none (or there is no memory). */
static char *field_of(const char *comment, const char *name)
{
    const size_t n = strlen(name);
    for (const char *at = comment; at != NULL; at = strchr(at, '\t')) {
        at += *at == '\t';
        if (strncmp(at, name, n) == 0)
            return strndup(at + n, strcspn(at + n, "\t"));
    }
    return NULL;
}

/* Whether the comment names another package than this one. What says nothing of packages says nothing else. */
static bool is_of_another(const char *comment, const struct manifest *manifest, char **ret_name)
{
    char *id = field_of(comment, "package:"), *revision = field_of(comment, "revision:");
    const bool is_other = (id != NULL && strcmp(id, manifest->id) != 0) ||
                          (revision != NULL && strcmp(revision, manifest->revision) != 0);
    if (is_other)
        *ret_name =
            text_format("%.100s@%.40s", id != NULL ? id : "?", revision != NULL ? revision : "?");
    free(id);
    free(revision);
    return is_other;
}

/* ---- sentences */

static void say_none(const struct signed_manifest *manifest, struct signature_report *report)
{
    /* The name of a package in the store; what lies elsewhere might not be the package there that has its name. */
    char *id = package_id_of_folder(manifest->what);
    report->state = SIGNATURE_NONE;
    (void)error_set(&report->sentence, MODELHOST_UNTRUSTED,
                    "%s is not signed; get it signed from its author, or look through it and "
                    "sign it yourself: pkgmgr sign %s",
                    manifest->what, id != NULL ? id : manifest->what);
    free(id);
}

static void say_unknown(const struct signed_manifest *manifest, struct signature_report *report)
{
    report->state = SIGNATURE_UNKNOWN_KEY;
    (void)error_set(&report->sentence, MODELHOST_UNTRUSTED,
                    "%s is signed with the key %s, which is not trusted here; if its owner gave "
                    "you that key: pkgmgr keys trust FILE.pub",
                    manifest->what, report->key_id);
}

static void say_revoked(const struct signed_manifest *manifest, const struct trusted_key *key,
                        struct signature_report *report)
{
    report->state = SIGNATURE_REVOKED_KEY;
    (void)error_set(&report->sentence, MODELHOST_UNTRUSTED,
                    "%s is signed with the key %s (%.200s), which was revoked on %s%s%.200s; get "
                    "it signed anew with another key",
                    manifest->what, report->key_id, key->comment, key->revoked,
                    key->reason[0] != '\0' ? ": " : "", key->reason);
}

static void say_damaged(const struct signed_manifest *manifest, const struct trusted_key *key,
                        struct signature_report *report)
{
    report->state = SIGNATURE_BAD;
    (void)error_set(&report->sentence, MODELHOST_UNTRUSTED,
                    "%s: the signature is bad: the key %s (%.200s) has not made it so, it is "
                    "damaged or forged; get it again from who signed the package",
                    manifest->what, report->key_id, key->comment);
}

static void say_other(const struct signed_manifest *manifest, const char *name,
                      struct signature_report *report)
{
    report->state = SIGNATURE_OTHER_PACKAGE;
    (void)error_set(&report->sentence, MODELHOST_UNTRUSTED,
                    "%s has the signature of another package: it was made by the key %s for %s, "
                    "and this is %.100s@%.40s; get the signature of this one",
                    manifest->what, report->key_id, name, manifest->manifest->id,
                    manifest->manifest->revision);
}

static void say_changed(const struct signed_manifest *manifest, struct signature_report *report)
{
    report->state = SIGNATURE_CHANGED;
    (void)error_set(&report->sentence, MODELHOST_UNTRUSTED,
                    "%s: metadata.json was changed since the key %s signed it; get the package "
                    "again, or sign it anew if the change is yours",
                    manifest->what, report->key_id);
}

/* ---- judging */

static model_status judge_known(const struct signed_manifest *manifest,
                                const struct signature_file *file, const struct trusted_key *key,
                                struct signature_report *report, struct model_error *err)
{
    char *other = NULL;
    if ((report->signer = strdup(key->comment)) == NULL)
        return error_no_memory(err, "a signature");
    const enum signature_fit fit =
        signature_file_fit(file, &key->key, manifest->text, manifest->n_bytes);
    if (fit == SIGNATURE_DAMAGED)
        say_damaged(manifest, key, report);
    else if (key->revoked[0] != '\0')
        say_revoked(manifest, key, report);
    else if (is_of_another(file->trusted_comment, manifest->manifest, &other))
        say_other(manifest, other != NULL ? other : "another", report);
    else if (fit == SIGNATURE_OF_OTHER_BYTES)
        say_changed(manifest, report);
    else if ((report->trusted_comment = strdup(file->trusted_comment)) == NULL)
        return error_no_memory(err, "a signature");
    else
        report->state = SIGNATURE_GOOD;
    free(other);
    return MODEL_OK;
}

static model_status judge_file(const struct signed_manifest *manifest,
                               const struct signature_file *file, const struct trusted_keys *keys,
                               struct signature_report *report, struct model_error *err)
{
    const struct trusted_key *key = trusted_keys_find(keys, file->key_id);
    key_id_write(file->key_id, report->key_id);
    if (key != NULL)
        return judge_known(manifest, file, key, report, err);
    say_unknown(manifest, report);
    return MODEL_OK;
}

model_status package_signature_judge(const struct signed_manifest *manifest,
                                     const struct trusted_keys *keys, struct signature_report *ret,
                                     struct model_error *err)
{
    struct signature_report report = {.sentence = MODEL_ERROR_INIT};
    struct signature_file file = {.trusted_comment = NULL};
    model_status status = MODEL_OK;
    if (manifest->signature == NULL) {
        say_none(manifest, &report);
    } else {
        status = signature_file_parse(manifest->signature, manifest->signature_bytes,
                                      PACKAGE_SIGNATURE_NAME, &file, &report.sentence);
        report.state = SIGNATURE_BAD;
        if (status == MODEL_OK)
            status = judge_file(manifest, &file, keys, &report, err);
        else if (status == MODEL_OUT_OF_MEMORY)
            (void)error_no_memory(err, "a signature");
        else {
            error_prefix(&report.sentence, "%s", manifest->what);
            status = MODEL_OK;
        }
    }
    signature_file_finish(&file);
    if (status == MODEL_OK)
        *ret = report;
    else
        signature_report_finish(&report);
    return status;
}

char *signature_report_text(const struct signature_report *report)
{
    const char *signer = report->signer != NULL ? report->signer : "";
    if (report->state == SIGNATURE_NONE)
        return text_format("not signed");
    if (report->state == SIGNATURE_UNKNOWN_KEY)
        return text_format("signed with the key %s, which is not trusted here", report->key_id);
    if (report->state == SIGNATURE_GOOD)
        return text_format("signed with the key %s%s%.200s%s", report->key_id,
                           signer[0] != '\0' ? " (" : "", signer, signer[0] != '\0' ? ")" : "");
    return text_format("signed badly (%s)", signature_state_name(report->state));
}

void signature_report_finish(struct signature_report *report)
{
    free(report->signer);
    free(report->trusted_comment);
    report->signer = report->trusted_comment = NULL;
}

static model_status require_digest(const struct signed_manifest *manifest, const char *wanted,
                                   struct model_error *err)
{
    char found[SHA256_HEX_BYTES];
    model_status status = digest_bytes_sha256(manifest->text, manifest->n_bytes, found, err);
    if (status == MODEL_OK && strcmp(found, wanted) != 0)
        status = error_set(err, MODELHOST_UNTRUSTED,
                           "%s: metadata.json was replaced since its signature was verified; load "
                           "the model again",
                           manifest->what);
    return status;
}

model_status package_signature_require(const struct signed_manifest *manifest,
                                       const struct signature_policy *policy,
                                       struct model_error *err)
{
    struct signature_report report = {.signer = NULL};
    if (policy->keys == NULL)
        return require_digest(manifest, policy->manifest_sha256, err);
    model_status status = package_signature_judge(manifest, policy->keys, &report, err);
    if (status != MODEL_OK)
        return status;
    if (report.state != SIGNATURE_GOOD)
        status = error_set(err, MODELHOST_UNTRUSTED, "%s", report.sentence.message);
    signature_report_finish(&report);
    return status;
}
