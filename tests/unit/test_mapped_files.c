/* test_mapped_files.c - files of a backend that a plugin reads by itself: the same bytes of folders and archives, only those
 * of the package, and errors instead of a dead process when somebody cuts them. The plugin is tests/abi/plugin_bytes.c. */
#include "mapped_files.h"
#include "archive_write.h"
#include "digest.h"
#include "dtype.h"
#include "echo_package.h"
#include "errors.h"
#include "failing_memory.h"
#include "manifest.h"
#include "package.h"

#include <inttypes.h>
#include <sys/stat.h>

#define BIG_BYTES 70001u

static const char *const names[] = {"model.bytes", "in/part.bytes", "empty"};
static const char config[] = "{\"model_type\":\"bytes\",\"file\":\"model.bytes\"}";

static char *dir, *backend;
static uint8_t big[BIG_BYTES];

static char *in_backend(const char *name)
{
    static char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/%s", backend, name);
    return path;
}

static int set_up(void **state)
{
    (void)state;
    char *made = make_package("bytes", config);
    dir = realpath(made, NULL);
    backend = path_join(dir, "backends/cpu");
    free(made);
    for (size_t i = 0; i < BIG_BYTES; i++)
        big[i] = (uint8_t)(1 + i / 50 % 251); /* compresses well */
    assert_int_equal(dir_make_all(in_backend("in"), NULL), MODEL_OK);
    write_file(in_backend(names[0]), big, BIG_BYTES);
    write_file(in_backend(names[1]), big + 5, 1000);
    write_file(in_backend(names[2]), "", 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(backend);
    remove_package(dir);
    return 0;
}

/* <dir>/p.mhp of the package, to be freed. */
static char *pack(const struct archive_options *options)
{
    static const char *const others[] = {"config.json", PACKAGE_PLUGIN_NAME};
    struct archive_source sources[5];
    char paths[5][64], *files[5], *target = path_join(dir, "p.mhp");
    struct model_error err = MODEL_ERROR_INIT;
    for (size_t i = 0; i < 5; i++) {
        const char *name = i < 3 ? names[i] : others[i - 3];
        (void)snprintf(paths[i], sizeof paths[i], "backends/cpu/%s", name);
        files[i] = path_join(backend, name);
        sources[i] = (struct archive_source){paths[i], files[i], NULL};
    }
    if (archive_write(target, sources, 5, options, NULL, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < 5; i++)
        free(files[i]);
    return target;
}

static model_status map(struct mapped_files *files, const char *name, const uint8_t **ret_data,
                        uint64_t *ret_bytes, struct model_error *err)
{
    const void *data = NULL;
    const model_status status = files->table.map(files->table.context, name, &data, ret_bytes, err);
    *ret_data = status == MODEL_OK ? data : NULL;
    return status;
}

static model_status check_path(struct mapped_files *files, const char *name,
                               struct model_error *err)
{
    assert_true(MODEL_HAS(struct model_backend_files, &files->table, check_path));
    return files->table.check_path(files->table.context, name, err);
}

static void expect_files(struct mapped_files *files)
{
    const uint8_t *data = NULL, *again = NULL;
    uint64_t n = 0;
    struct model_error err = MODEL_ERROR_INIT;
    if (map(files, names[0], &data, &n, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(n, BIG_BYTES);
    assert_memory_equal(data, big, BIG_BYTES);
    assert_int_equal((uintptr_t)data % 64, 0);
    assert_int_equal(map(files, names[0], &again, &n, &err), MODEL_OK);
    assert_ptr_equal(again, data);
    assert_int_equal(map(files, names[1], &data, &n, &err), MODEL_OK);
    assert_int_equal(n, 1000);
    assert_memory_equal(data, big + 5, 1000);
    assert_int_equal(map(files, names[2], &data, &n, &err), MODEL_OK);
    assert_int_equal(n, 0);
    files->table.discard(files, again, BIG_BYTES);
    mapped_files_rest(files);
    assert_memory_equal(again, big, BIG_BYTES); /* read again */
    assert_int_equal(mapped_files_check(files, &err), MODEL_OK);
}

static void expect_refusals(struct mapped_files *files)
{
    static const struct {
        const char *name;
        model_status status;
    } bad[] = {
        {"none", MODEL_NOT_FOUND},
        {"in/none", MODEL_NOT_FOUND},
        {"model.bytes/x", MODEL_NOT_FOUND},
        {"in", MODEL_INVALID_ARGUMENT},
        {"", MODEL_INVALID_ARGUMENT},
        {"/etc/passwd", MODEL_INVALID_ARGUMENT},
        {"../cpu/model.bytes", MODEL_INVALID_ARGUMENT},
        {"in/../model.bytes", MODEL_INVALID_ARGUMENT},
        {"./model.bytes", MODEL_INVALID_ARGUMENT},
        {"in//part.bytes", MODEL_INVALID_ARGUMENT},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct model_error err = MODEL_ERROR_INIT;
        const uint8_t *data = NULL;
        uint64_t n = 0;
        const model_status status = map(files, bad[i].name, &data, &n, &err);
        if (status != bad[i].status)
            fail_msg("'%s': %d, want %d", bad[i].name, (int)status, (int)bad[i].status);
        assert_true(err.message[0] != '\0');
    }
}

static void a_folder_and_its_archives_have_the_same_files(void **state)
{
    (void)state;
    static const struct archive_options options[] = {
        {.level = 0}, {.level = 3}, {.level = 3, .compress_weights = true}};
    struct mapped_files files;
    mapped_files_init(&files, &(struct mapped_source){NULL, dir, backend, 0});
    expect_files(&files);
    expect_refusals(&files);
    mapped_files_finish(&files);
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        char *path = pack(&options[i]);
        struct package package;
        assert_int_equal(package_open(path, NULL, &package, NULL), MODEL_OK);
        mapped_files_init(
            &files, &(struct mapped_source){package.archive, package.dir, package.backend_dir, 0});
        expect_files(&files);
        expect_refusals(&files);
        mapped_files_finish(&files);
        mapped_files_finish(&files); /* twice is nothing */
        package_finish(&package);
        free(path);
    }
}

static void links_lead_to_files_of_the_package_only(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct mapped_files files;
    const uint8_t *data = NULL;
    uint64_t n = 0;
    char *outside = text_format("%s.outside", dir);
    write_file(outside, "secret", 6);
    assert_int_equal(symlink("model.bytes", in_backend("near")), 0);
    assert_int_equal(symlink(outside, in_backend("far")), 0);
    assert_int_equal(symlink("circle", in_backend("circle")), 0);
    assert_int_equal(mkfifo(in_backend("pipe"), 0600), 0);
    mapped_files_init(&files, &(struct mapped_source){NULL, dir, backend, 0});
    assert_int_equal(map(&files, "near", &data, &n, &err), MODEL_OK);
    assert_int_equal(n, BIG_BYTES);
    assert_int_equal(map(&files, "far", &data, &n, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "is a link out of the package"));
    assert_int_equal(map(&files, "circle", &data, &n, &err), MODEL_IO);
    assert_int_equal(map(&files, "pipe", &data, &n, &err), MODEL_INVALID_ARGUMENT);
    mapped_files_finish(&files);
    assert_int_equal(unlink(outside), 0);
    free(outside);
}

/* As a store has them on a disk without hard links. */
static void a_package_of_a_store_may_link_to_its_blobs(void **state)
{
    (void)state;
    struct mapped_files files;
    const uint8_t *data = NULL;
    uint64_t n = 0;
    char *package = text_format("%s/packages/ns--name/%064d", dir, 7);
    char *folder = text_format("%s/backends/cpu", package);
    char *blobs = text_format("%s/blobs/sha256/ab", dir);
    char *blob = path_join(blobs, "abcd"), *link = path_join(folder, "model.bytes");
    char *other = path_join(folder, "other");
    assert_int_equal(dir_make_all(folder, NULL), MODEL_OK);
    assert_int_equal(dir_make_all(blobs, NULL), MODEL_OK);
    write_file(blob, big, 100);
    assert_int_equal(symlink(blob, link), 0);
    assert_int_equal(symlink(in_backend(names[0]), other), 0);
    mapped_files_init(&files, &(struct mapped_source){NULL, package, folder, 0});
    assert_int_equal(map(&files, "model.bytes", &data, &n, NULL), MODEL_OK);
    assert_int_equal(n, 100);
    assert_int_equal(map(&files, "other", &data, &n, NULL), MODEL_CORRUPT);
    mapped_files_finish(&files);
    free(other);
    free(link);
    free(blob);
    free(blobs);
    free(folder);
    free(package);
}

/* A folder that is used as it was signed: by what its manifest lists. */
static void a_signed_folder_has_the_files_that_were_signed(void **state)
{
    (void)state;
    char id[] = "ns/name", revision[] = "1234", nothing[] = "", hex[SHA256_HEX_BYTES];
    struct manifest manifest = {id, id, revision, revision, nothing, nothing, NULL, 0};
    struct model_error err = MODEL_ERROR_INIT;
    struct archive *archive = NULL;
    struct mapped_files files;
    const uint8_t *data = NULL;
    uint64_t n = 0;
    for (size_t i = 0; i < 2; i++) {
        char *listed = text_format("backends/cpu/%s", names[i]);
        assert_int_equal(digest_file_sha256(in_backend(names[i]), hex, &n, NULL), MODEL_OK);
        assert_int_equal(manifest_add(&manifest, listed, NULL, n, hex, NULL), MODEL_OK);
        free(listed);
    }
    assert_int_equal(archive_open_folder(dir, &manifest, ARCHIVE_CHECKSUM, &archive, &err),
                     MODEL_OK);
    write_file(in_backend(names[1]), big + 6, 1000); /* as long as it was */
    mapped_files_init(&files, &(struct mapped_source){archive, dir, backend, 0});
    assert_int_equal(map(&files, names[0], &data, &n, &err), MODEL_OK);
    assert_memory_equal(data, big, BIG_BYTES);
    assert_int_equal(map(&files, names[1], &data, &n, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "is not the file that was signed"));
    assert_int_equal(map(&files, names[2], &data, &n, &err), MODEL_NOT_FOUND); /* not listed */
    assert_int_equal(check_path(&files, names[0], &err), MODEL_OK);
    assert_int_equal(check_path(&files, "in", &err), MODEL_CORRUPT);
    assert_int_equal(check_path(&files, "../cpu/in", &err), MODEL_INVALID_ARGUMENT);
    mapped_files_close(&files);
    assert_int_equal(check_path(&files, names[0], &err), MODEL_INVALID_ARGUMENT);
    mapped_files_finish(&files);
    archive_close(archive);
    manifest = (struct manifest){.files = manifest.files, .n_files = manifest.n_files};
    manifest_finish(&manifest);
}

static void nothing_is_mapped_once_the_model_is_made(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct mapped_files files;
    const uint8_t *data = NULL;
    uint64_t n = 0;
    mapped_files_init(&files, &(struct mapped_source){NULL, dir, backend, 0});
    mapped_files_close(&files);
    assert_int_equal(map(&files, names[0], &data, &n, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "'model.bytes' is asked for when the model is made: files are "
                                     "opened in create_model()");
    mapped_files_finish(&files);
}

static void what_is_unpacked_fits_the_budget(void **state)
{
    (void)state;
    char *path = pack(&(struct archive_options){.level = 3});
    struct package package;
    struct model_error err = MODEL_ERROR_INIT;
    struct mapped_files files;
    const uint8_t *data = NULL;
    uint64_t n = 0;
    assert_int_equal(package_open(path, NULL, &package, NULL), MODEL_OK);
    mapped_files_init(&files, &(struct mapped_source){package.archive, package.dir,
                                                      package.backend_dir, BIG_BYTES + 999});
    assert_int_equal(map(&files, names[0], &data, &n, &err), MODEL_OK);
    assert_int_equal(map(&files, names[1], &data, &n, &err), MODEL_OUT_OF_MEMORY);
    assert_string_equal(err.message,
                        "'backends/cpu/in/part.bytes' is compressed or encrypted and unpacks to "
                        "1000 bytes, 999 of memory_budget_bytes are left; pack it as it is, or "
                        "allow more");
    mapped_files_finish(&files);
    package_finish(&package);
    free(path);
}

static void a_failed_allocation_is_an_error_and_leaves_nothing(void **state)
{
    (void)state;
    for (int i = 0;; i++) {
        struct mapped_files files;
        const uint8_t *data = NULL;
        uint64_t n = 0;
        mapped_files_init(&files, &(struct mapped_source){NULL, dir, backend, 0});
        failing_memory_after(i);
        const model_status status = map(&files, names[0], &data, &n, NULL);
        const bool has_failed = failing_memory_end();
        assert_int_equal(status, has_failed ? MODEL_OUT_OF_MEMORY : MODEL_OK);
        assert_true(has_failed == (files.newest == NULL));
        mapped_files_finish(&files);
        if (!has_failed)
            break;
    }
}

/* ---- in a host */

struct hosted {
    struct modelhost *host;
    struct modelhost_model *model;
};

static struct modelhost *make_host(void)
{
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct modelhost *host = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    options.store_dir = options.plugin_path = dir;
    options.lanes = options.threads = 1;
    if (modelhost_create(&options, &host, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return host;
}

static struct hosted open_hosted(const char *package, int32_t isolation, int32_t loading)
{
    struct hosted hosted = {.host = make_host()};
    struct modelhost_load_options load = MODELHOST_LOAD_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    load.isolation = isolation;
    load.loading = loading;
    load.kill_grace_ms = 600000;
    load.breaker_success_rate = -1; /* failures are wanted */
    if (modelhost_load_with(hosted.host, package, &load, &hosted.model, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return hosted;
}

static void close_hosted(struct hosted *hosted)
{
    modelhost_release(hosted->model);
    modelhost_destroy(hosted->host);
}

/* The byte at a place, through the plugin. */
static model_status ask(struct modelhost_model *model, uint32_t place, uint8_t *ret_byte,
                        struct model_error *err)
{
    float x = (float)place;
    const int64_t shape = 1;
    struct model_tensor in;
    struct modelhost_result *result = NULL;
    tensor_init(&in, "x", MODEL_F32, 1, &shape, &x);
    const struct model_tensor *inputs[] = {&in};
    const model_status status = modelhost_run(model, inputs, 1, NULL, &result, err);
    if (status == MODEL_OK)
        *ret_byte = (uint8_t) * (const float *)modelhost_result_at(result, 0)->data;
    modelhost_result_destroy(result);
    return status;
}

static void expect_bytes(struct modelhost_model *model)
{
    static const uint32_t places[] = {0, 1, 4095, 4096, BIG_BYTES - 1};
    struct model_error err = MODEL_ERROR_INIT;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        uint8_t byte = 0;
        if (ask(model, places[i], &byte, &err) != MODEL_OK)
            fail_msg("%s", err.message);
        assert_int_equal(byte, big[places[i]]);
    }
}

static void folders_and_archives_answer_alike_here_and_in_workers(void **state)
{
    (void)state;
    static const int32_t isolations[] = {MODELHOST_INPROC, MODELHOST_WORKER};
    static const int32_t loadings[] = {MODELHOST_MAPPED, MODELHOST_STREAMING, MODELHOST_LAZY};
    for (int level = 0; level < 4; level += 3) {
        char *archive = pack(&(struct archive_options){.level = level});
        const char *const packages[] = {dir, archive};
        for (size_t i = 0; i < 2 * 2 * 3; i++) {
            struct hosted hosted =
                open_hosted(packages[i & 1], isolations[i >> 1 & 1], loadings[i >> 2]);
            expect_bytes(hosted.model);
            close_hosted(&hosted);
        }
        free(archive);
    }
}

/* What runs read in place is gone: an error of each call from there on. */
static void a_file_that_is_cut_under_a_model_fails_calls_and_not_the_process(void **state)
{
    (void)state;
    static const int32_t isolations[] = {MODELHOST_INPROC, MODELHOST_WORKER};
    for (size_t i = 0; i < 2 * 2; i++) {
        char *archive = pack(&(struct archive_options){.level = 0});
        const char *package = i < 2 ? dir : archive;
        struct hosted hosted = open_hosted(package, isolations[i & 1], MODELHOST_MAPPED);
        uint8_t byte = 0;
        struct model_error err = MODEL_ERROR_INIT;
        expect_bytes(hosted.model);
        assert_int_equal(truncate(i < 2 ? in_backend(names[0]) : archive, 4096), 0);
        for (int k = 0; k < 2; k++) {
            assert_int_equal(ask(hosted.model, BIG_BYTES - 1, &byte, &err), MODEL_CORRUPT);
            assert_non_null(strstr(err.message, "was truncated while it was in use"));
        }
        close_hosted(&hosted);
        write_file(in_backend(names[0]), big, BIG_BYTES);
        free(archive);
    }
}

/* While it is read, before the model is there: whatever the plugin makes of the zeros, the file is named. */
static void a_file_that_is_cut_while_it_is_loaded_is_what_loading_fails_with(void **state)
{
    (void)state;
    struct modelhost *host = make_host();
    struct modelhost_model *model = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    char *text = text_format("{\"model_type\":\"bytes\",\"file\":\"%s\",\"cut\":\"%s/%s\"}",
                             names[0], backend, names[0]);
    char *want = text_format("%s/%s was truncated while it was in use: %u bytes when opened, 0 now",
                             backend, names[0], BIG_BYTES);
    write_file(in_backend("config.json"), text, strlen(text));
    assert_int_equal(modelhost_load(host, dir, &model, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, want));
    modelhost_destroy(host);
    free(want);
    free(text);
}

static void metrics_tell_how_large_they_are(void **state)
{
    (void)state;
    struct hosted hosted = open_hosted(dir, MODELHOST_INPROC, MODELHOST_MAPPED);
    struct modelhost_metrics *metrics = NULL;
    uint64_t n_bytes = 0;
    assert_int_equal(modelhost_metrics_read(hosted.host, &metrics, NULL), MODEL_OK);
    const char *line = strstr(modelhost_metrics_text(metrics), "\nmodelhost_model_mapped_bytes{");
    assert_non_null(line);
    assert_int_equal(sscanf(strchr(line, '}'), "} %" SCNu64, &n_bytes), 1);
    assert_int_equal(n_bytes, BIG_BYTES);
    modelhost_metrics_destroy(metrics);
    close_hosted(&hosted);
}

#define IN_PACKAGE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PACKAGE(a_folder_and_its_archives_have_the_same_files),
        IN_PACKAGE(links_lead_to_files_of_the_package_only),
        IN_PACKAGE(a_package_of_a_store_may_link_to_its_blobs),
        IN_PACKAGE(a_signed_folder_has_the_files_that_were_signed),
        IN_PACKAGE(nothing_is_mapped_once_the_model_is_made),
        IN_PACKAGE(what_is_unpacked_fits_the_budget),
        IN_PACKAGE(a_failed_allocation_is_an_error_and_leaves_nothing),
        IN_PACKAGE(folders_and_archives_answer_alike_here_and_in_workers),
        IN_PACKAGE(a_file_that_is_cut_under_a_model_fails_calls_and_not_the_process),
        IN_PACKAGE(a_file_that_is_cut_while_it_is_loaded_is_what_loading_fails_with),
        IN_PACKAGE(metrics_tell_how_large_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
