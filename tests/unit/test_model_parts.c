/* test_model_parts.c - what a model was opened from, and that a worker process which is started later opens
 * nothing else: neither another plugin nor another config.json or other weights. */
#include "model_parts.h"
#include "archive.h"
#include "loaded_model.h"
#include "manifest.h"
#include "weights.h"
#include "worker_fixture.h"
#include "worker_model.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

static struct model_error err = {.struct_size = sizeof err};

#define DIGEST "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void parts_cross_as_bytes(void **state)
{
    (void)state;
    const struct model_parts parts = {.plugin = DIGEST};
    struct model_parts read;
    char bytes[MODEL_PARTS_BYTES];
    model_parts_write(&parts, bytes);
    assert_true(model_parts_read(bytes, sizeof bytes, &read));
    assert_string_equal(read.plugin, DIGEST);
    assert_string_equal(read.files, "");
    assert_false(model_parts_read(bytes, sizeof bytes - 1, &read));
    assert_false(model_parts_read(NULL, 0, &read));
    static const char wrong[] = {'-', 'G', 'A', '\0', ' '};
    for (size_t i = 0; i < sizeof wrong; i++) { /* among digits */
        bytes[17] = wrong[i];
        assert_false(model_parts_read(bytes, sizeof bytes, &read));
    }
    bytes[17] = '8';
    bytes[100] = '0'; /* among those that stand for any */
    assert_false(model_parts_read(bytes, sizeof bytes, &read));
}

static void only_what_is_wanted_will_do(void **state)
{
    (void)state;
    const struct model_parts any = {.plugin = ""}, one = {.plugin = DIGEST, .files = DIGEST};
    char other[] = DIGEST;
    other[63] = '0';
    assert_int_equal(model_parts_check_plugin(&any, DIGEST, "p", &err), MODEL_OK);
    assert_int_equal(model_parts_check_plugin(&one, DIGEST, "p", &err), MODEL_OK);
    assert_int_equal(model_parts_check_plugin(&one, other, "p", &err), MODEL_CORRUPT);
    assert_int_equal(model_parts_check_files(&any, DIGEST, "d", &err), MODEL_OK);
    assert_int_equal(model_parts_check_files(&one, DIGEST, "d", &err), MODEL_OK);
    assert_int_equal(model_parts_check_files(&one, other, "d", &err), MODEL_CORRUPT);
}

/* An empty file of weights. */
static void write_weights(const char *path, const char *note)
{
    char text[200];
    const int n = snprintf(text + 8, sizeof text - 8, "{\"__metadata__\":{\"note\":\"%s\"}}", note);
    const uint64_t header_bytes = (uint64_t)n;
    memcpy(text, &header_bytes, sizeof header_bytes);
    write_file(path, text, (size_t)n + 8);
}

