/* test_plugin_admission.c - which plugins a host opens: quarantine and the policy "conformant", by the
 * function and through modelhost_load(). */
#include "plugin_admission.h"
#include "conformance_report.h"
#include "errors.h"
#include "echo_package.h"
#include "elf_fixture.h"
#include "files.h"
#include "plugin_copy.h"
#include "plugin_handle.h"
#include "quarantine.h"

struct place {
    char *store, *package, *plugin;
    char sha256[SHA256_HEX_BYTES];
};

static int make_place(void **state)
{
    static struct place place;
    uint64_t size_bytes = 0;
    place.store = scratch_dir();
    place.package = make_package("echo", "{}");
    place.plugin = path_join(place.package, "backends/cpu/libmodel.so");
    assert_int_equal(digest_file_sha256(place.plugin, place.sha256, &size_bytes, NULL), MODEL_OK);
    *state = &place;
    return 0;
}

static int remove_place(void **state)
{
    struct place *place = *state;
    assert_int_equal(dir_remove_all(place->store, NULL), MODEL_OK);
    free(place->store);
    free(place->plugin);
    remove_package(place->package);
    return 0;
}

static void add_to_quarantine(const struct place *place, int64_t expires_s)
{
    struct quarantine_entry entry = {.reason = "crashed 3 times", .expires_s = expires_s};
    memcpy(entry.sha256, place->sha256, sizeof entry.sha256);
    assert_int_equal(quarantine_add(place->store, &entry, NULL), MODEL_OK);
}

static void save_report(const struct place *place, enum check_verdict fourth, uint16_t abi_major)
{
    struct conformance_report report = {.abi_major = abi_major};
    memcpy(report.sha256, place->sha256, sizeof report.sha256);
    for (size_t i = 0; i < CHECK_COUNT; i++)
        report.checks[i] = (struct conformance_result){.has_run = true};
    report.checks[3].verdict = fourth;
    assert_int_equal(conformance_report_save(place->store, &report, NULL, NULL), MODEL_OK);
}

static void expect_refusal(const struct place *place, int32_t policy, int64_t now_s,
                           const char *part)
{
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(plugin_admission_check(place->store, place->plugin, policy, now_s, &err),
                     MODEL_UNSUPPORTED);
    if (strstr(err.message, part) == NULL)
        fail_msg("'%s' is not in: %s", part, err.message);
}

static void any_plugin_is_let_in_by_default(void **state)
{
    const struct place *place = *state;
    assert_int_equal(
        plugin_admission_check(place->store, place->plugin, MODELHOST_LOAD_ANY, 1, NULL), MODEL_OK);
    assert_int_equal(plugin_admission_check(NULL, place->plugin, MODELHOST_LOAD_ANY, 1, NULL),
                     MODEL_OK);
    /* Nothing to compare with: the file is not even looked at. */
    assert_int_equal(
        plugin_admission_check(place->store, "/no/such/file", MODELHOST_LOAD_ANY, 1, NULL),
        MODEL_OK);
}

static void quarantine_refuses_until_it_expires(void **state)
{
    const struct place *place = *state;
    add_to_quarantine(place, 7200);
    expect_refusal(place, MODELHOST_LOAD_ANY, 0, "for 2 h more: crashed 3 times");
    expect_refusal(place, MODELHOST_LOAD_ANY, 1, "modelhost quarantine clear");
    expect_refusal(place, MODELHOST_LOAD_ANY, 1, "for 120 min more");
    expect_refusal(place, MODELHOST_LOAD_ANY, 1 + 3600, "for 60 min more");
    expect_refusal(place, MODELHOST_LOAD_ANY, 7200 - 120, "for 2 min more");
    expect_refusal(place, MODELHOST_LOAD_ANY, 7200 - 119, "for 119 s more");
    expect_refusal(place, MODELHOST_LOAD_ANY, 7199, "for 1 s more");
    assert_int_equal(
        plugin_admission_check(place->store, place->plugin, MODELHOST_LOAD_ANY, 7200, NULL),
        MODEL_OK);
    add_to_quarantine(place, 0);
    expect_refusal(place, MODELHOST_LOAD_ANY, 7200, "is in quarantine: crashed 3 times");
}

