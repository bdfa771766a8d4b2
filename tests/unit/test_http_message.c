/* test_http_message.c - heads and chunked bodies: what is taken, what is refused and with which status.
 * Each head is also fed byte by byte, as packets may cut it anywhere. */
#include "http_message.h"
#include "testing.h"

/* Parses a copy; the strings of `head` live in *ret_text. */
static int parse(const char *text, size_t size_bytes, struct http_head *head, char **ret_text)
{
    size_t scanned = 0, head_bytes = 0;
    for (size_t n = 0; n <= size_bytes && head_bytes == 0; n++)
        head_bytes = http_head_size(text, n, &scanned);
    size_t again = 0;
    assert_int_equal(head_bytes, http_head_size(text, size_bytes, &again));
    assert_true(head_bytes > 0);
    *ret_text = malloc(head_bytes);
    assert_non_null(*ret_text);
    memcpy(*ret_text, text, head_bytes);
    const char *why = NULL;
    int status = http_head_parse(*ret_text, head_bytes, head, &why);
    assert_true((status == 0) == (why == NULL));
    return status;
}

static void check_status(const char *text, int want)
{
    struct http_head head;
    char *copy = NULL;
    assert_int_equal(parse(text, strlen(text), &head, &copy), want);
    free(copy);
}

static void a_request_is_taken_apart(void **state)
{
    (void)state;
    struct http_head head;
    char *text = NULL;
    static const char request[] = "GET /a%2Fb/c?x=1?y HTTP/1.1\r\nHost: h:80\r\nX-Empty:\r\n"
                                  "Range:\t bytes=0-1 \t\r\n\r\nbody";
    assert_int_equal(parse(request, sizeof request - 1, &head, &text), 0);
    assert_string_equal(head.method, "GET");
    assert_string_equal(head.path, "/a%2Fb/c");
    assert_string_equal(head.query, "x=1?y");
    assert_string_equal(http_head_value(&head, "range"), "bytes=0-1");
    assert_string_equal(http_head_value(&head, "X-EMPTY"), "");
    assert_null(http_head_value(&head, "absent"));
    assert_true(head.keep_alive);
    assert_false(head.is_chunked);
    assert_int_equal(head.body_bytes, 0);
    free(text);
}

static void connection_and_version_decide_keep_alive(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool want;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: x\r\nConnection: Close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade, close\r\n\r\n", false},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_head head;
        char *text = NULL;
        assert_int_equal(parse(cases[i].text, strlen(cases[i].text), &head, &text), 0);
        assert_int_equal(head.keep_alive, cases[i].want);
        free(text);
    }
}

static void targets_of_proxies_and_stars_are_understood(void **state)
{
    (void)state;
    struct http_head head;
    char *text = NULL;
    static const char absolute[] = "GET http://h:1/p/q?r HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_int_equal(parse(absolute, sizeof absolute - 1, &head, &text), 0);
    assert_string_equal(head.path, "/p/q");
    assert_string_equal(head.query, "r");
    free(text);
    static const char bare[] = "GET http://h HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_int_equal(parse(bare, sizeof bare - 1, &head, &text), 0);
    assert_string_equal(head.path, "/");
    assert_null(head.query);
    free(text);
    check_status("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", 0);
    check_status("GET h/p HTTP/1.1\r\nHost: h\r\n\r\n", 400);
    check_status("GET http://h?x HTTP/1.1\r\nHost: h\r\n\r\n", 400);
}

