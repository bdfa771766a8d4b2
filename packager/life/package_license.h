/* package_license.h - under which licence a package is, as far as its files say. [any-thread] */
#ifndef PACKAGE_LICENSE_H
#define PACKAGE_LICENSE_H

#include "license_text.h"
#include "package.h"

struct package_license {
    struct license_claim claim; /* of README.md; n_values 0: it says nothing */
    char *expression; /* SPDX: "Apache-2.0", "MIT AND LicenseRef-other"; NULL: not known */
    char *text_path;  /* the licence's text in the package, or NULL */
    char *text;       /* its content, at most PACKAGE_LICENSE_MAX_BYTES; NULL without */
    bool is_guessed;  /* from the text's words, not from what the author says */
};

#define PACKAGE_LICENSE_MAX_BYTES (1u << 20)

/* A package that says nothing is no error. */
model_status package_license_read(const struct package *package, struct package_license *ret,
                                  struct model_error *err);
void package_license_finish(struct package_license *license);

/* "LicenseRef-<letters, digits, '-' and '.'>" for a name that SPDX does not have; returns text. */
const char *license_reference(const char *value, char text[LICENSE_MAX_BYTES + 16]);

#endif
