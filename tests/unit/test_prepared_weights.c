/* test_prepared_weights.c - a model whose prepared weights are kept: covers host/prepared/model_prepared.c and
 * host/prepared/prepared_map.c, too. That the numbers are right is told by the test's own arithmetic, that nothing was
 * packed by the plugin's own count, that weights are not read by the kernel's. */
#include "errors.h"
#include "packing_package.h"

#include <stdbool.h>
#include <sys/stat.h>
#ifdef __linux__
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

static struct packing *packing;

static int set_up(void **state)
{
    (void)state;
    packing = packing_create();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    packing_destroy(packing);
    return 0;
}

static char *only_file(void)
{
    char *path = NULL;
    assert_int_equal(packing_files(packing, &path), 1);
    return path;
}

static void assert_no_files(void)
{
    char *path = NULL;
    assert_int_equal(packing_files(packing, &path), 0);
    free(path);
}

static bool was_said(const char *part)
{
    return strstr(packing->lines, part) != NULL;
}

static void a_second_load_packs_nothing(void **state)
{
    (void)state;
    assert_int_equal(packing_once(packing, 1, NULL), 2);
    char *path = only_file();
    struct stat file;
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 07777, 0444);
    assert_int_equal(packing_once(packing, 1, NULL), 0);
    free(path);
}

/* Whether the pages of the weights were brought into this process, by /proc/self/smaps. */
static size_t resident_weights_kb(void)
{
    char line[4096];
    size_t total = 0, kb = 0;
    bool is_weights = false;
    FILE *file = fopen("/proc/self/smaps", "re");
    if (file == NULL)
        SKIP_BECAUSE("no /proc/self/smaps");
    while (fgets(line, sizeof line, file) != NULL) {
        if (strchr(line, '-') != NULL && strstr(line, "kB") == NULL)
            is_weights =
                strstr(line, packing->dir) != NULL && strstr(line, "model.safetensors") != NULL;
        else if (is_weights && sscanf(line, "Rss: %zu kB", &kb) == 1)
            total += kb;
    }
    (void)fclose(file);
    return total;
}

static void weights_are_not_read_when_all_is_kept(void **state)
{
    (void)state;
    struct modelhost *host = packing_host(packing, 0);
    struct modelhost_model *first = packing_load(packing, host, NULL);
    assert_true(resident_weights_kb() >= 4 * PACKING_N / 1024); /* the plugin has read them */
    modelhost_release(first);
    modelhost_destroy(host);
    host = packing_host(packing, 0);
    struct modelhost_model *second = packing_load(packing, host, NULL);
    assert_true(resident_weights_kb() <= 256); /* the header, and what the system reads around it */
    assert_int_equal(packing_run(second, 1), 0);
    assert_true(resident_weights_kb() <= 256);
    modelhost_release(second);
    modelhost_destroy(host);
}

static void two_models_have_one_file_at_the_same_time(void **state)
{
    (void)state;
    assert_int_equal(packing_once(packing, 1, NULL), 2);
    struct modelhost *hosts[] = {packing_host(packing, 0), packing_host(packing, 0)};
    struct modelhost_model *models[] = {packing_load(packing, hosts[0], NULL),
                                        packing_load(packing, hosts[1], NULL)};
    for (int i = 0; i < 2; i++)
        assert_int_equal(packing_run(models[i], 1), 0);
    char *path = only_file();
    assert_int_equal(unlink(path), 0); /* as another host's bound does */
    free(path);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(packing_run(models[i], 1), 0);
        modelhost_release(models[i]);
        modelhost_destroy(hosts[i]);
    }
    assert_no_files(); /* nothing was new */
}

static void other_weights_are_another_model(void **state)
{
    (void)state;
    assert_int_equal(packing_once(packing, 1, NULL), 2);
    packing_write_weights(packing, 3);
    assert_int_equal(packing_once(packing, 3, NULL), 2);
    packing_write_config(packing, "{\"any\": 1}");
    assert_int_equal(packing_once(packing, 3, NULL), 2);
    char *path = NULL;
    assert_int_equal(packing_files(packing, &path), 3);
    free(path);
    assert_int_equal(packing_once(packing, 3, NULL), 0);
}

