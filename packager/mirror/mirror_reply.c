/* mirror_reply.c - errors, JSON and addresses of the mirror's replies; see mirror_private.h. */
#include "mirror_private.h"
#include "errors.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *mirror_shown(const char *text, char shown[MIRROR_SHOWN_BYTES])
{
    size_t n = 0;
    for (; text[n] != '\0' && n < MIRROR_SHOWN_BYTES - 1; n++)
        shown[n] = (unsigned char)text[n] < 0x20 || (unsigned char)text[n] >= 0x7F ? '?' : text[n];
    shown[n] = '\0';
    return shown;
}

void mirror_reply_error(struct http_request *request, int status, const char *code,
                        const char *format, ...)
{
    char sentence[1000];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    if (code != NULL)
        http_reply_header(request, "X-Error-Code", code);
    http_reply_header(request, "X-Error-Message", sentence);
    http_reply_error(request, status, sentence);
}

void mirror_reply_status(struct http_request *request, model_status status,
                         const struct model_error *err)
{
    if (status == MODEL_INVALID_ARGUMENT)
        mirror_reply_error(request, 400, NULL, "%s", err->message);
    else if (status == MODEL_NOT_FOUND)
        mirror_reply_error(request, 404, NULL, "%s", err->message);
    else if (status == MODEL_BUSY || status == MODEL_CANCELLED || status == MODEL_OUT_OF_MEMORY)
        mirror_reply_error(request, 503, NULL, "%s; try again", err->message);
    else
        mirror_reply_error(request, 500, NULL,
                           "the mirror cannot read the repository; its log says why");
}

void mirror_reply_no_repository(struct http_request *request, const char *id)
{
    char shown[MIRROR_SHOWN_BYTES];
    mirror_reply_error(request, 404, "RepoNotFound",
                       "Repository not found: this mirror has no '%s'", mirror_shown(id, shown));
}

void mirror_reply_json(struct http_request *request, char *text)
{
    if (text == NULL)
        mirror_reply_error(request, 503, NULL, "out of memory; try again");
    else
        http_reply_text(request, 200, "application/json; charset=utf-8", text);
    free(text);
}

void mirror_reply_no_method(struct http_request *request, const char *allowed)
{
    char shown[MIRROR_SHOWN_BYTES];
    http_reply_header(request, "Allow", allowed);
    mirror_reply_error(request, 405, NULL, "the method %s is not allowed here, but %s",
                       mirror_shown(http_request_method(request), shown), allowed);
}

/* Copies the first item of a list, if it is made of what a host and port are made of. */
static bool copy_host(const char *value, char *ret, size_t ret_bytes)
{
    size_t length = value != NULL ? strcspn(value, ", \t") : 0;
    if (length == 0 || length >= ret_bytes)
        return false;
    for (size_t i = 0; i < length; i++)
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:[]",
                   value[i]) == NULL)
            return false;
    memcpy(ret, value, length);
    ret[length] = '\0';
    return true;
}

const char *mirror_base_url(const struct http_request *request, char text[MIRROR_BASE_BYTES])
{
    char host[256];
    const char *scheme = http_request_header(request, "X-Forwarded-Proto");
    bool is_https =
        scheme != NULL ? strncasecmp(scheme, "https", 5) == 0 : http_request_is_secure(request);
    if (!copy_host(http_request_header(request, "X-Forwarded-Host"), host, sizeof host) &&
        !copy_host(http_request_header(request, "Host"), host, sizeof host))
        return "";
    (void)snprintf(text, MIRROR_BASE_BYTES, "http%s://%s", is_https ? "s" : "", host);
    return text;
}
