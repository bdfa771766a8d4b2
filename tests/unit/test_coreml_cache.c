/* test_coreml_cache.c - keys of compiled models, entries made once, found, evicted; see store/coreml/coreml_cache.h. */
#include "coreml_cache.h"
#include "errors.h"
#include "files.h"
#include "testing.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEY_1 "1111111111111111111111111111111111111111111111111111111111111111"
#define KEY_2 "2222222222222222222222222222222222222222222222222222222222222222"
#define KEY_3 "3333333333333333333333333333333333333333333333333333333333333333"

struct compiler {
    int n_calls;
    size_t size_bytes;
    model_status status;
    char seen[512]; /* the target of the last call */
};

static void remove_dir(char *dir)
{
    assert_int_equal(dir_remove_all(dir, NULL), MODEL_OK);
    free(dir);
}

static model_status compile(void *context, const char *target, struct model_error *err)
{
    struct compiler *compiler = context;
    compiler->n_calls++;
    (void)snprintf(compiler->seen, sizeof compiler->seen, "%s", target);
    assert_false(path_is_dir(target));
    if (compiler->status != MODEL_OK)
        return error_set(err, compiler->status, "told to fail");
    assert_int_equal(mkdir(target, 0755), 0);
    char *file = path_join(target, "weights");
    char *bytes = calloc(1, compiler->size_bytes + 1);
    write_file(file, bytes, compiler->size_bytes);
    free(bytes);
    free(file);
    return MODEL_OK;
}

