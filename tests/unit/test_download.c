/* test_download.c - a download from a scripted hub into a store: what is fetched, what is seen, what
 * is left when it fails. Covers packager/download/download_present.c and packager/download/download_reuse.c, too. The bytes are checked by
 * tests/system/test_download.sh as well. */
#include "in_folder.h"
#include "scripted_hub.h"

#include "download.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define COMMIT "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SHA1   "ce013625030ba8dba906f756967f9e9ca394464a" /* of "hello\n" by git hash-object */
#define MODEL                                                                                      \
    {                                                                                              \
        .status = 200, .body = "{\"id\":\"acme/tiny\",\"sha\":\"" COMMIT "\"}"                     \
    }
#define TREE                                                                                       \
    {                                                                                              \
        .status = 200,                                                                             \
        .body = "[{\"type\":\"file\",\"path\":\"a.txt\",\"size\":6,\"oid\":\"" SHA1 "\"},"         \
                "{\"type\":\"file\",\"path\":\"b.txt\",\"size\":6,\"oid\":\"" SHA1 "\"}]"          \
    }
#define GOOD                                                                                       \
    {                                                                                              \
        .status = 200, .body = "hello\n"                                                           \
    }
#define BAD                                                                                        \
    {                                                                                              \
        .status = 200, .body = "wrong\n"                                                           \
    }

/* Runs a download with these answers; all of them must have been used. */
static model_status run(struct scripted_hub *script, const struct scripted_answer *answers,
                        size_t n_answers, struct download_options *options,
                        struct download_result *ret, struct model_error *err)
{
    struct hub_transport transport = scripted_transport(script);
    struct hub_clock clock = {scripted_sleep, scripted_now, scripted_now_ms, script};
    char store[PATH_MAX];
    (void)snprintf(store, sizeof store, "%s/store", folder);
    *script = (struct scripted_hub){.answers = answers, .n_answers = n_answers};
    options->id = "acme/tiny";
    options->store_dir = store;
    options->plugin_path = "";
    options->hub.endpoint = "https://hub.test";
    options->hub.transport = &transport;
    options->hub.clock = &clock;
    options->hub.cancelled = scripted_cancelled;
    options->hub.cancel_context = script;
    *err = (struct model_error){.struct_size = sizeof *err};
    *ret = (struct download_result){0};
    model_status status = download_run(options, ret, err);
    assert_int_equal(script->n_asked, n_answers);
    return status;
}

#define RUN(answers)                                                                               \
    run(&script, answers, sizeof(answers) / sizeof((answers)[0]), &options, &result, &err)
#define NEEDS                                                                                      \
    struct scripted_hub script;                                                                    \
    struct download_options options = {0};                                                         \
    struct download_result result;                                                                 \
    struct model_error err;                                                                        \
    (void)state

static void expect_file(const char *dir, const char *name)
{
    char *path = path_join(dir, name);
    assert_true(path_is_file(path));
    free(path);
}

static void a_second_download_of_the_same_commit_fetches_nothing(void **state)
{
    static const struct scripted_answer first[] = {MODEL, TREE, GOOD, GOOD};
    static const struct scripted_answer second[] = {MODEL, TREE};
    static const char *const texts[] = {"*.txt"};
    NEEDS;
    assert_int_equal(RUN(first), MODEL_OK);
    expect_file(result.dir, "a.txt");
    expect_file(result.dir, "metadata.json");
    assert_int_equal(result.downloaded_bytes, 12);
    assert_string_equal(result.revision, COMMIT);
    char *dir = strdup(result.dir);
    download_result_finish(&result);
    assert_int_equal(RUN(second), MODEL_OK);
    assert_string_equal(result.dir, dir);
    assert_int_equal(result.downloaded_bytes, 0);
    assert_int_equal(result.reused_bytes, 12);
    download_result_finish(&result);
    options.offline = true;
    options.rules = (struct selection_rules){.includes = texts, .n_includes = 1};
    assert_int_equal(run(&script, NULL, 0, &options, &result, &err), MODEL_OK);
    assert_string_equal(result.dir, dir);
    download_result_finish(&result);
    free(dir);
    assert_int_equal(n_names_in(in_folder("store/tmp")), 0);
}

