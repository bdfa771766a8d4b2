/* test_coreml_compiled.c - what is kept of compiled Core ML models: plugins/coreml-ane/compiled_model.c in the folder that a host
 * offers, host/prepared/model_compiled.c and host/prepared/compiled_folder.c behind it, and the plan of devices on its way to
 * descriptions and metrics (host/device_plan.c). That nothing is compiled shows in a compiler that was told to fail. */
#include "compiled_folder.h"
#include "coreml_cache.h"
#include "coreml_subject.h"
#include "worker_domain.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#define CPU_ONLY "{\"coreml_executor\":\"coreml\",\"compute_units\":\"cpuOnly\"}"
#define LOW      "{\"coreml_executor\":\"coreml\",\"low_precision_accumulation\":true}"

/* ---- what is in the folder */

static bool is_entry(const char *name)
{
    return strlen(name) == 64;
}

static size_t count_entries(const char *folder)
{
    struct dir_list list = {0};
    size_t n = 0;
    if (dir_read(folder, &list, NULL) != MODEL_OK)
        return 0;
    for (size_t i = 0; i < list.n_names; i++) {
        if (!is_entry(list.names[i]))
            fail_msg("%s is left in the folder", list.names[i]);
        n++;
    }
    dir_list_finish(&list);
    return n;
}

/* Of the only entry, to be freed. */
static char *compiled_in(const char *folder)
{
    struct dir_list list = {0};
    assert_int_equal(dir_read(folder, &list, NULL), MODEL_OK);
    assert_int_equal(list.n_names, 1);
    char *path = text_format("%s/%s/model.mlmodelc", folder, list.names[0]);
    dir_list_finish(&list);
    return path;
}

static void damage(const char *folder)
{
    char *compiled = compiled_in(folder);
    put(compiled, "source", "", 0);
    free(compiled);
}

/* ---- in this process */

static struct subject open_keeping(const char *config, char **ret_folder)
{
    struct subject s = open_subject("coreml", config);
    *ret_folder = path_join(s.dir, "compiled");
    s.h->compiled =
        (struct model_compiled_models){sizeof s.h->compiled, *ret_folder, UINT64_C(1) << 20};
    return s;
}

static void close_keeping(struct subject *s, char *folder)
{
    free(folder);
    close_subject(s);
}

static void unload(struct harness *h)
{
    h->instance->destroy(h->instance);
    h->model->destroy(h->model);
    h->instance = NULL;
    h->model = NULL;
}

/* How often the compiler ran for a load that answers. */
static int loads_with(struct harness *h, const char *config)
{
    const int before = mock_bridge_compiled();
    harness_configure(h, config);
    if (harness_load(h) != MODEL_OK)
        fail_msg("%s", h->err.message);
    assert_answers(h, MOCK_ADDS);
    unload(h);
    return mock_bridge_compiled() - before;
}

static void the_second_load_compiles_nothing(void **state)
{
    (void)state;
    char *folder = NULL;
    struct subject s = open_keeping(ONLY_COREML, &folder);
    assert_int_equal(loads_with(s.h, ONLY_COREML), 1);
    assert_int_equal(loads_with(s.h, ONLY_COREML), 0);
    assert_int_equal(count_entries(folder), 1);
    close_keeping(&s, folder);
}

static void without_a_folder_each_load_compiles(void **state)
{
    (void)state;
    struct subject s = open_subject("coreml", ONLY_COREML);
    assert_int_equal(loads_with(s.h, ONLY_COREML), 1);
    assert_int_equal(loads_with(s.h, ONLY_COREML), 1);
    close_subject(&s);
}

/* ---- without a folder: what is compiled is the system's to choose a place for, and the model's to remove */

static struct subject open_with_temporary(char **ret_folder)
{
    struct subject s = open_subject("coreml", ONLY_COREML);
    *ret_folder = path_join(s.dir, "temporary");
    assert_int_equal(mkdir(*ret_folder, 0700), 0);
    assert_int_equal(setenv("TMPDIR", *ret_folder, 1), 0);
    return s;
}

static void close_with_temporary(struct subject *s, char *folder, const char *tmpdir)
{
    assert_int_equal(tmpdir != NULL ? setenv("TMPDIR", tmpdir, 1) : unsetenv("TMPDIR"), 0);
    free(folder);
    close_subject(s);
}

static size_t count_names(const char *folder)
{
    struct dir_list list = {0};
    assert_int_equal(dir_read(folder, &list, NULL), MODEL_OK);
    const size_t n = list.n_names;
    dir_list_finish(&list);
    return n;
}

