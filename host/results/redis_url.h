/* redis_url.h - where a Redis server is: redis://[:PASSWORD@]HOST[:PORT][/DATABASE]. */
#ifndef REDIS_URL_H
#define REDIS_URL_H

#include "modelhost.h"

struct redis_url {
    char host[256];
    char password[256]; /* "": none */
    uint16_t port;
    uint16_t database;
};

/* MODEL_INVALID_ARGUMENT says what is wrong, without the password. [any-thread] */
model_status redis_url_parse(const char *text, struct redis_url *ret, struct model_error *err);

#endif
