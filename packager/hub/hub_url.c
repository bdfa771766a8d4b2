/* hub_url.c - see hub_url.h. The URLs come from servers: lengths and bytes are checked here, so that
 * what reaches libcurl is a plain http(s) URL and the token's owner is decided by our own reading of
 * it, not by two readings that might differ. */
#include "hub_url.h"
#include "errors.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Where the host's part begins: behind the slashes, of which a slip of the pen may have left one. */
static const char *behind_scheme(const char *text)
{
    const char *at = strstr(text, "://");
    if (at == NULL)
        at = strstr(text, ":/");
    return at != NULL ? at + 1 + strspn(at + 1, "/") : text;
}

/* A password with a '/', '?' or '#' in it ends the host too early: "user:pa" has no port's digits. */
static bool is_cut_short(const char *host, size_t n)
{
    const char *colon = memchr(host, ':', n);
    const size_t port = colon != NULL ? n - (size_t)(colon - host) - 1 : 0;
    return colon != NULL && host[0] != '[' && strspn(colon + 1, "0123456789") < port;
}

const char *hub_url_mask(const char *text, char ret[HUB_MASKED_BYTES])
{
    static const char mask[] = "****";
    const char *host = behind_scheme(text), *at = NULL;
    size_t n = strcspn(host, "/?#");
    if (is_cut_short(host, n))
        n = strlen(host);
    for (size_t i = 0; i < n; i++)
        at = host[i] == '@' ? host + i : at;
    (void)snprintf(ret, HUB_MASKED_BYTES, "%.*s%s%s",
                   (int)((size_t)(host - text) < HUB_MASKED_BYTES ? host - text : HUB_MASKED_BYTES),
                   text, at != NULL ? mask : "", at != NULL ? at : host);
    return ret;
}

static model_status bad_url(struct model_error *err, const char *url, const char *why)
{
    char shown[HUB_MASKED_BYTES];
    return error_set(err, MODEL_INVALID_ARGUMENT, "the URL '%.200s' %s", hub_url_mask(url, shown),
                     why);
}

static bool is_plain(unsigned char c)
{
    return c > 0x20 && c < 0x7f && strchr("\"<>\\^`{|}", c) == NULL;
}

static bool is_host_byte(unsigned char c, bool bracketed)
{
    return isalnum(c) || c == '.' || (bracketed ? c == ':' : c == '-' || c == '_');
}

/* The host at `text`; returns its length with brackets, 0 when it is not one. */
static size_t read_host(const char *text, char *ret, size_t ret_bytes)
{
    bool bracketed = text[0] == '[';
    size_t n = bracketed ? 1 : 0;
    while (is_host_byte((unsigned char)text[n], bracketed))
        n++;
    if (bracketed && text[n++] != ']')
        return 0;
    if (n == 0 || n >= ret_bytes || (bracketed && n < 4))
        return 0;
    for (size_t i = 0; i < n; i++)
        ret[i] = (char)tolower((unsigned char)text[i]);
    ret[n] = '\0';
    return n;
}

/* ":port" at `text` or nothing; returns its length, or -1. */
static int read_port(const char *text, uint16_t *ret)
{
    if (text[0] != ':')
        return 0;
    uint32_t port = 0;
    int n = 1;
    for (; isdigit((unsigned char)text[n]); n++) {
        port = port * 10 + (uint32_t)(text[n] - '0');
        if (port > 65535)
            return -1;
    }
    if (n == 1)
        return 1; /* "host:/": the default port */
    if (port == 0)
        return -1;
    *ret = (uint16_t)port;
    return n;
}

model_status hub_url_parse(const char *url, struct hub_origin *ret, size_t *ret_path,
                           struct model_error *err)
{
    struct hub_origin origin = {0};
    size_t at;
    if (strlen(url) >= HUB_MAX_URL_BYTES)
        return bad_url(err, url, "is too long");
    for (const char *c = url; *c != '\0'; c++)
        if (!is_plain((unsigned char)*c))
            return bad_url(err, url, "has a byte that must not stand in a URL");
    if (strncasecmp(url, "https://", 8) == 0) {
        origin.https = true;
        origin.port = 443;
        at = 8;
    } else if (strncasecmp(url, "http://", 7) == 0) {
        origin.port = 80;
        at = 7;
    } else {
        return bad_url(err, url, "begins with neither http:// nor https://");
    }
    size_t authority = strcspn(url + at, "/?#");
    if (memchr(url + at, '@', authority) != NULL)
        return bad_url(err, url, "carries a user name; give a token instead");
    size_t host = read_host(url + at, origin.host, sizeof origin.host);
    if (host == 0)
        return bad_url(err, url, "names no valid host");
    int port = read_port(url + at + host, &origin.port);
    if (port < 0 || host + (size_t)port != authority)
        return bad_url(err, url, "has a host or port that is not valid");
    *ret = origin;
    if (ret_path != NULL)
        *ret_path = at + authority;
    return MODEL_OK;
}

