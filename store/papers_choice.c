/* papers_choice.c - see papers_choice.h. */
#include "papers_choice.h"
#include "errors.h"
#include "files.h"
#include "manifest_restore.h"
#include "package_signature.h"

#include <stdlib.h>
#include <string.h>

/* How much a signature is worth. One of a key that is not trusted yet may turn out good; nobody can tell two of those apart. */
enum worth { WORTH_NOTHING, WORTH_UNKNOWN, WORTH_GOOD };

static enum worth worth_of(enum signature_state state)
{
    switch (state) {
    case SIGNATURE_GOOD:
        return WORTH_GOOD;
    case SIGNATURE_UNKNOWN_KEY:
        return WORTH_UNKNOWN;
    default:
        return WORTH_NOTHING;
    }
}

/* ---- what is there */

/* Whether the text is a manifest of this package: of its id, revision and files. */
static bool is_of_package(const char *dir, const char *text, size_t n_bytes)
{
    struct manifest manifest = {0};
    const bool is_of =
        manifest_parse(text, n_bytes, "metadata.json", &manifest, NULL) == MODEL_OK &&
        manifest_names_folder(&manifest, dir);
    manifest_finish(&manifest);
    return is_of;
}

static void take_restored(struct papers_choice *choice, char *text)
{
    free(choice->there.text);
    choice->there.text = text;
    choice->there.n_bytes = strlen(text);
}

/* Of a folder whose manifest cannot be read: the signature alone. */
static char *read_signature(const char *dir)
{
    struct buffer text = BUFFER_INIT(SIGNATURE_MAX_BYTES);
    char *path = path_join(dir, PACKAGE_SIGNATURE_NAME), *signature = NULL;
    if (path != NULL && file_read(path, SIGNATURE_MAX_BYTES, &text, NULL) == MODEL_OK)
        signature = buffer_take(&text);
    buffer_finish(&text);
    free(path);
    return signature;
}

/* Leaves there.signature NULL when there is none whose manifest can be had; then it may be lost. */
static void look_there(struct papers_choice *choice, const char *dir,
                       const struct manifest *manifest)
{
    struct package_papers *there = &choice->there;
    if (package_papers_read_folder(dir, there, NULL) != MODEL_OK) {
        choice->lost = read_signature(dir);
        return;
    }
    if (there->signature == NULL || is_of_package(dir, there->text, there->n_bytes))
        return;
    char *restored = manifest_restore(manifest, there->text, there->n_bytes);
    if (restored != NULL && is_of_package(dir, restored, strlen(restored))) {
        take_restored(choice, restored);
        return;
    }
    free(restored);
    choice->lost = there->signature;
    there->signature = NULL;
}

/* ---- judging */

struct judging {
    const struct manifest *manifest;
    struct signature_report there, given;
};

static model_status judge(const char *text, const char *signature, const char *what,
                          const struct trusted_keys *keys, struct signature_report *ret,
                          struct model_error *err)
{
    static const struct trusted_keys none;
    struct manifest manifest = {0};
    const size_t n_bytes = strlen(text);
    model_status status = manifest_parse(text, n_bytes, "metadata.json", &manifest, err);
    if (status != MODEL_OK)
        return status;
    const struct signed_manifest papers = {.what = what,
                                           .text = text,
                                           .n_bytes = n_bytes,
                                           .manifest = &manifest,
                                           .signature = signature,
                                           .signature_bytes =
                                               signature != NULL ? strlen(signature) : 0};
    status = package_signature_judge(&papers, keys != NULL ? keys : &none, ret, err);
    manifest_finish(&manifest);
    return status;
}

static model_status note(struct papers_choice *choice, const struct judging *judging, bool stays,
                         struct model_error *err)
{
    const struct manifest *manifest = judging->manifest;
    char *there = signature_report_text(&judging->there),
         *given = signature_report_text(&judging->given);
    if (there != NULL && given != NULL)
        choice->note =
            stays ? text_format("%s@%.12s is in the store %s, and what was to take its place is "
                                "%s: the one that is there stays; 'pkgmgr rm %s@%.12s' first if "
                                "that is not what you want",
                                manifest->id, manifest->revision, there, given, manifest->id,
                                manifest->revision)
                  : text_format("%s@%.12s was %s, and is %s now", manifest->id, manifest->revision,
                                there, given);
    free(there);
    free(given);
    return choice->note != NULL ? MODEL_OK : error_no_memory(err, "installing a package");
}

/* Among equals the newer ones, unless nobody here can judge them. */
static bool stays(const struct judging *judging)
{
    const enum worth there = worth_of(judging->there.state), given = worth_of(judging->given.state);
    return there > given || (there == given && there == WORTH_UNKNOWN);
}

/* Both are there, and differ. */
static model_status judge_both(struct papers_choice *choice, const char *dir,
                               const struct manifest *manifest, const struct store_papers *given,
                               struct model_error *err)
{
    struct judging judging = {.manifest = manifest};
    model_status status =
        judge(choice->there.text, choice->there.signature, dir, given->keys, &judging.there, err);
    if (status == MODEL_OK)
        status = judge(given->text, given->signature, dir, given->keys, &judging.given, err);
    if (status == MODEL_OK && stays(&judging)) {
        choice->origin = PAPERS_THERE;
        status = note(choice, &judging, true, err);
    } else if (status == MODEL_OK && worth_of(judging.there.state) == WORTH_GOOD &&
               strcmp(judging.there.key_id, judging.given.key_id) != 0)
        status = note(choice, &judging, false, err);
    signature_report_finish(&judging.there);
    signature_report_finish(&judging.given);
    return status;
}

static bool is_given(const struct papers_choice *choice, const struct store_papers *given)
{
    return given->signature != NULL && strcmp(choice->there.text, given->text) == 0 &&
           strcmp(choice->there.signature, given->signature) == 0;
}

/* ---- public */

model_status papers_choose(const char *dir, const struct manifest *manifest,
                           const struct store_papers *given, struct papers_choice *ret,
                           struct model_error *err)
{
    struct papers_choice choice = {.origin = given != NULL ? PAPERS_GIVEN : PAPERS_PRINTED};
    model_status status = MODEL_OK;
    look_there(&choice, dir, manifest);
    const bool is_signed = choice.there.signature != NULL;
    if (is_signed && (given == NULL || is_given(&choice, given)))
        choice.origin = PAPERS_THERE;
    else if (is_signed)
        status = judge_both(&choice, dir, manifest, given, err);
    if (choice.origin == PAPERS_THERE) {
        choice.text = choice.there.text;
        choice.signature = choice.there.signature;
    } else if (choice.origin == PAPERS_GIVEN) {
        choice.text = given->text;
        choice.signature = given->signature;
    }
    if (status == MODEL_OK)
        *ret = choice;
    else
        papers_choice_finish(&choice);
    return status;
}

void papers_choice_finish(struct papers_choice *choice)
{
    package_papers_finish(&choice->there);
    free(choice->lost);
    free(choice->note);
    *choice = (struct papers_choice){0};
}