static char *get(const struct coreml_cache *cache, const char *key, struct compiler *compiler,
                 bool *ret_was_there)
{
    char *path = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    if (coreml_cache_get(cache, key, compile, compiler, &path, ret_was_there, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return path;
}

static void age(const char *folder, const char *key, time_t seconds)
{
    char *path = path_join(folder, key);
    const struct timespec times[] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    free(path);
}

static bool has(const char *folder, const char *key)
{
    char *path = path_join(folder, key);
    const bool is_there = path_is_dir(path);
    free(path);
    return is_there;
}

static void compiles_once_and_finds_it_again(void **state)
{
    (void)state;
    char *dir = scratch_dir(), *folder = path_join(dir, "compiled/models");
    const struct coreml_cache cache = {folder, 0};
    struct compiler compiler = {.size_bytes = 10};
    bool was_there = true;
    char *first = get(&cache, KEY_1, &compiler, &was_there);
    assert_false(was_there);
    assert_non_null(strstr(compiler.seen, ".tmp/")); /* beside it, not in its place */
    char *second = get(&cache, KEY_1, &compiler, &was_there);
    assert_true(was_there);
    assert_int_equal(compiler.n_calls, 1);
    assert_string_equal(first, second);
    struct stat info;
    assert_int_equal(stat(folder, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    free(first);
    free(second);
    free(folder);
    remove_dir(dir);
}

static void a_failed_compilation_leaves_nothing(void **state)
{
    (void)state;
    char *dir = scratch_dir(), *path = NULL;
    const struct coreml_cache cache = {dir, 0};
    struct compiler compiler = {.status = MODEL_CORRUPT};
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(coreml_cache_get(&cache, KEY_1, compile, &compiler, &path, NULL, &err),
                     MODEL_CORRUPT);
    assert_string_equal(err.message, "told to fail");
    assert_null(path);
    struct dir_list list = {0};
    assert_int_equal(dir_read(dir, &list, NULL), MODEL_OK);
    assert_int_equal(list.n_names, 0);
    dir_list_finish(&list);
    remove_dir(dir);
}

static void evicts_what_was_not_used_for_longest(void **state)
{
    (void)state;
    char *dir = scratch_dir();
    const struct coreml_cache cache = {dir, 250};
    struct compiler compiler = {.size_bytes = 100};
    free(get(&cache, KEY_1, &compiler, NULL));
    free(get(&cache, KEY_2, &compiler, NULL));
    age(dir, KEY_1, 1000);
    age(dir, KEY_2, 2000);
    free(get(&cache, KEY_1, &compiler, NULL)); /* used: now the younger */
    free(get(&cache, KEY_3, &compiler, NULL));
    assert_true(has(dir, KEY_1));
    assert_false(has(dir, KEY_2));
    assert_true(has(dir, KEY_3));
    compiler.size_bytes = 1000; /* alone over the quota: it stays, the others go */
    free(get(&cache, KEY_2, &compiler, NULL));
    assert_false(has(dir, KEY_1));
    assert_true(has(dir, KEY_2));
    assert_false(has(dir, KEY_3));
    remove_dir(dir);
}

static void an_entry_that_others_may_write_to_is_made_anew(void **state)
{
    (void)state;
    char *dir = scratch_dir(), *entry = path_join(dir, KEY_1);
    const struct coreml_cache cache = {dir, 0};
    struct compiler compiler = {.size_bytes = 1};
    free(get(&cache, KEY_1, &compiler, NULL));
    assert_int_equal(chmod(entry, 0777), 0);
    free(get(&cache, KEY_1, &compiler, NULL));
    assert_int_equal(compiler.n_calls, 2);
    assert_int_equal(coreml_cache_remove(&cache, KEY_1, NULL), MODEL_OK);
    assert_false(has(dir, KEY_1));
    assert_int_equal(coreml_cache_remove(&cache, KEY_1, NULL), MODEL_OK);
    assert_int_equal(symlink("/", entry),
                     0); /* a link is not followed, nor what it leads to removed */
    free(get(&cache, KEY_1, &compiler, NULL));
    assert_int_equal(compiler.n_calls, 3);
    free(entry);
    remove_dir(dir);
}

static bool is_somebody_else;

/* In the place of the C library's. */
uid_t geteuid(void)
{
    return getuid() + is_somebody_else;
}

static void an_entry_of_another_user_is_made_anew(void **state)
{
    (void)state;
    char *dir = scratch_dir();
    const struct coreml_cache cache = {dir, 0};
    struct compiler compiler = {.size_bytes = 1};
    bool was_there = true;
    free(get(&cache, KEY_1, &compiler, NULL));
    is_somebody_else = true;
    free(get(&cache, KEY_1, &compiler, &was_there));
    is_somebody_else = false;
    assert_false(was_there);
    assert_int_equal(compiler.n_calls, 2);
    free(get(&cache, KEY_1, &compiler, &was_there));
    assert_true(was_there);
    remove_dir(dir);
}

/* Both are compiling before either may go on. */
static int meeting[2][2];

static model_status compile_together(void *context, const char *target, struct model_error *err)
{
    const int me = *(const int *)context;
    char met = 0;
    if (write(meeting[me][1], "x", 1) != 1 || read(meeting[1 - me][0], &met, 1) != 1)
        return error_set(err, MODEL_INTERNAL, "nobody came");
    return mkdir(target, 0755) == 0 ? MODEL_OK
                                    : error_set(err, MODEL_INTERNAL, "%s is there", target);
}

static int compile_in_child(const char *folder, int me)
{
    const struct coreml_cache cache = {folder, 0};
    char *path = NULL;
    bool was_there = true;
    const model_status status =
        coreml_cache_get(&cache, KEY_1, compile_together, &me, &path, &was_there, NULL);
    return status != MODEL_OK || was_there || !path_is_dir(path);
}

static void two_processes_at_once_make_one_entry(void **state)
{
    (void)state;
    char *dir = scratch_dir();
    pid_t children[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pipe(meeting[i]), 0);
    (void)fflush(NULL);
    for (int i = 0; i < 2; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0)
            _exit(compile_in_child(dir, i));
    }
    for (int i = 0; i < 2; i++) {
        int wait_status = -1;
        assert_int_equal(waitpid(children[i], &wait_status, 0), children[i]);
        assert_int_equal(wait_status, 0);
        (void)close(meeting[i][0]);
        (void)close(meeting[i][1]);
    }
    struct dir_list list = {0};
    assert_int_equal(dir_read(dir, &list, NULL), MODEL_OK);
    assert_int_equal(list.n_names, 1);
    assert_string_equal(list.names[0], KEY_1);
    dir_list_finish(&list);
    remove_dir(dir);
}

static void refuses_what_is_no_key(void **state)
{
    (void)state;
    char *path = NULL;
    const struct coreml_cache cache = {"/nowhere", 0};
    const char *const keys[] = {"", "../x", KEY_1 "1", "1111"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        assert_int_equal(coreml_cache_get(&cache, keys[i], compile, NULL, &path, NULL, NULL),
                         MODEL_INVALID_ARGUMENT);
        assert_int_equal(coreml_cache_remove(&cache, keys[i], NULL), MODEL_INVALID_ARGUMENT);
    }
}

static void key_of(const char *path, const struct coreml_cache_facts *facts, char *ret)
{
    struct model_error err = MODEL_ERROR_INIT;
    if (coreml_cache_key(path, facts, ret, &err) != MODEL_OK)
        fail_msg("%s", err.message);
}

static void a_key_changes_with_every_fact_and_every_byte(void **state)
{
    (void)state;
    char *dir = scratch_dir(), *model = path_join(dir, "m.mlpackage");
    char *data = path_join(model, "Data"), *file = path_join(data, "weight.bin");
    assert_int_equal(dir_make_all(data, NULL), MODEL_OK);
    write_file(file, "abc", 3);
    const struct coreml_cache_facts facts[] = {
        {"p", "o", "u", "r", "s"},  {"q", "o", "u", "r", "s"}, {"p", "q", "u", "r", "s"},
        {"p", "o", "q", "r", "s"},  {"p", "o", "u", "q", "s"}, {"p", "o", "u", "r", "q"},
        {"po", NULL, "u", "r", "s"}};
    char keys[9][COREML_CACHE_KEY_BYTES], again[COREML_CACHE_KEY_BYTES];
    for (size_t i = 0; i < 7; i++)
        key_of(model, &facts[i], keys[i]);
    key_of(model, &facts[0], again);
    assert_string_equal(again, keys[0]);
    write_file(file, "abd", 3);
    key_of(model, &facts[0], keys[7]);
    char *renamed = path_join(data, "other.bin");
    assert_int_equal(rename(file, renamed), 0);
    key_of(model, &facts[0], keys[8]);
    for (size_t i = 0; i < 9; i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(keys[i], keys[k]);
    assert_int_equal(symlink(renamed, file), 0);
    assert_int_equal(coreml_cache_key(model, &facts[0], again, NULL), MODEL_CORRUPT);
    free(renamed);
    free(file);
    free(data);
    free(model);
    remove_dir(dir);
}

static void removes_a_compiled_model_and_nothing_else(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    char *dir = scratch_dir(), *compiled = path_join(dir, "x.mlmodelc");
    char *file = path_join(compiled, "model.mil"), *link = path_join(compiled, "link");
    char *other = path_join(dir, "x.mlmodel");
    assert_int_equal(dir_make_all(compiled, NULL), MODEL_OK);
    write_file(file, "1", 1);
    write_file(other, "1", 1);
    assert_int_equal(symlink(other, link), 0);
    assert_int_equal(coreml_compiled_remove(compiled, &err), MODEL_OK);
    assert_false(path_is_dir(compiled));
    assert_int_equal(coreml_compiled_remove(compiled, &err), MODEL_OK); /* gone already */
    assert_int_equal(coreml_compiled_remove(other, &err), MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "x.mlmodel is no compiled model"));
    assert_int_equal(coreml_compiled_remove(dir, &err), MODEL_INVALID_ARGUMENT);
    assert_true(path_is_file(other));
    free(other);
    free(link);
    free(file);
    free(compiled);
    remove_dir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compiles_once_and_finds_it_again),
        cmocka_unit_test(a_failed_compilation_leaves_nothing),
        cmocka_unit_test(evicts_what_was_not_used_for_longest),
        cmocka_unit_test(an_entry_that_others_may_write_to_is_made_anew),
        cmocka_unit_test(an_entry_of_another_user_is_made_anew),
        cmocka_unit_test(two_processes_at_once_make_one_entry),
        cmocka_unit_test(refuses_what_is_no_key),
        cmocka_unit_test(removes_a_compiled_model_and_nothing_else),
        cmocka_unit_test(a_key_changes_with_every_fact_and_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
