/* case_twins.c - see case_twins.h. */
#include "case_twins.h"
#include "string_map.h"

#include <stdlib.h>
#include <string.h>

/* a to z for A to Z; to be freed. */
static char *fold(const char *path)
{
    char *folded = strdup(path);
    for (char *c = folded; c != NULL && *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return folded;
}

bool case_twins_find(const char *(*path_at)(const void *context, size_t i), const void *context,
                     size_t n, size_t *ret_first, size_t *ret_second)
{
    struct string_map paths = {0};
    char **folded = calloc(n + 1, sizeof *folded);
    bool found = false;
    if (folded != NULL && string_map_init(&paths, n) == MODEL_OK)
        for (size_t i = 0; i < n && !found; i++) {
            folded[i] = fold(path_at(context, i));
            if (folded[i] == NULL || string_map_add(&paths, folded[i], strlen(folded[i]),
                                                    (uint32_t)i) != MODEL_INVALID_ARGUMENT)
                continue;
            *ret_first = (size_t)string_map_find(&paths, folded[i], strlen(folded[i]));
            *ret_second = i;
            found = true;
        }
    string_map_finish(&paths);
    for (size_t i = 0; folded != NULL && i < n; i++)
        free(folded[i]);
    free(folded);
    return found;
}
