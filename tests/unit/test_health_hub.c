/* test_health_hub.c - what an answer, and the lack of one, says of hub, token and clock; no network and no clock. */
#include "errors.h"
#include "health.h"
#include "testing.h"

struct answer {
    long status; /* 0: none */
    const char *date;
};

static char found[2000]; /* "name verdict text\n" of each finding */
static model_status first_failed;
static const char *shown_token;

static void take(void *context, const struct health_finding *finding)
{
    (void)context;
    static const char *const verdicts[] = {"ok", "skipped", "warning", "failed"};
    const size_t used = strlen(found);
    (void)snprintf(found + used, sizeof found - used, "%s %s %s\n", finding->name,
                   verdicts[finding->verdict], finding->text);
    if (finding->verdict == HEALTH_FAILED && first_failed == MODEL_OK)
        first_failed = finding->status;
    if (finding->verdict >= HEALTH_WARNING)
        assert_string_not_equal(finding->remedy, "");
}

static model_status exchange(void *context, const struct hub_exchange *exchange,
                             struct hub_response *response, enum hub_failure *ret_failure,
                             struct model_error *err)
{
    const struct answer *answer = context;
    assert_string_equal(exchange->url, "https://hub/api/whoami-v2");
    shown_token = exchange->token;
    *ret_failure = HUB_FAILED_TO_CONNECT;
    if (answer->status == 0)
        return error_set(err, MODELHOST_NETWORK, "cannot reach https://hub");
    response->status = answer->status;
    response->headers[HUB_DATE] = answer->date != NULL ? strdup(answer->date) : NULL;
    return MODEL_OK;
}

/* 2026-11-21 12:00:00 here. */
static void look(struct answer answer, const char *token, bool offline)
{
    found[0] = '\0';
    first_failed = MODEL_OK;
    shown_token = NULL;
    const struct health_report report = {take, NULL};
    health_check_hub(&(struct health_hub){.endpoint = "https://hub",
                                          .token = token,
                                          .offline = offline,
                                          .transport = {.exchange = exchange, .context = &answer},
                                          .now_s = 1795262400},
                     &report);
    assert_null(strstr(found, "secret"));
}

static void a_good_answer_says_that_all_is_well(void **state)
{
    (void)state;
    look((struct answer){200, "Sat, 21 Nov 2026 11:56:00 GMT"}, "secret", false);
    assert_string_equal(shown_token, "secret");
    assert_string_equal(found, "endpoint ok https://hub answers\ntoken ok it is accepted\n"
                               "clock ok within 300 s of the hub's\n");
    assert_int_equal(first_failed, MODEL_OK);
    look((struct answer){401, NULL}, NULL, false);
    assert_null(shown_token);
    assert_string_equal(found, "endpoint ok https://hub answers\n"
                               "token ok none: public models come without one\n"
                               "clock skipped the hub tells no time\n");
}

static void a_refused_token_is_told_from_a_hub_that_is_ill(void **state)
{
    (void)state;
    look((struct answer){401, NULL}, "secret", false);
    assert_non_null(strstr(found, "token failed https://hub does not accept it (401)\n"));
    assert_int_equal(first_failed, MODELHOST_UNAUTHORIZED);
    look((struct answer){503, NULL}, "secret", false);
    assert_non_null(strstr(found, "endpoint failed https://hub answers with 503\ntoken skipped"));
    assert_int_equal(first_failed, MODELHOST_NETWORK);
    look((struct answer){404, NULL}, NULL, false);
    assert_non_null(strstr(found, "endpoint warning https://hub answers with 404"));
    assert_int_equal(first_failed, MODEL_OK);
    look((struct answer){407, NULL}, NULL, false);
    assert_non_null(strstr(found, "endpoint failed a proxy before https://hub wants a password"));
}

static void a_clock_that_is_wrong_is_said_with_its_direction(void **state)
{
    (void)state;
    look((struct answer){200, "Sat, 21 Nov 2026 13:00:00 GMT"}, NULL, false);
    assert_non_null(strstr(found, "clock warning it is 3600 s behind the hub's\n"));
    look((struct answer){200, "Fri, 20 Nov 2026 12:00:00 GMT"}, NULL, false);
    assert_non_null(strstr(found, "clock warning it is 86400 s before the hub's\n"));
    look((struct answer){200, "yesterday"}, NULL, false);
    assert_non_null(strstr(found, "clock skipped the hub tells no time\n"));
}

static void without_an_answer_the_rest_is_skipped(void **state)
{
    (void)state;
    look((struct answer){0, NULL}, "secret", false);
    assert_string_equal(found, "endpoint failed cannot reach https://hub\n"
                               "token skipped the hub does not answer\n"
                               "clock skipped the hub does not answer\n");
    assert_int_equal(first_failed, MODELHOST_NETWORK);
    look((struct answer){0, NULL}, "secret", true);
    assert_null(shown_token);
    assert_int_equal(first_failed, MODEL_OK);
    assert_non_null(strstr(found, "endpoint skipped not asked: HF_HUB_OFFLINE is set\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_answer_says_that_all_is_well),
        cmocka_unit_test(a_refused_token_is_told_from_a_hub_that_is_ill),
        cmocka_unit_test(a_clock_that_is_wrong_is_said_with_its_direction),
        cmocka_unit_test(without_an_answer_the_rest_is_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
