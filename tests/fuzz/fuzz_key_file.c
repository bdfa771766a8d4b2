/* fuzz_key_file.c - files of public and secret keys, and lists of trusted ones, which come back as they are printed. */
#include "trusted_keys.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    const char *text = (const char *)data;
    struct public_key key;
    struct secret_key *secret = NULL;
    struct trusted_keys keys = {0}, again = {0};
    (void)public_key_parse(text, size_bytes, "key", &key, NULL);
    /* with a password a key takes a gigabyte and seconds */
    if (secret_key_parse(text, size_bytes, "key", NULL, &secret, NULL) == MODEL_OK)
        secret_key_destroy(secret);
    if (trusted_keys_parse(text, size_bytes, "keys", &keys, NULL) != MODEL_OK)
        return 0;
    char *printed = trusted_keys_print(&keys);
    if (printed != NULL &&
        trusted_keys_parse(printed, strlen(printed), "keys", &again, NULL) != MODEL_OK)
        abort();
    free(printed);
    trusted_keys_finish(&again);
    trusted_keys_finish(&keys);
    return 0;
}
