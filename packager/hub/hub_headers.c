/* hub_headers.c - see hub_headers.h. */
#include "hub_headers.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define MAX_WAIT_S 86400

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t");
}

/* Behind a parameter that starts at text: up to ';' or ',' outside quotes. */
static const char *end_of_parameter(const char *text)
{
    bool quoted = false;
    for (; *text != '\0' && (quoted || (*text != ';' && *text != ',')); text++)
        if (*text == '"')
            quoted = !quoted;
    return text;
}

/* Whether the parameter is rel=next, rel="next" or a list of relations with next in it. */
static bool is_rel_next(const char *text, const char *end)
{
    if (end - text < 8 || strncasecmp(text, "rel", 3) != 0)
        return false;
    text = skip_blanks(text + 3);
    if (text >= end || *text != '=')
        return false;
    text = skip_blanks(text + 1);
    while (text < end) {
        text += strspn(text, "\" \t");
        size_t n = strcspn(text, "\" \t;,");
        if (text + n <= end && n == 4 && strncasecmp(text, "next", 4) == 0)
            return true;
        if (n == 0)
            break;
        text += n;
    }
    return false;
}

bool hub_link_next(const char *link, const char **ret, size_t *ret_bytes)
{
    const char *at = link;
    for (;;) {
        at += strspn(at, " \t,");
        if (*at != '<')
            return false;
        const char *url = at + 1;
        size_t n = strcspn(url, ">");
        if (url[n] == '\0')
            return false;
        bool next = false;
        at = skip_blanks(url + n + 1);
        while (*at == ';') {
            const char *parameter = skip_blanks(at + 1);
            at = end_of_parameter(parameter);
            next = next || is_rel_next(parameter, at);
        }
        if (next && n > 0) {
            *ret = url;
            *ret_bytes = n;
            return true;
        }
    }
}

/* A whole number of seconds in front of a separator, or -1. Values over the maximum are cut to it. */
static int64_t read_seconds(const char *text)
{
    int64_t value = 0;
    if (!isdigit((unsigned char)*text))
        return -1;
    for (; isdigit((unsigned char)*text); text++) {
        value = value * 10 + (*text - '0');
        if (value > MAX_WAIT_S)
            value = MAX_WAIT_S;
    }
    text = skip_blanks(text);
    return *text == '\0' || *text == ';' || *text == ',' ? value : -1;
}

/* r= and t= of one item of a RateLimit header, -1 where absent; returns the end of the item. */
static const char *read_limit(const char *item, int64_t *ret_left, int64_t *ret_seconds)
{
    *ret_left = *ret_seconds = -1;
    for (;;) {
        item = skip_blanks(item);
        if ((item[0] == 'r' || item[0] == 'R') && item[1] == '=')
            *ret_left = read_seconds(item + 2);
        if ((item[0] == 't' || item[0] == 'T') && item[1] == '=')
            *ret_seconds = read_seconds(item + 2);
        item = end_of_parameter(item);
        if (*item != ';')
            return item;
        item++;
    }
}

