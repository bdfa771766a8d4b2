/* test_plugin_file.c - what is read from a plugin's file before any of its code runs. Covers
 * store/plugin_elf.c. (On macOS the reader is store/plugin_macho.c; these tests change ELF files and are
 * for Linux, so that one is not tested.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "elf_fixture.h"
#include "plugin_file.h"
#include "store_fixture.h"

/* The sentence without the path in front, which differs from place to place. */
static const char *after_path(const struct model_error *err, const char *path)
{
    size_t length = strlen(path);
    return strncmp(err->message, path, length) == 0 ? err->message + length : err->message;
}

static void read_fixture(const char *name, struct plugin_file *ret, const char **ret_path)
{
    struct model_error err = MODEL_ERROR_INIT;
    *ret_path = beside_program(name);
    if (plugin_file_read(*ret_path, ret, &err) != MODEL_OK)
        fail_msg("%s", err.message);
}

static void load_bytes(const char *name, struct buffer *ret)
{
    *ret = (struct buffer)BUFFER_INIT(64u << 20);
    assert_int_equal(file_read(beside_program(name), 64u << 20, ret, NULL), MODEL_OK);
}

static model_status parse(const struct buffer *bytes, struct plugin_file *ret,
                          struct model_error *err)
{
    return plugin_file_parse((const uint8_t *)bytes->data, bytes->size, "p", ret, err);
}

static void a_good_plugin_is_read_and_may_be_opened(void **state)
{
    (void)state;
    struct plugin_file file;
    const char *path = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    read_fixture("plugin_echo.so", &file, &path);
    assert_int_equal(file.abi_major, MODEL_ABI_MAJOR);
    assert_int_equal(file.abi_minor, MODEL_ABI_MINOR);
    assert_string_equal(file.name, "echo");
    assert_string_equal(file.version, "1.0.0");
    assert_string_equal(file.architectures, "echo");
    assert_string_equal(file.exports, "create_model");
    assert_int_equal(file.n_exports, 1);
    assert_true(file.exports_create_model);
    /* The C library, or a sanitizer in front of it. */
    assert_true(strstr(file.needed, "libc.so.6") != NULL || strstr(file.needed, "san.so") != NULL);
    assert_int_equal(plugin_file_check(&file, path, &err), MODEL_OK);
    assert_true(plugin_file_serves(&file, "echo"));
    assert_false(plugin_file_serves(&file, "ech"));
    assert_false(plugin_file_serves(&file, ""));
}

static void check_refuses_wrong_abi_major(void **state)
{
    (void)state;
    struct plugin_file file;
    const char *path = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    read_fixture("plugin_wrong_major.so", &file, &path);
    assert_int_equal(file.abi_major, 2);
    assert_int_equal(plugin_file_check(&file, path, &err), MODEL_ABI_MISMATCH);
    assert_string_equal(
        after_path(&err, path),
        ": plugin 'bert' 1.0.0 was built for ABI 2.3, this host speaks 1.3; rebuild "
        "the plugin with this host's model_abi.h, or use a host of ABI 2");
}

static void a_library_without_note_is_no_plugin(void **state)
{
    (void)state;
    struct plugin_file file;
    struct model_error err = MODEL_ERROR_INIT;
    const char *path = beside_program("plugin_no_note.so");
    assert_int_equal(plugin_file_read(path, &file, &err), MODEL_UNSUPPORTED);
    assert_string_equal(after_path(&err, path),
                        " carries no modelhost note; it is not a plugin, or MODEL_PLUGIN_NOTE() is "
                        "missing");
}