/* Each byte of header and table, some of the blobs, and lengths. */
static void a_damaged_file_is_made_anew(void **state)
{
    (void)state;
    static const long places[] = {0, 8, 12, 16, 24, 32, 96, 104, 128, 136, 152, 192, 4096, 2000000};
    assert_int_equal(packing_once(packing, 1, NULL), 2);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        char *path = only_file();
        assert_int_equal(chmod(path, 0644), 0);
        FILE *file = fopen(path, "r+b");
        assert_non_null(file);
        assert_int_equal(fseek(file, places[i], SEEK_SET), 0);
        const int byte = fgetc(file);
        assert_int_equal(fseek(file, places[i], SEEK_SET), 0);
        assert_int_equal(fputc(byte ^ 1, file), byte ^ 1);
        assert_int_equal(fclose(file), 0);
        free(path);
        assert_int_equal(packing_once(packing, 1, NULL), 2);
        assert_true(was_said("is not used, and made anew"));
        assert_int_equal(packing_once(packing, 1, NULL), 0);
    }
}

static void a_truncated_file_is_made_anew(void **state)
{
    (void)state;
    static const long sizes[] = {0, 100, 4096, 1500000};
    assert_int_equal(packing_once(packing, 1, NULL), 2);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *path = only_file();
        assert_int_equal(truncate(path, sizes[i]), 0);
        free(path);
        assert_int_equal(packing_once(packing, 1, NULL), 2);
        assert_int_equal(packing_once(packing, 1, NULL), 0);
    }
}

static void a_file_that_is_truncated_while_it_is_used_is_an_error_of_the_request(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost_result *result = NULL;
    struct model_tensor tensor = {.struct_size = sizeof tensor};
    const struct model_tensor *const inputs[] = {&tensor};
    const int64_t n = 10;
    const float x[10] = {0};
    assert_int_equal(packing_once(packing, 1, NULL), 2);
    struct modelhost *host = packing_host(packing, 0);
    struct modelhost_model *model = packing_load(packing, host, NULL);
    char *path = only_file();
    assert_int_equal(truncate(path, 0), 0);
    tensor_init(&tensor, "x", MODEL_F32, 1, &n, (void *)(uintptr_t)x);
    assert_int_equal(modelhost_run(model, inputs, 1, NULL, &result, &err), MODEL_IO);
    assert_non_null(strstr(err.message, "prepared weights was truncated while it was in use"));
    assert_non_null(strstr(err.message, "; run again, it is made anew"));
    assert_null(strstr(err.message, "package"));
    modelhost_release(model);
    modelhost_destroy(host);
    assert_int_equal(packing_once(packing, 1, NULL), 2);
    free(path);
}

static void a_file_of_others_is_not_used(void **state)
{
    (void)state;
    assert_int_equal(packing_once(packing, 1, NULL), 2);
    char *path = only_file();
    assert_int_equal(chmod(path, 0664), 0);
    assert_int_equal(packing_once(packing, 1, NULL), 2);
    assert_true(was_said("may be written to by others"));
    free(path);
    assert_int_equal(packing_once(packing, 1, NULL), 0); /* it was replaced */
    path = only_file();
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 65534, 65534), 0);
        assert_int_equal(packing_once(packing, 1, NULL), 2);
        assert_true(was_said("belongs to another user"));
    }
    char *elsewhere = path_join(packing->store, "elsewhere");
    assert_int_equal(rename(path, elsewhere), 0);
    assert_int_equal(symlink(elsewhere, path), 0);
    assert_int_equal(packing_once(packing, 1, NULL), 2);
    free(elsewhere);
    free(path);
}

/* The same model under the name of another key, as who renames files has it. */
static void a_file_of_another_model_is_not_used(void **state)
{
    (void)state;
    assert_int_equal(packing_once(packing, 1, NULL), 2);
    char *old = only_file();
    packing_write_weights(packing, 3);
    assert_int_equal(packing_once(packing, 3, NULL), 2);
    char *first = NULL, *folder = path_join(packing->store, "prepared");
    struct dir_list list = {0};
    assert_int_equal(dir_read(folder, &list, NULL), MODEL_OK);
    assert_int_equal(list.n_names, 2);
    for (size_t i = 0; i < 2; i++)
        if (strcmp(list.names[i], path_base(old)) != 0)
            first = path_join(folder, list.names[i]);
    assert_int_equal(rename(old, first), 0);
    assert_int_equal(packing_once(packing, 3, NULL), 2); /* and its numbers are those of 3 */
    assert_true(was_said("for another model, plugin or dtype"));
    dir_list_finish(&list);
    free(folder);
    free(first);
    free(old);
}

static void a_stronger_verification_neither_reads_nor_writes(void **state)
{
    (void)state;
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    options.loading = MODELHOST_LAZY;
    assert_int_equal(packing_once(packing, 1, &options), 2);
    assert_no_files();
    assert_int_equal(packing_once(packing, 1, NULL), 2);
    assert_int_equal(packing_once(packing, 1, &options), 2);
}

