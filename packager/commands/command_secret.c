/* command_secret.c - see command_secret.h. */
#include "command_secret.h"
#include "command.h"
#include "command_passphrase.h"
#include "errors.h"
#include "files.h"
#include "printable_text.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool command_secret_check(const char *command, const struct command_secret *given)
{
    return given->is_choice || given->passphrase_file == NULL || given->key_file == NULL ||
           command_usage(command, "want one of --passphrase-file and --key-file") == 0;
}

/* The terminal that was given for a file; NULL: none was. */
static const char *given_terminal(const struct command_secret *given)
{
    return given->passphrase_file != NULL && command_is_terminal(given->passphrase_file)
               ? given->passphrase_file
               : NULL;
}

/* NULL when no file was given, or a terminal, which is to be asked. */
static model_status read_file(const struct command_secret *given, struct archive_secret **ret,
                              struct model_error *err)
{
    const bool is_key = given->key_file != NULL;
    const char *file = is_key ? given->key_file : given->passphrase_file;
    const enum archive_key_source source = is_key ? ARCHIVE_KEY_OF_FILE : ARCHIVE_KEY_OF_PASSPHRASE;
    if (file == NULL || (!is_key && command_is_terminal(file))) {
        *ret = NULL;
        return MODEL_OK;
    }
    return strcmp(file, "-") == 0
               ? archive_secret_read(source, STDIN_FILENO, "standard input", ret, err)
               : archive_secret_read_file(source, file, ret, err);
}

static model_status ask(const char *terminal, const char *question, struct archive_secret **ret,
                        struct model_error *err)
{
    size_t n_bytes = 0;
    char *text = secret_allocate(ARCHIVE_MAX_PASSPHRASE_BYTES);
    if (text == NULL)
        return error_no_memory(err, "a passphrase");
    model_status status = command_ask_passphrase(terminal, question, text,
                                                 ARCHIVE_MAX_PASSPHRASE_BYTES, &n_bytes, err);
    if (status == MODEL_OK)
        status = archive_secret_create(ARCHIVE_KEY_OF_PASSPHRASE, text, n_bytes, ret, err);
    secret_free(text);
    return status;
}

model_status command_secret_new(const struct command_secret *given, struct archive_secret **ret,
                                struct model_error *err)
{
    struct archive_secret *first = NULL, *second = NULL;
    const char *terminal = given_terminal(given);
    model_status status = read_file(given, &first, err);
    if (status == MODEL_OK && first == NULL) {
        status = ask(terminal, "New passphrase: ", &first, err);
        if (status == MODEL_NOT_FOUND)
            status = error_set(err, MODELHOST_UNAUTHORIZED,
                               "there is no terminal to ask for a passphrase; give "
                               "--passphrase-file or --key-file");
        if (status == MODEL_OK)
            status = ask(terminal, "The same again: ", &second, err);
        if (status == MODEL_OK && (first->size_bytes != second->size_bytes ||
                                   memcmp(first->bytes, second->bytes, first->size_bytes) != 0))
            status = error_set(err, MODEL_INVALID_ARGUMENT,
                               "the two passphrases differ; nothing was written");
    }
    archive_secret_destroy(second);
    if (status == MODEL_OK)
        *ret = first;
    else
        archive_secret_destroy(first);
    return status;
}

/* What an archive is opened with; NULL: nothing was given and asked for. It is looked into without a secret first:
 * who must have signed it is refused before anybody is asked, and it says itself what opens it. */
static model_status take(const char *path, enum archive_level level,
                         const struct command_secret *given, struct archive_secret **ret,
                         struct model_error *err)
{
    const struct archive_access look = {.level = level, .signature = given->signature};
    struct command_secret wanted = *given;
    struct archive *archive = NULL;
    char question[PRINTABLE_TEXT_BYTES + 32], name[PRINTABLE_TEXT_BYTES];
    model_status status = archive_open_with(path, &look, &archive, err);
    if (status != MODEL_OK)
        return status;
    const bool is_encrypted = (archive_header(archive)->flags & ARCHIVE_ENCRYPTED) != 0;
    const bool wants_key = is_encrypted && archive_key_source(archive) == ARCHIVE_KEY_OF_FILE;
    archive_close(archive);
    if (given->is_choice) /* each takes its own */
        *(wants_key ? &wanted.passphrase_file : &wanted.key_file) = NULL;
    if (given->is_choice && !is_encrypted)
        wanted.passphrase_file = NULL;
    const char *terminal = given_terminal(&wanted);
    status = read_file(&wanted, ret, err);
    if (status != MODEL_OK || *ret != NULL || (terminal == NULL && (!is_encrypted || wants_key)))
        return status;
    (void)snprintf(question, sizeof question,
                   "Passphrase for %s: ", printable(path_base(path), name));
    status = ask(terminal, question, ret, err);
    return status == MODEL_NOT_FOUND && terminal == NULL ? MODEL_OK : status;
}

model_status command_open_archive(const char *path, enum archive_level level,
                                  const struct command_secret *given, struct archive **ret,
                                  struct model_error *err)
{
    struct archive_access access = {.level = level, .signature = given->signature};
    struct archive_secret *secret = NULL;
    model_status status = take(path, level, given, &secret, err);
    access.secret = secret;
    if (status == MODEL_OK)
        status = archive_open_with(path, &access, ret, err);
    archive_secret_destroy(secret);
    return status;
}

model_status command_open_package(const char *dir, const char *backend,
                                  const struct command_secret *given, struct package *ret,
                                  struct model_error *err)
{
    struct archive_access access = {.level = ARCHIVE_CHECKSUM, .signature = given->signature};
    struct archive_secret *secret = NULL;
    model_status status =
        path_is_file(dir) ? take(dir, access.level, given, &secret, err) : MODEL_OK;
    access.secret = secret;
    if (status == MODEL_OK)
        status = package_open_with(dir, backend, &access, ret, err);
    archive_secret_destroy(secret);
    return status;
}

void command_warn_of_own(const struct archive *archive)
{
    if (archive_find(archive, "metadata.json") == NULL)
        command_warn(
            "%s has no metadata.json: whose files these are, and what they should be, only the "
            "archive itself says",
            archive_path(archive));
}
