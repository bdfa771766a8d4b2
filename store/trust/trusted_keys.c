/* trusted_keys.c - see trusted_keys.h. */
#include "trusted_keys.h"
#include "errors.h"
#include "json_view.h"

#include <stdlib.h>
#include <string.h>

#define FORMAT_VERSION   1
#define MAX_REASON_BYTES 1000u

/* ---- finding and changing */

const struct trusted_key *trusted_keys_find(const struct trusted_keys *keys,
                                            const uint8_t id[KEY_ID_BYTES])
{
    for (size_t i = 0; i < keys->n_keys; i++)
        if (memcmp(keys->keys[i].key.id, id, KEY_ID_BYTES) == 0)
            return &keys->keys[i];
    return NULL;
}

/* By what makes it that key: anybody can give it another id. */
static const struct trusted_key *find_bytes(const struct trusted_keys *keys,
                                            const struct public_key *key)
{
    for (size_t i = 0; i < keys->n_keys; i++)
        if (memcmp(keys->keys[i].key.key, key->key, sizeof key->key) == 0)
            return &keys->keys[i];
    return NULL;
}

static void write_time(time_t now, char ret_text[TRUST_TIME_BYTES])
{
    struct tm utc;
    if (gmtime_r(&now, &utc) == NULL ||
        strftime(ret_text, TRUST_TIME_BYTES, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        (void)memcpy(ret_text, "1970-01-01T00:00:00Z", TRUST_TIME_BYTES);
}

static void finish_key(struct trusted_key *key)
{
    free(key->comment);
    free(key->reason);
}

/* Takes the key's texts over, also when it fails. */
static model_status append(struct trusted_keys *keys, struct trusted_key *key,
                           struct model_error *err)
{
    void *larger = NULL;
    model_status status = MODEL_OK;
    if (key->comment == NULL || key->reason == NULL)
        status = error_no_memory(err, "a trusted key");
    else if (keys->n_keys == TRUSTED_KEYS_MAX)
        status =
            error_set(err, MODEL_INVALID_ARGUMENT, "more than %d trusted keys", TRUSTED_KEYS_MAX);
    else if ((larger = realloc(keys->keys, (keys->n_keys + 1) * sizeof *keys->keys)) == NULL)
        status = error_no_memory(err, "a trusted key");
    if (status != MODEL_OK) {
        finish_key(key);
        return status;
    }
    keys->keys = larger;
    keys->keys[keys->n_keys++] = *key;
    return MODEL_OK;
}

static model_status check_text(const char *name, const char *text, size_t max_bytes,
                               struct model_error *err)
{
    if (key_comment_is_good(text, strlen(text), max_bytes))
        return MODEL_OK;
    return error_set(err, MODEL_INVALID_ARGUMENT,
                     "the %s is not one line of text of at most %zu bytes, without control "
                     "characters and marks of direction",
                     name, max_bytes);
}

static model_status replace_text(char **text, const char *value, struct model_error *err)
{
    char *copy = strdup(value);
    if (copy == NULL)
        return error_no_memory(err, "a trusted key");
    free(*text);
    *text = copy;
    return MODEL_OK;
}

/* Ids are for finding: whoever makes a key can give it any. A key under two of them would stay trusted by one when the
 * other is revoked. */
static model_status check_same(const struct trusted_keys *keys, const struct public_key *key,
                               struct model_error *err)
{
    char id[KEY_ID_TEXT_BYTES], known_id[KEY_ID_TEXT_BYTES];
    char have[KEY_FINGERPRINT_BYTES], given[KEY_FINGERPRINT_BYTES];
    const struct trusted_key *same = find_bytes(keys, key),
                             *named = trusted_keys_find(keys, key->id);
    if (same == named)
        return MODEL_OK;
    key_id_write(key->id, id);
    if (same != NULL) {
        key_id_write(same->key.id, known_id);
        return error_set(
            err, MODEL_INVALID_ARGUMENT,
            "this key is known already, %s, by the id %s; with the id %s it is forged, and "
            "nothing was changed",
            same->revoked[0] != '\0' ? "as revoked" : "as trusted", known_id, id);
    }
    const struct public_key *known = &named->key;
    if (!public_key_fingerprint(known, have) || !public_key_fingerprint(key, given))
        return error_no_memory(err, "a fingerprint");
    return error_set(err, MODEL_INVALID_ARGUMENT,
                     "another key with the id %s is known already: its fingerprint is %s, that of "
                     "this one %s; one of both is forged, and nothing was changed: compare them "
                     "with what their owner says",
                     id, have, given);
}

model_status trusted_keys_add(struct trusted_keys *keys, const struct public_key *key,
                              const char *comment, time_t now, struct model_error *err)
{
    char id[KEY_ID_TEXT_BYTES];
    struct trusted_key *known = (struct trusted_key *)(uintptr_t)trusted_keys_find(keys, key->id);
    key_id_write(key->id, id);
    model_status status = check_text("comment", comment, KEY_COMMENT_MAX_BYTES, err);
    if (status == MODEL_OK)
        status = check_same(keys, key, err);
    if (status != MODEL_OK)
        return status;
    if (known != NULL && known->revoked[0] != '\0')
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "the key %s was revoked on %s (%s) and cannot be trusted again; have its "
                         "owner make another one",
                         id, known->revoked,
                         known->reason[0] != '\0' ? known->reason : "no reason");
    if (known != NULL)
        return replace_text(&known->comment, comment, err);
    struct trusted_key added = {.key = *key, .comment = strdup(comment), .reason = strdup("")};
    write_time(now, added.trusted);
    return append(keys, &added, err);
}

model_status trusted_keys_revoke(struct trusted_keys *keys, const struct public_key *revoked,
                                 const char *reason, time_t now, struct model_error *err)
{
    char text[KEY_ID_TEXT_BYTES];
    struct trusted_key *key = (struct trusted_key *)(uintptr_t)trusted_keys_find(keys, revoked->id);
    key_id_write(revoked->id, text);
    model_status status = check_text("reason", reason, MAX_REASON_BYTES, err);
    if (status == MODEL_OK)
        status = check_same(keys, revoked, err);
    if (status != MODEL_OK)
        return status;
    if (key == NULL)
        return error_set(err, MODEL_NOT_FOUND,
                         "no key with the id %s is known here; give its public key, so that it is "
                         "refused from now on",
                         text);
    status = replace_text(&key->reason, reason, err);
    if (status == MODEL_OK && key->revoked[0] == '\0')
        write_time(now, key->revoked);
    return status;
}

void trusted_keys_finish(struct trusted_keys *keys)
{
    for (size_t i = 0; i < keys->n_keys; i++)
        finish_key(&keys->keys[i]);
    free(keys->keys);
    *keys = (struct trusted_keys){0};
}

/* ---- as text */

static bool is_time(const char *text)
{
    static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
    if (strlen(text) != sizeof form - 1)
        return false;
    for (size_t i = 0; form[i] != '\0'; i++)
        if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
            return false;
    return true;
}

static model_status refuse(const char *what, const char *id, const char *fault,
                           struct model_error *err)
{
    return error_set(err, MODEL_CORRUPT,
                     "%s: the key '%.40s' %s; restore the file, or remove the key and "
                     "trust it again with 'pkgmgr keys trust'",
                     what, id, fault);
}

static model_status check_key(const struct trusted_keys *keys, const char *what, const char *id,
                              const char *fingerprint, const struct public_key *key,
                              struct model_error *err)
{
    char found_id[KEY_ID_TEXT_BYTES], found[KEY_FINGERPRINT_BYTES];
    key_id_write(key->id, found_id);
    if (!public_key_fingerprint(key, found))
        return error_no_memory(err, what);
    if (strcmp(found, fingerprint) != 0 || strcmp(found_id, id) != 0)
        return refuse(what, id, "was changed: its fingerprint does not fit", err);
    return trusted_keys_find(keys, key->id) == NULL && find_bytes(keys, key) == NULL
               ? MODEL_OK
               : refuse(what, id, "stands twice", err);
}

/* A member that is not known may have been one that revoked the key. */
static model_status check_members(const json_node *object, const char *const *known,
                                  const char *what, struct model_error *err)
{
    for (const json_node *node = json_first(object); node != NULL; node = json_next(node)) {
        size_t i = 0;
        while (known[i] != NULL && strcmp(known[i], json_key(node)) != 0)
            i++;
        if (known[i] == NULL)
            return error_set(err, MODEL_CORRUPT,
                             "%s has '%.40s' in it, which this program does not write; restore the "
                             "file, or remove it and trust the keys again with 'pkgmgr keys trust'",
                             what, json_key(node));
    }
    return MODEL_OK;
}

static model_status read_key(const json_node *node, const char *what, struct trusted_keys *keys,
                             struct model_error *err)
{
    const char *id = json_string_or(json_member(node, "id"), "");
    const char *text = json_string_or(json_member(node, "key"), "");
    const char *comment = json_string_or(json_member(node, "comment"), "");
    const char *trusted = json_string_or(json_member(node, "trusted"), "");
    const char *revoked = json_string_or(json_member(node, "revoked"), "");
    const char *reason = json_string_or(json_member(node, "reason"), "");
    static const char *const members[] = {"id",      "key",     "fingerprint", "comment",
                                          "trusted", "revoked", "reason",      NULL};
    struct trusted_key key = {.comment = NULL};
    model_status status = json_check_unique_keys(node, what, err);
    if (status == MODEL_OK)
        status = check_members(node, members, what, err);
    if (status == MODEL_OK &&
        public_key_parse(text, strlen(text), what, &key.key, NULL) != MODEL_OK)
        status = refuse(what, id, "was changed: that is no public key", err);
    if (status == MODEL_OK)
        status = check_key(keys, what, id, json_string_or(json_member(node, "fingerprint"), ""),
                           &key.key, err);
    if (status == MODEL_OK &&
        (!is_time(trusted) || (json_member(node, "revoked") != NULL && !is_time(revoked)) ||
         !key_comment_is_good(comment, strlen(comment), KEY_COMMENT_MAX_BYTES) ||
         !key_comment_is_good(reason, strlen(reason), MAX_REASON_BYTES)))
        status = refuse(
            what, id, "was changed: its dates or comments are none that this program writes", err);
    if (status != MODEL_OK)
        return status;
    key.comment = strdup(comment);
    key.reason = strdup(reason);
    memcpy(key.trusted, trusted, sizeof key.trusted);
    memcpy(key.revoked, revoked, strlen(revoked) + 1);
    return append(keys, &key, err);
}

static model_status read_root(const json_node *root, const char *what, struct trusted_keys *keys,
                              struct model_error *err)
{
    const double version = json_number_or(json_member(root, "format_version"), 0);
    const json_node *list = json_member(root, "keys");
    if (!json_is_object(root) || version < 1 || !json_is_array(list))
        return error_set(err, MODEL_CORRUPT,
                         "%s is no list of trusted keys; restore it, or remove it and trust the "
                         "keys again with 'pkgmgr keys trust'",
                         what);
    if (version != FORMAT_VERSION)
        return error_set(err, MODEL_UNSUPPORTED,
                         "%s: format_version %g, this program reads %d; use a newer one", what,
                         version, FORMAT_VERSION);
    static const char *const members[] = {"format_version", "keys", NULL};
    model_status status = json_check_unique_keys(root, what, err);
    if (status == MODEL_OK)
        status = check_members(root, members, what, err);
    for (const json_node *node = json_first(list); node != NULL && status == MODEL_OK;
         node = json_next(node))
        status = read_key(node, what, keys, err);
    return status;
}

model_status trusted_keys_parse(const char *text, size_t size_bytes, const char *what,
                                struct trusted_keys *ret, struct model_error *err)
{
    json_node *root = NULL;
    struct trusted_keys keys = {0};
    model_status status = json_parse(text, size_bytes, what, &root, err);
    if (status == MODEL_OK)
        status = read_root(root, what, &keys, err);
    json_free(root);
    if (status == MODEL_OK)
        *ret = keys;
    else
        trusted_keys_finish(&keys);
    return status;
}

static bool print_key(json_node *list, const struct trusted_key *key)
{
    char id[KEY_ID_TEXT_BYTES], text[PUBLIC_KEY_TEXT_BYTES], fingerprint[KEY_FINGERPRINT_BYTES];
    json_node *node = json_add_object(list, NULL);
    key_id_write(key->key.id, id);
    public_key_write(&key->key, text);
    bool complete = public_key_fingerprint(&key->key, fingerprint) &&
                    json_add_string(node, "id", id) != NULL &&
                    json_add_string(node, "key", text) != NULL &&
                    json_add_string(node, "fingerprint", fingerprint) != NULL &&
                    json_add_string(node, "comment", key->comment) != NULL &&
                    json_add_string(node, "trusted", key->trusted) != NULL;
    if (complete && key->revoked[0] != '\0')
        complete = json_add_string(node, "revoked", key->revoked) != NULL &&
                   json_add_string(node, "reason", key->reason) != NULL;
    return complete;
}

char *trusted_keys_print(const struct trusted_keys *keys)
{
    json_node *root = json_new_object();
    bool complete = json_add_number(root, "format_version", FORMAT_VERSION) != NULL;
    json_node *list = json_add_array(root, "keys");
    for (size_t i = 0; i < keys->n_keys && complete; i++)
        complete = print_key(list, &keys->keys[i]);
    char *text = complete && list != NULL ? json_print(root, true) : NULL;
    json_free(root);
    return text;
}
