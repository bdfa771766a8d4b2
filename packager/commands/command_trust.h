/* command_trust.h - keys, their passwords and signatures on pkgmgr's command line. Main thread. */
#ifndef COMMAND_TRUST_H
#define COMMAND_TRUST_H

#include "archive.h"
#include "json_view.h"
#include "key_store.h"
#include "package_signature.h"

/* The user's own. */
model_status command_key_store(struct key_store *ret, struct model_error *err);

/* The list of the keys that the user trusts. */
model_status command_trusted_keys(struct trusted_keys *ret, struct model_error *err);

/* --require-signature, or MODELHOST_REQUIRE_SIGNATURE. */
#define COMMAND_REQUIRE_HELP                                                                       \
    "  --require-signature  refuse what no trusted key signed (exit code 7; pkgmgr help keys)\n"
struct command_trust {
    struct trusted_keys keys;
    struct signature_policy policy; /* wants one of the keys */
    bool is_required;
};
/* Reads the trusted keys. */
model_status command_trust_init(struct command_trust *trust, bool is_required,
                                struct model_error *err);
/* What access.signature takes: NULL unless a signature is required. */
const struct signature_policy *command_trust_policy(const struct command_trust *trust);
void command_trust_finish(struct command_trust *trust);
/* MODELHOST_UNTRUSTED unless the package in a folder or an archive has a good signature, where one is required. */
model_status command_trust_check(const struct command_trust *trust, const char *dir,
                                 const struct archive *archive, struct model_error *err);

/* Adds "signature" to an object: {"state":"good","key":"<id>","signer":...,"comment":...,"error":...}. A list of
 * trusted keys that cannot be read makes it "unchecked". NULL without memory. */
json_node *command_add_signature(json_node *object, const char *dir, const struct archive *archive);
/* The same as a line: "good, by Ada (key ADB7817BDA039948)". To be freed. */
char *command_signature_text(const json_node *signature);

/* The password of a key: the first line of a file ("-": standard input), or what is typed at the terminal,
 * twice when it is new. To be given to secret_free(). */
model_status command_password(const char *file, const char *question, bool is_new, char **ret,
                              struct model_error *err);

#endif
