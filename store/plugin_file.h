/* plugin_file.h - what a plugin's file says before any of its code runs: its note, what it exports,
 * which libraries it wants. Reads ELF (and Mach-O on macOS) as untrusted bytes. */
#ifndef PLUGIN_FILE_H
#define PLUGIN_FILE_H

#include "modelhost.h"

#include <stdbool.h>
#include <sys/stat.h>

#define PLUGIN_MAX_EXPORTS 64

struct plugin_file {
    uint16_t abi_major, abi_minor;
    char name[48];
    char version[16];
    char architectures[256]; /* separated by commas */
    char exports[1024];      /* exported symbols, separated by ' '; cut with "..." */
    uint32_t n_exports;
    bool exports_create_model;
    char needed[1024]; /* DT_NEEDED, separated by ' ' */
    /* Where else than in the system's folders it has libraries looked for: RPATH, RUNPATH, and libraries by
     * their paths, separated by ' '; "": nowhere. */
    char library_places[512];
    bool wants_executable_stack; /* dlopen() would make the stacks of all threads executable */
    bool has_text_relocations;   /* its code is written to when it is opened */
    struct stat read;            /* the file that was read; all zero for bytes */
};

/* Reads it. MODEL_NOT_FOUND: no such file; MODEL_UNSUPPORTED: not a shared object of this machine, or
 * one without a note ("... carries no modelhost note; it is not a plugin, or MODEL_PLUGIN_NOTE() is
 * missing"); MODEL_CORRUPT: broken. */
model_status plugin_file_read(const char *path, struct plugin_file *ret, struct model_error *err);
/* The same from bytes, for the fuzzer; `what` names them. */
model_status plugin_file_parse(const uint8_t *file, size_t file_bytes, const char *what,
                               struct plugin_file *ret, struct model_error *err);

/* Whether this host may open it: major version (MODEL_ABI_MISMATCH: both versions and the remedy),
 * create_model exported and nothing else (MODEL_INVALID_ARGUMENT). */
model_status plugin_file_check(const struct plugin_file *file, const char *path,
                               struct model_error *err);

/* MODEL_CORRUPT unless `path` still is the file that plugin_file_read() read, unchanged. */
model_status plugin_file_check_same(const struct plugin_file *file, const char *path,
                                    struct model_error *err);

/* Whether its note names this architecture (a model_type or class name). */
bool plugin_file_serves(const struct plugin_file *file, const char *architecture);

#endif