static void quarantine_counts_more_than_a_report(void **state)
{
    const struct place *place = *state;
    save_report(place, CHECK_PASSED, MODEL_ABI_MAJOR);
    add_to_quarantine(place, 0);
    expect_refusal(place, MODELHOST_LOAD_CONFORMANT, 1, "is in quarantine");
}

static void the_policy_wants_a_report_of_twelve_passed_checks(void **state)
{
    const struct place *place = *state;
    const int32_t policy = MODELHOST_LOAD_CONFORMANT;
    expect_refusal(place, policy, 1, "has no conformance report");
    expect_refusal(place, policy, 1, "modelhost check-plugin");
    save_report(place, CHECK_FAILED, MODEL_ABI_MAJOR);
    expect_refusal(place, policy, 1, "failed check 4");
    save_report(place, CHECK_SKIPPED, MODEL_ABI_MAJOR);
    expect_refusal(place, policy, 1, "skipped check 4");
    save_report(place, CHECK_PASSED, MODEL_ABI_MAJOR + 1);
    expect_refusal(place, policy, 1, "is for ABI 2");
    save_report(place, CHECK_PASSED, MODEL_ABI_MAJOR);
    assert_int_equal(plugin_admission_check(place->store, place->plugin, policy, 1, NULL),
                     MODEL_OK);
    assert_int_equal(plugin_admission_check(NULL, place->plugin, policy, 1, NULL),
                     MODEL_UNSUPPORTED);
}

static model_status load(const struct place *place, int32_t policy, struct model_error *err)
{
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct modelhost *host = NULL;
    struct modelhost_model *model = NULL;
    options.store_dir = place->store;
    options.plugin_path = place->store;
    options.lanes = options.threads = 1;
    options.load_policy = policy;
    model_status status = modelhost_create(&options, &host, err);
    if (status != MODEL_OK)
        return status;
    status = modelhost_load(host, place->package, &model, err);
    modelhost_release(model);
    modelhost_destroy(host);
    return status;
}

static void a_host_loads_by_its_policy(void **state)
{
    const struct place *place = *state;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(load(place, MODELHOST_LOAD_ANY, &err), MODEL_OK);
    assert_int_equal(load(place, MODELHOST_LOAD_CONFORMANT, &err), MODEL_UNSUPPORTED);
    save_report(place, CHECK_PASSED, MODEL_ABI_MAJOR);
    assert_int_equal(load(place, MODELHOST_LOAD_CONFORMANT, &err), MODEL_OK);
    add_to_quarantine(place, 0);
    assert_int_equal(load(place, MODELHOST_LOAD_ANY, &err), MODEL_UNSUPPORTED);
    assert_non_null(strstr(err.message, "crashed 3 times"));
    assert_int_equal(load(place, 9, &err), MODEL_INVALID_ARGUMENT);
}

/* A gate that looks at what is asked, and may put another plugin into the place meanwhile. */
struct watched_gate {
    model_status answer;
    const char *other, *path;
    char sha256[SHA256_HEX_BYTES];
};

static model_status watch_gate(void *context, const char *path, const char *sha256,
                               struct model_error *err)
{
    struct watched_gate *gate = context;
    memcpy(gate->sha256, sha256, sizeof gate->sha256);
    if (gate->other != NULL)
        assert_int_equal(rename(gate->other, path), 0);
    return gate->answer == MODEL_OK ? MODEL_OK : error_set(err, gate->answer, "not today");
}

static void what_is_asked_for_is_what_would_run(void **state)
{
    const struct place *place = *state;
    struct watched_gate watched = {.answer = MODEL_BUSY};
    const struct plugin_gate gate = {watch_gate, &watched, NULL, false, false};
    const struct log_sink log = {.level = MODEL_LOG_ERROR};
    struct plugin_handle handle;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(plugin_handle_open_if(place->plugin, &log, &gate, &handle, &err), MODEL_BUSY);
    assert_string_equal(watched.sha256, place->sha256);
    assert_string_equal(err.message, "not today");
    watched.answer = MODEL_OK;
    assert_int_equal(plugin_handle_open_if(place->plugin, &log, &gate, &handle, &err), MODEL_OK);
    assert_string_equal(handle.file.name, "echo");
}