static void check_refuses_extra_exports_by_name(void **state)
{
    (void)state;
    struct plugin_file file;
    const char *path = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    read_fixture("plugin_extra_exports.so", &file, &path);
    assert_int_equal(file.n_exports, 3);
    assert_true(plugin_file_serves(&file, "bert"));
    assert_true(plugin_file_serves(&file, "BertModel"));
    assert_false(plugin_file_serves(&file, "bert,BertModel"));
    assert_int_equal(plugin_file_check(&file, path, &err), MODEL_INVALID_ARGUMENT);
    const char *sentence = after_path(&err, path);
    assert_non_null(strstr(sentence, "helper_of_bert"));
    assert_non_null(strstr(sentence, "table_of_bert"));
    static const char before[] = ": plugin 'bert' 1.0.0 exports 2 symbols beside create_model (";
    static const char after[] =
        "); hide them: compile with -fvisibility=hidden and link with the version script "
        "{ global: create_model; local: *; };";
    assert_memory_equal(sentence, before, sizeof before - 1);
    assert_string_equal(sentence + strlen(sentence) - (sizeof after - 1), after);
}

static void check_refuses_a_plugin_without_create_model(void **state)
{
    (void)state;
    struct plugin_file file;
    const char *path = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    read_fixture("plugin_no_create_model.so", &file, &path);
    assert_int_equal(plugin_file_check(&file, path, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(after_path(&err, path),
                        ": plugin 'bert' 1.0.0 does not export create_model; define it with the "
                        "signature of model_abi.h and mark it MODEL_EXPORT");
}

static void create_model_must_be_code(void **state)
{
    (void)state;
    struct buffer bytes;
    struct plugin_file file;
    struct model_error err = MODEL_ERROR_INIT;
    static const char sentence[] =
        "p: create_model is not a function; define it with the signature of model_abi.h";
    load_bytes("plugin_data.so", &bytes);
    assert_int_equal(parse(&bytes, &file, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, sentence);
    buffer_finish(&bytes);
    load_bytes("plugin_echo.so", &bytes);
    Elf64_Ehdr header;
    Elf64_Phdr segment;
    memcpy(&header, bytes.data, sizeof header);
    for (uint32_t i = 0; i < header.e_phnum; i++) { /* a function, but where nothing may run */
        char *at = bytes.data + header.e_phoff + i * sizeof segment;
        memcpy(&segment, at, sizeof segment);
        segment.p_flags &= ~(Elf64_Word)PF_X;
        memcpy(at, &segment, sizeof segment);
    }
    assert_int_equal(parse(&bytes, &file, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, sentence);
    buffer_finish(&bytes);
}

/* The n-th segment of a type, changed by `change`, in a good plugin; what is said of it. */
static void assert_segment_refused(Elf64_Word type, uint32_t n, void (*change)(Elf64_Phdr *segment),
                                   const char *sentence)
{
    struct buffer bytes;
    struct plugin_file file;
    struct model_error err = MODEL_ERROR_INIT;
    Elf64_Ehdr header;
    Elf64_Phdr segment;
    load_bytes("plugin_echo.so", &bytes);
    memcpy(&header, bytes.data, sizeof header);
    char *at = bytes.data + header.e_phoff;
    for (memcpy(&segment, at, sizeof segment); segment.p_type != type || n-- > 0;
         memcpy(&segment, at, sizeof segment))
        at += sizeof segment;
    change(&segment);
    memcpy(at, &segment, sizeof segment);
    assert_int_equal(parse(&bytes, &file, &err), MODEL_CORRUPT);
    assert_string_equal(err.message, sentence);
    buffer_finish(&bytes);
}

static void make_dynamic(Elf64_Phdr *segment)
{
    segment->p_type = PT_DYNAMIC;
}

static void move_to_start(Elf64_Phdr *segment)
{
    segment->p_vaddr = 0;
}

static void grow_memory(Elf64_Phdr *segment)
{
    segment->p_memsz += 1u << 20;
}

static void move_in_file(Elf64_Phdr *segment)
{
    segment->p_offset += 16;
}

static void cut_end(Elf64_Phdr *segment)
{
    segment->p_filesz = 32;
}

static void segments_that_the_dynamic_linker_may_see_otherwise_are_refused(void **state)
{
    (void)state;
    static const char overlap[] = "p: broken ELF file: its segments overlap or are out of order";
    static const char elsewhere[] =
        "p: broken ELF file: its dynamic section is not where it is loaded";
    assert_segment_refused(PT_GNU_STACK, 0, make_dynamic,
                           "p: broken ELF file: two dynamic sections");
    assert_segment_refused(PT_LOAD, 1, move_to_start, overlap);
    assert_segment_refused(PT_LOAD, 0, grow_memory, overlap);
    assert_segment_refused(PT_DYNAMIC, 0, move_in_file, elsewhere);
    assert_segment_refused(PT_DYNAMIC, 0, cut_end,
                           "p: broken ELF file: a dynamic section without an end");
}

/* What the first needed library's entry becomes, whether it is one still, and whether it is a place then. */
static void places_of_libraries_are_told(void **state)
{
    (void)state;
    static const struct {
        Elf64_Sxword tag;
        const char *first;
        bool is_needed, is_place;
    } cases[] = {{DT_NEEDED, "l", true, false},    {DT_NEEDED, "/", true, true},
                 {DT_AUXILIARY, "l", true, false}, {DT_FILTER, "/", true, true},
                 {DT_RPATH, "l", false, true},     {DT_RUNPATH, "/", false, true},
                 {DT_RUNPATH, "", false, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer bytes;
        struct plugin_file before, file;
        struct model_error err = MODEL_ERROR_INIT;
        load_bytes("plugin_echo.so", &bytes);
        assert_int_equal(parse(&bytes, &before, &err), MODEL_OK);
        assert_string_equal(before.library_places, "");
        char *name = before.needed;
        name[strcspn(name, " ")] = '\0';
        elf_retag_needed(&bytes, cases[i].tag);
        char *at = memmem(bytes.data, bytes.size, name, strlen(name) + 1);
        assert_non_null(at);
        at[0] = name[0] = cases[i].first[0];
        assert_int_equal(parse(&bytes, &file, &err), MODEL_OK);
        assert_int_equal(strstr(file.needed, name) != NULL && name[0] != '\0', cases[i].is_needed);
        assert_string_equal(file.library_places, cases[i].is_place ? name : "");
        buffer_finish(&bytes);
    }
}

static void a_file_that_was_changed_or_replaced_since_is_not_the_same(void **state)
{
    struct plugin_file file;
    struct model_error err = MODEL_ERROR_INIT;
    struct buffer bytes;
    char *path = text_format("%s/a.so", (const char *)*state);
    char *other = text_format("%s/b.so", (const char *)*state);
    load_bytes("plugin_echo.so", &bytes);
    assert_int_equal(file_write_atomic(path, bytes.data, bytes.size, &err), MODEL_OK);
    assert_int_equal(plugin_file_read(path, &file, &err), MODEL_OK);
    assert_int_equal(plugin_file_check_same(&file, path, &err), MODEL_OK);
    assert_int_equal(file_write_atomic(other, bytes.data, bytes.size, &err), MODEL_OK);
    assert_int_equal(plugin_file_check_same(&file, other, &err), MODEL_CORRUPT);
    assert_string_equal(after_path(&err, other),
                        " changed while it was being opened; try again when nobody writes to it");
    assert_int_equal(truncate(path, 100), 0);
    assert_int_equal(plugin_file_check_same(&file, path, &err), MODEL_CORRUPT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(plugin_file_check_same(&file, path, &err), MODEL_NOT_FOUND);
    free(path);
    free(other);
    buffer_finish(&bytes);
}

static void reads_the_same_without_section_headers(void **state)
{
    (void)state;
    struct buffer bytes;
    struct plugin_file with, without;
    struct model_error err = MODEL_ERROR_INIT;
    load_bytes("plugin_extra_exports.so", &bytes);
    memset(&with, 0, sizeof with);
    memset(&without, 0, sizeof without);
    assert_int_equal(parse(&bytes, &with, &err), MODEL_OK);
    Elf64_Ehdr header;
    memcpy(&header, bytes.data, sizeof header);
    bytes.size = (size_t)header.e_shoff; /* the section headers stand last */
    header.e_shoff = 0;
    header.e_shnum = 0;
    memcpy(bytes.data, &header, sizeof header);
    assert_int_equal(parse(&bytes, &without, &err), MODEL_OK);
    assert_string_equal(with.exports, without.exports);
    assert_string_equal(with.needed, without.needed);
    assert_int_equal(without.n_exports, 3);
    buffer_finish(&bytes);
}

static void refuses_what_is_no_shared_object_of_this_machine(void **state)
{
    (void)state;
    struct buffer bytes;
    struct plugin_file file;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(plugin_file_parse((const uint8_t *)"hello", 5, "p", &file, &err),
                     MODEL_UNSUPPORTED);
    assert_string_equal(err.message,
                        "p is not a shared object (no ELF file); build the plugin with -shared");
    assert_int_equal(plugin_file_parse(NULL, 0, "p", &file, &err), MODEL_UNSUPPORTED);

    load_bytes("plugin_echo.so", &bytes);
    Elf64_Ehdr good, header;
    memcpy(&good, bytes.data, sizeof good);
    header = good;
    header.e_machine = EM_SPARC;
    memcpy(bytes.data, &header, sizeof header);
    assert_int_equal(parse(&bytes, &file, &err), MODEL_UNSUPPORTED);
    assert_non_null(strstr(err.message, "p is built for another machine (ELF machine 2, "));
    header = good;
    header.e_ident[EI_CLASS] = ELFCLASS32;
    memcpy(bytes.data, &header, sizeof header);
    assert_int_equal(parse(&bytes, &file, &err), MODEL_UNSUPPORTED);
    char wanted[200];
    (void)snprintf(wanted, sizeof wanted,
                   "p is built for another machine (ELF machine %u, 32-bit, little-endian; this "
                   "one is %u, 64-bit, little-endian)",
                   (unsigned)good.e_machine, (unsigned)good.e_machine);
    assert_string_equal(err.message, wanted);
    header = good;
    header.e_ident[EI_DATA] = ELFDATA2MSB;
    header.e_machine = EM_SPARCV9 << 8; /* 43, in the file's byte order */
    memcpy(bytes.data, &header, sizeof header);
    assert_int_equal(parse(&bytes, &file, &err), MODEL_UNSUPPORTED);
    assert_non_null(strstr(err.message, "(ELF machine 43, 64-bit, big-endian; this one is "));
    header = good;
    header.e_type = ET_EXEC;
    memcpy(bytes.data, &header, sizeof header);
    assert_int_equal(parse(&bytes, &file, &err), MODEL_UNSUPPORTED);
    assert_string_equal(err.message, "p is not a shared object (ELF type 2, want 3)");
    buffer_finish(&bytes);

    assert_int_equal(plugin_file_read("/nowhere/libx.so", &file, &err), MODEL_NOT_FOUND);
    assert_string_equal(err.message, "cannot open /nowhere/libx.so: No such file or directory");
    assert_int_equal(plugin_file_read("/", &file, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "/ is not a regular file");
}

/* Every prefix of a plugin is refused or read, and nothing is read beyond it (a sanitizer looks). */
static void survives_truncation_at_every_length(void **state)
{
    (void)state;
    struct buffer bytes;
    load_bytes("plugin_echo.so", &bytes);
    size_t step = bytes.size > 20000 ? bytes.size / 2000 : 7;
    for (size_t n = 0; n < bytes.size; n += n < 4096 ? 1 : step) {
        uint8_t *part = malloc(n > 0 ? n : 1);
        assert_non_null(part);
        memcpy(part, bytes.data, n);
        struct plugin_file file;
        struct model_error err = MODEL_ERROR_INIT;
        model_status status = plugin_file_parse(part, n, "p", &file, &err);
        assert_true(status == MODEL_OK || err.message[0] != '\0');
        free(part);
    }
    buffer_finish(&bytes);
}

/* One byte at a time takes every value that matters; the first 16 KB hold all headers and tables. */
static void survives_changed_bytes(void **state)
{
    (void)state;
    static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    struct buffer bytes;
    load_bytes("plugin_echo.so", &bytes);
    size_t end = bytes.size < 4096 ? bytes.size : 4096;
    for (size_t at = 0; at < end; at++) {
        char kept = bytes.data[at];
        for (size_t i = 0; i < sizeof values; i++) {
            struct plugin_file file;
            struct model_error err = MODEL_ERROR_INIT;
            bytes.data[at] = (char)values[i];
            model_status status = parse(&bytes, &file, &err);
            assert_true(status == MODEL_OK || err.message[0] != '\0');
        }
        bytes.data[at] = kept;
    }
    buffer_finish(&bytes);
}

static void refuses_a_broken_note(void **state)
{
    (void)state;
    struct buffer bytes;
    struct plugin_file file;
    struct model_error err = MODEL_ERROR_INIT;
    load_bytes("plugin_echo.so", &bytes);
    char *magic = memmem(bytes.data, bytes.size, MODEL_NOTE_MAGIC, 8);
    assert_non_null(magic);
    magic[0] = 'X';
    assert_int_equal(parse(&bytes, &file, &err), MODEL_CORRUPT);
    assert_string_equal(err.message, "p: the modelhost note is broken");
    magic[0] = 'M';
    memset(magic + offsetof(struct model_note, name), 'n', 48);
    assert_int_equal(parse(&bytes, &file, &err), MODEL_CORRUPT);
    assert_string_equal(err.message,
                        "p: the modelhost note's name, version or architectures are no text");
    memcpy(magic + offsetof(struct model_note, name), "a\nb\0", 4);
    assert_int_equal(parse(&bytes, &file, &err), MODEL_CORRUPT);
    memset(magic + offsetof(struct model_note, name), 0, 48);
    memcpy(magic + offsetof(struct model_note, name), "echo", 4);
    assert_int_equal(parse(&bytes, &file, &err), MODEL_OK);
    buffer_finish(&bytes);
}

static void long_lists_are_cut_and_say_so(void **state)
{
    (void)state;
    struct plugin_file file = {.abi_major = MODEL_ABI_MAJOR,
                               .name = "many",
                               .version = "1",
                               .n_exports = 5000,
                               .exports_create_model = true};
    memset(file.exports, 'x', sizeof file.exports - 5);
    memcpy(file.exports, "create_model a ", 15);
    memcpy(file.exports + sizeof file.exports - 5, " ...", 5);
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(plugin_file_check(&file, "p", &err), MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "exports 4999 symbols beside create_model (a ...)"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_plugin_is_read_and_may_be_opened),
        cmocka_unit_test(check_refuses_wrong_abi_major),
        cmocka_unit_test(a_library_without_note_is_no_plugin),
        cmocka_unit_test(check_refuses_extra_exports_by_name),
        cmocka_unit_test(check_refuses_a_plugin_without_create_model),
        cmocka_unit_test(create_model_must_be_code),
        cmocka_unit_test(segments_that_the_dynamic_linker_may_see_otherwise_are_refused),
        cmocka_unit_test(places_of_libraries_are_told),
        cmocka_unit_test_setup_teardown(a_file_that_was_changed_or_replaced_since_is_not_the_same,
                                        make_folder, remove_folder),
        cmocka_unit_test(reads_the_same_without_section_headers),
        cmocka_unit_test(refuses_what_is_no_shared_object_of_this_machine),
        cmocka_unit_test(survives_truncation_at_every_length),
        cmocka_unit_test(survives_changed_bytes),
        cmocka_unit_test(refuses_a_broken_note),
        cmocka_unit_test(long_lists_are_cut_and_say_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
