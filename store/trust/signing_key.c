/* signing_key.c - see signing_key.h. What is secret stays in memory of secret_allocate(), but for the text of a
 * key's file. */
#include "signing_key.h"
#include "buffer.h"
#include "errors.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

#define MIN_ID_DIGITS  13 /* minisign leaves zeros out; fewer may be a name */
#define COMMENT_PREFIX "untrusted comment: "
#define SECRET_COMMENT "minisign encrypted secret key" /* as minisign says in any case */

/* As they lie in their files. */
struct public_bytes {
    uint8_t algorithm[2];
    struct public_key key;
};

struct secret_part { /* what a password hides */
    uint8_t id[KEY_ID_BYTES];
    uint8_t key[ED25519_SECRET_BYTES];
    uint8_t checksum[BLAKE2B_256_BYTES];
};

struct secret_bytes {
    uint8_t algorithm[2], derivation[2], checksum_algorithm[2];
    uint8_t salt[SCRYPT_SALT_BYTES];
    uint8_t operations[8], memory[8];
    struct secret_part part;
};

_Static_assert(sizeof(struct public_bytes) == 42, "a public key in its file");
_Static_assert(sizeof(struct secret_bytes) == 158, "a secret key in its file");

struct secret_key {
    uint8_t id[KEY_ID_BYTES];
    uint8_t key[ED25519_SECRET_BYTES];
};

static const uint8_t ed25519_name[2] = {'E', 'd'}, scrypt_name[2] = {'S', 'c'};
static const uint8_t blake2b_name[2] = {'B', '2'}, no_name[2];

static bool is_name(const uint8_t name[2], const uint8_t wanted[2])
{
    return memcmp(name, wanted, 2) == 0;
}

