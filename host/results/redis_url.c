/* redis_url.c - see redis_url.h. */
#include "redis_url.h"
#include "errors.h"

#include <stdbool.h>
#include <string.h>

#define SCHEME       "redis://"
#define DEFAULT_PORT 6379

static bool copy(char *ret, size_t ret_bytes, const char *from, size_t n)
{
    if (n >= ret_bytes)
        return false;
    memcpy(ret, from, n);
    ret[n] = '\0';
    return true;
}

/* Digits [text, end) as a number of at most 65535; -1: it is none. */
static int32_t number(const char *text, const char *end)
{
    int32_t value = 0;
    if (text == end || end - text > 5)
        return -1;
    for (; text < end; text++) {
        if (*text < '0' || *text > '9')
            return -1;
        value = value * 10 + (*text - '0');
    }
    return value <= 65535 ? value : -1;
}

static model_status refuse(struct model_error *err, const char *what)
{
    return error_set(err, MODEL_INVALID_ARGUMENT,
                     "the address of the Redis server %s; want "
                     "redis://[:PASSWORD@]HOST[:PORT][/DATABASE]",
                     what);
}

model_status redis_url_parse(const char *text, struct redis_url *ret, struct model_error *err)
{
    struct redis_url url = {.port = DEFAULT_PORT};
    if (strncmp(text, SCHEME, strlen(SCHEME)) != 0)
        return refuse(err, "does not begin with " SCHEME);
    const char *at = text + strlen(SCHEME);
    const char *path = strchr(at, '/'), *end = path != NULL ? path : at + strlen(at);
    const char *user_end = memchr(at, '@', (size_t)(end - at));
    if (user_end != NULL) {
        const char *password = memchr(at, ':', (size_t)(user_end - at));
        if (password != at)
            return refuse(err, "has a user name, which is not known here,");
        if (!copy(url.password, sizeof url.password, at + 1, (size_t)(user_end - at - 1)))
            return refuse(err, "has a password of more than 255 bytes");
        at = user_end + 1;
    }
    const char *colon = memchr(at, ':', (size_t)(end - at));
    const char *host_end = colon != NULL ? colon : end;
    int32_t port = colon != NULL ? number(colon + 1, end) : DEFAULT_PORT;
    int32_t database = path != NULL && path[1] != '\0' ? number(path + 1, path + strlen(path)) : 0;
    if (host_end == at || !copy(url.host, sizeof url.host, at, (size_t)(host_end - at)))
        return refuse(err, "has no host, or a name of more than 255 bytes");
    if (port <= 0)
        return refuse(err, "has no port from 1 to 65535 behind the colon");
    if (database < 0)
        return refuse(err, "has no number of a database behind the slash");
    url.port = (uint16_t)port;
    url.database = (uint16_t)database;
    *ret = url;
    return MODEL_OK;
}
