/* fuzz_hub_head.c - the heads of answers of a hostile server, line by line in their order, through all that reads
 * headers in packager/hub: any bytes are one head after another, as the hops of a chain of redirects have them. What
 * is believed keeps what hub_headers.h and hub_attempt.h promise; the token goes to the endpoint alone. */
#include "hub_attempt.h"
#include "hub_private.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

#define ENDPOINT "https://hub.test"

static void require(bool promise)
{
    if (!promise)
        abort();
}

static int64_t stopped_clock(void *context)
{
    (void)context;
    return 784111777;
}

/* The status is what the transport reads; here it is the line's second word. */
static long status_of(const char *line, size_t line_bytes)
{
    const char *blank = memchr(line, ' ', line_bytes);
    long status = 0;
    for (size_t i = 1; blank != NULL && i <= 3 && blank + i < line + line_bytes; i++)
        status = status * 10 + (blank[i] >= '0' && blank[i] <= '9' ? blank[i] - '0' : 0);
    return status;
}

static void check_values(const struct hub_response *response)
{
    for (int i = 0; i < HUB_N_HEADERS; i++)
        require(response->headers[i] == NULL ||
                (strlen(response->headers[i]) <= HUB_MAX_HEADER_BYTES &&
                 strpbrk(response->headers[i], "\r\n") == NULL));
    require(response->header_bytes <= HUB_MAX_HEADERS_BYTES);
}

static void check_next_page(const struct hub_attempt *attempt, const char *link)
{
    const char *start = NULL;
    size_t n = 0;
    char *url = NULL;
    if (link == NULL || !hub_link_next(link, &start, &n))
        return;
    require(n > 0 && start > link && start + n < link + strlen(link));
    char *reference = strndup(start, n);
    if (reference != NULL && hub_url_follow(attempt->url, reference, &url, NULL) == MODEL_OK)
        require(strncmp(attempt->url, "https://", 8) != 0 || strncmp(url, "https://", 8) == 0);
    free(reference);
    free(url);
}

static void check_part(const char *text)
{
    uint64_t start, end, total;
    if (hub_content_range_read(text, &start, &end, &total))
        require(start < end && end <= total);
}

static void check_refusal(const struct hub *hub, const struct hub_response *response)
{
    static const struct hub_subject subject = {"acme/tiny", "main", "a.txt"};
    struct model_error err = {.struct_size = sizeof err};
    const int64_t asked_ms = hub_asked_wait_ms(hub, response);
    require(asked_ms >= -1 && asked_ms <= 86400000);
    require(hub_backoff_ms(asked_ms, 1) <= HUB_MAX_WAIT_MS);
    require(hub_explain(response, ENDPOINT, &subject, true, asked_ms, &err) != MODEL_OK);
    require(err.message[0] != '\0' && strpbrk(err.message, "\r\n") == NULL);
}

/* Once the chain has left the endpoint no digest is believed and no token shown. */
static bool take_answer(const struct hub *hub, struct hub_attempt *attempt,
                        const struct hub_response *response)
{
    struct hub_exchange next = {0};
    struct hub_origin origin;
    bool again = false;
    const struct hub_digest before = attempt->digest;
    const bool had_left = attempt->left_endpoint, might_show = attempt->may_show_token;
    check_values(response);
    check_next_page(attempt, response->headers[HUB_LINK]);
    check_part(response->headers[HUB_CONTENT_RANGE]);
    if (response->headers[HUB_DATE] != NULL)
        require(hub_date_read(response->headers[HUB_DATE]) >= -1);
    check_refusal(hub, response);
    model_status status = hub_attempt_take(attempt, response, &again, NULL);
    require(!had_left ||
            (before.kind == attempt->digest.kind && strcmp(before.hex, attempt->digest.hex) == 0));
    require(attempt->digest.kind != HUB_DIGEST_SHA256 || hub_is_hex(attempt->digest.hex, 64));
    require(attempt->digest.kind != HUB_DIGEST_GIT_BLOB || hub_is_hex(attempt->digest.hex, 40));
    if (status != MODEL_OK || !again || hub_attempt_prepare(hub, attempt, &next, NULL) != MODEL_OK)
        return false;
    require(strpbrk(next.url, "\r\n \t") == NULL && strlen(next.url) < HUB_MAX_URL_BYTES);
    require(hub_url_parse(next.url, &origin, NULL, NULL) == MODEL_OK);
    require(next.token == NULL || (might_show && origin.https && origin.port == 443 &&
                                   strcmp(origin.host, "hub.test") == 0));
    return true;
}

static void take_heads(const struct hub *hub, struct hub_attempt *attempt, const char *text,
                       size_t size_bytes)
{
    struct hub_response response;
    hub_response_init(&response);
    for (bool goes_on = true; goes_on && size_bytes > 0;) {
        const char *end = memchr(text, '\n', size_bytes);
        const size_t n = end != NULL ? (size_t)(end - text) + 1 : size_bytes;
        goes_on = hub_response_take_line(&response, text, n, attempt->url, NULL) == MODEL_OK;
        if (goes_on && n > 5 && memcmp(text, "HTTP/", 5) == 0)
            response.status = status_of(text, n);
        else if (goes_on && (text[0] == '\r' || text[0] == '\n')) {
            goes_on = take_answer(hub, attempt, &response);
            hub_response_finish(&response); /* each hop has a response of its own */
        }
        text += n;
        size_bytes -= n;
    }
    hub_response_finish(&response);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct hub hub = {.config = {.token = "hf_secret"},
                      .clock = {.now_s = stopped_clock, .now_ms = stopped_clock}};
    struct hub_attempt attempt = {0};
    struct hub_exchange first = {0};
    require(hub_url_parse(ENDPOINT, &hub.origin, NULL, NULL) == MODEL_OK);
    require(hub_attempt_start(&attempt, ENDPOINT "/api/models/acme/tiny", true, NULL) == MODEL_OK);
    require(hub_attempt_prepare(&hub, &attempt, &first, NULL) == MODEL_OK);
    take_heads(&hub, &attempt, (const char *)data, size_bytes);
    hub_attempt_finish(&attempt);
    return 0;
}
