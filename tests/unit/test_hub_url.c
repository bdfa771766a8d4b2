/* test_hub_url.c - URLs: whom they talk to, what a redirect means, how names are escaped. */
#include "testing.h"

#include "errors.h"
#include "hub_url.h"

static void origin_is_scheme_host_and_port(void **state)
{
    static const struct {
        const char *url, *host;
        bool https;
        unsigned port;
        size_t path;
    } cases[] = {
        {"https://hub.test/a?b", "hub.test", true, 443, 16},
        {"HTTP://Hub.TEST", "hub.test", false, 80, 15},
        {"http://127.0.0.1:8080/", "127.0.0.1", false, 8080, 21},
        {"http://[::1]:81/x", "[::1]", false, 81, 15},
        {"https://hub.test:443?q", "hub.test", true, 443, 20},
        {"https://hub.test:/", "hub.test", true, 443, 17},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hub_origin origin;
        size_t path;
        assert_int_equal(hub_url_parse(cases[i].url, &origin, &path, NULL), MODEL_OK);
        assert_string_equal(origin.host, cases[i].host);
        assert_int_equal(origin.https, cases[i].https);
        assert_int_equal(origin.port, cases[i].port);
        assert_int_equal(path, cases[i].path);
    }
}

static void a_password_in_an_address_is_not_shown(void **state)
{
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"https://user:secret@hub.test/a", "https://****@hub.test/a"},
        {"HTTP://secret@hub.test", "HTTP://****@hub.test"},
        {"https:/user:secret@hub.test", "https:/****@hub.test"},
        {"user:secret@hub.test:3128", "****@hub.test:3128"},
        {"https://user:se@cret@hub.test/", "https://****@hub.test/"},
        {"https://user:se/cr?et@hub.test/", "https://****@hub.test/"},
        {"https://user:se#cret@hub.test/", "https://****@hub.test/"},
        {"https://user:secret@[::1]:80/", "https://****@[::1]:80/"},
        {"no proxy 'http://user:secret@p:x'", "no proxy 'http://****@p:x'"},
        {"https://hub.test:80/a@b", "https://hub.test:80/a@b"},
        {"https://hub.test/a:b@c", "https://hub.test/a:b@c"},
        {"https://[::1]/a@b", "https://[::1]/a@b"},
        {"localhost,127.0.0.1", "localhost,127.0.0.1"},
        {"", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct model_error err = MODEL_ERROR_INIT;
        char shown[HUB_MASKED_BYTES], *endpoint = NULL;
        assert_string_equal(hub_url_mask(cases[i].text, shown), cases[i].shown);
        if (hub_endpoint_normalize(cases[i].text, &endpoint, &err) != MODEL_OK)
            assert_null(strstr(err.message, "secret"));
        free(endpoint);
    }
    char longest[3 * HUB_MASKED_BYTES], shown[HUB_MASKED_BYTES];
    memset(longest, 'x', sizeof longest);
    memcpy(longest, "https://u:", 10);
    memcpy(longest + sizeof longest - 6, "@hub/", 6);
    assert_string_equal(hub_url_mask(longest, shown), "https://****@hub/");
}

static void what_is_no_plain_url_is_refused(void **state)
{
    static const char *const urls[] = {
        "",
        "ftp://hub.test/",
        "file:///etc/passwd",
        "hub.test",
        "https://",
        "https:///x",
        "https://user:password@hub.test/",
        "https://hub.test@evil.test/",
        "https://hub.test:0/",
        "https://hub.test:65536/",
        "https://hub.test:12x/",
        "https://hub test/",
        "https://hub.test/\r\nX: y",
        "https://hub.test\\@evil.test/",
        "https://[::1/",
        "https://[]/",
        "https://hr\xc3\xbcn.test/",
        "https://hub%2etest/",
    };
    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct hub_origin origin;
        struct model_error err = MODEL_ERROR_INIT;
        if (hub_url_parse(urls[i], &origin, NULL, &err) != MODEL_INVALID_ARGUMENT)
            fail_msg("'%s' was taken", urls[i]);
        assert_string_not_equal(err.message, "");
    }
}

