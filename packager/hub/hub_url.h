/* hub_url.h - URLs of a hub: taken apart, joined with what a redirect says, and built with escapes.
 * Only http and https; user names in URLs are refused, so that nothing logs in by accident.
 * Everything here is pure. [any-thread] */
#ifndef HUB_URL_H
#define HUB_URL_H

#include "buffer.h"

#include <stdbool.h>

#define HUB_MAX_URL_BYTES    8192u
#define HUB_DEFAULT_ENDPOINT "https://huggingface.co"

/* Whom a URL talks to: a token may be shown to one of them only. */
struct hub_origin {
    bool https;
    char host[256]; /* lower case; IPv6 with its brackets */
    uint16_t port;
};

/* An address, or a sentence with one in it, as it may be shown: a name and password before its host are "****", also
 * where it is no valid one. Cut to the buffer. Returns ret. */
#define HUB_MASKED_BYTES 512
const char *hub_url_mask(const char *text, char ret[HUB_MASKED_BYTES]);

/* Checks an absolute URL; *ret_path (may be NULL) is the offset of what follows host and port.
 * MODEL_INVALID_ARGUMENT says what is wrong with it. */
model_status hub_url_parse(const char *url, struct hub_origin *ret, size_t *ret_path,
                           struct model_error *err);
bool hub_origin_equal(const struct hub_origin *a, const struct hub_origin *b);

/* The absolute URL that `reference` (a Location, a Link) means on the page `base`; to be freed.
 * Bytes that may not stand in a URL are escaped, control characters refused. */
model_status hub_url_join(const char *base, const char *reference, char **ret,
                          struct model_error *err);

/* The same for an address that is to be visited next: MODELHOST_NETWORK when it is not valid, or when
 * it leads from https to http, where anyone on the way could change what is fetched. */
model_status hub_url_follow(const char *base, const char *reference, char **ret,
                            struct model_error *err);

/* Appends text with everything escaped but letters, digits and "-._~"; and '/' if keep_slashes. */
model_status hub_url_escape(struct buffer *ret, const char *text, bool keep_slashes);

/* An endpoint as the user gave it ("https://hub.example.org/"), NULL meaning the default, checked and
 * without the '/' at its end; to be freed. */
model_status hub_endpoint_normalize(const char *endpoint, char **ret, struct model_error *err);

#endif