static void digest(const char *folder, const char *config, char ret[SHA256_HEX_BYTES])
{
    struct weights *weights = NULL;
    (void)weights_open(folder, &weights, NULL);
    if (model_parts_of_files(config, strlen(config), folder, NULL, weights, ret, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    weights_destroy(weights);
}

static void files_are_told_apart(void **state)
{
    (void)state;
    char a[SHA256_HEX_BYTES], b[SHA256_HEX_BYTES];
    char *folder = scratch_dir();
    char *path = path_join(folder, "model.safetensors"), *next = path_join(folder, "next");
    digest(folder, "{}", a);
    digest(folder, "{}", b);
    assert_string_equal(a, b);
    digest(folder, "{ }", b);
    assert_string_not_equal(a, b);
    write_weights(path, "one");
    digest(folder, "{}", b);
    assert_string_not_equal(a, b);
    digest(folder, "{}", a);
    assert_string_equal(a, b);
    write_file(next, "x", 1); /* which a plugin may read */
    digest(folder, "{}", b);
    assert_string_not_equal(a, b);
    write_weights(next, "two"); /* as long as the other */
    assert_int_equal(rename(next, path), 0);
    digest(folder, "{}", b);
    assert_string_not_equal(a, b);
    assert_int_equal(dir_remove_all(folder, NULL), MODEL_OK);
    free(folder);
    free(path);
    free(next);
}

static void a_signed_folder_is_told_by_its_manifest_alone(void **state)
{
    (void)state;
    const struct manifest manifest = {.n_files = 0};
    struct archive *archive = NULL;
    char a[SHA256_HEX_BYTES], b[SHA256_HEX_BYTES];
    char *folder = scratch_dir();
    char *notes = path_join(folder, "notes");
    assert_int_equal(archive_open_folder(folder, &manifest, ARCHIVE_CHECKSUM, &archive, &err),
                     MODEL_OK);
    assert_int_equal(model_parts_of_files("{}", 2, folder, archive, NULL, a, &err), MODEL_OK);
    write_file(notes, "x", 1); /* the folder has another time of change, and size perhaps */
    assert_int_equal(utimensat(AT_FDCWD, folder, (struct timespec[2]){{1, 0}, {1, 0}}, 0), 0);
    assert_int_equal(model_parts_of_files("{}", 2, folder, archive, NULL, b, &err), MODEL_OK);
    assert_string_equal(a, b);
    assert_int_equal(model_parts_of_files("{ }", 3, folder, archive, NULL, b, &err), MODEL_OK);
    assert_string_not_equal(a, b);
    archive_close(archive);
    assert_int_equal(dir_remove_all(folder, NULL), MODEL_OK);
    free(folder);
    free(notes);
}

/* ---- a model whose process ends, and whose files are others by then */

static void end_worker(const struct workers *workers)
{
    int64_t pids[WORKER_MAX_PROCESSES];
    assert_int_equal(worker_model_pids(workers->model->model, pids), 1);
    const int64_t pid = pids[0];
    assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
    while (worker_model_pids(workers->model->model, pids) == 1 && pids[0] == pid)
        continue;
}

static void expect_refusal(struct workers *workers, const char *sentence)
{
    float y = 0;
    model_status status = MODEL_OK;
    end_worker(workers);
    while (status == MODEL_OK || strstr(err.message, "SIGKILL") != NULL)
        status = workers_ask(workers->model, 41, 0, &y, &err);
    if (strstr(err.message, sentence) == NULL)
        fail_msg("%s", err.message);
}

static void the_next_process_refuses_another_plugin(void **state)
{
    (void)state;
    struct workers workers = workers_open("mischief", 1, 1);
    char *other = make_package("faulty", "{}");
    char *from = path_join(other, "backends/cpu/libmodel.so");
    char *to = path_join(workers.dir, "backends/cpu/libmodel.so");
    workers_must_answer(workers.model);
    assert_int_equal(rename(from, to), 0);
    expect_refusal(&workers, "libmodel.so is not the plugin that the model was loaded with");
    assert_non_null(strstr(err.message, "load the model again"));
    while (modelhost_model_ready(workers.model, &err)) /* the first ones may have been bad luck */
        continue;
    if (strstr(err.message, "takes no calls: backend 'cpu': the worker process has ended ") ==
            NULL ||
        strstr(err.message, "libmodel.so is not the plugin that the model was loaded with") == NULL)
        fail_msg("%s", err.message);
    workers_close(&workers);
    remove_package(other);
    free(from);
    free(to);
}

static void the_next_process_refuses_another_config(void **state)
{
    (void)state;
    struct workers workers = workers_open("mischief", 1, 1);
    char *path = path_join(workers.dir, "backends/cpu/config.json");
    workers_must_answer(workers.model);
    write_file(path, "{\"n\":1}", 7);
    expect_refusal(&workers, "config.json, the weights or other files in");
    workers_close(&workers);
    free(path);
}

static void the_next_process_refuses_other_weights(void **state)
{
    (void)state;
    struct workers workers = workers_host("mischief", "{}", 1);
    char *path = path_join(workers.dir, "backends/cpu/model.safetensors");
    char *next = path_join(workers.dir, "next");
    write_weights(path, "one");
    assert_int_equal(workers_load(&workers, 1, &err), MODEL_OK);
    workers_must_answer(workers.model);
    write_weights(next, "two");
    assert_int_equal(rename(next, path), 0);
    expect_refusal(&workers, "config.json, the weights or other files in");
    workers_close(&workers);
    free(path);
    free(next);
}

static void the_next_process_takes_the_same(void **state)
{
    (void)state;
    struct workers workers = workers_open("mischief", 1, 1);
    workers_must_answer(workers.model);
    end_worker(&workers);
    float y = 0;
    while (workers_ask(workers.model, 41, 0, &y, &err) != MODEL_OK)
        assert_non_null(strstr(err.message, "SIGKILL")); /* a call that was there when it ended */
    assert_true(y == 42);
    workers_close(&workers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_cross_as_bytes),
        cmocka_unit_test(only_what_is_wanted_will_do),
        cmocka_unit_test(files_are_told_apart),
        cmocka_unit_test(a_signed_folder_is_told_by_its_manifest_alone),
        cmocka_unit_test(the_next_process_refuses_another_plugin),
        cmocka_unit_test(the_next_process_refuses_another_config),
        cmocka_unit_test(the_next_process_refuses_other_weights),
        cmocka_unit_test(the_next_process_takes_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