static void put_u64(uint8_t bytes[8], uint64_t value)
{
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get_u64(const uint8_t bytes[8])
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

/* ---- ids, comments, lines */

void key_id_write(const uint8_t id[KEY_ID_BYTES], char ret_text[KEY_ID_TEXT_BYTES])
{
    static const char digits[] = "0123456789ABCDEF";
    for (int i = 0; i < KEY_ID_BYTES; i++) { /* a little-endian number */
        *ret_text++ = digits[id[KEY_ID_BYTES - 1 - i] >> 4];
        *ret_text++ = digits[id[KEY_ID_BYTES - 1 - i] & 15];
    }
    *ret_text = '\0';
}

bool key_id_read(const char *text, uint8_t ret_id[KEY_ID_BYTES])
{
    char digits[KEY_ID_TEXT_BYTES] = "0000000000000000";
    const size_t n = strlen(text);
    if (n < MIN_ID_DIGITS || n > sizeof digits - 1 || strspn(text, "0123456789abcdefABCDEF") != n)
        return false;
    memcpy(digits + sizeof digits - 1 - n, text, n);
    for (int i = 0; i < KEY_ID_BYTES; i++) {
        const char pair[3] = {digits[2 * i], digits[2 * i + 1], '\0'};
        ret_id[KEY_ID_BYTES - 1 - i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return true;
}

bool key_comment_is_good(const char *text, size_t size_bytes, size_t max_bytes)
{
    for (size_t i = 0; i < size_bytes; i++)
        if (text[i] != '\t' && utf8_control_bytes(text + i, size_bytes - i) > 0)
            return false;
    return key_line_is_text(text, size_bytes, max_bytes);
}

bool key_line_is_text(const char *text, size_t size_bytes, size_t max_bytes)
{
    for (size_t i = 0; i < size_bytes; i++)
        if (((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7F)
            return false;
    return size_bytes <= max_bytes && utf8_valid_prefix(text, size_bytes) == size_bytes;
}

/* The line of base64 in a file of a key: behind a comment, or alone. Nothing may follow it. */
static model_status find_key_line(const char *text, size_t size_bytes, const char *what,
                                  const char **ret, size_t *ret_bytes, struct model_error *err)
{
    static const char prefix[] = COMMENT_PREFIX;
    const size_t n_prefix = sizeof prefix - 1;
    const char *end = text + size_bytes;
    if (size_bytes > KEY_FILE_MAX_BYTES)
        return error_set(err, MODEL_CORRUPT,
                         "%s: %zu bytes, a key has at most %u; is it another file?", what,
                         size_bytes, KEY_FILE_MAX_BYTES);
    if (size_bytes >= n_prefix && memcmp(text, prefix, n_prefix) == 0) {
        const char *line = memchr(text, '\n', size_bytes);
        if (line == NULL || !key_line_is_text(text, (size_t)(line - text) - (line[-1] == '\r'),
                                              KEY_COMMENT_MAX_BYTES + n_prefix))
            return error_set(err, MODEL_CORRUPT,
                             "%s: the comment of the key is no line of text, or no key follows it; "
                             "get the file again from the key's owner",
                             what);
        text = line + 1;
    }
    while (end > text && (end[-1] == '\n' || end[-1] == '\r' || end[-1] == ' '))
        end--;
    *ret = text;
    *ret_bytes = (size_t)(end - text);
    return MODEL_OK;
}

/* ---- public keys */

model_status public_key_parse(const char *text, size_t size_bytes, const char *what,
                              struct public_key *ret, struct model_error *err)
{
    struct public_bytes bytes;
    const char *line = NULL;
    size_t n_line = 0;
    model_status status = signatures_check_compiled_in(err);
    if (status == MODEL_OK)
        status = find_key_line(text, size_bytes, what, &line, &n_line, err);
    if (status != MODEL_OK)
        return status;
    if (!base64_read(line, n_line, &bytes, sizeof bytes))
        return error_set(err, MODEL_CORRUPT,
                         "%s is no public key: want %zu bytes in base64, as in the file.pub of "
                         "'pkgmgr keys show' or of minisign",
                         what, sizeof bytes);
    if (!is_name(bytes.algorithm, ed25519_name))
        return error_set(err, MODEL_UNSUPPORTED,
                         "%s: a key of another algorithm than Ed25519; make one with 'pkgmgr keys "
                         "new' or minisign",
                         what);
    *ret = bytes.key;
    return MODEL_OK;
}

void public_key_write(const struct public_key *key, char ret_text[PUBLIC_KEY_TEXT_BYTES])
{
    struct public_bytes bytes = {.key = *key};
    memcpy(bytes.algorithm, ed25519_name, sizeof ed25519_name);
    base64_write(&bytes, sizeof bytes, ret_text);
}

char *public_key_print(const struct public_key *key, const char *comment)
{
    char id[KEY_ID_TEXT_BYTES], line[PUBLIC_KEY_TEXT_BYTES];
    key_id_write(key->id, id);
    public_key_write(key, line);
    return comment != NULL ? text_format(COMMENT_PREFIX "%s\n%s\n", comment, line)
                           : text_format(COMMENT_PREFIX "minisign public key %s\n%s\n", id, line);
}

bool public_key_fingerprint(const struct public_key *key, char ret_text[KEY_FINGERPRINT_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[BLAKE2B_256_BYTES];
    if (!blake2b(key, sizeof *key, digest, sizeof digest))
        return false;
    for (size_t i = 0; i < sizeof digest; i++) {
        *ret_text++ = digits[digest[i] >> 4];
        *ret_text++ = digits[digest[i] & 15];
    }
    *ret_text = '\0';
    return true;
}

/* ---- secret keys */

model_status secret_key_create(struct secret_key **ret, struct model_error *err)
{
    uint8_t public[ED25519_PUBLIC_BYTES];
    model_status status = signatures_check_compiled_in(err);
    if (status != MODEL_OK)
        return status;
    struct secret_key *key = secret_allocate(sizeof *key);
    if (key == NULL || !random_fill(key->id, sizeof key->id) || !ed25519_create(public, key->key)) {
        secret_free(key);
        return error_no_memory(err, "a secret key");
    }
    *ret = key;
    return MODEL_OK;
}

void secret_key_destroy(struct secret_key *key)
{
    secret_free(key);
}

void secret_key_public(const struct secret_key *key, struct public_key *ret)
{
    memcpy(ret->id, key->id, sizeof ret->id);
    memcpy(ret->key, key->key + ED25519_SECRET_BYTES - ED25519_PUBLIC_BYTES, sizeof ret->key);
}

static bool make_checksum(const struct secret_part *part, uint8_t ret[BLAKE2B_256_BYTES])
{
    uint8_t *all = secret_allocate(2 + sizeof part->id + sizeof part->key);
    if (all == NULL)
        return false;
    memcpy(all, ed25519_name, 2);
    memcpy(all + 2, part->id, sizeof part->id);
    memcpy(all + 2 + sizeof part->id, part->key, sizeof part->key);
    const bool made = blake2b(all, 2 + sizeof part->id + sizeof part->key, ret, BLAKE2B_256_BYTES);
    secret_free(all);
    return made;
}

/* What scrypt makes of the password, over the part that is hidden: twice is back. */
static model_status hide(struct secret_bytes *bytes, const char *password, struct model_error *err)
{
    uint8_t *stream = secret_allocate(sizeof bytes->part);
    const bool is_filled =
        stream != NULL &&
        scrypt_fill(password, strlen(password), bytes->salt, get_u64(bytes->operations),
                    get_u64(bytes->memory), stream, sizeof bytes->part);
    uint8_t *part = (uint8_t *)&bytes->part;
    for (size_t i = 0; i < sizeof bytes->part && is_filled; i++)
        part[i] ^= stream[i];
    secret_free(stream);
    return is_filled
               ? MODEL_OK
               : error_set(err, MODEL_OUT_OF_MEMORY,
                           "no memory for the key's password: it takes %llu MiB, so that guesses "
                           "are dear; free some, or raise the limit (ulimit -v)",
                           (unsigned long long)(get_u64(bytes->memory) >> 20));
}

static model_status hide_at_cost(struct secret_bytes *bytes, const char *password,
                                 const struct key_cost *cost, struct model_error *err)
{
    memcpy(bytes->derivation, scrypt_name, 2);
    if (!random_fill(bytes->salt, sizeof bytes->salt))
        return error_no_memory(err, "a secret key");
    put_u64(bytes->operations, cost->operations);
    put_u64(bytes->memory, cost->memory_bytes);
    return hide(bytes, password, err);
}

static char *print_secret(const struct secret_bytes *bytes)
{
    static const char comment[] = COMMENT_PREFIX SECRET_COMMENT "\n";
    const size_t n_comment = sizeof comment - 1, n_line = BASE64_TEXT_BYTES(sizeof *bytes);
    char *text = malloc(n_comment + n_line + 1);
    if (text == NULL)
        return NULL;
    memcpy(text, comment, n_comment);
    base64_write(bytes, sizeof *bytes, text + n_comment);
    memcpy(text + n_comment + n_line - 1, "\n", 2);
    return text;
}

model_status secret_key_print(const struct secret_key *key, const char *password,
                              const struct key_cost *cost, char **ret, struct model_error *err)
{
    struct secret_bytes *bytes = secret_allocate(sizeof *bytes);
    if (bytes == NULL)
        return error_no_memory(err, "a secret key");
    memcpy(bytes->algorithm, ed25519_name, 2);
    memcpy(bytes->checksum_algorithm, blake2b_name, 2);
    memcpy(bytes->part.id, key->id, sizeof key->id);
    memcpy(bytes->part.key, key->key, sizeof key->key);
    model_status status = make_checksum(&bytes->part, bytes->part.checksum)
                              ? MODEL_OK
                              : error_no_memory(err, "a secret key");
    if (status == MODEL_OK && password != NULL)
        status = hide_at_cost(bytes, password, cost, err);
    char *text = status == MODEL_OK ? print_secret(bytes) : NULL;
    secret_free(bytes);
    if (status == MODEL_OK && text == NULL)
        status = error_no_memory(err, "a secret key");
    if (status == MODEL_OK)
        *ret = text;
    return status;
}

void secret_text_free(char *text)
{
    if (text != NULL)
        secret_wipe(text, strlen(text));
    free(text);
}

static model_status read_bytes(const char *text, size_t size_bytes, const char *what,
                               struct secret_bytes *bytes, struct model_error *err)
{
    const char *line = NULL;
    size_t n_line = 0;
    model_status status = signatures_check_compiled_in(err);
    if (status == MODEL_OK)
        status = find_key_line(text, size_bytes, what, &line, &n_line, err);
    if (status != MODEL_OK)
        return status;
    if (!base64_read(line, n_line, bytes, sizeof *bytes))
        return error_set(err, MODEL_CORRUPT,
                         "%s is no secret key: want %zu bytes in base64, as 'pkgmgr keys new' and "
                         "minisign write them",
                         what, sizeof *bytes);
    if (!is_name(bytes->algorithm, ed25519_name) ||
        !is_name(bytes->checksum_algorithm, blake2b_name) ||
        !(is_name(bytes->derivation, scrypt_name) || is_name(bytes->derivation, no_name)))
        return error_set(
            err, MODEL_UNSUPPORTED,
            "%s: a key of other algorithms than Ed25519, scrypt and BLAKE2b; make one with "
            "'pkgmgr keys new' or minisign",
            what);
    const uint64_t operations = get_u64(bytes->operations), memory = get_u64(bytes->memory);
    if (is_name(bytes->derivation, scrypt_name) &&
        (operations > KEY_COST_USUAL.operations || memory > KEY_COST_USUAL.memory_bytes))
        return error_set(err, MODEL_CORRUPT,
                         "%s: its password takes %llu operations and %llu bytes, the limits are "
                         "%llu and %llu; take the copy that was put away, or make another key",
                         what, (unsigned long long)operations, (unsigned long long)memory,
                         (unsigned long long)KEY_COST_USUAL.operations,
                         (unsigned long long)KEY_COST_USUAL.memory_bytes);
    return MODEL_OK;
}

bool secret_key_wants_password(const char *text, size_t size_bytes)
{
    struct secret_bytes *bytes = secret_allocate(sizeof *bytes);
    const bool wants = bytes != NULL &&
                       read_bytes(text, size_bytes, "key", bytes, NULL) == MODEL_OK &&
                       is_name(bytes->derivation, scrypt_name);
    secret_free(bytes);
    return wants;
}

/* What is there without its password, if it has one. */
static model_status check_part(const struct secret_part *part, bool had_password, const char *what,
                               struct model_error *err)
{
    static const uint8_t none[BLAKE2B_256_BYTES];
    uint8_t checksum[BLAKE2B_256_BYTES];
    if (!make_checksum(part, checksum))
        return error_no_memory(err, "a secret key");
    const bool has_none = !had_password && memcmp(part->checksum, none, sizeof none) == 0;
    if (!has_none && !secret_equals(checksum, part->checksum, sizeof checksum))
        return had_password
                   ? error_set(err, MODELHOST_UNAUTHORIZED,
                               "%s: the password is wrong, or the key's file was changed: its "
                               "checksum does not fit; try another, or take the copy that was put "
                               "away",
                               what)
                   : error_set(err, MODEL_CORRUPT,
                               "%s: the key's file was changed: its checksum does not fit; take "
                               "the copy that was put away, or make another key",
                               what);
    if (!ed25519_is_whole(part->key))
        return error_set(err, MODEL_CORRUPT,
                         "%s: the key's file was changed: its halves do not fit each other; take "
                         "the copy that was put away, or make another key",
                         what);
    return MODEL_OK;
}

static model_status unlock(struct secret_bytes *bytes, const char *what, const char *password,
                           struct model_error *err)
{
    const bool is_hidden = is_name(bytes->derivation, scrypt_name);
    if (is_hidden && password == NULL)
        return error_set(err, MODELHOST_UNAUTHORIZED,
                         "%s has a password; give it on the terminal or with --password-file FILE",
                         what);
    model_status status = is_hidden ? hide(bytes, password, err) : MODEL_OK;
    return status == MODEL_OK ? check_part(&bytes->part, is_hidden, what, err) : status;
}

model_status secret_key_parse(const char *text, size_t size_bytes, const char *what,
                              const char *password, struct secret_key **ret,
                              struct model_error *err)
{
    struct secret_bytes *bytes = secret_allocate(sizeof *bytes);
    struct secret_key *key = secret_allocate(sizeof *key);
    model_status status = bytes != NULL && key != NULL
                              ? read_bytes(text, size_bytes, what, bytes, err)
                              : error_no_memory(err, "a secret key");
    if (status == MODEL_OK)
        status = unlock(bytes, what, password, err);
    if (status == MODEL_OK) {
        memcpy(key->id, bytes->part.id, sizeof key->id);
        memcpy(key->key, bytes->part.key, sizeof key->key);
        *ret = key;
        key = NULL;
    }
    secret_free(key);
    secret_free(bytes);
    return status;
}

model_status secret_key_sign(const struct secret_key *key, const void *data, size_t size_bytes,
                             uint8_t ret_signature[ED25519_SIGNATURE_BYTES],
                             struct model_error *err)
{
    return ed25519_sign(data, size_bytes, key->key, ret_signature)
               ? MODEL_OK
               : error_no_memory(err, "a signature");
}
