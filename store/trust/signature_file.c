/* signature_file.c - see signature_file.h. */
#include "signature_file.h"
#include "buffer.h"
#include "errors.h"

#include <stdlib.h>
#include <string.h>

#define UNTRUSTED_PREFIX "untrusted comment: "
#define TRUSTED_PREFIX   "trusted comment: "

struct signature_bytes {
    uint8_t algorithm[2];
    uint8_t key_id[KEY_ID_BYTES];
    uint8_t signature[ED25519_SIGNATURE_BYTES];
};

_Static_assert(sizeof(struct signature_bytes) == 74, "a signature in its file");

static const uint8_t plain_name[2] = {'E', 'd'}, prehashed_name[2] = {'E', 'D'};

/* ---- lines */

struct line {
    const char *text;
    size_t n_bytes;
};

/* Takes a line off the text; the last one may lack its end. False: there is none. */
static bool take_line(const char **text, const char *end, struct line *ret)
{
    if (*text == end)
        return false;
    const char *stop = memchr(*text, '\n', (size_t)(end - *text));
    *ret = (struct line){*text, (size_t)((stop != NULL ? stop : end) - *text)};
    if (ret->n_bytes > 0 && ret->text[ret->n_bytes - 1] == '\r')
        ret->n_bytes--;
    *text = stop != NULL ? stop + 1 : end;
    return true;
}

/* Leaves what follows a prefix. */
static bool take_comment(struct line *line, const char *prefix, size_t max_bytes)
{
    const size_t n = strlen(prefix);
    if (line->n_bytes < n || memcmp(line->text, prefix, n) != 0)
        return false;
    line->text += n;
    line->n_bytes -= n;
    return key_line_is_text(line->text, line->n_bytes, max_bytes);
}

static model_status refuse(const char *what, const char *line, struct model_error *err)
{
    return error_set(err, MODEL_CORRUPT,
                     "%s is no signature: %s; get it again from who signed the package", what,
                     line);
}

model_status signature_file_parse(const char *text, size_t size_bytes, const char *what,
                                  struct signature_file *ret, struct model_error *err)
{
    struct line lines[4];
    struct signature_bytes bytes;
    struct signature_file file;
    const char *at = text, *end = text + size_bytes;
    model_status status = signatures_check_compiled_in(err);
    if (status != MODEL_OK)
        return status;
    if (size_bytes > SIGNATURE_MAX_BYTES)
        return refuse(what, "it is too large", err);
    for (int i = 0; i < 4; i++)
        if (!take_line(&at, end, &lines[i]))
            return refuse(what, "it has less than four lines", err);
    if (at != end)
        return refuse(what, "it has more than four lines", err);
    if (!take_comment(&lines[0], UNTRUSTED_PREFIX, UNTRUSTED_COMMENT_MAX_BYTES))
        return refuse(what, "the first line is no untrusted comment", err);
    if (!base64_read(lines[1].text, lines[1].n_bytes, &bytes, sizeof bytes))
        return refuse(what, "the second line is not 74 bytes in base64", err);
    if (!take_comment(&lines[2], TRUSTED_PREFIX, TRUSTED_COMMENT_MAX_BYTES))
        return refuse(what, "the third line is no trusted comment", err);
    if (!base64_read(lines[3].text, lines[3].n_bytes, file.global_signature,
                     sizeof file.global_signature))
        return refuse(what, "the fourth line is not 64 bytes in base64", err);
    file.is_prehashed = memcmp(bytes.algorithm, prehashed_name, 2) == 0;
    if (!file.is_prehashed && memcmp(bytes.algorithm, plain_name, 2) != 0)
        return error_set(err, MODEL_UNSUPPORTED,
                         "%s: a signature of another algorithm than Ed25519; have it signed with "
                         "'pkgmgr sign' or minisign",
                         what);
    memcpy(file.key_id, bytes.key_id, sizeof file.key_id);
    memcpy(file.signature, bytes.signature, sizeof file.signature);
    file.trusted_comment = malloc(lines[2].n_bytes + 1); /* the text itself has no end */
    if (file.trusted_comment == NULL)
        return error_no_memory(err, "a signature");
    memcpy(file.trusted_comment, lines[2].text, lines[2].n_bytes);
    file.trusted_comment[lines[2].n_bytes] = '\0';
    *ret = file;
    return MODEL_OK;
}

