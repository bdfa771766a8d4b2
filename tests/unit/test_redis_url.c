/* test_redis_url.c - addresses of Redis servers, good and bad. */
#include "errors.h"
#include "redis_url.h"
#include "testing.h"

static void addresses_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host, *password;
        uint16_t port, database;
    } rows[] = {
        {"redis://cache", "cache", "", 6379, 0},
        {"redis://cache/", "cache", "", 6379, 0},
        {"redis://127.0.0.1:6380", "127.0.0.1", "", 6380, 0},
        {"redis://:secret@cache:1/15", "cache", "secret", 1, 15},
        {"redis://:se:cr@cache:65535", "cache", "se:cr", 65535, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct redis_url url;
        struct model_error err = MODEL_ERROR_INIT;
        assert_int_equal(redis_url_parse(rows[i].text, &url, &err), MODEL_OK);
        assert_string_equal(url.host, rows[i].host);
        assert_string_equal(url.password, rows[i].password);
        assert_int_equal(url.port, rows[i].port);
        assert_int_equal(url.database, rows[i].database);
    }
}

static void what_is_no_address_is_refused_with_the_reason(void **state)
{
    (void)state;
    static const struct {
        const char *text, *reason;
    } rows[] = {
        {"", "does not begin with redis://"},
        {"http://cache", "does not begin with redis://"},
        {"redis://", "has no host"},
        {"redis://:6379", "has no host"},
        {"redis://cache:", "has no port from 1 to 65535"},
        {"redis://cache:0", "has no port from 1 to 65535"},
        {"redis://cache:65536", "has no port from 1 to 65535"},
        {"redis://cache:1x", "has no port from 1 to 65535"},
        {"redis://cache/x", "has no number of a database"},
        {"redis://user:secret@cache", "has a user name"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct redis_url url;
        struct model_error err = MODEL_ERROR_INIT;
        assert_int_equal(redis_url_parse(rows[i].text, &url, &err), MODEL_INVALID_ARGUMENT);
        assert_non_null(strstr(err.message, rows[i].reason));
        assert_null(strstr(err.message, "secret"));
    }
}

static void names_that_are_too_long_are_refused(void **state)
{
    (void)state;
    struct redis_url url;
    struct model_error err = MODEL_ERROR_INIT;
    char text[400] = "redis://";
    memset(text + 8, 'a', 300);
    assert_int_equal(redis_url_parse(text, &url, &err), MODEL_INVALID_ARGUMENT);
    text[8] = ':';
    memcpy(text + 308, "@b", 3);
    assert_int_equal(redis_url_parse(text, &url, &err), MODEL_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_taken_apart),
        cmocka_unit_test(what_is_no_address_is_refused_with_the_reason),
        cmocka_unit_test(names_that_are_too_long_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
