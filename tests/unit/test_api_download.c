/* test_api_download.c - modelhost_download() and its options, from a mirror on a thread. */
#include "errors.h"
#include "in_folder.h"
#include "http_server.h"
#include "mirror.h"
#include "modelhost.h"
#include "store.h"

#include <signal.h>
#include <uv.h>

#define BIG_BYTES 3000000u

/* ---- a mirror of the folder "hub" */

struct served {
    uv_loop_t loop;
    uv_thread_t thread;
    uv_async_t end;
    uv_sem_t is_up;
    struct mirror *mirror;
    struct http_server *server;
    char endpoint[100];
};

static void on_server_closed(void *context)
{
    struct served *served = context;
    mirror_close(served->mirror, NULL, NULL);
}

static void on_end(uv_async_t *async)
{
    struct served *served = async->data;
    uv_close((uv_handle_t *)async, NULL);
    http_server_close(served->server, on_server_closed, served);
}

static void serve(void *context)
{
    struct served *served = context;
    const struct mirror_options options = {.folder = in_folder("hub")};
    struct http_server_options server = {.host = "127.0.0.1", .handle = mirror_handle};
    assert_int_equal(mirror_create(&served->loop, &options, &served->mirror, NULL), MODEL_OK);
    server.context = served->mirror;
    assert_int_equal(http_server_create(&served->loop, &server, &served->server, NULL), MODEL_OK);
    (void)snprintf(served->endpoint, sizeof served->endpoint, "%s",
                   http_server_url(served->server));
    uv_sem_post(&served->is_up);
    (void)uv_run(&served->loop, UV_RUN_DEFAULT);
}

static void start(struct served *served)
{
    static char big[BIG_BYTES];
    static const char config[] = "{\"model_type\": \"none\"}";
    assert_int_equal(dir_make_all(in_folder("hub/acme/tiny"), NULL), MODEL_OK);
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)(i * 2654435761u >> 13);
    write_file(in_folder("hub/acme/tiny/config.json"), config, sizeof config - 1);
    write_file(in_folder("hub/acme/tiny/vocab.txt"), big, sizeof big);
    write_file(in_folder("hub/acme/tiny/README.md"), "# tiny\n", 7);
    memset(served, 0, sizeof *served);
    assert_int_equal(uv_loop_init(&served->loop), 0);
    assert_int_equal(uv_async_init(&served->loop, &served->end, on_end), 0);
    served->end.data = served;
    assert_int_equal(uv_sem_init(&served->is_up, 0), 0);
    assert_int_equal(uv_thread_create(&served->thread, serve, served), 0);
    uv_sem_wait(&served->is_up);
}

static void stop(struct served *served)
{
    assert_int_equal(uv_async_send(&served->end), 0);
    assert_int_equal(uv_thread_join(&served->thread), 0);
    assert_int_equal(uv_loop_close(&served->loop), 0);
    uv_sem_destroy(&served->is_up);
}

/* ---- what came */

static char store_path[PATH_MAX];

static struct modelhost_download_options options_for(const struct served *served)
{
    struct modelhost_download_options options = MODELHOST_DOWNLOAD_OPTIONS_INIT;
    (void)snprintf(store_path, sizeof store_path, "%s", in_folder("store"));
    options.store_dir = store_path;
    options.plugin_path = "";
    options.endpoint = served->endpoint;
    return options;
}

static bool has(const char *name)
{
    struct store *store = NULL;
    char *dir = NULL, *path = NULL;
    assert_int_equal(store_open(in_folder("store"), 0, &store, NULL), MODEL_OK);
    bool is_there = store_find(store, "acme/tiny", &dir, NULL) == MODEL_OK &&
                    (path = path_join(dir, name)) != NULL && path_is_file(path);
    free(path);
    free(dir);
    store_close(store);
    return is_there;
}

struct seen {
    uint64_t done_bytes, total_bytes;
    unsigned n_calls;
};

static void see(void *context, uint64_t done_bytes, uint64_t total_bytes)
{
    struct seen *seen = context;
    assert_true(done_bytes <= total_bytes);
    *seen = (struct seen){done_bytes, total_bytes, seen->n_calls + 1};
}

static int32_t once_bytes_came(void *context)
{
    const struct seen *seen = context;
    return seen->done_bytes > 0;
}

/* ---- tests */

static void all_of_it_comes_and_progress_says_how_far(void **state)
{
    static const char *const without_weights[] = {"*.json", "*.txt"};
    struct served served;
    struct seen seen = {0};
    struct model_error err = MODEL_ERROR_INIT;
    (void)state;
    start(&served);
    struct modelhost_download_options options = options_for(&served);
    options.progress = see;
    options.progress_context = &seen;
    options.revision = "main";
    assert_int_equal(modelhost_download("acme/tiny", &options, &err), MODEL_OK);
    assert_true(has("vocab.txt") && has("README.md"));
    assert_true(seen.n_calls > 0 && seen.done_bytes == seen.total_bytes);
    assert_true(seen.total_bytes > BIG_BYTES);
    stop(&served);
    options.offline = 1;
    options.includes = without_weights;
    options.n_includes = 2;
    assert_int_equal(modelhost_download("acme/tiny", &options, &err), MODEL_OK);
    options.revision = "v2";
    assert_int_equal(modelhost_download("acme/tiny", &options, &err), MODELHOST_OFFLINE);
}

