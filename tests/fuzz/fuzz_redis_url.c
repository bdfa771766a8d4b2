/* fuzz_redis_url.c - any text as the address of a Redis server. */
#include "redis_url.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct redis_url url;
    char *text = malloc(size + 1); /* exact, for the sanitizer */
    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (redis_url_parse(text, &url, NULL) == MODEL_OK &&
        (url.host[0] == '\0' || url.port == 0 || strlen(url.password) >= sizeof url.password))
        abort();
    free(text);
    return 0;
}
