/* pkgmgr.c - the pkgmgr command: its table of subcommands. */
#include "commands.h"
#include "hidden_arguments.h"

static const struct command commands[] = {
    {"download", cmd_download, "get a model from a hub and keep it as a package", help_download},
    {"install", cmd_install, "put a plugin into a package", help_install},
    {"list", cmd_list, "show the packages of the store", help_list},
    {"info", cmd_info, "show what a package is made of", help_info},
    {"verify", cmd_verify, "check every file of a package against its digest", help_verify},
    {"pack", cmd_pack, "make one file of a package", help_pack},
    {"rekey", cmd_rekey, "give an encrypted one another passphrase", help_rekey},
    {"unpack", cmd_unpack, "make a folder of such a file again", help_unpack},
    {"sign", cmd_sign, "sign a package", help_sign},
    {"keys", cmd_keys, "make, trust and revoke keys that sign packages", help_keys},
    {"rm", cmd_rm, "remove packages from the store", help_rm},
    {"import", cmd_import, "make a package of a folder or of the hub's cache", help_import},
    {"versions", cmd_versions, "show the versions of a model that the store has", help_versions},
    {"rollback", cmd_rollback, "go back to the version before", help_rollback},
    {"update", cmd_update, "get what the hub has by now, and say what changed", help_update},
    {"lock", cmd_lock, "write down what the store has, to the last digest", help_lock},
    {"sync", cmd_sync, "make the store as a lockfile says", help_sync},
    {"cache", cmd_cache, "show what takes how much room", help_cache},
    {"gc", cmd_gc, "remove what nothing uses", help_gc},
    {"sbom", cmd_sbom, "list what a package is made of, in SPDX", help_sbom},
    {"serve", cmd_serve, "be a hub for the models of a folder", help_serve},
    {"inspect", cmd_inspect, "show the tensors of weights", help_inspect},
    {"diff", cmd_diff, "show how two models differ", help_diff},
    {"convert", cmd_convert, "make safetensors of a pickle, or another element type", help_convert},
    {"doctor", cmd_doctor, "look whether all is well, and say what to do", help_doctor},
    {"env", cmd_env, "print versions and settings, for reports of trouble", help_env},
    {.name = NULL},
};

int main(int argc, char **argv)
{
    static const struct command_choice choices[] = {
        {"dtype", "f32 f16 bf16"}, {"access-format", "common json"}, {NULL, NULL}};
    static const struct program program = {
        "pkgmgr", "Gets models from a hub and keeps them as packages.", commands, choices};
    hidden_arguments_take("token", argc, argv);
    return command_main(&program, argc, argv);
}