bool hub_origin_equal(const struct hub_origin *a, const struct hub_origin *b)
{
    return a->https == b->https && a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* Appends what a server wrote as a reference: spaces and bytes over 0x7f become escapes, a fragment
 * is dropped. */
static model_status append_reference(struct buffer *url, const char *reference)
{
    for (const char *c = reference; *c != '\0' && *c != '#'; c++) {
        unsigned char byte = (unsigned char)*c;
        if (byte < 0x20 || byte == 0x7f)
            return MODEL_INVALID_ARGUMENT;
        model_status status = is_plain(byte) ? buffer_append(url, c, 1)
                                             : buffer_printf(url, "%%%02X", (unsigned)byte);
        if (status != MODEL_OK)
            return status;
    }
    return MODEL_OK;
}

static bool has_scheme(const char *reference)
{
    size_t n = strcspn(reference, ":/?#");
    return n > 0 && reference[n] == ':';
}

/* How much of `base` stays in front of the reference (RFC 3986, 5.2, without removing dots). */
static size_t kept_of_base(const char *base, size_t path, const char *reference)
{
    if (reference[0] == '/')
        return path;
    size_t end = path + strcspn(base + path, "?#");
    if (reference[0] == '?')
        return end;
    while (end > path && base[end - 1] != '/')
        end--;
    return end;
}

model_status hub_url_join(const char *base, const char *reference, char **ret,
                          struct model_error *err)
{
    struct buffer url = BUFFER_INIT(HUB_MAX_URL_BYTES - 1);
    struct hub_origin origin;
    size_t path;
    model_status status = hub_url_parse(base, &origin, &path, err);
    if (status != MODEL_OK)
        return status;
    if (reference[0] == '\0' || reference[0] == '#')
        return error_set(err, MODEL_INVALID_ARGUMENT, "'%.200s' answers with an empty redirect",
                         base);
    if (strncmp(reference, "//", 2) == 0) {
        status = buffer_append_text(&url, origin.https ? "https:" : "http:");
    } else if (!has_scheme(reference)) {
        size_t keep = kept_of_base(base, path, reference);
        status = buffer_append(&url, base, keep);
        if (status == MODEL_OK && keep == path && reference[0] != '/' && reference[0] != '?')
            status = buffer_append_text(&url, "/");
    }
    if (status == MODEL_OK)
        status = append_reference(&url, reference);
    if (status != MODEL_OK) {
        status = error_set(err, MODEL_INVALID_ARGUMENT,
                           "'%.200s' answers with an address that is too long or not valid", base);
        goto fail;
    }
    status = hub_url_parse(url.data, &origin, NULL, err);
    if (status != MODEL_OK)
        goto fail;
    char *text = buffer_take(&url);
    if (text == NULL)
        return error_no_memory(err, "a URL");
    *ret = text;
    return MODEL_OK;
fail:
    buffer_finish(&url);
    return status;
}

model_status hub_url_follow(const char *base, const char *reference, char **ret,
                            struct model_error *err)
{
    struct hub_origin before, after;
    char *url = NULL;
    model_status status = hub_url_join(base, reference, &url, err);
    if (status == MODEL_OK)
        status = hub_url_parse(base, &before, NULL, err);
    if (status == MODEL_OK)
        status = hub_url_parse(url, &after, NULL, err);
    if (status == MODEL_OK && before.https && !after.https)
        status = error_set(
            err, MODELHOST_NETWORK,
            "%.200s leads from https to '%.200s', which is not protected; is a proxy in the "
            "way? nothing was fetched from there",
            base, url);
    if (status != MODEL_OK) {
        free(url);
        return status == MODEL_OUT_OF_MEMORY ? status : MODELHOST_NETWORK;
    }
    *ret = url;
    return MODEL_OK;
}

model_status hub_url_escape(struct buffer *ret, const char *text, bool keep_slashes)
{
    for (const char *c = text; *c != '\0'; c++) {
        unsigned char byte = (unsigned char)*c;
        bool plain = (byte < 0x80 && isalnum(byte)) || strchr("-._~", byte) != NULL ||
                     (keep_slashes && byte == '/');
        model_status status =
            plain ? buffer_append(ret, c, 1) : buffer_printf(ret, "%%%02X", (unsigned)byte);
        if (status != MODEL_OK)
            return status;
    }
    return MODEL_OK;
}

model_status hub_endpoint_normalize(const char *endpoint, char **ret, struct model_error *err)
{
    struct hub_origin origin;
    if (endpoint == NULL)
        endpoint = HUB_DEFAULT_ENDPOINT;
    model_status status = hub_url_parse(endpoint, &origin, NULL, err);
    if (status != MODEL_OK) {
        error_prefix(err, "the hub's endpoint");
        return status;
    }
    if (strpbrk(endpoint, "?#") != NULL)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "the hub's endpoint '%.200s' must not have a query", endpoint);
    size_t n = strlen(endpoint);
    while (n > 0 && endpoint[n - 1] == '/')
        n--;
    char *text = text_format("%.*s", (int)n, endpoint);
    if (text == NULL)
        return error_no_memory(err, "the endpoint");
    *ret = text;
    return MODEL_OK;
}
