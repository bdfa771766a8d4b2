/* test_coreml_files.c - where plugins/coreml-ane has its files from: the host's service, for a program whose weights lie beside
 * it, in a folder and in archives; what is missing, hostile, or cut short meanwhile. */
#include "coreml_subject.h"
#include "archive_write.h"
#include "coreml_writer.h"
#include "mapped_files.h"
#include "package.h"

#define KERNELS     "{\"model_type\":\"coreml\",\"coreml_executor\":\"kernels\"}"
#define BOTH        "{\"model_type\":\"coreml\",\"coreml_compiled\":\"made.mlmodelc\"}"
#define PROGRAM     502
#define DATA        "model.mlpackage/Data/m/"
#define WEIGHT_AT   8192u /* of the numbers in weight.bin, pages behind what says so */
#define WEIGHT_SIZE (WEIGHT_AT + 8)

static const char *const names[] = {"config.json", PACKAGE_PLUGIN_NAME,
                                    "model.mlpackage/Manifest.json", DATA "m.mlmodel",
                                    DATA "weights/weight.bin"};
static const char manifest[] = "{\"fileFormatVersion\":\"1.0.0\",\"rootModelIdentifier\":\"A\","
                               "\"itemInfoEntries\":{\"A\":{\"path\":\"m/m.mlmodel\"}}}";

/* A host's services for one life of the plugin. */
static struct {
    char *dir, *backend;
    struct package package; /* an archive that is open */
    struct mapped_files files;
    struct model_backend_files table;
    size_t n_maps, fail_at;
    const char *changed; /* the path that is refused when it is checked; NULL: none */
    char checked[100];   /* the last one; "": none */
    char *cut;           /* a file that is cut at the next line of the log */
    struct harness *h;
} host;

