/* fuzz_signature_file.c - signatures, and what they are compared with. */
#include "package_signature.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static const char key_text[] = "RWRImQPae4G3rTbXY7GJ9H+a+yeKSZHEcuG2l7GOY0VHFCuEslpQcE31";
    static char id[] = "a/b", revision[] = "1";
    const struct manifest manifest = {.id = id, .revision = revision};
    struct public_key key;
    struct trusted_keys keys = {0};
    struct signature_report report;
    if (public_key_parse(key_text, sizeof key_text - 1, "key", &key, NULL) != MODEL_OK ||
        trusted_keys_add(&keys, &key, "Ada", 0, NULL) != MODEL_OK)
        return 0;
    const struct signed_manifest papers = {.what = "p",
                                           .text = "hello\n",
                                           .n_bytes = 6,
                                           .manifest = &manifest,
                                           .signature = (const char *)data,
                                           .signature_bytes = size_bytes};
    if (package_signature_judge(&papers, &keys, &report, NULL) == MODEL_OK)
        signature_report_finish(&report);
    trusted_keys_finish(&keys);
    return 0;
}
