/* key_store.h - where a user's keys are: secret ones with their public halves in keys/ of the configuration's folder,
 * which nobody else may enter, and beside it the list of those that are trusted. Main thread. */
#ifndef KEY_STORE_H
#define KEY_STORE_H

#include "files.h"
#include "trusted_keys.h"

struct key_store {
    char *keys_dir;     /* <config>/keys */
    char *trusted_path; /* <config>/trusted-keys.json */
};

/* config_dir: environment_config_dir(). Nothing is made. */
model_status key_store_init(struct key_store *store, const char *config_dir,
                            struct model_error *err);
void key_store_finish(struct key_store *store);

/* Letters, digits, '-', '_' and '.', not first; at most 64. */
bool key_name_is_good(const char *name);
/* Writes <name>.key (0600) and <name>.pub. MODEL_INVALID_ARGUMENT: there is one of that name. */
model_status key_store_add(const struct key_store *store, const char *name, const char *secret_text,
                           const char *public_text, struct model_error *err);
/* The names of the secret keys that there are, sorted. */
model_status key_store_list(const struct key_store *store, struct dir_list *ret,
                            struct model_error *err);
/* The public key of that name. MODEL_NOT_FOUND. */
model_status key_store_public(const struct key_store *store, const char *name,
                              struct public_key *ret, struct model_error *err);
/* The path of a secret key: by name, as a file, or (word NULL) the only one there is. To be freed. */
model_status key_store_find_secret(const struct key_store *store, const char *word, char **ret,
                                   struct model_error *err);
/* The text of a secret key's file, to be given to secret_text_free(). MODEL_IO: others may read it. */
model_status key_store_read_secret(const char *path, char **ret, size_t *ret_bytes,
                                   struct model_error *err);

#endif
