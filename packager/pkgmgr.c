/* pkgmgr.c - the pkgmgr command: its table of subcommands. */
#include "commands.h"

static const struct command commands[] = {
    {"download", cmd_download, "get a model from a hub and keep it as a package", help_download},
    {"install", cmd_install, "put a plugin into a package", help_install},
    {"list", cmd_list, "show the packages of the store", help_list},
    {"info", cmd_info, "show what a package is made of", help_info},
    {"verify", cmd_verify, "check every file of a package against its digest", help_verify},
    {"pack", cmd_pack, "make one file of a package", help_pack},
    {"unpack", cmd_unpack, "make a folder of such a file again", help_unpack},
    {"rm", cmd_rm, "remove packages from the store", help_rm},
    {"serve", cmd_serve, "be a hub for the models of a folder", help_serve},
    {.name = NULL},
};

int main(int argc, char **argv)
{
    static const struct program program = {
        "pkgmgr", "Gets models from a hub and keeps them as packages.", commands};
    return command_main(&program, argc, argv);
}
