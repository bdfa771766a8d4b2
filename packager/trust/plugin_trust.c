/* plugin_trust.c - see plugin_trust.h. */
#include "plugin_trust.h"
#include "errors.h"
#include "files.h"
#include "signature_file.h"

#include <stdlib.h>

static model_status judge(const char *path, const struct buffer *bytes,
                          const struct signature_file *file, const struct trusted_keys *keys,
                          struct model_error *err)
{
    char id[KEY_ID_TEXT_BYTES];
    const struct trusted_key *key = trusted_keys_find(keys, file->key_id);
    key_id_write(file->key_id, id);
    if (key == NULL)
        return error_set(err, MODELHOST_UNTRUSTED,
                         "%s is signed with the key %s, which is not trusted here; if its owner "
                         "gave you that key: pkgmgr keys trust FILE.pub",
                         path, id);
    const enum signature_fit fit =
        signature_file_fit(file, &key->key, bytes->data != NULL ? bytes->data : "", bytes->size);
    if (fit == SIGNATURE_DAMAGED) /* before the key counts: anybody can write its id */
        return error_set(err, MODELHOST_UNTRUSTED,
                         "%s: its signature is bad: the key %s has not made it so; get both again",
                         path, id);
    if (key->revoked[0] != '\0')
        return error_set(
            err, MODELHOST_UNTRUSTED,
            "%s is signed with the key %s, which was revoked on %s; get it signed anew "
            "with another key",
            path, id, key->revoked);
    return fit == SIGNATURE_FITS
               ? MODEL_OK
               : error_set(err, MODELHOST_UNTRUSTED,
                           "%s was changed since the key %s signed it; get it again", path, id);
}

static model_status check(const char *path, const struct buffer *bytes,
                          const struct trusted_keys *keys, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(SIGNATURE_MAX_BYTES);
    struct signature_file file = {.trusted_comment = NULL};
    char *beside = text_format("%s" SIGNATURE_SUFFIX, path);
    if (beside == NULL)
        return error_no_memory(err, "a path");
    model_status status = file_read(beside, SIGNATURE_MAX_BYTES, &text, err);
    if (status == MODEL_NOT_FOUND)
        status = error_set(err, MODELHOST_UNTRUSTED,
                           "%s is not signed: there is no %s; its author makes one with "
                           "minisign -S -m PLUGIN.so",
                           path, beside);
    if (status == MODEL_OK)
        status =
            signature_file_parse(text.data != NULL ? text.data : "", text.size, beside, &file, err);
    if (status == MODEL_OK)
        status = judge(path, bytes, &file, keys, err);
    signature_file_finish(&file);
    buffer_finish(&text);
    free(beside);
    return status;
}

model_status plugin_trust_open(const char *path, const struct trusted_keys *keys,
                               struct memory_file *ret, struct model_error *err)
{
    struct buffer bytes = BUFFER_INIT(PLUGIN_MAX_BYTES);
    struct memory_file file = MEMORY_FILE_NONE;
    model_status status = file_read(path, PLUGIN_MAX_BYTES, &bytes, err);
    if (status == MODEL_OK)
        status = check(path, &bytes, keys, err);
    if (status == MODEL_OK)
        status = memory_file_create(path_base(path), &file, err);
    if (status == MODEL_OK)
        status = file_write_all(file.fd, path, bytes.data, bytes.size, err);
    if (status == MODEL_OK)
        status = memory_file_seal(&file, err);
    buffer_finish(&bytes);
    if (status == MODEL_OK)
        *ret = file;
    else
        memory_file_close(&file);
    return status;
}
