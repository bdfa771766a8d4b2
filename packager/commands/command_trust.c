/* command_trust.c - see command_trust.h. */
#include "command_trust.h"
#include "command_passphrase.h"
#include "environment.h"
#include "errors.h"
#include "package_trust.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

model_status command_key_store(struct key_store *ret, struct model_error *err)
{
    char *dir = NULL;
    model_status status = environment_config_dir(&dir, err);
    if (status == MODEL_OK)
        status = key_store_init(ret, dir, err);
    free(dir);
    return status;
}

model_status command_trusted_keys(struct trusted_keys *ret, struct model_error *err)
{
    struct key_store store = {0};
    model_status status = command_key_store(&store, err);
    if (status == MODEL_OK)
        status = trusted_keys_read(store.trusted_path, ret, err);
    key_store_finish(&store);
    return status;
}

model_status command_trust_init(struct command_trust *trust, bool is_required,
                                struct model_error *err)
{
    *trust = (struct command_trust){
        .is_required = is_required || environment_demand("MODELHOST_REQUIRE_SIGNATURE")};
    trust->policy.keys = &trust->keys;
    if (!trust->is_required)
        return MODEL_OK;
    model_status status = signatures_check_compiled_in(err);
    return status == MODEL_OK ? command_trusted_keys(&trust->keys, err) : status;
}

const struct signature_policy *command_trust_policy(const struct command_trust *trust)
{
    return trust->is_required ? &trust->policy : NULL;
}

void command_trust_finish(struct command_trust *trust)
{
    trusted_keys_finish(&trust->keys);
}

model_status command_trust_check(const struct command_trust *trust, const char *dir,
                                 const struct archive *archive, struct model_error *err)
{
    struct signature_report report = {.signer = NULL};
    if (!trust->is_required)
        return MODEL_OK;
    model_status status = package_judge_signature(dir, archive, &trust->keys, &report, err);
    if (status == MODEL_NOT_FOUND)
        return error_set(err, MODELHOST_UNTRUSTED,
                         "%s has no metadata.json, so nothing in it is signed; look through it and "
                         "sign it yourself: pkgmgr sign %s",
                         dir, dir);
    if (status != MODEL_OK)
        return status;
    if (report.state != SIGNATURE_GOOD)
        status = error_set(err, MODELHOST_UNTRUSTED, "%s", report.sentence.message);
    signature_report_finish(&report);
    return status;
}

/* ---- showing */

static void add_report(json_node *node, const struct signature_report *report)
{
    (void)json_add_string(node, "state", signature_state_name(report->state));
    if (report->key_id[0] != '\0')
        (void)json_add_string(node, "key", report->key_id);
    if (report->signer != NULL)
        (void)json_add_string(node, "signer", report->signer);
    if (report->trusted_comment != NULL)
        (void)json_add_string(node, "comment", report->trusted_comment);
    if (report->state != SIGNATURE_GOOD && report->state != SIGNATURE_NONE)
        (void)json_add_string(node, "error", report->sentence.message);
}

json_node *command_add_signature(json_node *object, const char *dir, const struct archive *archive)
{
    struct trusted_keys keys = {0};
    struct signature_report report = {.signer = NULL};
    struct model_error err = MODEL_ERROR_INIT;
    json_node *node = json_add_object(object, "signature");
    model_status status = command_trusted_keys(&keys, &err);
    const bool has_keys = status == MODEL_OK;
    if (has_keys)
        status = package_judge_signature(dir, archive, &keys, &report, &err);
    if (has_keys && status == MODEL_NOT_FOUND) /* an author's folder */
        (void)json_add_string(node, "state", signature_state_name(SIGNATURE_NONE));
    else if (status == MODEL_OK)
        add_report(node, &report);
    else {
        (void)json_add_string(node, "state",
                              has_keys && status == MODEL_CORRUPT
                                  ? signature_state_name(SIGNATURE_BAD)
                                  : "unchecked");
        (void)json_add_string(node, "error", err.message);
    }
    signature_report_finish(&report);
    trusted_keys_finish(&keys);
    return node;
}

