/* locked_signer.h - who had signed a package when it was locked, and whether that is who has signed what a store has now.
 * In a lockfile: "signer": {"key": "<id>", "public_key": "<minisign's base64>"}, without the latter when nobody trusted the
 * key. Read as hostile. [any-thread] */
#ifndef LOCKED_SIGNER_H
#define LOCKED_SIGNER_H

#include "json_view.h"
#include "trusted_keys.h"

struct locked_signer {
    char key_id[KEY_ID_TEXT_BYTES];         /* "": nobody */
    char public_key[PUBLIC_KEY_TEXT_BYTES]; /* "": not known, so that only ids can be compared */
};

/* Of the package in a folder. MODELHOST_UNTRUSTED: its signature is bad, of something else, or of a revoked key. */
model_status locked_signer_find(const char *dir, const struct trusted_keys *keys,
                                struct locked_signer *ret, struct model_error *err);

/* Adds it to a package's object, unless there is none. False without memory. */
bool locked_signer_print(json_node *package, const struct locked_signer *signer);
/* node NULL: nobody. MODEL_CORRUPT. */
model_status locked_signer_parse(const json_node *node, const char *what, struct locked_signer *ret,
                                 struct model_error *err);

/* How the package in a folder stands to who had signed it. */
enum signer_state {
    SIGNER_SAME,    /* or nobody had */
    SIGNER_MISSING, /* it is not signed */
    SIGNER_OTHER,   /* by another key, or not as the key would */
};
/* *ret_why is a sentence unless it is the same, to be freed; `package` names it there. */
model_status locked_signer_compare(const struct locked_signer *signer, const char *dir,
                                   const char *package, enum signer_state *ret, char **ret_why,
                                   struct model_error *err);

#endif
