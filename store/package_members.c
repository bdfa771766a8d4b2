/* package_members.c - see package_members.h. */
#include "package_members.h"
#include "errors.h"
#include "files.h"
#include "package.h"
#include "package_papers.h"
#include "package_signature.h"
#include "scratch.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define BACKENDS       "backends"
#define MAX_NAME_BYTES 255 /* on a disk */

static const char *const papers[] = {"metadata.json", PACKAGE_SIGNATURE_NAME,
                                     PACKAGE_OLD_SIGNATURE_NAME};
static const char *const plugins[] = {"libmodel.so", "libmodel.dylib"};
#define N_PAPERS  (sizeof papers / sizeof papers[0])
#define N_PLUGINS (sizeof plugins / sizeof plugins[0])

/* "backends/<one>/<name>...": where the name begins; NULL: it is none. */
static const char *name_in_backend(const char *path)
{
    static const size_t n = sizeof BACKENDS - 1;
    const char *one = strchr(path, '/');
    if (one == NULL || (size_t)(one - path) != n || strncasecmp(path, BACKENDS, n) != 0)
        return NULL;
    while (*++one != '\0' && *one != '/') /* by hand: with sanitizers gcc misjudges strchr() here */
        continue;
    return *one == '/' ? one + 1 : NULL;
}

/* A name of n bytes in small letters; what is too long for a disk is none that packages keep. */
static bool fold(const char *name, size_t n, char ret[MAX_NAME_BYTES + 1])
{
    if (n > MAX_NAME_BYTES)
        return false;
    for (size_t i = 0; i < n; i++)
        ret[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];
    ret[n] = '\0';
    return true;
}

static enum package_member member_in_backend(const char *name)
{
    for (size_t i = 0; i < N_PLUGINS; i++)
        if (scratch_is_name_of(name, plugins[i]))
            return PACKAGE_MEMBER_UNFINISHED;
    return PACKAGE_MEMBER_FILE;
}

static enum package_member member_at_top(const char *name)
{
    if (package_papers_is_coming(name))
        return PACKAGE_MEMBER_UNFINISHED;
    for (size_t i = 0; i < N_PAPERS; i++) {
        if (strcmp(name, papers[i]) == 0)
            return PACKAGE_MEMBER_PAPER;
        if (scratch_is_name_of(name, papers[i]))
            return PACKAGE_MEMBER_UNFINISHED;
    }
    return PACKAGE_MEMBER_FILE;
}

/* By the one name in the path that can be one of the package's own; *ret_rest is what follows it. */
static enum package_member kept_as(const char *path, const char **ret_rest)
{
    char folded[MAX_NAME_BYTES + 1];
    const char *in_backend = name_in_backend(path);
    const char *name = in_backend != NULL ? in_backend : path;
    const size_t n = strcspn(name, "/");
    *ret_rest = name + n;
    if (!fold(name, n, folded))
        return PACKAGE_MEMBER_FILE;
    return in_backend != NULL ? member_in_backend(folded) : member_at_top(folded);
}

bool package_keeps_name(const char *path)
{
    const char *rest;
    return kept_as(path, &rest) != PACKAGE_MEMBER_FILE;
}

enum package_member package_member_of(const char *path)
{
    const char *rest;
    const enum package_member kept = kept_as(path, &rest);
    if (kept != PACKAGE_MEMBER_FILE && *rest == '\0')
        return kept;
    return path[0] == '.' || strstr(path, "/.") != NULL ? PACKAGE_MEMBER_HIDDEN
                                                        : PACKAGE_MEMBER_FILE;
}

static bool is_written_over(const char *path)
{
    return strcmp(path, papers[0]) == 0 || strcmp(path, PACKAGE_SIGNATURE_NAME) == 0;
}

model_status package_check_kept(const char *dir, const char *path, struct model_error *err)
{
    struct stat info;
    char *file = path_join(dir, path);
    model_status status = file != NULL ? MODEL_OK : error_no_memory(err, "a path");
    if (status == MODEL_OK && lstat(file, &info) == 0 &&
        (S_ISDIR(info.st_mode) || (!S_ISREG(info.st_mode) && !is_written_over(path))))
        status = error_set(err, MODEL_CORRUPT,
                           "%s is %s with a name that packages keep for themselves; rename it",
                           file, S_ISDIR(info.st_mode) ? "a folder" : "a link or a special file");
    free(file);
    return status;
}

bool package_is_plugin_path(const char *path)
{
    const char *name = name_in_backend(path);
    for (size_t i = 0; i < N_PLUGINS && name != NULL; i++)
        if (strcmp(name, plugins[i]) == 0)
            return true;
    return false;
}

/* No link is followed: what it leads to is not the package's. */
static bool is_own_folder(const char *path)
{
    struct stat info;
    return path != NULL && lstat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static void sweep_folder(const char *dir, const char *const *names, size_t n_names)
{
    for (size_t i = 0; i < n_names && is_own_folder(dir); i++) {
        char *target = path_join(dir, names[i]);
        if (target != NULL)
            scratch_sweep(target);
        free(target);
    }
}

void package_sweep(const char *dir)
{
    struct dir_list list = {0};
    char *backends = path_join(dir, BACKENDS);
    sweep_folder(dir, papers, N_PAPERS);
    if (!is_own_folder(backends) || dir_read(backends, &list, NULL) != MODEL_OK)
        list = (struct dir_list){0};
    for (size_t i = 0; i < list.n_names; i++) {
        char *backend = path_join(backends, list.names[i]);
        sweep_folder(backend, plugins, N_PLUGINS);
        free(backend);
    }
    dir_list_finish(&list);
    free(backends);
}
