/* misspelt_fields.c - see misspelt_fields.h. The host has parsed the text, so finding its keys needs no reader. */
#include "misspelt_fields.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define MAX_LETTERS 40 /* of a name; more than any field's and one */

static const char *const fields[] = {"coreml_model",
                                     "coreml_compiled",
                                     "coreml_executor",
                                     "compute_units",
                                     "low_precision_accumulation",
                                     "emulate_fp16",
                                     "fuse"};

#define N_FIELDS (sizeof fields / sizeof fields[0])

/* Small letters without underscores; false: too many. */
static bool take_letters(const char *name, size_t n_bytes, char ret[MAX_LETTERS])
{
    size_t n = 0;
    for (size_t i = 0; i < n_bytes && n < MAX_LETTERS - 1; i++)
        if (name[i] != '_')
            ret[n++] = (char)tolower((unsigned char)name[i]);
    ret[n] = '\0';
    return n < MAX_LETTERS - 1;
}

/* Whether one letter is more, less or another one, or two have changed places. */
static bool are_near(const char *a, const char *b)
{
    size_t n_a = strlen(a), n_b = strlen(b);
    while (n_a > 0 && n_b > 0 && *a == *b)
        a++, b++, n_a--, n_b--;
    while (n_a > 0 && n_b > 0 && a[n_a - 1] == b[n_b - 1])
        n_a--, n_b--;
    return (n_a <= 1 && n_b <= 1) || (n_a == 2 && n_b == 2 && a[0] == b[1] && a[1] == b[0]);
}

/* The field that is nearly this one; NULL: none, or it is one of them. */
static const char *find_near(const char *name, size_t n_bytes)
{
    char letters[MAX_LETTERS], own[MAX_LETTERS];
    const char *near = NULL;
    if (!take_letters(name, n_bytes, letters))
        return NULL;
    for (size_t i = 0; i < N_FIELDS; i++) {
        if (strlen(fields[i]) == n_bytes && memcmp(fields[i], name, n_bytes) == 0)
            return NULL;
        if (take_letters(fields[i], strlen(fields[i]), own) && are_near(letters, own))
            near = fields[i];
    }
    return near;
}

static void check(const struct model_services *services, const char *name, size_t n_bytes)
{
    char line[200];
    const char *near = find_near(name, n_bytes);
    if (near == NULL)
        return;
    (void)snprintf(line, sizeof line,
                   "config.json: '%.*s' is no field of this plugin and does nothing; did you mean "
                   "'%s'?",
                   (int)n_bytes, name, near);
    services->log(services->context, MODEL_LOG_WARN, line);
}

/* The quote that ends the string which begins at `at`. */
static const char *skip_string(const char *at)
{
    for (at++; *at != '"' && *at != '\0'; at++)
        at += at[0] == '\\' && at[1] != '\0';
    return at;
}

void misspelt_fields_tell(const struct model_services *services, const char *text)
{
    int depth = 0;
    for (const char *at = text; *at != '\0'; at++) {
        depth += (*at == '{' || *at == '[') - (*at == '}' || *at == ']');
        if (*at != '"')
            continue;
        const char *end = skip_string(at);
        if (*end == '\0')
            return;
        const char *behind = end + 1 + strspn(end + 1, " \t\r\n");
        if (depth == 1 && *behind == ':')
            check(services, at + 1, (size_t)(end - at) - 1);
        at = end;
    }
}