static void put_number(uint8_t *at, uint64_t value, unsigned n_bytes)
{
    for (unsigned i = 0; i < n_bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

/* y = x + w, and w, which is 10 and 20, in weight.bin. */
static void write_program(void)
{
    static uint8_t weights[WEIGHT_SIZE];
    const float w[] = {10, 20};
    struct proto block = {.n = 0}, constant = operation_of("const", "w");
    struct proto add = operation_of("add", "y");
    add_attribute(&constant, "val",
                  blob_value_of(tensor_type(COREML_F32, (const uint64_t[]){2}, 1),
                                "@model_path/weights/weight.bin", 64));
    add_input(&add, "x", "x");
    add_input(&add, "y", "w");
    proto_child(&block, 3, &constant);
    proto_child(&block, 3, &add);
    const struct proto model = model_of(6, PROGRAM, program_of(block, "y"));
    put_number(weights, 1, 4);
    put_number(weights + 4, 2, 4);
    put_number(weights + 64, 0xDEADBEEF, 4);
    put_number(weights + 68, 2, 4);
    put_number(weights + 72, sizeof w, 8);
    put_number(weights + 80, WEIGHT_AT, 8);
    memcpy(weights + WEIGHT_AT, w, sizeof w);
    put(host.backend, names[2], manifest, sizeof manifest - 1);
    put(host.backend, names[3], model.data, model.n);
    put(host.backend, names[4], weights, sizeof weights);
}

static int set_up(void **state)
{
    (void)state;
    char *made = scratch_dir();
    memset(&host, 0, sizeof host);
    host.dir = realpath(made, NULL);
    free(made);
    host.backend = backend_of(host.dir, "coreml");
    char *folder = path_join(host.backend, DATA "weights");
    assert_int_equal(dir_make_all(folder, NULL), MODEL_OK);
    free(folder);
    put(host.backend, names[0], KERNELS, strlen(KERNELS));
    put(host.backend, names[1], "a plugin", 8);
    write_program();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(host.cut);
    free(host.backend);
    remove_package(host.dir);
    return 0;
}

static model_status map(void *context, const char *name, const void **ret_data, uint64_t *ret_bytes,
                        struct model_error *err)
{
    (void)context;
    if (++host.n_maps == host.fail_at)
        return error_no_memory(err, name);
    return host.files.table.map(host.files.table.context, name, ret_data, ret_bytes, err);
}

static void discard(void *context, const void *data, uint64_t size_bytes)
{
    (void)context;
    host.files.table.discard(host.files.table.context, data, size_bytes);
}

static model_status check_path(void *context, const char *name, struct model_error *err)
{
    (void)context;
    (void)snprintf(host.checked, sizeof host.checked, "%s", name);
    return host.changed != NULL && strcmp(host.changed, name) == 0
               ? error_set(err, MODEL_CORRUPT, "a file was changed")
               : MODEL_OK;
}

static const void *get_extension(void *context, const char *id)
{
    (void)context;
    return strcmp(id, MODEL_BACKEND_FILES) == 0 ? &host.table : NULL;
}

static void cut_at_line(void *context, int32_t level, const char *line)
{
    (void)context, (void)level, (void)line;
    assert_true(host.cut == NULL || truncate(host.cut, 4096) == 0);
}

/* The plugin with that configuration and the files of an archive, or (NULL) of the folder. */
static model_status load(const char *archive, const char *config)
{
    struct mapped_source source = {NULL, host.dir, host.backend, 0};
    if (archive != NULL) {
        assert_int_equal(package_open(archive, NULL, &host.package, NULL), MODEL_OK);
        source = (struct mapped_source){host.package.archive, host.package.dir,
                                        host.package.backend_dir, 0};
    }
    mapped_files_init(&host.files, &source);
    host.table = (struct model_backend_files){sizeof host.table, NULL, map, discard, check_path};
    host.n_maps = 0;
    host.checked[0] = '\0';
    host.h = harness_create(NULL, config, 1);
    host.h->create_model = create_model;
    host.h->args.backend_dir = source.backend_dir;
    host.h->services.get_extension = get_extension;
    host.h->services.log = cut_at_line;
    const model_status status = harness_load(host.h);
    mapped_files_close(&host.files);
    return status;
}

static void end(void)
{
    assert_int_equal(harness_destroy(host.h), 0);
    assert_int_equal(mock_bridge_held(), 0);
    mapped_files_finish(&host.files);
    package_finish(&host.package);
}

static void expect_answer(void)
{
    float y[2] = {0};
    assert_int_equal(run(host.h, y, true), MODEL_OK);
    assert_true(y[0] == 11 && y[1] == 22);
}

static void expect_refused(model_status status, const char *part)
{
    assert_int_equal(load(NULL, KERNELS), status);
    if (strstr(host.h->err.message, part) == NULL)
        fail_msg("'%s' is not in: %s", part, host.h->err.message);
    end();
}

/* <dir>/p.mhp, to be freed. */
static char *pack(bool compress)
{
    enum { N = sizeof names / sizeof names[0] };
    struct archive_source sources[N];
    char paths[N][100], *files[N], *target = path_join(host.dir, "p.mhp");
    const struct archive_options options = {.level = 3, .compress_weights = compress};
    struct model_error err = MODEL_ERROR_INIT;
    for (size_t i = 0; i < N; i++) {
        (void)snprintf(paths[i], sizeof paths[i], "backends/coreml/%s", names[i]);
        files[i] = path_join(host.backend, names[i]);
        sources[i] = (struct archive_source){paths[i], files[i], NULL};
    }
    if (archive_write(target, sources, N, &options, NULL, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < N; i++)
        free(files[i]);
    return target;
}

static void folders_and_archives_answer_alike(void **state)
{
    (void)state;
    assert_int_equal(load(NULL, KERNELS), MODEL_OK);
    assert_int_equal(host.n_maps, 4); /* a folder, its manifest, model and weights */
    expect_answer();
    end();
    for (int i = 0; i < 2; i++) {
        char *archive = pack(i == 1);
        if (load(archive, KERNELS) != MODEL_OK)
            fail_msg("%s", host.h->err.message);
        char *weights = text_format("backends/coreml/%s", names[4]);
        const struct archive_entry *entry = archive_find(host.package.archive, weights);
        assert_true(archive_is_in_place(entry) == (i == 0)); /* mapped, unless it is to be small */
        free(weights);
        expect_answer();
        end();
        free(archive);
    }
}

static void a_host_without_the_service_has_folders_only(void **state)
{
    (void)state;
    host.h = harness_create(NULL, KERNELS, 1);
    host.h->create_model = create_model;
    host.h->args.backend_dir = host.backend;
    assert_int_equal(harness_load(host.h), MODEL_OK);
    expect_answer();
    end();
}

/* Core ML fails, which is logged when the file was looked through and no weight was read. */
static void weights_that_are_cut_before_they_are_read_are_an_error_afterwards(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    tell(host.dir, "compile");
    host.cut = path_join(host.backend, names[4]);
    (void)load(NULL, EITHER);
    assert_int_equal(mapped_files_check(&host.files, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "weights/weight.bin was truncated while it was in use"));
    end();
}

static void weights_that_are_cut_later_were_read(void **state)
{
    (void)state;
    char *weights = path_join(host.backend, names[4]);
    assert_int_equal(load(NULL, KERNELS), MODEL_OK);
    assert_int_equal(mapped_files_check(&host.files, NULL), MODEL_OK);
    assert_int_equal(truncate(weights, 0), 0);
    expect_answer();
    assert_int_equal(mapped_files_check(&host.files, NULL), MODEL_CORRUPT);
    end();
    free(weights);
}

static void core_ml_itself_wants_a_folder(void **state)
{
    (void)state;
    char *archive = pack(false);
    assert_int_equal(load(archive, ONLY_COREML), MODEL_UNSUPPORTED);
    assert_string_equal(host.h->err.message,
                        "Core ML reads models by their path, and there is none in an archive: "
                        "unpack the package ('pkgmgr unpack')");
    end();
    assert_int_equal(load(archive, EITHER), MODEL_OK);
    expect_answer(); /* of the kernels */
    end();
    free(archive);
}

/* The kernels would compute it, but a package with a changed file is none to compute. */
static void what_core_ml_reads_by_its_path_is_checked_first(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {ONLY_COREML, "model.mlpackage"}, {EITHER, "model.mlpackage"}, {BOTH, "made.mlmodelc"}};
    const int before = mock_bridge_compiled();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        host.changed = cases[i][1];
        assert_int_equal(load(NULL, cases[i][0]), MODEL_CORRUPT);
        assert_string_equal(host.h->err.message, "a file was changed");
        assert_string_equal(host.checked, host.changed);
        end();
    }
    assert_int_equal(load(NULL, KERNELS), MODEL_OK); /* which were given what they read */
    assert_string_equal(host.checked, "");
    end();
    assert_int_equal(mock_bridge_compiled(), before);
}

static void what_is_missing_or_elsewhere_is_refused_by_its_name(void **state)
{
    (void)state;
    char *weights = path_join(host.backend, names[4]), *away = text_format("%s.away", host.dir);
    static const char *const roots[] = {"../../../config.json", "/etc/passwd", "m/../m/m.mlmodel"};
    assert_int_equal(rename(weights, away), 0);
    expect_refused(MODEL_CORRUPT, "@model_path/weights/weight.bin");
    assert_int_equal(symlink(away, weights), 0);
    expect_refused(MODEL_CORRUPT, "weights/weight.bin is a link out of the package");
    assert_int_equal(unlink(away), 0);
    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++) {
        char *text = text_format("{\"fileFormatVersion\":\"1.0.0\",\"rootModelIdentifier\":\"A\","
                                 "\"itemInfoEntries\":{\"A\":{\"path\":\"%s\"}}}",
                                 roots[i]);
        put(host.backend, names[2], text, strlen(text));
        expect_refused(MODEL_CORRUPT, "has a path that leads elsewhere");
        free(text);
    }
    free(away);
    free(weights);
}

static void a_service_that_fails_leaves_nothing(void **state)
{
    (void)state;
    for (host.fail_at = 1; host.fail_at <= 4; host.fail_at++) {
        assert_int_equal(load(NULL, KERNELS), MODEL_OUT_OF_MEMORY);
        end();
    }
    assert_int_equal(load(NULL, KERNELS), MODEL_OK);
    end();
}

#define IN_PACKAGE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PACKAGE(folders_and_archives_answer_alike),
        IN_PACKAGE(a_host_without_the_service_has_folders_only),
        IN_PACKAGE(weights_that_are_cut_before_they_are_read_are_an_error_afterwards),
        IN_PACKAGE(weights_that_are_cut_later_were_read),
        IN_PACKAGE(core_ml_itself_wants_a_folder),
        IN_PACKAGE(what_core_ml_reads_by_its_path_is_checked_first),
        IN_PACKAGE(what_is_missing_or_elsewhere_is_refused_by_its_name),
        IN_PACKAGE(a_service_that_fails_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