static void origins_differ_by_scheme_host_or_port(void **state)
{
    struct hub_origin a, b;
    (void)state;
    assert_int_equal(hub_url_parse("https://hub.test/a", &a, NULL, NULL), MODEL_OK);
    assert_int_equal(hub_url_parse("https://HUB.test:443/b", &b, NULL, NULL), MODEL_OK);
    assert_true(hub_origin_equal(&a, &b));
    static const char *const others[] = {"http://hub.test/", "https://hub.test:444/",
                                         "https://hub.test.evil/", "https://cdn.hub.test/"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(hub_url_parse(others[i], &b, NULL, NULL), MODEL_OK);
        assert_false(hub_origin_equal(&a, &b));
    }
}

static void references_are_joined_as_browsers_do(void **state)
{
    static const struct {
        const char *base, *reference, *want;
    } cases[] = {
        {"https://h/a/b?c", "/x?y", "https://h/x?y"},
        {"https://h/a/b?c", "x", "https://h/a/x"},
        {"https://h/a/b?c", "?z", "https://h/a/b?z"},
        {"https://h", "x", "https://h/x"},
        {"https://h", "?x", "https://h?x"},
        {"https://h/a", "//other/x", "https://other/x"},
        {"https://h/a", "http://other:81/x#part", "http://other:81/x"},
        {"https://h/a", "/\xc3\xa4 b", "https://h/%C3%A4%20b"},
        {"https://h/a", "/b|c", "https://h/b%7Cc"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *url = NULL;
        assert_int_equal(hub_url_join(cases[i].base, cases[i].reference, &url, NULL), MODEL_OK);
        assert_string_equal(url, cases[i].want);
        free(url);
    }
}

static void references_that_lead_astray_are_refused(void **state)
{
    static const char *const references[] = {"",        "#top", "javascript:x", "file:///x",
                                             "/a\r\nb", "//",   "https://u@h",  "mailto:a@b",
                                             "/\x7f"};
    (void)state;
    for (size_t i = 0; i < sizeof references / sizeof references[0]; i++) {
        char *url = NULL;
        if (hub_url_join("https://h/a", references[i], &url, NULL) == MODEL_OK)
            fail_msg("'%s' became '%s'", references[i], url);
        assert_null(url);
    }
    char *longest = malloc(HUB_MAX_URL_BYTES + 1);
    char *url = NULL;
    memset(longest, 'a', HUB_MAX_URL_BYTES);
    longest[HUB_MAX_URL_BYTES] = '\0';
    assert_int_not_equal(hub_url_join("https://h/a", longest, &url, NULL), MODEL_OK);
    free(longest);
}

static void names_are_escaped(void **state)
{
    struct buffer text = BUFFER_INIT(200);
    (void)state;
    assert_int_equal(hub_url_escape(&text, "refs/pr/1", false), MODEL_OK);
    assert_string_equal(text.data, "refs%2Fpr%2F1");
    buffer_clear(&text);
    assert_int_equal(hub_url_escape(&text, "a b/\xc3\xa4#?%+~.-_", true), MODEL_OK);
    assert_string_equal(text.data, "a%20b/%C3%A4%23%3F%25%2B~.-_");
    buffer_finish(&text);
}

static void endpoints_lose_their_last_slash(void **state)
{
    char *endpoint = NULL;
    (void)state;
    assert_int_equal(hub_endpoint_normalize("http://h:1/hub//", &endpoint, NULL), MODEL_OK);
    assert_string_equal(endpoint, "http://h:1/hub");
    free(endpoint);
    assert_int_equal(hub_endpoint_normalize(NULL, &endpoint, NULL), MODEL_OK);
    assert_string_equal(endpoint, HUB_DEFAULT_ENDPOINT);
    free(endpoint);
    assert_int_equal(hub_endpoint_normalize("http://h?x", &endpoint, NULL), MODEL_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(origin_is_scheme_host_and_port),
        cmocka_unit_test(a_password_in_an_address_is_not_shown),
        cmocka_unit_test(what_is_no_plain_url_is_refused),
        cmocka_unit_test(origins_differ_by_scheme_host_or_port),
        cmocka_unit_test(references_are_joined_as_browsers_do),
        cmocka_unit_test(references_that_lead_astray_are_refused),
        cmocka_unit_test(names_are_escaped),
        cmocka_unit_test(endpoints_lose_their_last_slash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
