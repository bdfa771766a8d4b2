/* hub_headers.h - what stands in the headers of a hub's answers. Pure; values are hostile text.
 * [any-thread] */
#ifndef HUB_HEADERS_H
#define HUB_HEADERS_H

#include "digest.h"

#include <stdbool.h>

/* The reference of rel="next" in a Link header: start and length in *link*, or false. */
bool hub_link_next(const char *link, const char **ret, size_t *ret_bytes);

/* How long a server that says "too many requests" wants us to wait: `RateLimit: "api";r=0;t=55` means
 * t + 1 seconds, `Retry-After: 7` means 7, and `Retry-After: Sun, 06 Nov 1994 08:49:37 GMT` means what
 * is left until then after now_s (seconds since 1970). Either may be NULL. -1 when they say nothing,
 * or name a time that has passed: our clock may be wrong. At most 86,400,000. */
int64_t hub_retry_wait_ms(const char *rate_limit, const char *retry_after, int64_t now_s);

/* "bytes 0-99/1234": the bytes [start, end) of so many; *ret_total is UINT64_MAX for "/ *" (without the
 * blank). False when it is something else, or NULL. */
bool hub_content_range_read(const char *text, uint64_t *ret_start, uint64_t *ret_end,
                            uint64_t *ret_total);

enum hub_digest_kind { HUB_DIGEST_NONE = 0, HUB_DIGEST_GIT_BLOB, HUB_DIGEST_SHA256 };

/* A digest as the hub gives it: 64 digits are the SHA-256 of a file, 40 the SHA-1 of a git blob. */
struct hub_digest {
    enum hub_digest_kind kind;
    char hex[SHA256_HEX_BYTES]; /* lower case */
};

/* Reads "<hex>", <hex> or W/"<hex>"; kind NONE when it is something else, or NULL. */
struct hub_digest hub_digest_read(const char *etag);

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, the one form that may be sent) in seconds since 1970, or
 * -1. The name of the day is not looked at. */
int64_t hub_date_read(const char *text);

/* Whether text is exactly n hexadecimal digits. */
bool hub_is_hex(const char *text, size_t n);

#endif
