/* plugin_macho.c - a plugin's note, exports and libraries out of a Mach-O file of this machine (macOS;
 * fat files are not read). Every offset is checked before it is used. No state, any thread. */
#include "errors.h"
#include "plugin_image.h"

#ifdef __APPLE__
#include <mach-o/loader.h>
#include <mach-o/nlist.h>
#include <string.h>

#if defined(__aarch64__)
#define MACHINE CPU_TYPE_ARM64
#else
#define MACHINE CPU_TYPE_X86_64
#endif

#define MAX_SYMBOLS 1000000u

struct macho {
    const uint8_t *file;
    size_t file_bytes;
    const char *what;
    struct plugin_file *ret;
    bool has_note;
    struct model_error *err;
};

static model_status refuse(const struct macho *macho, const char *problem)
{
    return error_set(macho->err, MODEL_CORRUPT, "%s: broken Mach-O file: %s", macho->what, problem);
}

static bool is_inside(const struct macho *macho, uint64_t offset, uint64_t size_bytes)
{
    return offset <= macho->file_bytes && size_bytes <= macho->file_bytes - offset;
}

/* LC_SEGMENT_64: the section __TEXT,__model_note holds what ELF's note holds. */
static model_status read_segment(struct macho *macho, const uint8_t *command, uint32_t size_bytes)
{
    struct segment_command_64 segment;
    struct section_64 section;
    if (size_bytes < sizeof segment)
        return refuse(macho, "a short segment");
    memcpy(&segment, command, sizeof segment);
    if (segment.nsects > (size_bytes - sizeof segment) / sizeof section)
        return refuse(macho, "a short segment");
    for (uint32_t i = 0; i < segment.nsects; i++) {
        memcpy(&section, command + sizeof segment + i * sizeof section, sizeof section);
        if (strncmp(section.segname, "__TEXT", sizeof section.segname) != 0 ||
            strncmp(section.sectname, "__model_note", sizeof section.sectname) != 0)
            continue;
        if (!is_inside(macho, section.offset, section.size))
            return refuse(macho, "truncated in its note");
        model_status status =
            plugin_image_read_notes(macho->file + section.offset, (size_t)section.size, 4,
                                    macho->what, macho->ret, &macho->has_note, macho->err);
        if (status != MODEL_OK)
            return status;
    }
    return MODEL_OK;
}

/* LC_SYMTAB: external, not private, defined; names begin with '_'. */
static model_status read_symbols(struct macho *macho, const uint8_t *command, uint32_t size_bytes)
{
    struct symtab_command table;
    struct nlist_64 symbol;
    if (size_bytes < sizeof table)
        return refuse(macho, "a short symbol table");
    memcpy(&table, command, sizeof table);
    if (table.nsyms > MAX_SYMBOLS || !is_inside(macho, table.stroff, table.strsize) ||
        !is_inside(macho, table.symoff, (uint64_t)table.nsyms * sizeof symbol))
        return refuse(macho, "truncated in its symbols");
    const char *names = (const char *)macho->file + table.stroff;
    for (uint32_t i = 0; i < table.nsyms; i++) {
        memcpy(&symbol, macho->file + table.symoff + i * sizeof symbol, sizeof symbol);
        if ((symbol.n_type & (N_STAB | N_PEXT)) != 0 || (symbol.n_type & N_EXT) == 0 ||
            (symbol.n_type & N_TYPE) == N_UNDF)
            continue;
        uint32_t at = symbol.n_un.n_strx;
        const char *end = at < table.strsize ? memchr(names + at, '\0', table.strsize - at) : NULL;
        if (end == NULL)
            return refuse(macho, "a symbol without a name");
        at += names[at] == '_' ? 1 : 0;
        plugin_image_add_export(macho->ret, names + at, (size_t)(end - (names + at)));
    }
    return MODEL_OK;
}

static model_status read_library(struct macho *macho, const uint8_t *command, uint32_t size_bytes)
{
    struct dylib_command library;
    if (size_bytes < sizeof library)
        return refuse(macho, "a short library entry");
    memcpy(&library, command, sizeof library);
    if (library.dylib.name.offset >= size_bytes)
        return refuse(macho, "a library without a name");
    const char *name = (const char *)command + library.dylib.name.offset;
    const size_t name_bytes = strnlen(name, size_bytes - library.dylib.name.offset);
    plugin_image_add_needed(macho->ret, name, name_bytes);
    if (strncmp(name, "/usr/lib/", 9) != 0 && strncmp(name, "/System/", 8) != 0)
        plugin_image_add_place(macho->ret, name, name_bytes); /* "@rpath/...", too */
    return MODEL_OK;
}

static model_status read_commands(struct macho *macho, uint32_t n_commands)
{
    uint64_t at = sizeof(struct mach_header_64);
    for (uint32_t i = 0; i < n_commands; i++) {
        struct load_command load;
        model_status status = MODEL_OK;
        if (!is_inside(macho, at, sizeof load))
            return refuse(macho, "truncated in its load commands");
        const uint8_t *command = macho->file + at;
        memcpy(&load, command, sizeof load);
        if (load.cmdsize < sizeof load || !is_inside(macho, at, load.cmdsize))
            return refuse(macho, "truncated in its load commands");
        if (load.cmd == LC_SEGMENT_64)
            status = read_segment(macho, command, load.cmdsize);
        else if (load.cmd == LC_SYMTAB)
            status = read_symbols(macho, command, load.cmdsize);
        else if (load.cmd == LC_LOAD_DYLIB || load.cmd == LC_LOAD_WEAK_DYLIB)
            status = read_library(macho, command, load.cmdsize);
        if (status != MODEL_OK)
            return status;
        at += load.cmdsize;
    }
    return MODEL_OK;
}

model_status plugin_image_parse(const uint8_t *file, size_t file_bytes, const char *what,
                                struct plugin_file *ret, struct model_error *err)
{
    struct macho macho = {file, file_bytes, what, ret, false, err};
    struct mach_header_64 header;
    if (file_bytes < sizeof header)
        return error_set(err, MODEL_UNSUPPORTED, "%s is not a shared object (no Mach-O file)",
                         what);
    memcpy(&header, file, sizeof header);
    if (header.magic != MH_MAGIC_64 || header.cputype != MACHINE ||
        (header.filetype != MH_DYLIB && header.filetype != MH_BUNDLE))
        return error_set(err, MODEL_UNSUPPORTED,
                         "%s is not a 64-bit Mach-O library of this machine", what);
    model_status status = read_commands(&macho, header.ncmds);
    if (status == MODEL_OK && !macho.has_note)
        status = error_set(err, MODEL_UNSUPPORTED,
                           "%s carries no modelhost note; it is not a plugin, or "
                           "MODEL_PLUGIN_NOTE() is missing",
                           what);
    return status;
}
#endif