static void a_bad_file_leaves_no_package_and_no_work(void **state)
{
    static const struct scripted_answer answers[] = {MODEL, TREE, GOOD, BAD, BAD};
    NEEDS;
    assert_int_equal(RUN(answers), MODEL_CORRUPT);
    assert_null(result.dir);
    assert_int_equal(n_names_in(in_folder("store/tmp")), 0);
    assert_int_equal(n_names_in(in_folder("store/packages")), 0);
    assert_int_equal(n_names_in(in_folder("store/refs")), 0);
}

static void files_of_one_commit_add_up(void **state)
{
    static const struct scripted_answer one[] = {MODEL, TREE, GOOD}, none[] = {MODEL, TREE};
    static const char *const only_a[] = {"a.*"}, *const only_b[] = {"b.*"};
    NEEDS;
    options.rules = (struct selection_rules){.includes = only_a, .n_includes = 1};
    assert_int_equal(RUN(one), MODEL_OK);
    download_result_finish(&result);
    options.rules.includes = only_b; /* has the same content, which is in the store */
    assert_int_equal(RUN(none), MODEL_OK);
    expect_file(result.dir, "a.txt");
    expect_file(result.dir, "b.txt");
    download_result_finish(&result);
}

static void a_dry_run_makes_no_store(void **state)
{
    static const struct scripted_answer answers[] = {MODEL, TREE};
    struct hub_transport transport;
    struct download download;
    NEEDS;
    (void)result, (void)err;
    script = (struct scripted_hub){.answers = answers, .n_answers = 2};
    transport = scripted_transport(&script);
    options = (struct download_options){.id = "acme/tiny", .dry_run = true};
    char *store = strdup(in_folder("store"));
    options.store_dir = store;
    options.hub.endpoint = "https://hub.test";
    options.hub.transport = &transport;
    assert_int_equal(download_begin(&options, &download, NULL), MODEL_OK);
    assert_int_equal(download.plan.total_bytes, 12);
    download_end(&download);
    assert_false(path_is_dir(store));
    free(store);
}

static void offline_without_the_package_says_so(void **state)
{
    NEEDS;
    options.offline = true;
    assert_int_equal(run(&script, NULL, 0, &options, &result, &err), MODELHOST_OFFLINE);
    assert_non_null(strstr(err.message, "does not have 'acme/tiny' at revision 'main'"));
}

static void a_package_that_lost_a_file_is_not_complete(void **state)
{
    static const struct scripted_answer all[] = {MODEL, TREE, GOOD, GOOD}, none[] = {MODEL, TREE};
    static const char *const texts[] = {"*.txt"};
    NEEDS;
    options.rules = (struct selection_rules){.includes = texts, .n_includes = 1};
    assert_int_equal(RUN(all), MODEL_OK);
    char *lost = path_join(result.dir, "a.txt");
    download_result_finish(&result);
    for (int n = 0; n < 2; n++) {
        if (n == 0)
            assert_int_equal(unlink(lost), 0);
        else
            assert_int_equal(chmod(lost, 0644) | truncate(lost, 3), 0);
        options.offline = true;
        assert_int_equal(run(&script, NULL, 0, &options, &result, &err), MODEL_CORRUPT);
        assert_non_null(strstr(err.message, n == 0 ? "'a.txt' is missing" : "has 3 bytes, want 6"));
        options.offline = false;
        /* the lost file's content is in the store still; the one that was cut is a blob, too */
        assert_int_equal(n == 0 ? RUN(none) : RUN(all), MODEL_OK);
        assert_int_equal(store_verify_package(result.dir, NULL, NULL, &err), MODEL_OK);
        download_result_finish(&result);
    }
    free(lost);
}

