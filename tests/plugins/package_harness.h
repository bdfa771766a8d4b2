/* package_harness.h - a harness's configuration and tensors as a package, for tests that run plugins in a
 * whole host. */
#ifndef PACKAGE_HARNESS_H
#define PACKAGE_HARNESS_H

#include "plugin_harness.h"

/* An author's folder with the project's plugin of that name; to be removed and freed. Destroys the harness. */
char *package_of_harness(const char *plugin, struct harness *h);

#endif
