/* test_hub_headers.c - Link, RateLimit, Retry-After, ETag. */
#include "testing.h"

#include "hub_headers.h"

static void next_page_is_found_among_links(void **state)
{
    static const struct {
        const char *link, *want;
    } cases[] = {
        {"<https://h/x?cursor=1>; rel=\"next\"", "https://h/x?cursor=1"},
        {"<a>; rel=prev, <b>; rel=next", "b"},
        {"<a>; title=\"x, <y>; rel=next\"; rel=\"prev\", <b>;rel=\"NEXT\"", "b"},
        {"<a>; rel=\"last next\"", "a"},
        {"<b>;foo=1 ; rel = next", "b"},
        {"<a>; rel=\"prev\"", NULL},
        {"<a>; rel=nextish", NULL},
        {"<a", NULL},
        {"a; rel=next", NULL},
        {"<>; rel=next", NULL},
        {"", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *start = NULL;
        size_t n = 0;
        bool found = hub_link_next(cases[i].link, &start, &n);
        assert_int_equal(found, cases[i].want != NULL);
        if (found) {
            assert_int_equal(n, strlen(cases[i].want));
            assert_memory_equal(start, cases[i].want, n);
        }
    }
}

static void waits_are_read_from_either_header(void **state)
{
    static const struct {
        const char *rate_limit, *retry_after;
        int64_t want_ms;
    } cases[] = {
        {"\"api\";r=0;t=55", NULL, 56000},
        {"\"api\";r=0;t=55, \"pages\";r=10;t=300", NULL, 56000},
        {"\"pages\";r=10;t=300", "7", 7000},
        {NULL, "7", 7000},
        {NULL, " 0", 0},
        {"\"api\";r=0;t=0", "99", 1000},
        {"nonsense", "soon", -1},
        {"\"a;t=5\";r=0", NULL, -1},
        {"\"api\";r=0;t=99999999999999999999", NULL, 86400000},
        /* now is Sun, 06 Nov 1994 08:49:37 GMT; the differences are those of `date -ud` */
        {NULL, "Sun, 06 Nov 1994 08:50:07 GMT", 30000},
        {NULL, "Mon, 07 Nov 1994 08:49:36 GMT ", 86399000},
        {NULL, "Fri, 31 Dec 1999 23:59:59 GMT", 86400000},
        {NULL, "Sun, 06 Nov 1994 08:49:37 GMT", -1},
        {NULL, "Sat, 29 Feb 1992 00:00:00 GMT", -1},
        {NULL, "Sun, 06 Nov 1994 08:50:07", -1},
        {NULL, "Sun, 06 Nov 1994 08:50:07 GMTX", -1},
        {NULL, "Sun, 06 Nox 1994 08:50:07 GMT", -1},
        {NULL, "Sun, 00 Nov 1994 08:50:07 GMT", -1},
        {NULL, "Sunday, 06-Nov-94 08:50:07 GMT", -1},
        {NULL, "-5", -1},
        {NULL, NULL, -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(hub_retry_wait_ms(cases[i].rate_limit, cases[i].retry_after, 784111777),
                         cases[i].want_ms);
    assert_int_equal(hub_retry_wait_ms(NULL, "Tue, 29 Feb 2000 12:00:00 GMT", 951825590), 10000);
    assert_int_equal(hub_retry_wait_ms(NULL, "Mon, 01 Mar 2100 00:00:00 GMT", 4107542390), 10000);
}

#define SHA1   "0123456789abcdef0123456789abcdef01234567"
#define SHA256 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void digests_are_read_out_of_etags(void **state)
{
    static const struct {
        const char *etag;
        enum hub_digest_kind kind;
    } cases[] = {
        {"\"" SHA256 "\"", HUB_DIGEST_SHA256},
        {SHA256, HUB_DIGEST_SHA256},
        {"W/\"" SHA1 "\"", HUB_DIGEST_GIT_BLOB},
        {" \"0123456789ABCDEF0123456789abcdef01234567\" ", HUB_DIGEST_GIT_BLOB},
        {"\"" SHA256 "0\"", HUB_DIGEST_NONE},
        {"\"" SHA1 "-2\"", HUB_DIGEST_NONE},
        {"\"abc\"", HUB_DIGEST_NONE},
        {"", HUB_DIGEST_NONE},
        {NULL, HUB_DIGEST_NONE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hub_digest digest = hub_digest_read(cases[i].etag);
        assert_int_equal(digest.kind, cases[i].kind);
        if (digest.kind == HUB_DIGEST_GIT_BLOB)
            assert_string_equal(digest.hex, SHA1);
    }
}

static void hex_is_counted(void **state)
{
    (void)state;
    assert_true(hub_is_hex(SHA1, 40));
    assert_false(hub_is_hex(SHA1, 39));
    assert_false(hub_is_hex(SHA1, 41));
    assert_false(hub_is_hex("xyz", 3));
}

static void content_ranges_are_read_and_nothing_else(void **state)
{
    static const struct {
        const char *text;
        bool is_good;
        uint64_t start, end, total;
    } cases[] = {
        {"bytes 0-99/1234", true, 0, 100, 1234},
        {"Bytes 5-5/6 ", true, 5, 6, 6},
        {"bytes 7-9/*", true, 7, 10, UINT64_MAX},
        {"bytes 0-99/99", false, 0, 0, 0},
        {"bytes 9-8/99", false, 0, 0, 0},
        {"bytes */99", false, 0, 0, 0},
        {"bytes 0-9", false, 0, 0, 0},
        {"bytes 0-9/10x", false, 0, 0, 0},
        {"bytes -1-9/10", false, 0, 0, 0},
        {"bytes 0-99999999999999999999/*", false, 0, 0, 0},
        {"lines 0-9/10", false, 0, 0, 0},
        {"", false, 0, 0, 0},
        {NULL, false, 0, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t start = 0, end = 0, total = 0;
        assert_int_equal(hub_content_range_read(cases[i].text, &start, &end, &total),
                         cases[i].is_good);
        assert_true(start == cases[i].start && end == cases[i].end && total == cases[i].total);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_ranges_are_read_and_nothing_else),
        cmocka_unit_test(next_page_is_found_among_links),
        cmocka_unit_test(waits_are_read_from_either_header),
        cmocka_unit_test(digests_are_read_out_of_etags),
        cmocka_unit_test(hex_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