static void offline_is_not_content_with_less_than_was_asked(void **state)
{
    static const struct scripted_answer all[] = {MODEL, TREE, GOOD, GOOD};
    static const char *const weights[] = {"*.txt", "*.safetensors"};
    NEEDS;
    assert_int_equal(RUN(all), MODEL_OK);
    download_result_finish(&result);
    options.offline = true;
    assert_int_equal(run(&script, NULL, 0, &options, &result, &err), MODELHOST_OFFLINE);
    assert_non_null(strstr(err.message, "has no weights"));
    options.rules = (struct selection_rules){.includes = weights, .n_includes = 2};
    assert_int_equal(run(&script, NULL, 0, &options, &result, &err), MODELHOST_OFFLINE);
    assert_non_null(strstr(err.message, "has no file like '*.safetensors'"));
    options.rules.n_includes = 1;
    options.force = true;
    assert_int_equal(run(&script, NULL, 0, &options, &result, &err), MODELHOST_OFFLINE);
    assert_non_null(strstr(err.message, "--force has to ask the hub"));
    options.rules = (struct selection_rules){.excludes = weights + 1, .n_excludes = 1};
    options.force = false;
    assert_int_equal(run(&script, NULL, 0, &options, &result, &err), MODEL_OK);
    download_result_finish(&result);
}

/* Another process that removes blobs, as often as left says, when the last file has come. */
struct remover {
    int left;
    char *blobs;
};

static void remove_blobs(void *context, const struct plan_file *file)
{
    struct remover *remover = context;
    if (strcmp(file->file->path, "b.txt") != 0 || remover->left-- <= 0)
        return;
    assert_int_equal(dir_remove_all(remover->blobs, NULL), MODEL_OK);
}

static void blobs_that_vanish_are_fetched_once_more(void **state)
{
    static const struct scripted_answer answers[] = {MODEL, TREE, GOOD, GOOD,
                                                     MODEL, TREE, GOOD, GOOD};
    struct remover remover = {.left = 2, .blobs = strdup(in_folder("store/blobs/sha256"))};
    NEEDS;
    options.file_done = remove_blobs;
    options.observer = &remover;
    assert_int_equal(RUN(answers), MODEL_BUSY);
    assert_string_equal(err.message, "'acme/tiny' is being removed by another process; try again");
    assert_int_equal(n_names_in(in_folder("store/packages")), 0);
    assert_int_equal(n_names_in(in_folder("store/tmp")), 0);
    remover.left = 1;
    assert_int_equal(RUN(answers), MODEL_OK);
    assert_int_equal(store_verify_package(result.dir, NULL, NULL, &err), MODEL_OK);
    download_result_finish(&result);
    free(remover.blobs);
}

#define OTHER "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define MODEL_NOW                                                                                  \
    {                                                                                              \
        .status = 200, .body = "{\"id\":\"acme/tiny\",\"sha\":\"" OTHER "\"}"                      \
    }

/* Same size, other bytes; the time of writing changes. */
static void damage(const char *path)
{
    assert_int_equal(chmod(path, 0644), 0);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fputs("HELL", file) < 0, 0);
    assert_int_equal(fclose(file), 0);
    const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void a_damaged_file_is_noticed_and_fetched_again(void **state)
{
    static const struct scripted_answer all[] = {MODEL, TREE, GOOD, GOOD};
    static const char *const texts[] = {"*.txt"};
    NEEDS;
    options.rules = (struct selection_rules){.includes = texts, .n_includes = 1};
    assert_int_equal(RUN(all), MODEL_OK);
    char *file = path_join(result.dir, "a.txt");
    download_result_finish(&result);
    damage(file);
    options.offline = true;
    assert_int_equal(run(&script, NULL, 0, &options, &result, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "offline: 'a.txt' of the package "));
    assert_non_null(strstr(err.message, " is damaged; unset HF_HUB_OFFLINE and download it again"));
    options.offline = false;
    assert_int_equal(RUN(all), MODEL_OK);
    assert_int_equal(store_verify_package(result.dir, NULL, NULL, &err), MODEL_OK);
    download_result_finish(&result);
    free(file);
}

