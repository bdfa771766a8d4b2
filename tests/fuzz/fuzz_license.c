/* fuzz_license.c - a README.md or a licence made of any bytes: values are few, short and printable. */
#include "license_text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void check(const char *text, int may_be_empty)
{
    size_t n = strnlen(text, LICENSE_MAX_BYTES);
    if (n == LICENSE_MAX_BYTES || (n == 0 && !may_be_empty))
        abort();
    for (size_t i = 0; i < n; i++)
        if (text[i] < 0x20 || text[i] > 0x7E)
            abort();
    (void)license_spdx_of(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct license_claim claim;
    license_read_front_matter((const char *)data, size_bytes, &claim);
    if (claim.n_values > LICENSE_MAX_VALUES)
        abort();
    for (size_t i = 0; i < claim.n_values; i++)
        check(claim.values[i], 0);
    check(claim.name, 1);
    check(claim.link, 1);
    (void)license_guess((const char *)data, size_bytes);
    return 0;
}