static void what_is_compiled_without_a_folder_goes_with_the_model(void **state)
{
    (void)state;
    static const char *const told[] = {"load", "wrong size", "no schema", "compile"};
    const char *tmpdir = getenv("TMPDIR");
    char *folder = NULL, *before = tmpdir != NULL ? text_format("%s", tmpdir) : NULL;
    struct subject s = open_with_temporary(&folder);
    assert_int_equal(harness_load(s.h), MODEL_OK);
    assert_int_equal(count_names(folder), 1);
    assert_answers(s.h, MOCK_ADDS);
    unload(s.h);
    assert_int_equal(count_names(folder), 0);
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        tell(s.dir, told[i]);
        assert_int_not_equal(harness_load(s.h), MODEL_OK);
        assert_int_equal(count_names(folder), 0);
    }
    close_with_temporary(&s, folder, before);
    free(before);
}

static void a_model_that_is_called_compiled_is_not_removed(void **state)
{
    (void)state;
    struct subject s = open_subject("coreml", ONLY_COREML);
    char *model = path_join(s.backend, "model.mlmodel");
    tell(s.dir, "in place");
    assert_int_equal(harness_load(s.h), MODEL_OK);
    unload(s.h);
    assert_true(path_is_file(model));
    free(model);
    close_subject(&s);
}

static void other_units_and_another_precision_are_other_entries(void **state)
{
    (void)state;
    static const char *const configs[] = {ONLY_COREML, CPU_ONLY, LOW};
    char *folder = NULL;
    struct subject s = open_keeping(ONLY_COREML, &folder);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(loads_with(s.h, configs[i]), 1);
        assert_int_equal(count_entries(folder), i + 1);
    }
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(loads_with(s.h, configs[i]), 0);
    close_keeping(&s, folder);
}

#ifdef __linux__
static const char *system_build, *system_machine; /* NULL: the system's own */

/* In the place of the C library's. */
int uname(struct utsname *ret)
{
    const int code = (int)syscall(SYS_uname, ret);
    if (code == 0 && system_build != NULL)
        (void)snprintf(ret->version, sizeof ret->version, "%s", system_build);
    if (code == 0 && system_machine != NULL)
        (void)snprintf(ret->machine, sizeof ret->machine, "%s", system_machine);
    return code;
}

/* So another build, machine or size is another entry. */
static void an_entry_is_named_by_all_that_it_depends_on(void **state)
{
    (void)state;
    const struct coreml_cache_facts facts = {"Linux m2", "24A335", "cpuAndNeuralEngine", "default",
                                             "x[2]"};
    char *folder = NULL, key[COREML_CACHE_KEY_BYTES];
    struct subject s = open_keeping(ONLY_COREML, &folder);
    char *model = path_join(s.backend, "model.mlmodel");
    assert_int_equal(coreml_cache_key(model, &facts, key, NULL), MODEL_OK);
    system_build = "24A335", system_machine = "m2";
    assert_int_equal(loads_with(s.h, ONLY_COREML), 1);
    system_build = system_machine = NULL;
    char *compiled = compiled_in(folder);
    assert_non_null(strstr(compiled, key));
    free(compiled);
    free(model);
    close_keeping(&s, folder);
}
#endif

static void a_damaged_entry_is_compiled_once_more(void **state)
{
    (void)state;
    char *folder = NULL;
    struct subject s = open_keeping(ONLY_COREML, &folder);
    assert_int_equal(loads_with(s.h, ONLY_COREML), 1);
    damage(folder);
    assert_int_equal(loads_with(s.h, ONLY_COREML), 1);
    assert_int_equal(loads_with(s.h, ONLY_COREML), 0);
    assert_int_equal(count_entries(folder), 1);
    close_keeping(&s, folder);
}

static void what_is_damaged_again_is_an_error(void **state)
{
    (void)state;
    char *folder = NULL;
    struct subject s = open_keeping(ONLY_COREML, &folder);
    const int before = mock_bridge_compiled();
    tell(s.dir, "empties");
    assert_int_equal(harness_load(s.h), MODEL_CORRUPT);
    assert_string_equal(s.h->err.message, "Core ML: the compiled model is damaged");
    assert_int_equal(mock_bridge_compiled() - before, 2);
    close_keeping(&s, folder);
}

static void a_compiler_that_refuses_leaves_nothing(void **state)
{
    (void)state;
    char *folder = NULL;
    struct subject s = open_keeping(ONLY_COREML, &folder);
    tell(s.dir, "compile");
    assert_int_equal(harness_load(s.h), MODEL_CORRUPT);
    assert_string_equal(s.h->err.message, "Core ML: told not to compile");
    assert_int_equal(count_entries(folder), 0);
    close_keeping(&s, folder);
}

static void a_folder_that_cannot_be_written_to_costs_time_alone(void **state)
{
    (void)state;
    char *folder = NULL;
    struct subject s = open_keeping(ONLY_COREML, &folder);
    put(s.dir, "compiled", "a file", 6);
    assert_int_equal(loads_with(s.h, ONLY_COREML), 1);
    close_keeping(&s, folder);
}

