/* health_trust.c - see health.h: whether this program can sign, verify and decrypt, and whose keys it trusts. */
#include "cipher_primitives.h"
#include "errors.h"
#include "health.h"
#include "trusted_keys.h"

static void count(const struct trusted_keys *keys, size_t *ret_trusted, size_t *ret_revoked)
{
    for (size_t i = 0; i < keys->n_keys; i++)
        ++*(keys->keys[i].revoked[0] == '\0' ? ret_trusted : ret_revoked);
}

void health_check_trust(const char *trusted_path, const struct health_report *report)
{
    struct trusted_keys keys = {0};
    struct model_error err = MODEL_ERROR_INIT;
    size_t n_trusted = 0, n_revoked = 0;
    if (!cipher_is_compiled_in()) {
        health_say(report, "trust", HEALTH_WARNING, MODEL_UNSUPPORTED,
                   "install one that was built with libsodium",
                   "signatures and encryption are not compiled into this program");
        return;
    }
    model_status status = trusted_keys_read(trusted_path, &keys, &err);
    if (status != MODEL_OK) {
        health_say(report, "trust", HEALTH_FAILED, status, NULL, "%s", err.message);
        return;
    }
    count(&keys, &n_trusted, &n_revoked);
    health_say(report, "trust", HEALTH_OK, MODEL_OK, NULL,
               "libsodium %s signs and encrypts; %zu trusted keys, %zu revoked, in %s",
               cipher_library_version(), n_trusted, n_revoked, trusted_path);
    trusted_keys_finish(&keys);
}