char *command_signature_text(const json_node *signature)
{
    const char *state = json_string_or(json_member(signature, "state"), "?");
    const char *key = json_string_or(json_member(signature, "key"), "?");
    const char *signer = json_string_or(json_member(signature, "signer"), "");
    const char *error = json_string_or(json_member(signature, "error"), NULL);
    if (error != NULL)
        return text_format("%s: %s", state, error);
    if (strcmp(state, "good") != 0)
        return text_format("%s", state);
    return text_format("good, by %s%skey %s", signer, signer[0] != '\0' ? ", " : "", key);
}

/* ---- passwords */

/* A password ends at a NUL for all who read it: what stands behind one would be no part of it. */
static model_status end_text(char *text, size_t n_bytes, const char *from, struct model_error *err)
{
    const char *nul = memchr(text, '\0', n_bytes);
    if (nul != NULL)
        return error_set(
            err, MODEL_INVALID_ARGUMENT,
            "the password from %.400s has a NUL byte at offset %zu; want a line of text", from,
            (size_t)(nul - text));
    text[n_bytes] = '\0';
    return MODEL_OK;
}

static model_status read_first_line(const char *file, char *text, struct model_error *err)
{
    const bool is_stdin = strcmp(file, "-") == 0;
    const int fd = is_stdin ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
    size_t n = 0;
    ssize_t got = 0;
    if (fd < 0)
        return error_set_errno(err, errno, "cannot read the password in %s", file);
    while (n <= KEY_PASSWORD_MAX_BYTES && (got = read(fd, text + n, 1)) == 1 && text[n] != '\n')
        n++;
    if (!is_stdin)
        (void)close(fd);
    if (got < 0)
        return error_set_errno(err, errno, "cannot read the password in %s", file);
    if (n > KEY_PASSWORD_MAX_BYTES)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "the first line of %s is longer than %u bytes, the longest password", file,
                         KEY_PASSWORD_MAX_BYTES);
    return end_text(text, n - (n > 0 && text[n - 1] == '\r'), file, err);
}

/* terminal NULL: that of the process. */
static model_status ask(const char *terminal, const char *question, char *text,
                        struct model_error *err)
{
    size_t n = 0;
    model_status status =
        command_ask_passphrase(terminal, question, text, KEY_PASSWORD_MAX_BYTES, &n, err);
    if (status == MODEL_NOT_FOUND)
        status = error_set(err, MODELHOST_UNAUTHORIZED,
                           "there is no terminal to ask for the key's password; give it with "
                           "--password-file FILE ('-' is standard input)");
    return status == MODEL_OK ? end_text(text, n, "the terminal", err) : status;
}

static model_status ask_again(const char *terminal, const char *text, struct model_error *err)
{
    char *again = secret_allocate(KEY_PASSWORD_MAX_BYTES + 2);
    if (again == NULL)
        return error_no_memory(err, "a password");
    model_status status = ask(terminal, "The same again: ", again, err);
    if (status == MODEL_OK && strcmp(text, again) != 0)
        status =
            error_set(err, MODEL_INVALID_ARGUMENT, "the two passwords differ; nothing was written");
    secret_free(again);
    return status;
}

model_status command_password(const char *file, const char *question, bool is_new, char **ret,
                              struct model_error *err)
{
    const bool reads = file != NULL && !command_is_terminal(file);
    char *text = secret_allocate(KEY_PASSWORD_MAX_BYTES + 2);
    if (text == NULL)
        return error_no_memory(err, "a password");
    model_status status = reads ? read_first_line(file, text, err) : ask(file, question, text, err);
    if (status == MODEL_OK && is_new && !reads)
        status = ask_again(file, text, err);
    if (status == MODEL_OK && is_new && text[0] == '\0')
        status = error_set(err, MODEL_INVALID_ARGUMENT,
                           "the password is empty; a key without one is made with --no-password");
    if (status == MODEL_OK)
        *ret = text;
    else
        secret_free(text);
    return status;
}