/* Two or four digits, -1 for anything else. */
static int read_digits(const char *text, int n)
{
    int value = 0;
    for (int i = 0; i < n; i++) {
        if (!isdigit((unsigned char)text[i]))
            return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

/* Days from 1970-01-01 to a date of the Gregorian calendar; month 1 to 12. */
static int64_t days_until(int year, int month, int day)
{
    int64_t y = month > 2 ? year : year - 1; /* years begin in March: the leap day comes last */
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

int64_t hub_date_read(const char *text)
{
    static const char pattern[] = "???, ## ??? #### ##:##:## GMT";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    size_t n = 0;
    for (; pattern[n] != '\0'; n++) {
        unsigned char c = (unsigned char)text[n];
        bool fits = pattern[n] == '?'   ? isalpha(c) != 0
                    : pattern[n] == '#' ? isdigit(c) != 0
                                        : c == (unsigned char)pattern[n];
        if (!fits)
            return -1;
    }
    int month = 1;
    while (month <= 12 && strncmp(text + 8, months + 3 * (month - 1), 3) != 0)
        month++;
    int day = read_digits(text + 5, 2), year = read_digits(text + 12, 4);
    int hour = read_digits(text + 17, 2), minute = read_digits(text + 20, 2);
    int second = read_digits(text + 23, 2);
    if (*skip_blanks(text + n) != '\0' || month > 12 || day < 1 || day > 31 || year < 1970 ||
        hour > 23 || minute > 59 || second > 60)
        return -1;
    return days_until(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
}

/* Retry-After in seconds from now, or -1. */
static int64_t read_retry_after(const char *text, int64_t now_s)
{
    text = skip_blanks(text);
    int64_t wait_s = read_seconds(text);
    if (wait_s >= 0)
        return wait_s;
    int64_t date_s = hub_date_read(text);
    return date_s > now_s ? date_s - now_s : -1;
}

int64_t hub_retry_wait_ms(const char *rate_limit, const char *retry_after, int64_t now_s)
{
    int64_t wait_s = -1;
    if (rate_limit != NULL) {
        const char *at = rate_limit;
        while (*at != '\0') {
            int64_t left, seconds;
            at = read_limit(at, &left, &seconds);
            if (left <= 0 && seconds >= 0 && seconds + 1 > wait_s)
                wait_s = seconds + 1;
            if (*at == ',')
                at++;
        }
    }
    if (wait_s < 0 && retry_after != NULL)
        wait_s = read_retry_after(retry_after, now_s);
    if (wait_s > MAX_WAIT_S)
        wait_s = MAX_WAIT_S;
    return wait_s < 0 ? -1 : wait_s * 1000;
}

bool hub_is_hex(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isxdigit((unsigned char)text[i]))
            return false;
    return text[n] == '\0';
}

struct hub_digest hub_digest_read(const char *etag)
{
    struct hub_digest digest = {0};
    if (etag == NULL)
        return digest;
    etag = skip_blanks(etag);
    if (strncmp(etag, "W/", 2) == 0)
        etag += 2;
    bool quoted = *etag == '"';
    if (quoted)
        etag++;
    size_t n = 0;
    for (; n < sizeof digest.hex - 1 && isxdigit((unsigned char)etag[n]); n++)
        digest.hex[n] = (char)tolower((unsigned char)etag[n]);
    digest.hex[n] = '\0';
    const char *rest = etag + n;
    if (quoted && *rest == '"')
        rest++;
    if (*skip_blanks(rest) == '\0')
        digest.kind = n == 64 ? HUB_DIGEST_SHA256 : n == 40 ? HUB_DIGEST_GIT_BLOB : HUB_DIGEST_NONE;
    return digest;
}

/* Digits to a number below 2^63; NULL when there are none or too many. */
static const char *read_number(const char *text, uint64_t *ret)
{
    uint64_t value = 0;
    if (!isdigit((unsigned char)*text))
        return NULL;
    for (; isdigit((unsigned char)*text); text++) {
        if (value > INT64_MAX / 10 - 1)
            return NULL;
        value = value * 10 + (uint64_t)(*text - '0');
    }
    *ret = value;
    return text;
}

bool hub_content_range_read(const char *text, uint64_t *ret_start, uint64_t *ret_end,
                            uint64_t *ret_total)
{
    uint64_t start = 0, last = 0, total = UINT64_MAX;
    if (text == NULL || strncasecmp(text, "bytes", 5) != 0)
        return false;
    text = read_number(skip_blanks(text + 5), &start);
    if (text == NULL || *text != '-' || (text = read_number(text + 1, &last)) == NULL ||
        *text != '/')
        return false;
    text = text[1] == '*' ? text + 2 : read_number(text + 1, &total);
    if (text == NULL || *skip_blanks(text) != '\0' || last < start || last >= total)
        return false;
    *ret_start = start;
    *ret_end = last + 1;
    *ret_total = total;
    return true;
}