static void what_is_ambiguous_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int want;
    } cases[] = {
        {"GET / HTTP/1.1\nHost: x\n\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\n\r\n", 400},
        {"GET /a\rb HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"GET /\r\n\r\n", 400},
        {"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"GET / HTTP/1.1 x\r\nHost: x\r\n\r\n", 400},
        {"G(T / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"GET /a\x01 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZ / HTTP/1.1\r\nHost: x\r\n\r\n", 501},
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\n: empty\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nA: b\x01\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1 1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999999999999\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
        {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
         400},
        {"POST / HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\n\r\n", 417},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_status(cases[i].text, cases[i].want);
    struct http_head head;
    char *text = NULL;
    static const char zero[] = "GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n";
    assert_int_equal(parse(zero, sizeof zero - 1, &head, &text), 400);
    free(text);
}

static void bodies_are_announced(void **state)
{
    (void)state;
    struct http_head head;
    char *text = NULL;
    static const char sized[] = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 007\r\n"
                                "Expect: 100-continue\r\n\r\n";
    assert_int_equal(parse(sized, sizeof sized - 1, &head, &text), 0);
    assert_int_equal(head.body_bytes, 7);
    assert_true(head.expects_continue);
    free(text);
    static const char chunked[] =
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n";
    assert_int_equal(parse(chunked, sizeof chunked - 1, &head, &text), 0);
    assert_true(head.is_chunked);
    free(text);
}

static void a_hundred_headers_are_taken_and_no_more(void **state)
{
    (void)state;
    for (int n = 99; n <= 100; n++) {
        struct buffer text = BUFFER_INIT(65536);
        assert_int_equal(buffer_append_text(&text, "GET / HTTP/1.1\r\nHost: x\r\n"), MODEL_OK);
        for (int i = 0; i < n; i++)
            assert_int_equal(buffer_append_text(&text, "A: b\r\n"), MODEL_OK);
        assert_int_equal(buffer_append_text(&text, "\r\n"), MODEL_OK);
        check_status(text.data, n == 99 ? 0 : 431);
        buffer_finish(&text);
    }
}

/* Takes the text in pieces of `step` bytes. */
static int take(const char *text, size_t step, size_t max_bytes, const char *want, size_t *ret_used)
{
    struct http_chunks chunks = {0};
    struct buffer body = BUFFER_INIT(max_bytes);
    size_t size_bytes = strlen(text), at = 0;
    int status = 0;
    while (status == 0 && at < size_bytes && !chunks.is_done) {
        size_t used = 0, n = size_bytes - at < step ? size_bytes - at : step;
        status = http_chunks_take(&chunks, text + at, n, &body, &used);
        assert_true(status != 0 || used == n || chunks.is_done);
        at += status == 0 ? used : 0;
    }
    if (status == 0) {
        assert_true(chunks.is_done == (want != NULL));
        if (want != NULL)
            assert_string_equal(body.data != NULL ? body.data : "", want);
    }
    *ret_used = at;
    buffer_finish(&body);
    return status;
}

static void chunked_bodies_are_put_together(void **state)
{
    (void)state;
    static const char body[] = "4\r\nWiki\r\n7;name=\"v\"\r\npedia i\r\nB \r\nn \r\nchunks.\r\n"
                               "0\r\nTrailer: x\r\n\r\nGET";
    size_t used;
    for (size_t step = 1; step <= sizeof body; step++) {
        assert_int_equal(take(body, step, 100, "Wikipedia in \r\nchunks.", &used), 0);
        assert_int_equal(used, sizeof body - 1 - 3);
        assert_int_equal(take("0\r\n\r\n", step, 0, "", &used), 0);
        assert_int_equal(take("5\r\nabc", step, 100, NULL, &used), 0);
    }
}

static void broken_and_large_chunks_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int want;
    } cases[] = {
        {"\r\n", 400},
        {"x\r\n", 400},
        {"-1\r\n", 400},
        {";a\r\n", 400},
        {"3\nabc", 400},
        {"3\r\nabcd\r\n", 400},
        {"3\r\nabc\n", 400},
        {"3\rx", 400},
        {"0\r\n\n", 400},
        {"0\r\nA: b\rx", 400},
        {"65\r\n", 413},
        {"B\r\n", 413},
        {"FFFFFFFFFFFFFFFF1\r\n", 413},
        {"5\r\nabcde\r\n6\r\n", 413},
    };
    size_t used;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer text = BUFFER_INIT(1000);
        assert_int_equal(buffer_printf(&text, "%sabcdefghijklmnop", cases[i].text), MODEL_OK);
        assert_int_equal(take(text.data, 1, 10, NULL, &used), cases[i].want);
        assert_int_equal(take(text.data, 1000, 10, NULL, &used), cases[i].want);
        buffer_finish(&text);
    }
    struct buffer line = BUFFER_INIT(10000);
    for (int i = 0; i < 5000; i++)
        assert_int_equal(buffer_append_text(&line, i == 0 ? "1;" : "a"), MODEL_OK);
    assert_int_equal(take(line.data, 100, 10, NULL, &used), 400);
    buffer_finish(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_taken_apart),
        cmocka_unit_test(connection_and_version_decide_keep_alive),
        cmocka_unit_test(targets_of_proxies_and_stars_are_understood),
        cmocka_unit_test(what_is_ambiguous_is_refused),
        cmocka_unit_test(bodies_are_announced),
        cmocka_unit_test(a_hundred_headers_are_taken_and_no_more),
        cmocka_unit_test(chunked_bodies_are_put_together),
        cmocka_unit_test(broken_and_large_chunks_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