static void a_new_commit_takes_git_files_from_the_old_one_unless_they_are_damaged(void **state)
{
    static const struct scripted_answer first[] = {MODEL, TREE, GOOD, GOOD};
    static const struct scripted_answer again[] = {MODEL_NOW, TREE};
    static const struct scripted_answer fetched[] = {MODEL_NOW, TREE, GOOD, GOOD};
    NEEDS;
    assert_int_equal(RUN(first), MODEL_OK);
    char *old = path_join(result.dir, "b.txt");
    char *dir = strdup(result.dir);
    download_result_finish(&result);
    damage(old);
    assert_int_equal(RUN(fetched), MODEL_OK);
    assert_int_equal(result.downloaded_bytes, 12);
    assert_int_equal(store_verify_package(result.dir, NULL, NULL, &err), MODEL_OK);
    assert_int_equal(store_verify_package(dir, NULL, NULL, &err), MODEL_OK); /* is mended */
    assert_int_equal(dir_remove_all(result.dir, NULL), MODEL_OK);
    download_result_finish(&result);
    assert_int_equal(RUN(again), MODEL_OK);
    assert_int_equal(result.downloaded_bytes, 0);
    assert_int_equal(result.reused_bytes, 12);
    assert_string_equal(result.revision, OTHER);
    assert_int_equal(store_verify_package(result.dir, NULL, NULL, &err), MODEL_OK);
    download_result_finish(&result);
    free(dir);
    free(old);
}

#define SHA256 "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03" /* "hello\n" */
#define TREE_LFS                                                                                   \
    {                                                                                              \
        .status = 200, .body = "[{\"type\":\"file\",\"path\":\"model.safetensors\",\"size\":6,"    \
                               "\"oid\":\"" SHA1 "\",\"lfs\":{\"oid\":\"" SHA256                   \
                               "\",\"size\":6,\"pointerSize\":130}}]"                              \
    }

/* "hello" is no safetensors file: no host could open it, unless only a part was asked for. */
static void weights_that_nobody_can_open_make_no_package(void **state)
{
    static const struct scripted_answer all[] = {MODEL, TREE_LFS, GOOD};
    static const struct scripted_answer have[] = {MODEL, TREE_LFS};
    static const char *const weights[] = {"*.safetensors"};
    NEEDS;
    assert_int_equal(RUN(all), MODEL_CORRUPT);
    assert_memory_equal(err.message, "acme/tiny: backends/cpu/model.safetensors: ", 43);
    assert_null(strstr(err.message, "/tmp/"));
    assert_non_null(strstr(err.message, "; the bytes are what the hub has, so no package is made"));
    assert_int_equal(n_names_in(in_folder("store/packages")), 0);
    assert_int_equal(n_names_in(in_folder("store/tmp")), 0);
    options.rules = (struct selection_rules){.includes = weights, .n_includes = 1};
    assert_int_equal(RUN(have), MODEL_OK); /* the blob is there */
    download_result_finish(&result);
}

static void a_damaged_blob_of_a_known_digest_is_fetched_again(void **state)
{
    static const struct scripted_answer all[] = {MODEL, TREE_LFS, GOOD};
    static const char *const weights[] = {"*.safetensors"};
    NEEDS;
    options.rules = (struct selection_rules){.includes = weights, .n_includes = 1};
    assert_int_equal(RUN(all), MODEL_OK);
    assert_int_equal(dir_remove_all(result.dir, NULL), MODEL_OK);
    download_result_finish(&result);
    damage(in_folder("store/blobs/sha256/58/" SHA256));
    assert_int_equal(RUN(all), MODEL_OK);
    assert_int_equal(result.downloaded_bytes, 6);
    assert_int_equal(store_verify_package(result.dir, NULL, NULL, &err), MODEL_OK);
    download_result_finish(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_second_download_of_the_same_commit_fetches_nothing),
        IN_FOLDER(a_bad_file_leaves_no_package_and_no_work),
        IN_FOLDER(files_of_one_commit_add_up),
        IN_FOLDER(a_dry_run_makes_no_store),
        IN_FOLDER(offline_without_the_package_says_so),
        IN_FOLDER(a_package_that_lost_a_file_is_not_complete),
        IN_FOLDER(offline_is_not_content_with_less_than_was_asked),
        IN_FOLDER(blobs_that_vanish_are_fetched_once_more),
        IN_FOLDER(a_damaged_file_is_noticed_and_fetched_again),
        IN_FOLDER(a_new_commit_takes_git_files_from_the_old_one_unless_they_are_damaged),
        IN_FOLDER(weights_that_nobody_can_open_make_no_package),
        IN_FOLDER(a_damaged_blob_of_a_known_digest_is_fetched_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
