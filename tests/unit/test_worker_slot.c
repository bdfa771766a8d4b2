/* test_worker_slot.c - host/workers/worker_slot.c, host/workers/worker_patience.c and host/workers/worker_watch.c by
 * themselves: turns of calls, and workers that are none. */
#include "clock.h"
#include "echo_package.h"
#include "worker_message.h"
#include "worker_slot.h"

#include <pthread.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

static struct model_error err = {.struct_size = sizeof err};

static void log_nothing(void *context, int32_t level, const char *line)
{
    (void)context;
    (void)level;
    (void)line;
}

static const struct log_sink silent = {.write = log_nothing};

static char *worker_command(void)
{
    const char *build = getenv("BUILD");
    char *path = NULL;
    assert_true(asprintf(&path, "%s/bin/modelhost", build != NULL ? build : "build") > 0);
    return path;
}

/* A slot with a worker that has opened a package. */
struct fixture {
    struct worker_config config;
    struct worker_slot *slot;
};

static int open_slot(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->config = (struct worker_config){.command = worker_command(),
                                             .package_dir = make_package("mischief", "{}"),
                                             .lanes = 2,
                                             .threads = 1,
                                             .log = &silent};
    fixture->config.plugin_path = fixture->config.package_dir;
    if (worker_slot_create(&fixture->config, NULL, &fixture->slot, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    *state = fixture;
    return 0;
}

static int close_slot(void **state)
{
    struct fixture *fixture = *state;
    worker_slot_destroy(fixture->slot, 0);
    free(fixture->config.command);
    remove_package(fixture->config.package_dir);
    free(fixture);
    return 0;
}

static model_status begin(struct worker_slot *slot, bool alone, int64_t until_ns)
{
    struct worker_patience patience = {.until_ns = until_ns};
    return worker_slot_begin_call(slot, alone, &patience, &err);
}

static void a_call_waits_for_its_turn_until_its_deadline_only(void **state)
{
    struct worker_slot *slot = ((struct fixture *)*state)->slot;
    const int64_t soon_ns = clock_now_ns() + 20 * NS_PER_MS;
    assert_int_equal(begin(slot, false, INT64_MAX), MODEL_OK);
    assert_int_equal(begin(slot, true, soon_ns), MODEL_DEADLINE);
    assert_true(clock_now_ns() >= soon_ns);
    assert_int_equal(begin(slot, false, 0), MODEL_OK); /* who gave up is in nobody's way */
    worker_slot_end_call(slot, false);
    worker_slot_end_call(slot, false);
    assert_int_equal(begin(slot, true, 0), MODEL_OK);
    assert_int_equal(begin(slot, false, 0), MODEL_DEADLINE);
    assert_int_equal(begin(slot, true, 0), MODEL_DEADLINE);
    worker_slot_end_call(slot, true);
    assert_int_equal(begin(slot, false, 0), MODEL_OK);
    worker_slot_end_call(slot, false);
}

static void a_call_that_waits_for_its_turn_can_be_cancelled(void **state)
{
    struct worker_slot *slot = ((struct fixture *)*state)->slot;
    const uint32_t raised = MODEL_CANCELLED;
    struct worker_patience patience = {.cancelled = &raised, .until_ns = INT64_MAX};
    assert_int_equal(begin(slot, false, INT64_MAX), MODEL_OK);
    assert_int_equal(worker_slot_begin_call(slot, true, &patience, &err), MODEL_CANCELLED);
    worker_slot_end_call(slot, false);
}

struct second {
    struct worker_slot *slot;
    model_status status;
};

static void *be_alone(void *argument)
{
    struct second *second = argument;
    struct model_error own = {.struct_size = sizeof own};
    struct worker_patience patience = {.until_ns = INT64_MAX};
    second->status = worker_slot_begin_call(second->slot, true, &patience, &own);
    return NULL;
}

static void who_wants_to_be_alone_comes_first(void **state)
{
    struct worker_slot *slot = ((struct fixture *)*state)->slot;
    struct second second = {slot, MODEL_INTERNAL};
    pthread_t thread;
    assert_int_equal(begin(slot, false, INT64_MAX), MODEL_OK);
    assert_int_equal(pthread_create(&thread, NULL, be_alone, &second), 0);
    while (begin(slot, false, 0) == MODEL_OK) /* until it waits */
        worker_slot_end_call(slot, false);
    worker_slot_end_call(slot, false);
    (void)pthread_join(thread, NULL);
    assert_int_equal(second.status, MODEL_OK);
    worker_slot_end_call(slot, true);
}

static const struct log_sink *sink_of_script = &silent;
static const uint32_t *cancelled_of_script;

/* A load with a script in the place of the worker: the sentence is in err. */
static model_status load_with_script(const char *text, int64_t greeting_ns)
{
    char *dir = scratch_dir(), *path = NULL;
    struct worker_slot *slot = NULL;
    assert_true(asprintf(&path, "%s/script", dir) > 0);
    write_file(path, text, strlen(text));
    assert_int_equal(chmod(path, 0755), 0);
    const struct worker_config config = {.command = path,
                                         .package_dir = dir,
                                         .lanes = 1,
                                         .threads = 1,
                                         .greeting_ns = greeting_ns,
                                         .log = sink_of_script,
                                         .cancelled = cancelled_of_script};
    model_status status = worker_slot_create(&config, NULL, &slot, &err);
    (void)unlink(path);
    (void)rmdir(dir);
    free(path);
    free(dir);
    return status;
}

static void a_worker_of_another_version_is_told(void **state)
{
    static const char script[] = "#!/bin/sh\nprintf '%s' >&3\nexec sleep 1000\n";
    const struct worker_header header = {WORKER_MESSAGE_MAGIC, WORKER_PROTOCOL_VERSION + 1,
                                         WORKER_HELLO, 0, 0};
    char octal[4 * sizeof header + 1], text[sizeof octal + sizeof script];
    (void)state;
    for (size_t i = 0; i < sizeof header; i++)
        (void)snprintf(octal + 4 * i, 5, "\\%03o", ((const unsigned char *)&header)[i]);
    (void)snprintf(text, sizeof text, script, octal);
    assert_int_equal(load_with_script(text, 0), MODELHOST_CRASHED);
    if (strstr(err.message, "in create_model: host and worker are of different versions") == NULL)
        fail_msg("%s", err.message);
}

static void a_command_that_is_no_worker_is_told(void **state)
{
    (void)state;
    assert_int_equal(
        load_with_script("#!/bin/sh\n"
                         "echo something else, longer than two headers of messages >&3\n"
                         "exec sleep 1000\n",
                         0),
        MODELHOST_CRASHED);
    if (strstr(err.message, "does not speak modelhost's protocol (it began with 656d6f73)") == NULL)
        fail_msg("%s", err.message);
}

static void a_silent_worker_does_not_hold_up_a_load(void **state)
{
    (void)state;
    assert_int_equal(load_with_script("#!/bin/sh\nexec sleep 1000\n", 10 * NS_PER_MS),
                     MODELHOST_CRASHED);
    assert_non_null(strstr(err.message, "said nothing"));
    assert_non_null(strstr(err.message, "worker_path"));
}

/* Before each start, by the slot's thread: the second process gets a plugin that drips, and 30 ms. */
struct starts {
    struct worker_config *config;
    int n;
};

static model_status prepare_start(void *context, struct model_error *ignored)
{
    static const char *const configs[] = {"{}", "{\"hostile_drips\": true}", "{}"};
    struct starts *starts = context;
    char *path = path_join(starts->config->package_dir, "backends/cpu/config.json");
    const char *text = configs[starts->n < 2 ? starts->n : 2];
    (void)ignored;
    write_file(path, text, strlen(text));
    starts->config->load_ns = starts->n == 1 ? 30 * NS_PER_MS : 0;
    starts->n++;
    free(path);
    return MODEL_OK;
}

static void a_new_process_that_never_ends_its_message_is_replaced(void **state)
{
    (void)state;
    struct worker_config wanted = {.command = worker_command(),
                                   .package_dir = make_package("hostile", "{}"),
                                   .lanes = 1,
                                   .threads = 1,
                                   .log = &silent};
    struct starts starts = {&wanted, 0};
    struct worker_slot *slot = NULL;
    struct worker_patience patience = {.until_ns = INT64_MAX};
    uint64_t generation = 0;
    wanted.plugin_path = wanted.package_dir;
    wanted.guard = (struct worker_guard){.admit = prepare_start, .context = &starts};
    if (worker_slot_create(&wanted, NULL, &slot, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    worker_slot_kill(slot, 1);
    while (!worker_slot_has_ended(slot, 1))
        (void)sched_yield();
    if (worker_slot_wait(slot, &patience, &generation, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(generation, 3);
    worker_slot_destroy(slot, 0);
    free(wanted.command);
    remove_package(wanted.package_dir);
}

static void a_start_that_nobody_waits_for_is_given_up(void **state)
{
    static const uint32_t cancelled = MODEL_CANCELLED;
    (void)state;
    cancelled_of_script = &cancelled;
    for (int i = 0; i < 20; i++) /* the slot's thread may have come to its first process, or not */
        assert_int_equal(load_with_script("#!/bin/sh\nexec sleep 1000\n", 3600 * NS_PER_S),
                         MODEL_CANCELLED);
    cancelled_of_script = NULL;
    assert_string_equal(err.message, "nobody wants the model any more");
}

struct lines {
    pthread_mutex_t mutex;
    char text[4096];
};

static void keep_line(void *context, int32_t level, const char *line)
{
    struct lines *lines = context;
    (void)level;
    (void)pthread_mutex_lock(&lines->mutex);
    const size_t used = strlen(lines->text);
    (void)snprintf(lines->text + used, sizeof lines->text - used, "%s\n", line);
    (void)pthread_mutex_unlock(&lines->mutex);
}

/* The last one comes without an end. */
static void blank_ends_of_printed_lines_are_no_lines(void **state)
{
    static struct lines lines = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    const struct log_sink log = {.level = MODEL_LOG_WARN, .write = keep_line, .context = &lines};
    long pid = 0;
    (void)state;
    sink_of_script = &log;
    assert_int_equal(
        load_with_script("#!/bin/sh\nprintf 'one \\r\\n \\t\\r\\n\\n  two\\nthree \\r'\n", 0),
        MODELHOST_CRASHED);
    sink_of_script = &silent;
    assert_int_equal(sscanf(lines.text, "worker %ld: ", &pid), 1);
    char *want =
        text_format("worker %ld: one\nworker %ld:   two\nworker %ld: three\n", pid, pid, pid);
    assert_string_equal(lines.text, want);
    free(want);
}

/* What is logged of the end of a process that does this in destroy(), with `limit_ns` for it. */
static void end_one(const char *config, int64_t limit_ns, struct lines *ret)
{
    const struct log_sink log = {.level = MODEL_LOG_WARN, .write = keep_line, .context = ret};
    struct worker_config wanted = {.command = worker_command(),
                                   .package_dir = make_package("mischief", config),
                                   .lanes = 1,
                                   .threads = 1,
                                   .plugin = "'mischief' 1.0.0",
                                   .log = &log};
    struct worker_slot *slot = NULL;
    *ret = (struct lines){.mutex = PTHREAD_MUTEX_INITIALIZER};
    wanted.plugin_path = wanted.package_dir;
    if (worker_slot_create(&wanted, NULL, &slot, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    worker_slot_destroy(slot, clock_now_ns() + limit_ns);
    free(wanted.command);
    remove_package(wanted.package_dir);
}

static void the_end_of_a_process_is_told_if_it_is_a_bad_one(void **state)
{
    static struct lines lines;
    (void)state;
    end_one("{\"mischief_destroy\": -9}", 3600 * NS_PER_S, &lines);
    const char *line =
        strstr(lines.text, "plugin crashed: SIGSEGV in destroy; its last log lines:");
    if (line == NULL || strstr(line, "this was logged") == NULL)
        fail_msg("%s", lines.text);
    end_one("{\"mischief_destroy\": -3}", 3600 * NS_PER_S, &lines);
    if (strstr(lines.text, "plugin called exit(3) in destroy") == NULL)
        fail_msg("%s", lines.text);
    end_one("{\"mischief_destroy\": -4}", 0, &lines);
    if (strstr(lines.text, "plugin 'mischief' 1.0.0 did not come back from destroy() in time; its "
                           "process is ended") == NULL)
        fail_msg("%s", lines.text);
    end_one("{}", 3600 * NS_PER_S, &lines);
    if (strstr(lines.text, "destroy") != NULL || strstr(lines.text, "crash") != NULL)
        fail_msg("%s", lines.text);
}

int main(void)
{
    (void)setenv("ASAN_OPTIONS", "handle_segv=0:handle_abort=0:detect_leaks=0", 1); /* let crash */
    (void)setenv("TSAN_OPTIONS", "handle_segv=0:handle_abort=0", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_call_waits_for_its_turn_until_its_deadline_only,
                                        open_slot, close_slot),
        cmocka_unit_test_setup_teardown(a_call_that_waits_for_its_turn_can_be_cancelled, open_slot,
                                        close_slot),
        cmocka_unit_test_setup_teardown(who_wants_to_be_alone_comes_first, open_slot, close_slot),
        cmocka_unit_test(a_worker_of_another_version_is_told),
        cmocka_unit_test(a_command_that_is_no_worker_is_told),
        cmocka_unit_test(a_silent_worker_does_not_hold_up_a_load),
        cmocka_unit_test(a_new_process_that_never_ends_its_message_is_replaced),
        cmocka_unit_test(a_start_that_nobody_waits_for_is_given_up),
        cmocka_unit_test(blank_ends_of_printed_lines_are_no_lines),
        cmocka_unit_test(the_end_of_a_process_is_told_if_it_is_a_bad_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