static void what_was_not_used_for_longest_goes_beyond_the_quota(void **state)
{
    (void)state;
    char *folder = NULL;
    struct subject s = open_keeping(ONLY_COREML, &folder);
    s.h->compiled.max_bytes = 1; /* less than any entry: the newest alone stays */
    assert_int_equal(loads_with(s.h, ONLY_COREML), 1);
    assert_int_equal(loads_with(s.h, CPU_ONLY), 1);
    assert_int_equal(count_entries(folder), 1);
    assert_int_equal(loads_with(s.h, CPU_ONLY), 0);
    assert_int_equal(loads_with(s.h, ONLY_COREML), 1);
    close_keeping(&s, folder);
}

/* ---- in a host, whose workers may change this folder and nothing else */

static void close_host(struct hosted *hosted)
{
    modelhost_release(hosted->model);
    modelhost_destroy(hosted->host);
}

static int answer_of(struct hosted *hosted)
{
    struct model_error err = MODEL_ERROR_INIT;
    int added = -1;
    if (ask(hosted->model, 0, &added, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return added;
}

static bool workers_keep(void)
{
    return worker_domain_confines_writing();
}

static void a_worker_finds_what_another_one_compiled(void **state)
{
    (void)state;
    if (!workers_keep())
        skip();
    struct hosted first = open_hosted(scratch_dir(), NULL);
    assert_int_equal(answer_of(&first), MOCK_ADDS);
    close_host(&first);
    char *folder = path_join(first.dir, "compiled"), *compiled = compiled_in(folder);
    struct stat info;
    assert_int_equal(stat(folder, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    assert_int_equal(stat(compiled, &info), 0);
    assert_int_equal(info.st_mode & 0077, 0);
    tell(first.dir, "compile"); /* would fail, and there is nothing else to answer */
    struct hosted second = reopen_hosted(first.dir);
    assert_int_equal(answer_of(&second), MOCK_ADDS);
    assert_non_null(strstr(modelhost_describe(second.model), "\"isolation\":\t\"worker\""));
    free(folder);
    free(compiled);
    close_hosted(&second);
}

static void a_worker_makes_a_damaged_entry_anew(void **state)
{
    (void)state;
    if (!workers_keep())
        skip();
    struct hosted first = open_hosted(scratch_dir(), NULL);
    close_host(&first);
    char *folder = path_join(first.dir, "compiled");
    damage(folder);
    struct hosted second = reopen_hosted(first.dir);
    assert_int_equal(answer_of(&second), MOCK_ADDS);
    char *compiled = compiled_in(folder), *source = path_join(compiled, "source");
    struct stat info;
    assert_int_equal(stat(source, &info), 0);
    assert_true(info.st_size > 0);
    free(source);
    free(compiled);
    free(folder);
    close_hosted(&second);
}

static void a_folder_that_was_removed_is_made_for_the_next_worker(void **state)
{
    (void)state;
    if (!workers_keep())
        skip();
    struct hosted hosted = open_hosted(scratch_dir(), NULL);
    char *folder = path_join(hosted.dir, "compiled");
    assert_int_equal(dir_remove_all(folder, NULL), MODEL_OK);
    close_host(&hosted);
    hosted = reopen_hosted(hosted.dir);
    assert_int_equal(count_entries(folder), 1);
    free(folder);
    close_hosted(&hosted);
}

static void a_folder_that_others_may_write_to_is_not_used(void **state)
{
    (void)state;
    char *dir = scratch_dir(), *folder = path_join(dir, "compiled");
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_int_equal(chmod(folder, 0777), 0);
    tell(dir, "in place"); /* a worker may not write elsewhere, either */
    struct hosted hosted = open_hosted(dir, NULL);
    assert_int_equal(answer_of(&hosted), MOCK_ADDS); /* compiled, and not kept */
    assert_int_equal(count_entries(folder), 0);
    free(folder);
    close_hosted(&hosted);
}

static void a_link_and_a_file_are_no_folder(void **state)
{
    (void)state;
    char *dir = scratch_dir(), *folder = compiled_folder_path(dir, 0);
    struct model_error err = MODEL_ERROR_INIT;
    assert_string_equal(path_base(folder), "compiled");
    assert_int_equal(symlink("/", folder), 0);
    assert_int_equal(compiled_folder_make(folder, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "is no folder, or a symbolic link; remove it"));
    assert_int_equal(unlink(folder), 0);
    put(dir, "compiled", "", 0);
    assert_int_equal(compiled_folder_make(folder, &err), MODEL_CORRUPT);
    assert_null(compiled_folder_path(dir, 1)); /* nothing is to be kept */
    assert_null(compiled_folder_path(folder, 1));
    assert_null(compiled_folder_path(NULL, 0));
    free(folder);
    remove_package(dir);
}

/* ---- the plan */

static void has(const char *text, const char *part)
{
    if (text == NULL || strstr(text, part) == NULL)
        fail_msg("'%s' is not in:\n%s", part, text != NULL ? text : "");
}

static void a_plan_is_told_as_planned(void **state)
{
    (void)state;
    struct hosted hosted = open_hosted(scratch_dir(), NULL);
    const char *description = modelhost_describe(hosted.model);
    has(description, "\"requested_units\":\t\"cpuAndNeuralEngine\"");
    has(description, "\"planned_units\":\t\"cpuAndNeuralEngine\"");
    has(description, "\"ane_eligible\":\ttrue");
    has(description, "\"ane_operators_covered\":\t0.75");
    has(description, "\"ane_cost_share\":\t0.75");
    struct modelhost_metrics *metrics = NULL;
    assert_int_equal(modelhost_metrics_read(hosted.host, &metrics, NULL), MODEL_OK);
    const char *text = modelhost_metrics_text(metrics);
    has(text, "backend=\"coreml\",requested_units=\"cpuAndNeuralEngine\","
              "planned_units=\"cpuAndNeuralEngine\"} 1\n");
    const char *sample = strstr(text, "\nmodelhost_model_info{");
    assert_non_null(sample);
    assert_null(
        strstr(sample + 1, "\nmodelhost_model_info{")); /* the pairs that are 0 are not shown */
    modelhost_metrics_destroy(metrics);
    close_hosted(&hosted);
}

static void a_plan_without_the_neural_engine_is_known_to_be_one(void **state)
{
    (void)state;
    struct hosted hosted = open_hosted(scratch_dir(), CPU_ONLY);
    const char *description = modelhost_describe(hosted.model);
    has(description, "\"requested_units\":\t\"cpuOnly\"");
    has(description, "\"planned_units\":\t\"cpuOnly\"");
    has(description, "\"ane_eligible\":\tfalse");
    has(description, "\"ane_operators_covered\":\t0");
    close_hosted(&hosted);
}

static void assert_plan_is_null_when(const char *told)
{
    char *dir = scratch_dir(), *backend = backend_of(dir, "coreml");
    assert_int_equal(dir_make_all(backend, NULL), MODEL_OK);
    tell(dir, told);
    struct hosted hosted = open_hosted(dir, NULL);
    const char *description = modelhost_describe(hosted.model);
    has(description, "\"planned_units\":\t\"unknown\"");
    has(description, "\"ane_eligible\":\tnull");
    has(description, "\"ane_operators_covered\":\tnull");
    has(description, "\"ane_cost_share\":\tnull");
    has(description, "\"planned_coverage\":\t\"not known on this system\"");
    assert_null(strstr(description, "\"accelerator_share\":\t0.75"));
    free(backend);
    close_hosted(&hosted);
}

static void a_plan_that_is_not_known_is_null_and_never_0(void **state)
{
    (void)state;
    assert_plan_is_null_when("no plan");
}

static void a_plan_whose_counts_do_not_add_up_is_none(void **state)
{
    (void)state;
    assert_plan_is_null_when("odd plan");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_second_load_compiles_nothing),
        cmocka_unit_test(without_a_folder_each_load_compiles),
        cmocka_unit_test(what_is_compiled_without_a_folder_goes_with_the_model),
        cmocka_unit_test(a_model_that_is_called_compiled_is_not_removed),
        cmocka_unit_test(other_units_and_another_precision_are_other_entries),
#ifdef __linux__
        cmocka_unit_test(an_entry_is_named_by_all_that_it_depends_on),
#endif
        cmocka_unit_test(a_damaged_entry_is_compiled_once_more),
        cmocka_unit_test(what_is_damaged_again_is_an_error),
        cmocka_unit_test(a_compiler_that_refuses_leaves_nothing),
        cmocka_unit_test(a_folder_that_cannot_be_written_to_costs_time_alone),
        cmocka_unit_test(what_was_not_used_for_longest_goes_beyond_the_quota),
        cmocka_unit_test(a_worker_finds_what_another_one_compiled),
        cmocka_unit_test(a_worker_makes_a_damaged_entry_anew),
        cmocka_unit_test(a_folder_that_was_removed_is_made_for_the_next_worker),
        cmocka_unit_test(a_folder_that_others_may_write_to_is_not_used),
        cmocka_unit_test(a_link_and_a_file_are_no_folder),
        cmocka_unit_test(a_plan_is_told_as_planned),
        cmocka_unit_test(a_plan_without_the_neural_engine_is_known_to_be_one),
        cmocka_unit_test(a_plan_that_is_not_known_is_null_and_never_0),
        cmocka_unit_test(a_plan_whose_counts_do_not_add_up_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
