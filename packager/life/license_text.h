/* license_text.h - which licence a text means: the front matter of a README.md, as the hub's authors write it, or
 * a licence's own text. Pure; the text is anyone's. [any-thread] */
#ifndef LICENSE_TEXT_H
#define LICENSE_TEXT_H

#include "modelhost.h"

#define LICENSE_MAX_VALUES 8
#define LICENSE_MAX_BYTES  200

struct license_claim {
    char values[LICENSE_MAX_VALUES][LICENSE_MAX_BYTES]; /* (n_values) "apache-2.0"; printable */
    size_t n_values;
    char name[LICENSE_MAX_BYTES]; /* license_name, "" when it is not there */
    char link[LICENSE_MAX_BYTES]; /* license_link */
};

/* Reads `license`, `license_name` and `license_link` of the block between "---" lines at the beginning of
 * a README.md; n_values 0: it does not say. Values longer than LICENSE_MAX_BYTES are left out. */
void license_read_front_matter(const char *text, size_t size_bytes, struct license_claim *ret);

/* The SPDX identifier for the hub's name of a licence, NULL: SPDX has none for it. */
const char *license_spdx_of(const char *value);

/* The SPDX identifier of a licence's text, by the words at its beginning; NULL: not known. */
const char *license_guess(const char *text, size_t size_bytes);

#endif
