/* locked_signer.c - see locked_signer.h. An id is eight bytes that anybody can give a key: with the public key the
 * signature itself is verified, whether or not the key is trusted here. */
#include "locked_signer.h"
#include "errors.h"
#include "package_trust.h"

#include <stdlib.h>
#include <string.h>

/* ---- locking */

model_status locked_signer_find(const char *dir, const struct trusted_keys *keys,
                                struct locked_signer *ret, struct model_error *err)
{
    struct signature_report report = {.signer = NULL};
    struct locked_signer signer = {.key_id = ""};
    uint8_t id[KEY_ID_BYTES];
    model_status status = package_judge_signature(dir, NULL, keys, &report, err);
    if (status != MODEL_OK)
        return status;
    const bool is_good = report.state == SIGNATURE_GOOD;
    if (!is_good && report.state != SIGNATURE_NONE && report.state != SIGNATURE_UNKNOWN_KEY)
        status = error_set(err, MODELHOST_UNTRUSTED, "%s", report.sentence.message);
    else if (report.state != SIGNATURE_NONE)
        memcpy(signer.key_id, report.key_id, sizeof signer.key_id);
    if (is_good && key_id_read(report.key_id, id))
        public_key_write(&trusted_keys_find(keys, id)->key, signer.public_key);
    signature_report_finish(&report);
    if (status == MODEL_OK)
        *ret = signer;
    return status;
}

bool locked_signer_print(json_node *package, const struct locked_signer *signer)
{
    if (signer->key_id[0] == '\0')
        return true;
    json_node *node = json_add_object(package, "signer");
    bool good = json_add_string(node, "key", signer->key_id) != NULL;
    if (signer->public_key[0] != '\0')
        good = json_add_string(node, "public_key", signer->public_key) != NULL && good;
    return good;
}

static model_status read_key(const char *text, const char *what, const uint8_t id[KEY_ID_BYTES],
                             struct locked_signer *signer, struct model_error *err)
{
    struct public_key key;
    model_status status = public_key_parse(text, strlen(text), what, &key, err);
    if (status != MODEL_OK)
        return MODEL_CORRUPT;
    if (memcmp(key.id, id, KEY_ID_BYTES) != 0)
        return error_set(err, MODEL_CORRUPT, "%s: the signer's public_key is not that of key %s",
                         what, signer->key_id);
    public_key_write(&key, signer->public_key);
    return MODEL_OK;
}

model_status locked_signer_parse(const json_node *node, const char *what, struct locked_signer *ret,
                                 struct model_error *err)
{
    struct locked_signer signer = {.key_id = ""};
    uint8_t id[KEY_ID_BYTES];
    const char *text = json_string_or(json_member(node, "key"), NULL);
    const json_node *public_key = json_member(node, "public_key");
    model_status status = MODEL_OK;
    if (node == NULL) {
        *ret = signer;
        return MODEL_OK;
    }
    if (text == NULL || !key_id_read(text, id))
        return error_set(err, MODEL_CORRUPT,
                         "%s: want a 'signer' with a 'key' of 16 hexadecimal digits", what);
    key_id_write(id, signer.key_id);
    if (public_key != NULL)
        status = read_key(json_string_or(public_key, ""), what, id, &signer, err);
    if (status == MODEL_OK)
        *ret = signer;
    return status;
}

/* ---- comparing */

/* Whether the very key made the signature over these bytes; only its id is asked where no more is known. */
static bool is_by(const struct locked_signer *signer, const struct signature_file *file,
                  const struct package_papers *papers)
{
    struct public_key key;
    char id[KEY_ID_TEXT_BYTES];
    key_id_write(file->key_id, id);
    if (strcmp(id, signer->key_id) != 0)
        return false;
    if (signer->public_key[0] == '\0')
        return true;
    return public_key_parse(signer->public_key, strlen(signer->public_key), "the lockfile", &key,
                            NULL) == MODEL_OK &&
           signature_file_fit(file, &key, papers->text, papers->n_bytes) == SIGNATURE_FITS;
}

static char *say_other(const struct locked_signer *signer, const struct signature_file *file,
                       const char *package)
{
    char id[KEY_ID_TEXT_BYTES];
    key_id_write(file->key_id, id);
    if (strcmp(id, signer->key_id) == 0)
        return text_format("%s has a signature that the key %s, which had signed it when it was "
                           "locked, has not made for it",
                           package, id);
    return text_format("%s is signed by the key %s, and was by the key %s when it was locked",
                       package, id, signer->key_id);
}

/* Takes what cannot be read for another's. */
static enum signer_state judge(const struct locked_signer *signer,
                               const struct package_papers *papers, const char *package,
                               char **ret_why)
{
    struct signature_file file = {.trusted_comment = NULL};
    enum signer_state state = SIGNER_OTHER;
    if (papers->signature == NULL) {
        *ret_why = text_format("%s is not signed, and was by the key %s when it was locked",
                               package, signer->key_id);
        return SIGNER_MISSING;
    }
    if (signature_file_parse(papers->signature, papers->signature_bytes, PACKAGE_SIGNATURE_NAME,
                             &file, NULL) != MODEL_OK)
        *ret_why = text_format("%s has a damaged signature, and had one of the key %s when it was "
                               "locked",
                               package, signer->key_id);
    else if (is_by(signer, &file, papers))
        state = SIGNER_SAME;
    else
        *ret_why = say_other(signer, &file, package);
    signature_file_finish(&file);
    return state;
}

model_status locked_signer_compare(const struct locked_signer *signer, const char *dir,
                                   const char *package, enum signer_state *ret, char **ret_why,
                                   struct model_error *err)
{
    struct package_papers papers = {0};
    char *why = NULL;
    if (signer->key_id[0] == '\0') {
        *ret = SIGNER_SAME;
        return MODEL_OK;
    }
    model_status status = package_papers_read(dir, NULL, &papers, err);
    if (status != MODEL_OK)
        return status;
    const enum signer_state state = judge(signer, &papers, package, &why);
    package_papers_finish(&papers);
    if (state != SIGNER_SAME && why == NULL)
        return error_no_memory(err, "comparing with a lockfile");
    *ret = state;
    *ret_why = why;
    return MODEL_OK;
}
