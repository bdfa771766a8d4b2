/* hub_private.h - the inside of struct hub, for hub*.c alone. */
#ifndef HUB_PRIVATE_H
#define HUB_PRIVATE_H

#include "hub.h"

struct hub {
    struct hub_config config;
    char *endpoint;
    struct hub_origin origin; /* of the endpoint */
    struct hub_transport transport;
    struct hub_clock clock;
    struct hub_http *http; /* NULL with a transport of the caller's */
};

#endif
