/* hidden_arguments.c - see hidden_arguments.h. */
#include "hidden_arguments.h"

#include <stdbool.h>
#include <string.h>

/* "--tok" is --token for getopt_long(), too. */
static bool is_option(const char *argument, size_t name_bytes, const char *option)
{
    return name_bytes > 2 && strncmp(argument, "--", 2) == 0 &&
           strncmp(argument + 2, option, name_bytes - 2) == 0;
}

/* Without memory it stays to be seen: the command works all the same. */
static void hide(char **argument, size_t from)
{
    char *seen = *argument, *copy = strdup(seen);
    if (copy == NULL)
        return;
    memset(seen + from, '*', strlen(seen + from));
    *argument = copy;
}

void hidden_arguments_take(const char *option, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const size_t name_bytes = strcspn(argv[i], "=");
        if (!is_option(argv[i], name_bytes, option))
            continue;
        if (argv[i][name_bytes] == '=')
            hide(&argv[i], name_bytes + 1);
        else if (i + 1 < argc)
            hide(&argv[++i], 0);
    }
}
