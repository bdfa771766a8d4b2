/* test_hub_errors.c - what a hub's refusal means: status and sentence. */
#include "testing.h"

#include "errors.h"
#include "hub.h"

static const struct hub_subject model = {"acme/tiny", "v9", NULL};
static const struct hub_subject file = {"acme/tiny", "v9", "a.txt"};

static void each_refusal_has_its_status_and_sentence(void **state)
{
    static const struct {
        long status;
        const char *code, *message, *body;
        const struct hub_subject *subject;
        bool had_token;
        int64_t wait_s; /* 0: the server does not say */
        model_status want;
        const char *sentence;
    } cases[] = {
        {404, "RepoNotFound", NULL, NULL, &model, false, 0, MODEL_NOT_FOUND,
         "no such model: 'acme/tiny'"},
        {401, "RepoNotFound", NULL, NULL, &model, false, 0, MODEL_NOT_FOUND, "HF_TOKEN or --token"},
        {404, "RepoNotFound", NULL, NULL, &model, true, 0, MODEL_NOT_FOUND,
         "your token may not see it"},
        {404, "RevisionNotFound", NULL, NULL, &model, false, 0, MODEL_NOT_FOUND,
         "the model 'acme/tiny' has no revision 'v9'"},
        {404, "EntryNotFound", NULL, NULL, &file, false, 0, MODEL_NOT_FOUND,
         "the model 'acme/tiny' has no file 'a.txt' at revision v9"},
        {404, NULL, NULL, NULL, &model, false, 0, MODEL_NOT_FOUND, "no such model"},
        {404, NULL, NULL, NULL, &file, false, 0, MODEL_NOT_FOUND, "has no file 'a.txt'"},
        {401, "GatedRepo", "this mirror wants a token", NULL, &model, false, 0,
         MODELHOST_UNAUTHORIZED,
         "the model 'acme/tiny' is gated at http://h (this mirror wants a token); give a token "
         "with HF_TOKEN or --token"},
        {403, "GatedRepo", NULL, NULL, &model, true, 0, MODELHOST_UNAUTHORIZED,
         "the model 'acme/tiny' is gated at http://h; the token has not been let in: ask who runs "
         "the server"},
        {401, NULL, NULL, NULL, &model, false, 0, MODEL_NOT_FOUND, "no such model"},
        {401, NULL, "bad token", NULL, &model, true, 0, MODELHOST_UNAUTHORIZED,
         "does not accept the token (bad token)"},
        {403, NULL, NULL, NULL, &model, true, 0, MODELHOST_UNAUTHORIZED, "may not read this model"},
        {429, NULL, NULL, NULL, &model, false, 0, MODELHOST_RATE_LIMITED,
         "wait a few minutes, or give a token"},
        {429, NULL, "slow down", NULL, &model, true, 9999, MODELHOST_RATE_LIMITED,
         "http://h says that there were too many requests: slow down; wait 9999 s"},
        {503, NULL, NULL, NULL, &model, false, 400, MODELHOST_RATE_LIMITED,
         "http://h answers 503 for 'acme/tiny'; wait 400 s"},
        {503, NULL, NULL, NULL, &model, false, 20, MODELHOST_NETWORK,
         "answers 503 for 'acme/tiny'; try again later"},
        {500, NULL, NULL, "{\"error\":\"oops\"}", &file, false, 0, MODELHOST_NETWORK,
         "answers 500 for 'acme/tiny', file a.txt: oops; try again later"},
        {418, NULL, NULL, "<html>", &model, false, 0, MODELHOST_NETWORK, "is this a hub?"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct model_error err = MODEL_ERROR_INIT;
        struct hub_response response;
        hub_response_init(&response);
        response.status = cases[i].status;
        if (cases[i].code != NULL)
            response.headers[HUB_ERROR_CODE] = strdup(cases[i].code);
        if (cases[i].message != NULL)
            response.headers[HUB_ERROR_MESSAGE] = strdup(cases[i].message);
        if (cases[i].body != NULL)
            (void)buffer_append_text(&response.error_body, cases[i].body);
        assert_int_equal(hub_explain(&response, "http://h", cases[i].subject, cases[i].had_token,
                                     cases[i].wait_s > 0 ? cases[i].wait_s * 1000 : -1, &err),
                         cases[i].want);
        if (strstr(err.message, cases[i].sentence) == NULL)
            fail_msg("'%s' lacks '%s'", err.message, cases[i].sentence);
        hub_response_finish(&response);
    }
}

static void pages_are_named_of_the_official_hub_alone(void **state)
{
    static const struct {
        const char *code;
        bool had_token;
        const char *page;
    } cases[] = {
        {"GatedRepo", false, "access at https://huggingface.co/acme/tiny, then give your token"},
        {"GatedRepo", false, "(made at https://huggingface.co/settings/tokens)"},
        {"GatedRepo", true, "let in: ask for access at https://huggingface.co/acme/tiny"},
        {NULL, true, "or make a new one at https://huggingface.co/settings/tokens"},
    };
    static const char *const endpoints[] = {"https://huggingface.co", "https://mirror.example"};
    (void)state;
    for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        struct model_error err = MODEL_ERROR_INIT;
        struct hub_response response;
        hub_response_init(&response);
        response.status = 401;
        if (cases[i / 2].code != NULL)
            response.headers[HUB_ERROR_CODE] = strdup(cases[i / 2].code);
        assert_int_equal(
            hub_explain(&response, endpoints[i % 2], &model, cases[i / 2].had_token, -1, &err),
            MODELHOST_UNAUTHORIZED);
        if (i % 2 == 0)
            assert_non_null(strstr(err.message, cases[i / 2].page));
        else
            assert_null(strstr(err.message, "https://mirror.example/"));
        hub_response_finish(&response);
    }
}

static void a_servers_words_cannot_steer_the_terminal(void **state)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct hub_response response;
    (void)state;
    hub_response_init(&response);
    response.status = 500;
    response.headers[HUB_ERROR_MESSAGE] = strdup("a\x1b[31mb\x07"
                                                 "c\xff"
                                                 "d");
    (void)hub_explain(&response, "http://h", &model, false, -1, &err);
    for (const char *c = err.message; *c != '\0'; c++)
        assert_true((unsigned char)*c >= 0x20 && (unsigned char)*c < 0x7f);
    hub_response_finish(&response);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_refusal_has_its_status_and_sentence),
        cmocka_unit_test(pages_are_named_of_the_official_hub_alone),
        cmocka_unit_test(a_servers_words_cannot_steer_the_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
