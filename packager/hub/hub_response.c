/* hub_response.c - the answer of an exchange; see hub_http.h. */
#include "hub_http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const header_names[HUB_N_HEADERS] = {
    [HUB_LOCATION] = "location",
    [HUB_LINK] = "link",
    [HUB_ETAG] = "etag",
    [HUB_LINKED_ETAG] = "x-linked-etag",
    [HUB_ERROR_CODE] = "x-error-code",
    [HUB_ERROR_MESSAGE] = "x-error-message",
    [HUB_RATE_LIMIT] = "ratelimit",
    [HUB_RETRY_AFTER] = "retry-after",
};

void hub_response_init(struct hub_response *response)
{
    *response = (struct hub_response){.error_body = BUFFER_INIT(HUB_MAX_ERROR_BODY_BYTES)};
}

void hub_response_finish(struct hub_response *response)
{
    for (int i = 0; i < HUB_N_HEADERS; i++)
        free(response->headers[i]);
    buffer_finish(&response->error_body);
    hub_response_init(response);
}

enum hub_header hub_header_find(const char *name, size_t name_bytes)
{
    int i = 0;
    while (i < HUB_N_HEADERS && (strlen(header_names[i]) != name_bytes ||
                                 strncasecmp(header_names[i], name, name_bytes) != 0))
        i++;
    return (enum hub_header)i;
}
