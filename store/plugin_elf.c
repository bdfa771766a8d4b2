/* plugin_elf.c - a plugin's note, exports and libraries out of an ELF64 file. Only the program headers
 * are relied on, as the dynamic linker does, so that stripped files read the same; the section headers
 * are one more source for the number of symbols. Every offset is checked before it is used: the bytes
 * may be anything. No state, any thread. */
#include "errors.h"
#include "plugin_image.h"
#include "size.h"

#ifndef __APPLE__

#include <elf.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "plugin_elf.c reads the little-endian files of a little-endian machine"
#endif

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#elif defined(__riscv)
#define MACHINE EM_RISCV
#else
#error "plugin_elf.c: name this machine's e_machine here"
#endif

#define MAX_SYMBOLS  1000000
#define MAX_SEGMENTS 256
#define PAGE_BYTES   4096

struct elf {
    const uint8_t *file;
    size_t file_bytes;
    const char *what;
    struct model_error *err;
    Elf64_Ehdr header;
    /* Of PT_DYNAMIC; addresses, 0 when absent. */
    uint64_t strings, strings_bytes, symbols, hash, gnu_hash;
    const char *names; /* the string table (names_bytes), NULL when it is not in the file */
    size_t names_bytes;
};

static model_status refuse(const struct elf *elf, const char *problem)
{
    return error_set(elf->err, MODEL_CORRUPT, "%s: broken ELF file: %s", elf->what, problem);
}

/* Copies size_bytes at a file offset; false when they are not all in the file. */
static bool read_bytes(const struct elf *elf, uint64_t offset, void *ret, size_t size_bytes)
{
    if (offset > elf->file_bytes || size_bytes > elf->file_bytes - offset)
        return false;
    memcpy(ret, elf->file + offset, size_bytes);
    return true;
}

/* Item `index` of a table. */
static bool read_item(const struct elf *elf, uint64_t table, uint64_t index, void *ret,
                      size_t item_bytes)
{
    uint64_t offset = 0;
    return size_multiply(index, item_bytes, &offset) && size_add(offset, table, &offset) &&
           read_bytes(elf, offset, ret, item_bytes);
}

static bool read_segment(const struct elf *elf, uint32_t index, Elf64_Phdr *ret)
{
    return read_item(elf, elf->header.e_phoff, index, ret, sizeof *ret);
}

/* The file offset of a loaded address, with how many bytes of its segment follow in the file. */
static bool find_address(const struct elf *elf, uint64_t address, uint64_t *ret_offset,
                         uint64_t *ret_left)
{
    Elf64_Phdr segment;
    for (uint32_t i = 0; i < elf->header.e_phnum; i++) {
        if (!read_segment(elf, i, &segment))
            return false;
        if (segment.p_type != PT_LOAD || address < segment.p_vaddr ||
            address - segment.p_vaddr >= segment.p_filesz)
            continue;
        uint64_t inside = address - segment.p_vaddr;
        *ret_left = segment.p_filesz - inside;
        return size_add(segment.p_offset, inside, ret_offset);
    }
    return false;
}

static const char *class_of(const unsigned char *ident)
{
    return ident[EI_CLASS] == ELFCLASS64   ? "64-bit"
           : ident[EI_CLASS] == ELFCLASS32 ? "32-bit"
                                           : "unknown class";
}

static const char *order_of(const unsigned char *ident)
{
    return ident[EI_DATA] == ELFDATA2LSB   ? "little-endian"
           : ident[EI_DATA] == ELFDATA2MSB ? "big-endian"
                                           : "unknown byte order";
}

/* In the file's own byte order. */
static unsigned machine_of(const Elf64_Ehdr *header)
{
    unsigned machine = header->e_machine;
    return header->e_ident[EI_DATA] == ELFDATA2MSB ? (machine >> 8) | ((machine & 0xFF) << 8)
                                                   : machine;
}

