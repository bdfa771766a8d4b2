/* package_architectures.h - which architectures a package is of, as its config.json says. Any thread. */
#ifndef PACKAGE_ARCHITECTURES_H
#define PACKAGE_ARCHITECTURES_H

#include "archive.h"

/* model_type and "architectures" of a config.json, as names to look for a plugin by: the model_type
 * first, then the classes; none of them is fine (n_names 0). Frees with
 * package_architectures_finish(). */
struct package_architectures {
    char **names;
    size_t n_names;
};

model_status package_architectures_read(const struct archive *archive, const char *config_path,
                                        struct package_architectures *ret, struct model_error *err);
void package_architectures_finish(struct package_architectures *architectures);

#endif