static void a_bound_that_is_too_small_keeps_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct modelhost *host = packing_host(packing, i == 0 ? 1 : 8 * PACKING_N);
        struct modelhost_model *model = packing_load(packing, host, NULL);
        assert_int_equal(packing_run(model, 1), 2);
        modelhost_release(model);
        modelhost_destroy(host);
        assert_true(was_said("prepared_max_bytes is"));
        assert_false(was_said("packs them again"));
        assert_no_files();
    }
}

static void without_a_store_nothing_is_kept_and_nothing_made(void **state)
{
    (void)state;
    assert_int_equal(rmdir(packing->store), 0);
    assert_int_equal(packing_once(packing, 1, NULL), 2);
    assert_int_equal(access(packing->store, F_OK), -1);
    assert_int_equal(mkdir(packing->store, 0755), 0);
}

/* So that root is refused what others are, in this thread and those it starts. */
static void heed_permissions(bool heeds)
{
#ifdef __linux__
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2];
    assert_int_equal(syscall(SYS_capget, &header, sets), 0);
    sets[0].effective = heeds ? sets[0].effective & ~(1u << CAP_DAC_OVERRIDE) : sets[0].permitted;
    assert_int_equal(syscall(SYS_capset, &header, sets), 0);
#else
    (void)heeds;
#endif
}

static void a_folder_that_cannot_be_written_to_is_left_alone(void **state)
{
    (void)state;
    char *folder = path_join(packing->store, "prepared");
    assert_int_equal(mkdir(folder, 0500), 0);
    heed_permissions(true);
    const int n_filled = packing_once(packing, 1, NULL);
    heed_permissions(false);
    assert_int_equal(n_filled, 2);
    assert_true(was_said("prepared weights are not kept, so the next load packs them again: cannot "
                         "write into "));
    assert_true(was_said("; mend that, or say prepared_max_bytes 1 to keep none"));
    free(folder);
}

static void assert_files(size_t n_wanted)
{
    char *path = NULL;
    assert_int_equal(packing_files(packing, &path), n_wanted);
    free(path);
}

/* As when two versions of the library that packs, or of what it finds in the environment, take turns: their keys differ. */
static void blobs_of_another_library_have_a_file_beside(void **state)
{
    (void)state;
    char *salt = path_join(packing->dir, "salt");
    assert_int_equal(packing_once(packing, 1, NULL), 2);
    write_file(salt, "2", 1);
    assert_int_equal(packing_once(packing, 1, NULL), 2);
    assert_files(2);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(packing_once(packing, 1, NULL), 0);
        assert_int_equal(unlink(salt), 0);
        assert_int_equal(packing_once(packing, 1, NULL), 0);
        write_file(salt, "2", 1);
    }
    assert_files(2);
    free(salt);
}

/* Where the first blob is the same the file is, too, and another of them is made in its place. */
static void another_blob_behind_the_first_is_made_and_kept_instead(void **state)
{
    (void)state;
    char *salt = path_join(packing->dir, "salt");
    assert_int_equal(packing_once(packing, 1, NULL), 2);
    write_file(salt, "negative", 8); /* the second blob's alone */
    assert_int_equal(packing_once(packing, 1, NULL), 1);
    assert_files(1);
    assert_int_equal(packing_once(packing, 1, NULL), 0);
    assert_int_equal(unlink(salt), 0);
    assert_int_equal(packing_once(packing, 1, NULL), 1); /* "doubled" is the same as before */
    assert_int_equal(packing_once(packing, 1, NULL), 0);
    free(salt);
}

static void a_model_that_fails_leaves_nothing(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost_model *model = NULL;
    packing_write_config(packing, "{\"fail\": true}");
    struct modelhost *host = packing_host(packing, 0);
    assert_int_not_equal(modelhost_load(host, packing->dir, &model, &err), MODEL_OK);
    modelhost_destroy(host);
    assert_no_files();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_second_load_packs_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(weights_are_not_read_when_all_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_models_have_one_file_at_the_same_time, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(other_weights_are_another_model, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_file_is_made_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_truncated_file_is_made_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_file_that_is_truncated_while_it_is_used_is_an_error_of_the_request, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(a_file_of_others_is_not_used, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_of_another_model_is_not_used, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stronger_verification_neither_reads_nor_writes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_bound_that_is_too_small_keeps_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_store_nothing_is_kept_and_nothing_made, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_folder_that_cannot_be_written_to_is_left_alone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(blobs_of_another_library_have_a_file_beside, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(another_blob_behind_the_first_is_made_and_kept_instead,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_model_that_fails_leaves_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
