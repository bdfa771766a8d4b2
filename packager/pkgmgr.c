/* pkgmgr.c - the pkgmgr command: finds the command in its table and runs it. */
#include "commands.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
    const char *help;
} commands[] = {
    {"download", cmd_download, "get a model from a hub and keep it as a package", help_download},
    {"install", cmd_install, "put a plugin into a package", help_install},
    {"list", cmd_list, "show the packages of the store", help_list},
    {"info", cmd_info, "show what a package is made of", help_info},
    {"verify", cmd_verify, "check every file of a package against its digest", help_verify},
    {"rm", cmd_rm, "remove packages from the store", help_rm},
    {"serve", cmd_serve, "be a hub for the models of a folder", help_serve},
    {NULL, NULL, NULL, NULL},
};

static void print_help(FILE *stream)
{
    fprintf(stream, "usage: pkgmgr COMMAND [OPTION]... [ARGUMENT]...\n\n"
                    "Gets models from a hub and keeps them as packages.\n\n");
    for (size_t i = 0; commands[i].name != NULL; i++)
        fprintf(stream, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fprintf(
        stream,
        "\n'pkgmgr help COMMAND' tells more about one; 'pkgmgr --version' prints the version.\n"
        "Exit codes: 0 ok, 1 failure, 2 usage, 3 not found, 4 not authorised or gated, 5 network,\n"
        "6 rate-limited, 7 integrity, 8 disk or permission, 9 offline and incomplete, 130 "
        "interrupted.\n");
}

static int unknown_command(const char *name)
{
    fprintf(stderr, "pkgmgr: unknown command '%s'; there are:", name);
    for (size_t i = 0; commands[i].name != NULL; i++)
        fprintf(stderr, " %s", commands[i].name);
    fprintf(stderr, "; see 'pkgmgr --help'\n");
    return COMMAND_USAGE;
}

/* Its index, or that of the empty row at the end. */
static size_t find_command(const char *name)
{
    size_t i = 0;
    while (commands[i].name != NULL && strcmp(commands[i].name, name) != 0)
        i++;
    return i;
}

static int help(const char *name)
{
    if (name == NULL) {
        print_help(stdout);
        return 0;
    }
    size_t i = find_command(name);
    if (commands[i].name == NULL)
        return unknown_command(name);
    fputs(commands[i].help, stdout);
    return 0;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

int main(int argc, char **argv)
{
    (void)signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        print_help(stderr);
        return COMMAND_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        puts("pkgmgr " MODELHOST_VERSION);
        return 0;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
        return help(argc > 2 ? argv[2] : NULL);
    size_t i = find_command(name);
    if (commands[i].name == NULL)
        return unknown_command(name);
    if (asks_for_help(argc - 1, argv + 1))
        return help(name);
    return commands[i].run(argc - 1, argv + 1);
}
