/* test_prepared_key.c - what makes prepared weights those of another model, and what does not. */
#include "archive_write.h"
#include "errors.h"
#include "in_folder.h"
#include "prepared_key.h"

#include <fcntl.h>
#include <sys/stat.h>

static const char plugin[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
static struct modelhost_load_options options;
static struct package package;
static struct weights *weights;
static struct prepared_model model;

static void write_weights(float w)
{
    static const char header[] =
        "{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}  ";
    const uint64_t n_header = sizeof header - 1;
    uint8_t file[8 + sizeof header - 1 + 4];
    _Static_assert((sizeof header - 1) % 8 == 0, "as the format has it");
    memcpy(file, &n_header, 8);
    memcpy(file + 8, header, sizeof header - 1);
    memcpy(file + 8 + n_header, &w, 4);
    write_file(in_folder("p/backends/cpu/model.safetensors"), file, sizeof file);
}

/* As if it was written then. */
static void set_time(time_t at)
{
    const struct timespec times[] = {{.tv_sec = at}, {.tv_sec = at}};
    const char *path = in_folder("p/backends/cpu/model.safetensors");
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static bool is_replaced; /* when it is open */

/* A file of the same size and time takes its name. */
static void replace(void)
{
    assert_int_equal(rename(in_folder("p/backends/cpu/model.safetensors"), in_folder("old")), 0);
    write_weights(2);
    set_time(1000);
}

static void close_all(void)
{
    weights_destroy(weights);
    weights = NULL;
    package_finish(&package);
}

static model_status try_key(const char *sha256, char ret[SHA256_HEX_BYTES], struct model_error *err)
{
    assert_int_equal(package_open(in_folder("p"), NULL, &package, err), MODEL_OK);
    assert_int_equal(weights_open(package.backend_dir, &weights, err), MODEL_OK);
    if (sha256 != NULL) {
        package.has_manifest = true;
        assert_int_equal(manifest_add(&package.manifest, "backends/cpu/model.safetensors", NULL, 76,
                                      sha256, err),
                         MODEL_OK);
    }
    model.package = &package;
    model.weights = weights;
    if (is_replaced)
        replace();
    model_status status = prepared_key_make(&model, ret, err);
    close_all();
    return status;
}

/* Of what is on disk now, with a manifest that knows the weights by this digest (NULL: without one). */
static void key_of(const char *sha256, char ret[SHA256_HEX_BYTES])
{
    struct model_error err = MODEL_ERROR_INIT;
    if (try_key(sha256, ret, &err) != MODEL_OK)
        fail_msg("%s", err.message);
}

static int set_up(void **state)
{
    (void)make_folder(state);
    assert_int_equal(dir_make_all(in_folder("p/backends/cpu"), NULL), MODEL_OK);
    write_file(in_folder("p/backends/cpu/" PACKAGE_PLUGIN_NAME), "x", 1);
    write_weights(1);
    set_time(1000);
    is_replaced = false;
    options = (struct modelhost_load_options)MODELHOST_LOAD_OPTIONS_INIT;
    model = (struct prepared_model){
        .config_text = "{}", .config_bytes = 2, .plugin_sha256 = plugin, .options = &options};
    return 0;
}

static void each_part_makes_another_key(void **state)
{
    (void)state;
    char first[SHA256_HEX_BYTES], other[SHA256_HEX_BYTES];
    const struct prepared_model usual = model;
    key_of(NULL, first);
    assert_int_equal(strlen(first), 64);
    model.config_text = "[]";
    key_of(NULL, other);
    assert_string_not_equal(first, other);
    model = usual;
    model.plugin_sha256 = "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    key_of(NULL, other);
    assert_string_not_equal(first, other);
    model = usual;
    options.dtype = MODELHOST_INT8;
    key_of(NULL, other);
    assert_string_not_equal(first, other);
    options.dtype = MODELHOST_F32;
    set_time(1001);
    key_of(NULL, other);
    assert_string_not_equal(first, other);
    set_time(1000);
    key_of(NULL, other);
    assert_string_equal(first, other);
}

static void what_is_no_part_of_it_makes_no_difference(void **state)
{
    (void)state;
    char first[SHA256_HEX_BYTES], other[SHA256_HEX_BYTES];
    key_of(NULL, first);
    options.isolation = MODELHOST_WORKER;
    options.max_batch = 8;
    options.name = "another";
    options.loading = MODELHOST_EAGER;
    write_file(in_folder("p/tokenizer.json"), "{}", 2);
    key_of(NULL, other);
    assert_string_equal(first, other);
}

/* A plugin may read any file beside it, and those in folders there. */
static void each_other_file_makes_another_key(void **state)
{
    (void)state;
    char keys[4][SHA256_HEX_BYTES];
    key_of(NULL, keys[0]);
    write_file(in_folder("p/backends/cpu/model.mlmodel"), "1", 1);
    key_of(NULL, keys[1]);
    write_file(in_folder("p/backends/cpu/model.mlmodel"), "12", 2);
    key_of(NULL, keys[2]);
    assert_int_equal(dir_make_all(in_folder("p/backends/cpu/m.mlpackage/Data"), NULL), MODEL_OK);
    write_file(in_folder("p/backends/cpu/m.mlpackage/Data/weight.bin"), "1", 1);
    key_of(NULL, keys[3]);
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(keys[i], keys[k]);
    assert_int_equal(chmod(in_folder("p/backends/cpu/model.mlmodel"), 0600), 0);
    key_of(NULL, keys[0]);
    assert_string_equal(keys[0], keys[3]);
}

/* Another inode, the same content by the manifest: as a store has it that was moved or unpacked again. */
static void with_a_manifest_the_place_does_not_matter(void **state)
{
    (void)state;
    char first[SHA256_HEX_BYTES], other[SHA256_HEX_BYTES], without[SHA256_HEX_BYTES];
    static const char digest[] = "aa23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    key_of(digest, first);
    key_of(NULL, without);
    assert_string_not_equal(first, without);
    write_file(in_folder("q"), "", 0); /* keeps the inode's number from being used again */
    assert_int_equal(rename(in_folder("p/backends/cpu/model.safetensors"), in_folder("r")), 0);
    write_weights(1);
    set_time(1000);
    key_of(digest, other);
    assert_string_equal(first, other);
    key_of(NULL, other);
    assert_string_not_equal(without, other);
    set_time(1001); /* written over behind the manifest's back */
    key_of(digest, other);
    assert_string_not_equal(first, other);
    set_time(1000);
    key_of("bb23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", other);
    assert_string_not_equal(first, other);
}

/* Or what was packed of the old weights would be found for the new ones. */
static void a_file_that_was_replaced_behind_its_mapping_gets_no_key(void **state)
{
    (void)state;
    char key[SHA256_HEX_BYTES] = "as it was";
    static const char digest[] = "aa23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    for (int i = 0; i < 2; i++) {
        struct model_error err = MODEL_ERROR_INIT;
        is_replaced = true;
        assert_int_equal(try_key(i == 0 ? digest : NULL, key, &err), MODEL_CORRUPT);
        assert_non_null(strstr(err.message, "model.safetensors was replaced"));
        assert_string_equal(key, "as it was");
    }
    is_replaced = false;
    key_of(digest, key);
}

/* Also without safetensors that are mapped from it: some are compressed, and a plugin reads other files, too. */
static void an_archive_that_was_replaced_since_it_was_opened_gets_no_key(void **state)
{
    (void)state;
    static const char *const names[] = {"backends/cpu/" PACKAGE_PLUGIN_NAME, "backends/cpu/w.bin",
                                        "backends/cpu/model.safetensors"};
    char first[SHA256_HEX_BYTES] = "", again[SHA256_HEX_BYTES] = "", paths[3][PATH_MAX];
    struct archive_source sources[3];
    struct model_error err = MODEL_ERROR_INIT;
    static const char header[] =
        "{\"w\":{\"dtype\":\"U8\",\"shape\":[4096],\"data_offsets\":[0,4096]}}     ";
    static uint8_t zeros[8 + sizeof header - 1 + 4096] = {sizeof header - 1};
    _Static_assert((sizeof header - 1) % 8 == 0, "as the format has it");
    memcpy(zeros + 8, header, sizeof header - 1);
    write_file(in_folder("p/backends/cpu/model.safetensors"), zeros, sizeof zeros);
    write_file(in_folder("p/backends/cpu/w.bin"), "w", 1);
    for (int i = 0; i < 3; i++) {
        (void)snprintf(paths[i], PATH_MAX, "%s/p/%s", folder, names[i]);
        sources[i] = (struct archive_source){names[i], paths[i], NULL};
    }
    const struct archive_options packing = {.level = 3, .compress_weights = true};
    assert_int_equal(archive_write(in_folder("p.mhp"), sources, 3, &packing, NULL, &err), MODEL_OK);
    assert_int_equal(package_open(in_folder("p.mhp"), NULL, &package, &err), MODEL_OK);
    assert_false(archive_is_in_place(archive_find(package.archive, names[2])));
    assert_int_equal(weights_open_from(package.archive, package.backend_dir, false, &weights, &err),
                     MODEL_OK);
    model.package = &package;
    model.weights = weights;
    assert_int_equal(prepared_key_make(&model, first, &err), MODEL_OK);
    model.weights = NULL;
    assert_int_equal(prepared_key_make(&model, again, &err), MODEL_OK);
    write_file(in_folder("p/backends/cpu/w.bin"), "v", 1);
    assert_int_equal(archive_write(in_folder("p.mhp"), sources, 3, &packing, NULL, &err), MODEL_OK);
    assert_int_equal(prepared_key_make(&model, again, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "p.mhp was replaced since the model was opened"));
    close_all();
}

static void who_asks_for_more_than_times_gets_no_key(void **state)
{
    (void)state;
    assert_true(prepared_key_is_wanted(&package, &options));
    options.verification = MODELHOST_STANDARD;
    assert_false(prepared_key_is_wanted(&package, &options));
    options.verification = MODELHOST_PARANOID;
    assert_false(prepared_key_is_wanted(&package, &options));
    options.verification = MODELHOST_CHECKSUM;
    options.loading = MODELHOST_LAZY;
    assert_false(prepared_key_is_wanted(&package, &options));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_part_makes_another_key, set_up, remove_folder),
        cmocka_unit_test_setup_teardown(what_is_no_part_of_it_makes_no_difference, set_up,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(each_other_file_makes_another_key, set_up, remove_folder),
        cmocka_unit_test_setup_teardown(with_a_manifest_the_place_does_not_matter, set_up,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_file_that_was_replaced_behind_its_mapping_gets_no_key,
                                        set_up, remove_folder),
        cmocka_unit_test_setup_teardown(
            an_archive_that_was_replaced_since_it_was_opened_gets_no_key, set_up, remove_folder),
        cmocka_unit_test_setup_teardown(who_asks_for_more_than_times_gets_no_key, set_up,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