static model_status check_header(struct elf *elf)
{
    const Elf64_Ehdr *header = &elf->header;
    if (!read_bytes(elf, 0, &elf->header, sizeof elf->header) ||
        memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
        return error_set(elf->err, MODEL_UNSUPPORTED,
                         "%s is not a shared object (no ELF file); build the plugin with -shared",
                         elf->what);
    if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
        header->e_machine != MACHINE)
        return error_set(elf->err, MODEL_UNSUPPORTED,
                         "%s is built for another machine (ELF machine %u, %s, %s; this one is "
                         "%u, 64-bit, little-endian)",
                         elf->what, machine_of(header), class_of(header->e_ident),
                         order_of(header->e_ident), (unsigned)MACHINE);
    if (header->e_type != ET_DYN)
        return error_set(elf->err, MODEL_UNSUPPORTED,
                         "%s is not a shared object (ELF type %u, want %u)", elf->what,
                         (unsigned)header->e_type, (unsigned)ET_DYN);
    if (header->e_phnum == 0 || header->e_phentsize != sizeof(Elf64_Phdr))
        return refuse(elf, "no program headers");
    if (header->e_phnum > MAX_SEGMENTS)
        return refuse(elf, "more than 256 segments");
    Elf64_Phdr last;
    if (!read_segment(elf, header->e_phnum - 1u, &last))
        return refuse(elf, "truncated in its program headers");
    return MODEL_OK;
}

/* ---- notes */

static model_status read_notes(const struct elf *elf, struct plugin_file *ret)
{
    bool found = false;
    Elf64_Phdr segment;
    for (uint32_t i = 0; i < elf->header.e_phnum; i++) {
        if (!read_segment(elf, i, &segment))
            return refuse(elf, "truncated in its program headers");
        if (segment.p_type != PT_NOTE)
            continue;
        if (segment.p_offset > elf->file_bytes ||
            segment.p_filesz > elf->file_bytes - segment.p_offset)
            return refuse(elf, "truncated in its notes");
        model_status status =
            plugin_image_read_notes(elf->file + segment.p_offset, (size_t)segment.p_filesz,
                                    segment.p_align == 8 ? 8 : 4, elf->what, ret, &found, elf->err);
        if (status != MODEL_OK)
            return status;
    }
    if (!found)
        return error_set(elf->err, MODEL_UNSUPPORTED,
                         "%s carries no modelhost note; it is not a plugin, or MODEL_PLUGIN_NOTE() "
                         "is missing",
                         elf->what);
    return MODEL_OK;
}

/* ---- the dynamic section */

/* What of the dynamic string table is really there. */
static void find_names(struct elf *elf)
{
    uint64_t offset = 0, left = 0;
    if (!find_address(elf, elf->strings, &offset, &left) || offset > elf->file_bytes)
        return;
    left = left < elf->file_bytes - offset ? left : elf->file_bytes - offset;
    left = left < elf->strings_bytes ? left : elf->strings_bytes;
    elf->names = (const char *)elf->file + offset;
    elf->names_bytes = (size_t)left;
}

/* NULL when it is not inside. */
static const char *name_at(const struct elf *elf, uint64_t index, size_t *ret_bytes)
{
    if (elf->names == NULL || index >= elf->names_bytes)
        return NULL;
    const char *name = elf->names + index;
    const char *end = memchr(name, '\0', elf->names_bytes - (size_t)index);
    if (end == NULL)
        return NULL;
    *ret_bytes = (size_t)(end - name);
    return name;
}

/* Segments as every linker writes them: one dynamic section, which lies where it will be mapped, and
 * loaded segments in order, no page in two. Of anything else the dynamic linker may see another part
 * than this file does. */
static model_status find_dynamic(const struct elf *elf, Elf64_Phdr *ret)
{
    uint64_t n_dynamic = 0, free_page = 0, offset = 0, left = 0;
    Elf64_Phdr segment;
    for (uint32_t i = 0; i < elf->header.e_phnum; i++) {
        if (!read_segment(elf, i, &segment))
            return refuse(elf, "truncated in its program headers");
        uint64_t end = 0;
        if (segment.p_type == PT_DYNAMIC) {
            n_dynamic++;
            *ret = segment;
        } else if (segment.p_type == PT_LOAD) {
            if (segment.p_vaddr / PAGE_BYTES < free_page || segment.p_filesz > segment.p_memsz ||
                !size_add(segment.p_vaddr, segment.p_memsz, &end))
                return refuse(elf, "its segments overlap or are out of order");
            free_page = end / PAGE_BYTES + (end % PAGE_BYTES != 0);
        }
    }
    if (n_dynamic != 1)
        return refuse(elf, n_dynamic == 0 ? "no dynamic section" : "two dynamic sections");
    if (!find_address(elf, ret->p_vaddr, &offset, &left) || offset != ret->p_offset ||
        left < ret->p_filesz)
        return refuse(elf, "its dynamic section is not where it is loaded");
    return MODEL_OK;
}

