/* test_hub_request.c - redirects, repetitions and the token, against a scripted transport. Covers packager/hub/hub_attempt.c, too. */
#include "scripted_hub.h"

#define URL    "https://hub.test/start"
#define SHA256 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SHA1   "0123456789abcdef0123456789abcdef01234567"

static const struct hub_subject subject = {"acme/tiny", "main", NULL};
static const struct hub_request request = {.url = URL, .subject = &subject};

/* What arrived, and how often it started. */
struct arrival {
    char text[256];
    int n_starts;
    model_status refuse;
};

static model_status restart(void *context, struct model_error *err)
{
    struct arrival *arrival = context;
    (void)err;
    arrival->text[0] = '\0';
    arrival->n_starts++;
    return MODEL_OK;
}

static model_status receive(void *context, const void *data, size_t size_bytes,
                            struct model_error *err)
{
    struct arrival *arrival = context;
    (void)err;
    size_t used = strlen(arrival->text);
    (void)snprintf(arrival->text + used, sizeof arrival->text - used, "%.*s", (int)size_bytes,
                   (const char *)data);
    return arrival->refuse;
}

/* GETs URL from a script; the hub is gone afterwards. */
static model_status get(struct scripted_hub *script, const struct scripted_answer *answers,
                        size_t n_answers, struct arrival *arrival, struct hub_digest *digest,
                        struct model_error *err)
{
    struct hub *hub = scripted_create(script, answers, n_answers);
    struct hub_receiver receiver = {restart, receive, arrival};
    struct hub_response response;
    *err = (struct model_error){.struct_size = sizeof *err};
    model_status status = hub_get(hub, &request, &receiver, &response, digest, err);
    if (status == MODEL_OK)
        hub_response_finish(&response);
    hub_destroy(hub);
    return status;
}

#define GET(answers)                                                                               \
    get(&script, answers, sizeof(answers) / sizeof((answers)[0]), &arrival, &digest, &err)
#define NEEDS                                                                                      \
    struct scripted_hub script;                                                                    \
    struct arrival arrival = {0};                                                                  \
    struct hub_digest digest = {0};                                                                \
    struct model_error err;                                                                        \
    (void)state

static void token_is_kept_on_its_own_host_and_dropped_for_good_at_another(void **state)
{
    static const struct scripted_answer answers[] = {
        {.status = 307, .location = "/moved"},
        {.status = 302, .location = "https://HUB.test:443/again"},
        {.status = 302, .location = "https://cdn.test/x?signed"},
        {.status = 302, .location = "https://hub.test/back"},
        {.status = 200, .body = "bytes"},
    };
    NEEDS;
    assert_int_equal(GET(answers), MODEL_OK);
    assert_string_equal(script.log, "https://hub.test/start secret\n"
                                    "https://hub.test/moved secret\n"
                                    "https://HUB.test:443/again secret\n"
                                    "https://cdn.test/x?signed -\n"
                                    "https://hub.test/back -\n");
    assert_string_equal(arrival.text, "bytes");
}

static void token_is_not_shown_to_another_port_or_scheme(void **state)
{
    static const struct scripted_answer other_port[] = {
        {.status = 302, .location = "https://hub.test:8443/x"}, {.status = 200}};
    static const struct scripted_answer other_scheme[] = {
        {.status = 302, .location = "http://hub.test/x"}};
    NEEDS;
    assert_int_equal(GET(other_port), MODEL_OK);
    assert_non_null(strstr(script.log, "https://hub.test:8443/x -\n"));
    assert_int_equal(GET(other_scheme), MODELHOST_NETWORK);
    assert_non_null(strstr(err.message, "from https to 'http://hub.test/x'"));
}

