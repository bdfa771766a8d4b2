/* model_names.c - see model_names.h. A host has few packages: a list will do. */
#include "model_names.h"
#include "buffer.h"
#include "errors.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct model_name {
    struct model_name *next;
    char *name, *wanted, *dir;
};

static void free_name(struct model_name *name)
{
    if (name == NULL)
        return;
    free(name->name);
    free(name->wanted);
    free(name->dir);
    free(name);
}

model_status model_names_check(const char *name, struct model_error *err)
{
    size_t n = 0;
    for (; n <= MODEL_NAMES_MAX_BYTES && name[n] != '\0'; n++)
        if ((unsigned char)name[n] < 0x20 || name[n] == 0x7F)
            return error_set(err, MODEL_INVALID_ARGUMENT,
                             "a model's name has a control character at byte %zu", n);
    return n > 0 && n <= MODEL_NAMES_MAX_BYTES
               ? MODEL_OK
               : error_set(err, MODEL_INVALID_ARGUMENT, "a model's name has 1 to %d bytes",
                           MODEL_NAMES_MAX_BYTES);
}

model_status model_names_init(struct model_names *names, struct model_error *err)
{
    *names = (struct model_names){.first = NULL};
    return uv_mutex_init(&names->mutex) == 0 ? MODEL_OK : error_no_memory(err, "names of models");
}

void model_names_finish(struct model_names *names)
{
    for (struct model_name *name = names->first, *next = NULL; name != NULL; name = next) {
        next = name->next;
        free_name(name);
    }
    names->first = NULL;
    uv_mutex_destroy(&names->mutex);
}

/* Under the mutex. */
static bool is_taken(const struct model_names *names, const char *name)
{
    for (const struct model_name *at = names->first; at != NULL; at = at->next)
        if (strcmp(at->name, name) == 0)
            return true;
    return false;
}

/* Under the mutex: "bert", "bert-2", "bert-3", ...; NULL without memory. */
static char *free_one(const struct model_names *names, const char *wanted)
{
    char *name = text_format("%.*s", MODEL_NAMES_MAX_BYTES, wanted);
    for (uint32_t i = 2; name != NULL && is_taken(names, name); i++) {
        free(name);
        name = text_format("%.*s-%u", MODEL_NAMES_MAX_BYTES, wanted, i);
    }
    return name;
}

/* Under the mutex; NULL without memory. */
static const struct model_name *add(struct model_names *names, const char *wanted, const char *dir)
{
    struct model_name *name = calloc(1, sizeof *name);
    if (name == NULL)
        return NULL;
    name->name = free_one(names, wanted);
    name->wanted = text_format("%s", wanted);
    name->dir = text_format("%s", dir);
    if (name->name == NULL || name->wanted == NULL || name->dir == NULL) {
        free_name(name);
        return NULL;
    }
    name->next = names->first;
    names->first = name;
    names->n_names++;
    return name;
}

model_status model_names_take(struct model_names *names, const char *wanted, const char *dir,
                              char **ret, struct model_error *err)
{
    uv_mutex_lock(&names->mutex);
    const struct model_name *found = names->first;
    while (found != NULL && (strcmp(found->wanted, wanted) != 0 || strcmp(found->dir, dir) != 0))
        found = found->next;
    if (found == NULL && names->n_names < MODEL_NAMES_MAX)
        found = add(names, wanted, dir);
    const bool is_full = found == NULL && names->n_names == MODEL_NAMES_MAX;
    char *name = found != NULL ? text_format("%s", found->name)
                 : is_full     ? text_format("%.*s", MODEL_NAMES_MAX_BYTES, wanted)
                               : NULL;
    uv_mutex_unlock(&names->mutex);
    if (name == NULL)
        return error_no_memory(err, "a model's name");
    *ret = name;
    return MODEL_OK;
}
