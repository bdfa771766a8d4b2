/* command_secret.h - passphrases and keys of archives on pkgmgr's command line. Main thread. */
#ifndef COMMAND_SECRET_H
#define COMMAND_SECRET_H

#include "package.h"

/* --passphrase-file and --key-file; NULL where they were not given, "-" is standard input. */
struct command_secret {
    const char *passphrase_file, *key_file;
    const struct signature_policy
        *signature; /* who must have signed what is opened; NULL: anybody */
    bool is_choice; /* for several archives: each takes what it was encrypted with, or nothing */
};

#define COMMAND_SECRET_HELP                                                                         \
    "  --passphrase-file FILE  of an encrypted archive: its passphrase is the first line; '-' is\n" \
    "                     standard input (default: asked for at a terminal)\n"                      \
    "  --key-file FILE    the same with a key of 32 bytes\n"

/* False after printing that only one of them is wanted. */
bool command_secret_check(const char *command, const struct command_secret *given);
/* The file's, or a new passphrase that is asked for twice. */
model_status command_secret_new(const struct command_secret *given, struct archive_secret **ret,
                                struct model_error *err);
/* archive_open() of what may be encrypted: without a file a terminal is asked, and without that contents stay
 * encrypted. */
model_status command_open_archive(const char *path, enum archive_level level,
                                  const struct command_secret *given, struct archive **ret,
                                  struct model_error *err);
/* package_open() likewise; of a folder nothing is encrypted, and what was given is not looked at. */
model_status command_open_package(const char *dir, const char *backend,
                                  const struct command_secret *given, struct package *ret,
                                  struct model_error *err);
/* Warns of one without metadata.json: only the archive itself says what its files are. */
void command_warn_of_own(const struct archive *archive);

#endif