static void digest_is_taken_from_the_hubs_answer_only(void **state)
{
    static const struct scripted_answer large[] = {
        {.status = 302,
         .location = "https://cdn.test/x",
         .etag = "\"" SHA1 "\"",
         .linked_etag = "\"" SHA256 "\""},
        {.status = 200, .etag = "\"ffffffffffffffffffffffffffffffffffffffff\""},
    };
    static const struct scripted_answer small[] = {
        {.status = 307, .location = "/cache", .etag = "\"" SHA1 "\""}, {.status = 200}};
    static const struct scripted_answer foreign[] = {
        {.status = 302, .location = "https://cdn.test/x"},
        {.status = 200, .etag = "\"" SHA256 "\""}};
    NEEDS;
    assert_int_equal(GET(large), MODEL_OK);
    assert_int_equal(digest.kind, HUB_DIGEST_SHA256);
    assert_string_equal(digest.hex, SHA256);
    assert_int_equal(GET(small), MODEL_OK);
    assert_int_equal(digest.kind, HUB_DIGEST_GIT_BLOB);
    assert_int_equal(GET(foreign), MODEL_OK);
    assert_int_equal(digest.kind, HUB_DIGEST_NONE);
}

static void redirects_are_bounded(void **state)
{
    struct scripted_answer answers[HUB_MAX_REDIRECTS + 1];
    for (size_t i = 0; i <= HUB_MAX_REDIRECTS; i++)
        answers[i] = (struct scripted_answer){.status = 302, .location = "/start"};
    NEEDS;
    assert_int_equal(GET(answers), MODELHOST_NETWORK);
    assert_string_equal(
        err.message,
        "https://hub.test/start redirects more than 10 times; is this a hub, or a proxy's login page?");
    assert_int_equal(script.n_asked, HUB_MAX_REDIRECTS + 1);
}

static void redirects_that_lead_nowhere_are_errors(void **state)
{
    static const struct scripted_answer nowhere[] = {{.status = 302}};
    static const struct scripted_answer file[] = {
        {.status = 302, .location = "file:///etc/passwd"}};
    static const struct scripted_answer login[] = {{.status = 302, .location = "https://a:b@c/"}};
    NEEDS;
    assert_int_equal(GET(nowhere), MODELHOST_NETWORK);
    assert_int_equal(GET(file), MODELHOST_NETWORK);
    assert_int_equal(GET(login), MODELHOST_NETWORK);
}

static void broken_transfers_start_over_with_growing_waits(void **state)
{
    static const struct scripted_answer answers[] = {
        {.failure = HUB_BROKE_OFF, .body = "half"},
        {.status = 503},
        {.status = 408},
        {.failure = HUB_BROKE_OFF, .body = "more"},
        {.status = 200, .body = "whole"},
    };
    NEEDS;
    assert_int_equal(GET(answers), MODEL_OK);
    assert_string_equal(arrival.text, "whole");
    assert_int_equal(arrival.n_starts, 5);
    assert_int_equal(script.waited_ms, 1000 + 2000 + 4000 + 8000);
}

static void attempts_are_bounded(void **state)
{
    static const struct scripted_answer broken[HUB_MAX_ATTEMPTS] = {{.failure = HUB_BROKE_OFF},
                                                                    {.failure = HUB_BROKE_OFF},
                                                                    {.failure = HUB_BROKE_OFF},
                                                                    {.failure = HUB_BROKE_OFF},
                                                                    {.failure = HUB_BROKE_OFF}};
    static const struct scripted_answer nobody[HUB_MAX_CONNECTS] = {
        {.failure = HUB_FAILED_TO_CONNECT},
        {.failure = HUB_FAILED_TO_CONNECT},
        {.failure = HUB_FAILED_TO_CONNECT}};
    static const struct scripted_answer busy[HUB_MAX_ATTEMPTS] = {
        {.status = 429}, {.status = 429}, {.status = 429}, {.status = 429}, {.status = 429}};
    NEEDS;
    assert_int_equal(GET(broken), MODELHOST_NETWORK);
    assert_int_equal(script.n_asked, HUB_MAX_ATTEMPTS);
    assert_int_equal(GET(nobody), MODELHOST_NETWORK);
    assert_int_equal(script.n_asked, HUB_MAX_CONNECTS);
    assert_int_equal(GET(busy), MODELHOST_RATE_LIMITED);
    assert_int_equal(script.n_asked, HUB_MAX_ATTEMPTS);
}