static void take_address(struct elf *elf, const Elf64_Dyn *entry)
{
    switch (entry->d_tag) {
    case DT_STRTAB:
        elf->strings = entry->d_un.d_ptr;
        break;
    case DT_STRSZ:
        elf->strings_bytes = entry->d_un.d_val;
        break;
    case DT_SYMTAB:
        elf->symbols = entry->d_un.d_ptr;
        break;
    case DT_HASH:
        elf->hash = entry->d_un.d_ptr;
        break;
    case DT_GNU_HASH:
        elf->gnu_hash = entry->d_un.d_ptr;
        break;
    default:
        break;
    }
}

/* Without the header the stack is executable: so old the format is. */
static bool wants_executable_stack(const struct elf *elf)
{
    Elf64_Phdr segment;
    for (uint32_t i = 0; i < elf->header.e_phnum && read_segment(elf, i, &segment); i++)
        if (segment.p_type == PT_GNU_STACK)
            return (segment.p_flags & PF_X) != 0;
    return true;
}

static bool is_text_relocation(const Elf64_Dyn *entry)
{
    return entry->d_tag == DT_TEXTREL ||
           (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL) != 0);
}

/* Libraries that come with it, and where they are looked for. A filter is a library like any other. */
static model_status take_name(const struct elf *elf, const Elf64_Dyn *entry,
                              struct plugin_file *ret)
{
    const bool is_library =
        entry->d_tag == DT_NEEDED || entry->d_tag == DT_FILTER || entry->d_tag == DT_AUXILIARY;
    size_t bytes = 0;
    if (!is_library && entry->d_tag != DT_RPATH && entry->d_tag != DT_RUNPATH)
        return MODEL_OK;
    const char *name = name_at(elf, entry->d_un.d_val, &bytes);
    if (name == NULL)
        return refuse(elf, is_library ? "a needed library without a name"
                                      : "folders of libraries without a name");
    if (is_library)
        plugin_image_add_needed(ret, name, bytes);
    if (bytes > 0 && (!is_library || memchr(name, '/', bytes) != NULL))
        plugin_image_add_place(ret, name, bytes);
    return MODEL_OK;
}

/* Twice over the entries: the addresses first, then the names that need them. */
static model_status read_dynamic(struct elf *elf, const Elf64_Phdr *dynamic,
                                 struct plugin_file *ret)
{
    Elf64_Dyn entry = {.d_tag = DT_NULL};
    uint64_t n = dynamic->p_filesz / sizeof entry;
    for (int pass = 0; pass < 2; pass++) {
        for (uint64_t i = 0; i < n; i++) {
            if (!read_item(elf, dynamic->p_offset, i, &entry, sizeof entry))
                return refuse(elf, "truncated in its dynamic section");
            if (entry.d_tag == DT_NULL)
                break;
            if (pass == 0) {
                take_address(elf, &entry);
                ret->has_text_relocations |= is_text_relocation(&entry);
            } else if (take_name(elf, &entry, ret) != MODEL_OK)
                return MODEL_CORRUPT;
        }
        if (entry.d_tag != DT_NULL)
            return refuse(elf, "a dynamic section without an end");
        if (pass == 0)
            find_names(elf);
    }
    return MODEL_OK;
}

/* ---- symbols */

static uint64_t count_by_hash(const struct elf *elf)
{
    uint64_t offset = 0, left = 0;
    uint32_t header[2]; /* buckets, symbols */
    if (elf->hash == 0 || !find_address(elf, elf->hash, &offset, &left) ||
        !read_bytes(elf, offset, header, sizeof header))
        return 0;
    return header[1];
}

/* The highest bucket's chain ends with the last symbol. */
static uint64_t count_by_gnu_hash(const struct elf *elf)
{
    uint64_t offset = 0, left = 0;
    uint32_t header[4]; /* buckets, first symbol, words of the filter, shift */
    if (elf->gnu_hash == 0 || !find_address(elf, elf->gnu_hash, &offset, &left) ||
        !read_bytes(elf, offset, header, sizeof header))
        return 0;
    uint64_t buckets = offset + sizeof header + (uint64_t)header[2] * 8;
    uint64_t chains = buckets + (uint64_t)header[0] * 4;
    uint32_t last = 0, symbol = 0, hash = 0;
    for (uint32_t i = 0; i < header[0] && read_item(elf, buckets, i, &symbol, sizeof symbol); i++)
        last = symbol > last ? symbol : last;
    if (last < header[1])
        return header[1];
    do {
        if (!read_item(elf, chains, last - header[1], &hash, sizeof hash))
            return last;
        last++;
    } while ((hash & 1) == 0 && last < MAX_SYMBOLS);
    return last;
}

