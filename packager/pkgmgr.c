/* pkgmgr.c - the pkgmgr command: its table of subcommands. */
#include "commands.h"

static const struct command commands[] = {
    {"download", cmd_download, "get a model from a hub and keep it as a package", help_download},
    {"install", cmd_install, "put a plugin into a package", help_install},
    {"list", cmd_list, "show the packages of the store", help_list},
    {"info", cmd_info, "show what a package is made of", help_info},
    {"verify", cmd_verify, "check every file of a package against its digest", help_verify},
    {"rm", cmd_rm, "remove packages from the store", help_rm},
    {"serve", cmd_serve, "be a hub for the models of a folder", help_serve},
    {"inspect", cmd_inspect, "show the tensors of weights", help_inspect},
    {"diff", cmd_diff, "show how two models differ", help_diff},
    {"convert", cmd_convert, "make safetensors of a pickle, or another element type", help_convert},
    {.name = NULL},
};

int main(int argc, char **argv)
{
    static const struct program program = {
        "pkgmgr", "Gets models from a hub and keeps them as packages.", commands};
    return command_main(&program, argc, argv);
}