static void servers_may_say_how_long_to_wait_up_to_a_limit(void **state)
{
    static const struct scripted_answer polite[] = {
        {.status = 429, .rate_limit = "\"api\";r=0;t=55"},
        {.status = 503, .retry_after = "3"},
        {.status = 503, .retry_after = "Sun, 06 Nov 1994 08:49:44 GMT"}, /* in 7 s */
        {.status = 200},
    };
    static const struct scripted_answer too_long[] = {{.status = 429, .retry_after = "301"}};
    static const struct scripted_answer busy[] = {{.status = 503, .retry_after = "400"}};
    NEEDS;
    assert_int_equal(GET(polite), MODEL_OK);
    assert_int_equal(script.waited_ms, 56000 + 3000 + 7000);
    assert_int_equal(GET(too_long), MODELHOST_RATE_LIMITED);
    assert_int_equal(script.waited_ms, 0);
    assert_int_equal(GET(busy), MODELHOST_RATE_LIMITED);
    assert_string_equal(err.message, "https://hub.test answers 503 for 'acme/tiny'; wait 400 s");
}

static void refusals_are_not_repeated(void **state)
{
    static const struct scripted_answer missing[] = {{.status = 404, .code = "RepoNotFound"}};
    static const struct scripted_answer forbidden[] = {{.status = 403, .code = "GatedRepo"}};
    static const struct scripted_answer for_good[] = {{.failure = HUB_FAILED_FOR_GOOD}};
    NEEDS;
    assert_int_equal(GET(missing), MODEL_NOT_FOUND);
    assert_int_equal(GET(forbidden), MODELHOST_UNAUTHORIZED);
    assert_int_equal(GET(for_good), MODELHOST_NETWORK);
}

static void an_expired_address_of_another_host_is_resolved_again(void **state)
{
    static const struct scripted_answer answers[] = {
        {.status = 302, .location = "https://cdn.test/old"},
        {.status = 403},
        {.url = URL, .status = 302, .location = "https://cdn.test/new"},
        {.status = 200},
    };
    NEEDS;
    assert_int_equal(GET(answers), MODEL_OK);
}

static void the_receiver_may_refuse(void **state)
{
    static const struct scripted_answer answers[] = {{.status = 200, .body = "x"}};
    NEEDS;
    arrival.refuse = MODEL_IO;
    assert_int_equal(GET(answers), MODEL_IO);
}

static void waiting_can_be_interrupted(void **state)
{
    static const struct scripted_answer answers[] = {{.status = 429, .retry_after = "200"}};
    NEEDS;
    struct hub *hub = SCRIPTED(&script, answers);
    struct hub_receiver receiver = {restart, receive, &arrival};
    struct hub_response response;
    script.cancel_asleep = true;
    assert_int_equal(hub_get(hub, &request, &receiver, &response, &digest, &err), MODEL_CANCELLED);
    assert_true(script.waited_ms < 1000);
    hub_destroy(hub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token_is_kept_on_its_own_host_and_dropped_for_good_at_another),
        cmocka_unit_test(token_is_not_shown_to_another_port_or_scheme),
        cmocka_unit_test(digest_is_taken_from_the_hubs_answer_only),
        cmocka_unit_test(redirects_are_bounded),
        cmocka_unit_test(redirects_that_lead_nowhere_are_errors),
        cmocka_unit_test(broken_transfers_start_over_with_growing_waits),
        cmocka_unit_test(attempts_are_bounded),
        cmocka_unit_test(servers_may_say_how_long_to_wait_up_to_a_limit),
        cmocka_unit_test(refusals_are_not_repeated),
        cmocka_unit_test(an_expired_address_of_another_host_is_resolved_again),
        cmocka_unit_test(the_receiver_may_refuse),
        cmocka_unit_test(waiting_can_be_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