static void patterns_choose_files(void **state)
{
    struct served served;
    static const char *const includes[] = {"*.json", "*.txt"}, *const excludes[] = {"vocab*"};
    (void)state;
    start(&served);
    struct modelhost_download_options options = options_for(&served);
    options.includes = includes;
    options.n_includes = 2;
    options.excludes = excludes;
    options.n_excludes = 1;
    assert_int_equal(modelhost_download("acme/tiny", &options, NULL), MODEL_OK);
    assert_true(has("backends/cpu/config.json"));
    assert_false(has("vocab.txt") || has("README.md"));
    stop(&served);
}

static void a_cancelled_download_goes_on_later(void **state)
{
    struct served served;
    struct seen seen = {0};
    struct model_error err = MODEL_ERROR_INIT;
    (void)state;
    start(&served);
    struct modelhost_download_options options = options_for(&served);
    options.limit_bytes_per_s = 1000000; /* three seconds for all: it is cancelled before */
    options.progress = see;
    options.progress_context = &seen;
    options.cancelled = once_bytes_came;
    options.cancel_context = &seen;
    assert_int_equal(modelhost_download("acme/tiny", &options, &err), MODEL_CANCELLED);
    assert_string_equal(err.message, "interrupted");
    assert_true(seen.done_bytes < BIG_BYTES);
    assert_false(has("vocab.txt"));
    options.limit_bytes_per_s = 0;
    options.cancelled = NULL;
    assert_int_equal(modelhost_download("acme/tiny", &options, &err), MODEL_OK);
    assert_true(has("vocab.txt"));
    stop(&served);
}

static void certificates_are_looked_for_where_the_caller_says(void **state)
{
    struct served served;
    struct model_error err = MODEL_ERROR_INIT;
    char endpoint[120];
    (void)state;
    start(&served);
    struct modelhost_download_options options = options_for(&served);
    (void)snprintf(endpoint, sizeof endpoint, "https%s", served.endpoint + strlen("http"));
    options.endpoint = endpoint;
    options.ca_file = "none.pem";
    assert_int_equal(modelhost_download("acme/tiny", &options, &err), MODEL_IO);
    assert_non_null(strstr(err.message, "none.pem"));
    stop(&served);
}

static void a_caller_of_an_earlier_header_is_served_without_the_rest(void **state)
{
    struct served served;
    static const char *const includes[] = {NULL};
    (void)state;
    start(&served);
    struct modelhost_download_options options = options_for(&served);
    options.struct_size = offsetof(struct modelhost_download_options, includes);
    options.includes = includes; /* not looked at */
    options.n_includes = 1;
    assert_int_equal(modelhost_download("acme/tiny", &options, NULL), MODEL_OK);
    assert_true(has("vocab.txt"));
    stop(&served);
}

static void what_makes_no_sense_is_refused(void **state)
{
    static const char *const patterns[] = {"*.json", NULL};
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost_download_options options = MODELHOST_DOWNLOAD_OPTIONS_INIT;
    (void)state;
    options.store_dir = in_folder("store");
    options.includes = patterns;
    options.n_includes = 2;
    assert_int_equal(modelhost_download("a/b", &options, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "modelhost_download: pattern 1 of options.includes is NULL");
    options.n_includes = 0;
    options.n_excludes = 1;
    assert_int_equal(modelhost_download("a/b", &options, &err), MODEL_INVALID_ARGUMENT);
    options.n_excludes = 0;
    options.max_workers = 65;
    assert_int_equal(modelhost_download("a/b", &options, &err), MODEL_INVALID_ARGUMENT);
    options.struct_size = 8;
    assert_int_equal(modelhost_download("a/b", &options, &err), MODEL_INVALID_ARGUMENT);
    assert_int_equal(modelhost_download(NULL, NULL, &err), MODEL_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(all_of_it_comes_and_progress_says_how_far),
        IN_FOLDER(patterns_choose_files),
        IN_FOLDER(a_cancelled_download_goes_on_later),
        IN_FOLDER(certificates_are_looked_for_where_the_caller_says),
        IN_FOLDER(a_caller_of_an_earlier_header_is_served_without_the_rest),
        IN_FOLDER(what_makes_no_sense_is_refused),
    };
    (void)signal(SIGPIPE, SIG_IGN); /* the mirror is in this process, and clients leave it */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