static void what_takes_the_place_of_the_admitted_is_not_opened(void **state)
{
    const struct place *place = *state;
    char *package = make_package("faulty", "{}");
    char *other = path_join(package, "backends/cpu/libmodel.so");
    struct watched_gate watched = {.other = other};
    const struct plugin_gate gate = {watch_gate, &watched, NULL, false, false};
    const struct log_sink log = {.level = MODEL_LOG_ERROR};
    struct plugin_handle handle;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(plugin_handle_open_if(place->plugin, &log, &gate, &handle, &err),
                     MODEL_CORRUPT);
    assert_string_equal(watched.sha256, place->sha256);
    remove_package(package);
    free(other);
}

static void what_needs_libraries_beside_it_is_not_conformant(void **state)
{
    const struct place *place = *state;
    const struct plugin_gate gate = {.only_copies = true};
    const struct log_sink log = {.level = MODEL_LOG_ERROR};
    struct plugin_handle handle;
    struct model_error err = MODEL_ERROR_INIT;
    char *other = path_join(place->store, "other.so");
    struct buffer bytes = BUFFER_INIT(1u << 26);
    assert_int_equal(plugin_handle_open_if(place->plugin, &log, &gate, &handle, &err), MODEL_OK);
    assert_int_equal(file_read(place->plugin, 1u << 26, &bytes, &err), MODEL_OK);
    assert_int_equal(buffer_append_text(&bytes, "$ORIGIN"), MODEL_OK); /* behind all sections */
    assert_int_equal(file_write_atomic(other, bytes.data, bytes.size, &err), MODEL_OK);
    assert_int_equal(plugin_handle_open_if(other, &log, &gate, &handle, &err), MODEL_UNSUPPORTED);
    assert_non_null(strstr(err.message, "names $ORIGIN"));
    assert_int_equal(plugin_copy_check(other, &err), MODEL_UNSUPPORTED);
    assert_int_equal(plugin_copy_check(place->plugin, &err), MODEL_OK);
    assert_int_equal(plugin_handle_open(other, &log, &handle, &err), MODEL_OK);
    buffer_finish(&bytes);
    free(other);
}

static void what_brings_libraries_from_elsewhere_is_not_conformant(void **state)
{
    const struct place *place = *state;
    const struct plugin_gate gate = {.only_copies = true};
    const struct log_sink log = {.level = MODEL_LOG_ERROR};
    struct plugin_handle handle;
    struct model_error err = MODEL_ERROR_INIT;
    struct buffer bytes = BUFFER_INIT(1u << 26);
    char *other = path_join(place->store, "other.so");
    assert_int_equal(file_read(place->plugin, 1u << 26, &bytes, &err), MODEL_OK);
    elf_retag_needed(&bytes, DT_RUNPATH);
    assert_int_equal(file_write_atomic(other, bytes.data, bytes.size, &err), MODEL_OK);
    assert_int_equal(plugin_handle_open_if(other, &log, &gate, &handle, &err), MODEL_UNSUPPORTED);
    assert_non_null(strstr(err.message, "takes libraries from places of its own"));
    assert_int_equal(plugin_copy_check(other, &err), MODEL_UNSUPPORTED);
    assert_non_null(strstr(err.message, "link without -rpath"));
    assert_int_equal(plugin_copy_check_signed(other, "mine.so", &err), MODELHOST_UNTRUSTED);
    assert_non_null(strstr(err.message, "plugin mine.so takes libraries from places of its own"));
    assert_int_equal(plugin_copy_check_signed(place->plugin, "mine.so", &err), MODEL_OK);
    buffer_finish(&bytes);
    free(other);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(any_plugin_is_let_in_by_default),
        TEST(quarantine_refuses_until_it_expires),
        TEST(quarantine_counts_more_than_a_report),
        TEST(the_policy_wants_a_report_of_twelve_passed_checks),
        TEST(a_host_loads_by_its_policy),
        TEST(what_is_asked_for_is_what_would_run),
        TEST(what_takes_the_place_of_the_admitted_is_not_opened),
        TEST(what_needs_libraries_beside_it_is_not_conformant),
        TEST(what_brings_libraries_from_elsewhere_is_not_conformant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
