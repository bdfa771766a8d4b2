/* package_signature.h - what the signature of a package says. It lies beside the manifest, or in an archive's
 * header, and is over the bytes of metadata.json, which lists every file with its digest. No state, any thread. */
#ifndef PACKAGE_SIGNATURE_H
#define PACKAGE_SIGNATURE_H

#include "manifest.h"
#include "signature_file.h"
#include "trusted_keys.h"

#define PACKAGE_SIGNATURE_NAME "metadata.json" SIGNATURE_SUFFIX

enum signature_state {
    SIGNATURE_NONE,
    SIGNATURE_GOOD,
    SIGNATURE_UNKNOWN_KEY,
    SIGNATURE_REVOKED_KEY,
    SIGNATURE_BAD,           /* damaged, or not made by that key */
    SIGNATURE_OTHER_PACKAGE, /* its key made it for another package or revision */
    SIGNATURE_CHANGED,       /* its key made it, and the manifest was changed since */
};
/* "none", "good", "unknown_key", ...: stable words for JSON. */
const char *signature_state_name(enum signature_state state);

/* The bytes of a manifest, what was read in them, and the signature beside them. */
struct signed_manifest {
    const char *what; /* names the package in sentences */
    const char *text;
    size_t n_bytes;
    const struct manifest *manifest;
    const char *signature; /* NULL: there is none */
    size_t signature_bytes;
};

struct signature_report {
    enum signature_state state;
    char key_id[KEY_ID_TEXT_BYTES]; /* "" when there is none to be read */
    char *signer;                   /* the comment of a known key; NULL */
    char *trusted_comment;          /* of a good signature only; NULL */
    struct model_error sentence;    /* what is wrong and what to do, unless the state is good */
};

/* Judges by the keys that are trusted. Fails without memory only. */
model_status package_signature_judge(const struct signed_manifest *manifest,
                                     const struct trusted_keys *keys, struct signature_report *ret,
                                     struct model_error *err);
/* "signed with the key ADB7817BDA039948 (Ada)", "not signed", ...: goes on after "is". To be freed; NULL without memory. */
char *signature_report_text(const struct signature_report *report);
void signature_report_finish(struct signature_report *report);

/* What a package must have to be opened or installed. */
struct signature_policy {
    const struct trusted_keys *keys; /* signed by one of them; or */
    const char *manifest_sha256;     /* this manifest, which somebody else has judged */
};

/* MODELHOST_UNTRUSTED with the sentence of the state unless it is good. */
model_status package_signature_require(const struct signed_manifest *manifest,
                                       const struct signature_policy *policy,
                                       struct model_error *err);

/* The trusted comment that says what a signature is for: "timestamp:<seconds>\tpackage:<id>\trevision:<revision>".
 * To be freed; NULL without memory. */
char *package_signature_comment(const struct manifest *manifest, time_t now);

#endif