static uint64_t count_by_sections(const struct elf *elf)
{
    Elf64_Shdr section;
    if (elf->header.e_shoff == 0 || elf->header.e_shentsize != sizeof section)
        return 0;
    for (uint32_t i = 0; i < elf->header.e_shnum; i++) {
        if (!read_item(elf, elf->header.e_shoff, i, &section, sizeof section))
            return 0;
        if (section.sh_type == SHT_DYNSYM)
            return section.sh_size / sizeof(Elf64_Sym);
    }
    return 0;
}

/* Whether other files can see it. A version script's own name is an absolute object of no size. */
static bool is_exported(const Elf64_Sym *symbol)
{
    unsigned bind = ELF64_ST_BIND(symbol->st_info), type = ELF64_ST_TYPE(symbol->st_info);
    unsigned visibility = ELF64_ST_VISIBILITY(symbol->st_other);
    if (symbol->st_shndx == SHN_UNDEF || bind == STB_LOCAL || visibility == STV_HIDDEN ||
        visibility == STV_INTERNAL || type == STT_SECTION || type == STT_FILE)
        return false;
    return !(symbol->st_shndx == SHN_ABS && type == STT_OBJECT && symbol->st_size == 0 &&
             symbol->st_value == 0);
}

/* create_model is jumped to: it must be code. */
static bool is_code(const struct elf *elf, const Elf64_Sym *symbol)
{
    unsigned type = ELF64_ST_TYPE(symbol->st_info);
    Elf64_Phdr segment;
    if (type != STT_FUNC && type != STT_GNU_IFUNC)
        return false;
    for (uint32_t i = 0; i < elf->header.e_phnum; i++)
        if (read_segment(elf, i, &segment) && segment.p_type == PT_LOAD &&
            (segment.p_flags & PF_X) != 0 && symbol->st_value >= segment.p_vaddr &&
            symbol->st_value - segment.p_vaddr < segment.p_filesz)
            return true;
    return false;
}

static model_status read_symbols(const struct elf *elf, struct plugin_file *ret)
{
    uint64_t by_hash = count_by_hash(elf), by_gnu = count_by_gnu_hash(elf);
    uint64_t n = count_by_sections(elf), offset = 0, left = 0;
    n = by_hash > n ? by_hash : n;
    n = by_gnu > n ? by_gnu : n;
    if (n == 0)
        return MODEL_OK;
    if (n > MAX_SYMBOLS || !find_address(elf, elf->symbols, &offset, &left) ||
        n > left / sizeof(Elf64_Sym))
        return refuse(elf, "a symbol table that does not fit");
    for (uint64_t i = 1; i < n; i++) {
        Elf64_Sym symbol;
        size_t bytes = 0;
        if (!read_item(elf, offset, i, &symbol, sizeof symbol))
            return refuse(elf, "truncated in its symbols");
        if (!is_exported(&symbol))
            continue;
        const char *name = name_at(elf, symbol.st_name, &bytes);
        if (name == NULL)
            return refuse(elf, "a symbol without a name");
        if (strcmp(name, "create_model") == 0 && !is_code(elf, &symbol))
            return error_set(elf->err, MODEL_INVALID_ARGUMENT,
                             "%s: create_model is not a function; define it with the signature of "
                             "model_abi.h",
                             elf->what);
        plugin_image_add_export(ret, name, bytes);
    }
    return MODEL_OK;
}

model_status plugin_image_parse(const uint8_t *file, size_t file_bytes, const char *what,
                                struct plugin_file *ret, struct model_error *err)
{
    struct elf elf = {.file = file, .file_bytes = file_bytes, .what = what, .err = err};
    model_status status = check_header(&elf);
    if (status == MODEL_OK)
        status = read_notes(&elf, ret);
    if (status != MODEL_OK)
        return status;
    Elf64_Phdr dynamic = {0};
    ret->wants_executable_stack = wants_executable_stack(&elf);
    status = find_dynamic(&elf, &dynamic);
    if (status == MODEL_OK)
        status = read_dynamic(&elf, &dynamic, ret);
    return status == MODEL_OK ? read_symbols(&elf, ret) : status;
}
#endif
