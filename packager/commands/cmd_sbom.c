/* cmd_sbom.c - `pkgmgr sbom`. */
#include "command_secret.h"
#include "commands.h"
#include "environment.h"
#include "errors.h"
#include "package_locate.h"
#include "package.h"
#include "sbom.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <time.h>

const char help_sbom[] =
    "usage: pkgmgr sbom PKG [OPTION]...\n\n"
    "Prints what a package is made of as an SPDX 2.3 document in JSON: where it came from, its\n"
    "licence as the author declares it, each file with SHA-1 and SHA-256. Every file is read and\n"
    "compared with metadata.json. The same package gives the same document but for the time, which\n"
    "SOURCE_DATE_EPOCH sets. PKG is a name in the store, a folder or a file (.mhp).\n\n" COMMAND_SECRET_HELP
    "  --store DIR    where packages live (default: MODELHOST_STORE, or ~/.cache/modelhost)\n";

/* The time of the document, in seconds since 1970; false: the variable makes no sense. */
static bool read_created(int64_t *ret_s)
{
    const char *text = environment_value("SOURCE_DATE_EPOCH");
    char *end = NULL;
    if (text == NULL) {
        *ret_s = (int64_t)time(NULL);
        return true;
    }
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || *end != '\0' || value < 0 || value > 253402300799) /* the year 9999 */
        return false;
    *ret_s = value;
    return true;
}

static model_status print(const char *word, const char *store_dir,
                          const struct command_secret *secret, int64_t created_s,
                          struct model_error *err)
{
    struct store *store = NULL;
    struct package_place place = {0};
    struct package package = {0};
    json_node *root = NULL;
    model_status status = command_look_into_store(store_dir, &store, err);
    if (status == MODEL_OK)
        status = package_locate(store, word, &place, err);
    if (status == MODEL_OK)
        status = command_open_package(place.dir, NULL, secret, &package, err);
    if (status == MODEL_OK)
        status = sbom_make(&package, created_s, &root, err);
    if (status == MODEL_OK)
        status = command_print_json(root, err);
    json_free(root);
    package_finish(&package);
    package_place_finish(&place);
    store_close(store);
    return status;
}

int cmd_sbom(int argc, char **argv)
{
    struct model_error err = MODEL_ERROR_INIT;
    const char *store_dir = NULL;
    struct command_secret secret = {.key_file = NULL};
    int64_t created_s = 0;
    const struct command_option table[] = {{"passphrase-file", .text = &secret.passphrase_file},
                                           {"key-file", .text = &secret.key_file},
                                           {"store", .text = &store_dir},
                                           {.name = NULL}};
    if (!command_read_options(argc, argv, table))
        return COMMAND_USAGE;
    if (argc - optind != 1)
        return command_usage("sbom", "want one PKG");
    if (!command_secret_check("sbom", &secret))
        return COMMAND_USAGE;
    int code = command_check_package("sbom", argv[optind]);
    if (code != 0)
        return code;
    if (!read_created(&created_s))
        return command_usage("sbom", "SOURCE_DATE_EPOCH is '%.40s', want seconds since 1970",
                             environment_value("SOURCE_DATE_EPOCH"));
    model_status status = print(argv[optind], store_dir, &secret, created_s, &err);
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}
