/* test_hub.c - the calls of a hub and the addresses they go to. */
#include "scripted_hub.h"

#define COMMIT     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SHA1       "0123456789abcdef0123456789abcdef01234567"
#define ITEM(path) "{\"type\":\"file\",\"path\":\"" path "\",\"size\":1,\"oid\":\"" SHA1 "\"}"

static const struct hub_model tiny = {(char *)"acme/tiny", COMMIT};

static void a_revision_is_one_segment_of_the_address(void **state)
{
    static const struct scripted_answer answers[] = {
        {.url = "https://hub.test/api/models/acme/tiny/revision/refs%2Fpr%2F1",
         .status = 200,
         .body = "{\"id\":\"new/tiny\",\"sha\":\"" COMMIT "\"}"}};
    struct scripted_hub script;
    struct hub_model model;
    (void)state;
    struct hub *hub = SCRIPTED(&script, answers);
    assert_int_equal(hub_find_model(hub, "acme/tiny", "refs/pr/1", &model, NULL), MODEL_OK);
    assert_string_equal(model.id, "new/tiny");
    assert_string_equal(model.commit, COMMIT);
    hub_model_finish(&model);
    hub_destroy(hub);
}

static void all_pages_are_read_and_joined(void **state)
{
    static const struct scripted_answer answers[] = {
        {.url = "https://hub.test/api/models/acme/tiny/tree/" COMMIT "?recursive=true&expand=false",
         .status = 200,
         .body = "[" ITEM("b") "]",
         .link = "<https://hub.test/next?cursor=1>; rel=\"next\""},
        {.url = "https://hub.test/next?cursor=1",
         .status = 200,
         .body = "[" ITEM("a") "]",
         .link = "</last>; rel=next"},
        {.url = "https://hub.test/last", .status = 200, .body = "[]"},
    };
    struct scripted_hub script;
    struct hub_files files;
    (void)state;
    struct hub *hub = SCRIPTED(&script, answers);
    assert_int_equal(hub_list_files(hub, &tiny, &files, NULL), MODEL_OK);
    assert_int_equal(files.n_files, 2);
    assert_string_equal(files.files[0].path, "a");
    hub_files_finish(&files);
    hub_destroy(hub);
}

static void a_page_of_another_host_gets_no_token(void **state)
{
    static const struct scripted_answer answers[] = {
        {.status = 200, .body = "[]", .link = "<https://evil.test/x>; rel=next"},
        {.status = 200, .body = "[]"},
    };
    struct scripted_hub script;
    struct hub_files files;
    (void)state;
    struct hub *hub = SCRIPTED(&script, answers);
    assert_int_equal(hub_list_files(hub, &tiny, &files, NULL), MODEL_OK);
    assert_non_null(strstr(script.log, "https://evil.test/x -\n"));
    hub_files_finish(&files);
    hub_destroy(hub);
}

static void the_token_stays_off_once_the_pages_have_left_the_endpoint(void **state)
{
    static const struct scripted_answer by_page[] = {
        {.status = 200, .body = "[]", .link = "<https://evil.test/x>; rel=next"},
        {.status = 200, .body = "[]", .link = "<https://hub.test/back>; rel=next"},
        {.status = 200, .body = "[]"},
    };
    static const struct scripted_answer by_redirect[] = {
        {.status = 302, .location = "https://evil.test/x"},
        {.status = 200, .body = "[]", .link = "<https://hub.test/back>; rel=next"},
        {.status = 200, .body = "[]"},
    };
    struct scripted_hub script;
    struct hub_files files;
    (void)state;
    struct hub *hub = SCRIPTED(&script, by_page);
    assert_int_equal(hub_list_files(hub, &tiny, &files, NULL), MODEL_OK);
    assert_non_null(strstr(script.log, "https://hub.test/back -\n"));
    hub_files_finish(&files);
    hub_destroy(hub);
    hub = SCRIPTED(&script, by_redirect);
    assert_int_equal(hub_list_files(hub, &tiny, &files, NULL), MODEL_OK);
    assert_non_null(strstr(script.log, "https://hub.test/back -\n"));
    hub_files_finish(&files);
    /* another listing is another chain */
    script.n_asked = 0;
    script.log[0] = '\0';
    assert_int_equal(hub_list_files(hub, &tiny, &files, NULL), MODEL_OK);
    assert_non_null(strstr(script.log, "&expand=false secret\n"));
    hub_files_finish(&files);
    hub_destroy(hub);
}