void signature_file_finish(struct signature_file *file)
{
    free(file->trusted_comment);
    file->trusted_comment = NULL;
}

/* ---- verifying */

static bool fits_bytes(const struct signature_file *file, const struct public_key *key,
                       const void *data, size_t size_bytes)
{
    uint8_t digest[BLAKE2B_512_BYTES];
    if (!file->is_prehashed)
        return ed25519_verify(file->signature, data, size_bytes, key->key);
    return blake2b(data, size_bytes, digest, sizeof digest) &&
           ed25519_verify(file->signature, digest, sizeof digest, key->key);
}

/* What the global signature is over; to be freed. */
static uint8_t *join(const uint8_t signature[ED25519_SIGNATURE_BYTES], const char *comment,
                     size_t *ret_bytes)
{
    const size_t n_comment = strlen(comment);
    uint8_t *both = malloc(ED25519_SIGNATURE_BYTES + n_comment);
    if (both == NULL)
        return NULL;
    memcpy(both, signature, ED25519_SIGNATURE_BYTES);
    memcpy(both + ED25519_SIGNATURE_BYTES, comment, n_comment);
    *ret_bytes = ED25519_SIGNATURE_BYTES + n_comment;
    return both;
}

enum signature_fit signature_file_fit(const struct signature_file *file,
                                      const struct public_key *key, const void *data,
                                      size_t size_bytes)
{
    size_t n_both = 0;
    uint8_t *both = join(file->signature, file->trusted_comment, &n_both);
    const bool is_theirs = both != NULL && memcmp(file->key_id, key->id, KEY_ID_BYTES) == 0 &&
                           ed25519_verify(file->global_signature, both, n_both, key->key);
    free(both);
    if (!is_theirs)
        return SIGNATURE_DAMAGED;
    return fits_bytes(file, key, data, size_bytes) ? SIGNATURE_FITS : SIGNATURE_OF_OTHER_BYTES;
}

/* ---- signing */

static char *print(const struct signature_bytes *bytes,
                   const uint8_t global_signature[ED25519_SIGNATURE_BYTES],
                   const char *trusted_comment)
{
    char id[KEY_ID_TEXT_BYTES], first[BASE64_TEXT_BYTES(sizeof *bytes)];
    char second[BASE64_TEXT_BYTES(ED25519_SIGNATURE_BYTES)];
    key_id_write(bytes->key_id, id);
    base64_write(bytes, sizeof *bytes, first);
    base64_write(global_signature, ED25519_SIGNATURE_BYTES, second);
    return text_format(UNTRUSTED_PREFIX "signature of key %s\n%s\n" TRUSTED_PREFIX "%s\n%s\n", id,
                       first, trusted_comment, second);
}

model_status signature_file_make(const struct secret_key *key, const void *data, size_t size_bytes,
                                 bool is_prehashed, const char *trusted_comment, char **ret,
                                 struct model_error *err)
{
    struct signature_bytes bytes;
    struct public_key public;
    uint8_t digest[BLAKE2B_512_BYTES], global_signature[ED25519_SIGNATURE_BYTES];
    size_t n_both = 0;
    if (!key_comment_is_good(trusted_comment, strlen(trusted_comment), TRUSTED_COMMENT_MAX_BYTES))
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "the trusted comment is not one line of text of at most %u bytes",
                         TRUSTED_COMMENT_MAX_BYTES);
    if (is_prehashed && !blake2b(data, size_bytes, digest, sizeof digest))
        return error_no_memory(err, "a signature");
    secret_key_public(key, &public);
    memcpy(bytes.algorithm, is_prehashed ? prehashed_name : plain_name, 2);
    memcpy(bytes.key_id, public.id, sizeof bytes.key_id);
    model_status status =
        secret_key_sign(key, is_prehashed ? digest : data,
                        is_prehashed ? sizeof digest : size_bytes, bytes.signature, err);
    uint8_t *both = status == MODEL_OK ? join(bytes.signature, trusted_comment, &n_both) : NULL;
    if (both != NULL)
        status = secret_key_sign(key, both, n_both, global_signature, err);
    char *text = both != NULL && status == MODEL_OK
                     ? print(&bytes, global_signature, trusted_comment)
                     : NULL;
    free(both);
    if (status == MODEL_OK && text == NULL)
        status = error_no_memory(err, "a signature");
    if (status == MODEL_OK)
        *ret = text;
    return status;
}
