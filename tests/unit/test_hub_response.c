/* test_hub_response.c - which headers are kept. */
#include "testing.h"

#include "hub_http.h"

static void headers_are_found_in_any_case(void **state)
{
    (void)state;
    assert_int_equal(hub_header_find("X-Linked-ETag: \"a\"", 13), HUB_LINKED_ETAG);
    assert_int_equal(hub_header_find("LOCATION", 8), HUB_LOCATION);
    assert_int_equal(hub_header_find("locatio", 7), HUB_N_HEADERS);
    assert_int_equal(hub_header_find("set-cookie", 10), HUB_N_HEADERS);
    assert_int_equal(hub_header_find("", 0), HUB_N_HEADERS);
}

static void an_answer_can_be_emptied_twice(void **state)
{
    struct hub_response response;
    (void)state;
    hub_response_init(&response);
    response.status = 200;
    response.headers[HUB_LINK] = strdup("x");
    assert_int_equal(buffer_append_text(&response.error_body, "no"), MODEL_OK);
    hub_response_finish(&response);
    assert_null(response.headers[HUB_LINK]);
    assert_int_equal(response.error_body.size, 0);
    hub_response_finish(&response);
}

static model_status take(struct hub_response *response, const char *line)
{
    return hub_response_take_line(response, line, strlen(line), "https://hub.test", NULL);
}

static void a_head_is_taken_line_by_line(void **state)
{
    struct hub_response response;
    (void)state;
    hub_response_init(&response);
    assert_int_equal(take(&response, "HTTP/1.1 100 Continue\r\n"), MODEL_OK);
    assert_int_equal(take(&response, "ETag: old\r\n"), MODEL_OK);
    assert_int_equal(take(&response, "\r\n"), MODEL_OK);
    assert_false(response.in_headers);
    assert_int_equal(take(&response, "HTTP/1.1 206 Partial\r\n"), MODEL_OK);
    assert_true(response.in_headers);
    assert_null(response.headers[HUB_ETAG]);
    assert_int_equal(take(&response, "content-RANGE:\tbytes 0-1/2 \r\n"), MODEL_OK);
    assert_string_equal(response.headers[HUB_CONTENT_RANGE], "bytes 0-1/2");
    hub_response_finish(&response);
}

static void a_value_that_could_become_another_line_is_refused(void **state)
{
    struct hub_response response;
    (void)state;
    hub_response_init(&response);
    assert_int_equal(take(&response, "ETag: \"a\rHost: evil\"\r\n"), MODELHOST_NETWORK);
    assert_null(response.headers[HUB_ETAG]);
    hub_response_finish(&response);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_taken_line_by_line),
        cmocka_unit_test(a_value_that_could_become_another_line_is_refused),
        cmocka_unit_test(headers_are_found_in_any_case),
        cmocka_unit_test(an_answer_can_be_emptied_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