static void a_page_without_protection_is_not_asked_for(void **state)
{
    static const struct scripted_answer answers[] = {
        {.status = 200, .body = "[]", .link = "<http://hub.test/x>; rel=next"}};
    struct scripted_hub script;
    struct hub_files files;
    struct model_error err = {.struct_size = sizeof err};
    (void)state;
    struct hub *hub = SCRIPTED(&script, answers);
    assert_int_equal(hub_list_files(hub, &tiny, &files, &err), MODELHOST_NETWORK);
    assert_string_equal(
        err.message,
        "https://hub.test/api/models/acme/tiny/tree/" COMMIT
        "?recursive=true&expand=false leads from https to 'http://hub.test/x', "
        "which is not protected; is a proxy in the way? nothing was fetched from there");
    hub_destroy(hub);
}

static void a_listing_of_one_page_too_many_is_refused(void **state)
{
    static struct scripted_answer answers[HUB_MAX_PAGES];
    struct scripted_hub script;
    struct hub_files files;
    struct model_error err = {.struct_size = sizeof err};
    (void)state;
    for (size_t i = 0; i < HUB_MAX_PAGES; i++)
        answers[i] = (struct scripted_answer){
            .status = 200, .body = "[]", .link = "<https://hub.test/x>; rel=next"};
    struct hub *hub = SCRIPTED(&script, answers);
    assert_int_equal(hub_list_files(hub, &tiny, &files, &err), MODEL_CORRUPT);
    assert_string_equal(err.message,
                        "the hub's list of files of 'acme/tiny' does not end; is this a hub?");
    hub_destroy(hub);
}

/* Each page alone comes in time. */
static void a_listing_that_takes_too_long_in_all_is_given_up(void **state)
{
    static struct scripted_answer answers[20];
    struct scripted_hub script;
    struct hub_files files;
    struct model_error err = {.struct_size = sizeof err};
    (void)state;
    for (size_t i = 0; i < 20; i += 2) {
        answers[i] = (struct scripted_answer){.status = 429, .retry_after = "250"};
        answers[i + 1] = (struct scripted_answer){
            .status = 200, .body = "[]", .link = "<https://hub.test/x>; rel=next"};
    }
    struct hub *hub = SCRIPTED(&script, answers);
    assert_int_equal(hub_list_files(hub, &tiny, &files, &err), MODELHOST_NETWORK);
    assert_string_equal(err.message, "the hub's list of files of 'acme/tiny' was not complete "
                                     "after 600 s and 3 pages; try again later");
    hub_destroy(hub);
}

static model_status start(void *context, struct model_error *err)
{
    (void)context, (void)err;
    return MODEL_OK;
}

static model_status drop(void *context, const void *data, size_t size_bytes,
                         struct model_error *err)
{
    (void)context, (void)data, (void)size_bytes, (void)err;
    return MODEL_OK;
}

static void a_files_path_is_escaped_but_for_its_slashes(void **state)
{
    static const struct scripted_answer answers[] = {
        {.url = "https://hub.test/acme/tiny/resolve/" COMMIT "/a%20b/%23c%3F.txt", .status = 200}};
    static const struct hub_receiver receiver = {start, drop, NULL};
    struct scripted_hub script;
    struct hub_digest digest;
    (void)state;
    struct hub *hub = SCRIPTED(&script, answers);
    assert_int_equal(hub_get_file(hub, &tiny, "a b/#c?.txt", &receiver, &digest, NULL), MODEL_OK);
    hub_destroy(hub);
}

static void odd_settings_are_refused(void **state)
{
    static const char *const tokens[] = {"", "a b", "a\r\nX: y", "\xc3\xa4"};
    struct hub *hub = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++) {
        struct hub_config config = {.token = tokens[i]};
        assert_int_equal(hub_create(&config, &hub, NULL), MODEL_INVALID_ARGUMENT);
    }
    struct hub_config config = {.endpoint = "gopher://x"};
    assert_int_equal(hub_create(&config, &hub, NULL), MODEL_INVALID_ARGUMENT);
    assert_null(hub);
    hub_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_revision_is_one_segment_of_the_address),
        cmocka_unit_test(all_pages_are_read_and_joined),
        cmocka_unit_test(a_page_of_another_host_gets_no_token),
        cmocka_unit_test(the_token_stays_off_once_the_pages_have_left_the_endpoint),
        cmocka_unit_test(a_page_without_protection_is_not_asked_for),
        cmocka_unit_test(a_listing_of_one_page_too_many_is_refused),
        cmocka_unit_test(a_listing_that_takes_too_long_in_all_is_given_up),
        cmocka_unit_test(a_files_path_is_escaped_but_for_its_slashes),
        cmocka_unit_test(odd_settings_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
