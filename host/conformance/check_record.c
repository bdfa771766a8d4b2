/* check_record.c - see check_record.h. No state. */
#include "check_record.h"
#include "utf8.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_LINE_BYTES (CHECK_REASON_BYTES + CHECK_TOKEN_BYTES + 32)

void check_record_write(int fd, char kind, const char *text)
{
    char line[MAX_LINE_BYTES];
    int length = snprintf(line, sizeof line - 1, "%c%s", kind, text);
    if (length < 0)
        return;
    size_t n = (size_t)length < sizeof line - 2 ? (size_t)length : sizeof line - 2;
    for (size_t i = 0; i < n; i++)
        if (line[i] == '\n')
            line[i] = ' ';
    line[n++] = '\n';
    for (size_t done = 0; done < n;) {
        const ssize_t written = write(fd, line + done, n - done);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        done += (size_t)written;
    }
}

static void write_trusted(int fd, const char *token, const char *word, const char *reason)
{
    char text[MAX_LINE_BYTES];
    (void)snprintf(text, sizeof text, "%s %s %s", token, word, reason);
    check_record_write(fd, 'V', text);
}

void check_record_give_up(int fd, const char *token, const char *reason)
{
    write_trusted(fd, token, "cannot", reason);
}

void check_record_conclude(int fd, const char *token, enum check_verdict verdict,
                           const char *reason)
{
    write_trusted(fd, token, check_verdict_name(verdict), reason);
}

/* A printable beginning of the text. */
static void take_text(const char *text, size_t size_bytes, char *ret, size_t ret_bytes)
{
    size_t n = size_bytes < ret_bytes - 1 ? size_bytes : ret_bytes - 1;
    n = utf8_valid_prefix(text, n);
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)text[i];
        ret[i] = c < 0x20 || c == 0x7F ? ' ' : text[i];
    }
    ret[n] = '\0';
}

/* Once failed it stays so. */
static void set_verdict(struct check_record *record, enum check_verdict verdict, const char *reason,
                        size_t reason_bytes)
{
    if (record->has_verdict && record->verdict == CHECK_FAILED)
        return;
    record->has_verdict = true;
    record->cannot = false;
    record->verdict = verdict;
    take_text(reason, reason_bytes, record->reason, sizeof record->reason);
}

/* "<verdict> <reason>" of a process that may say so. */
static void read_trusted(const char *text, size_t size_bytes, struct check_record *ret)
{
    char name[16];
    const char *space = memchr(text, ' ', size_bytes);
    const size_t n = space != NULL ? (size_t)(space - text) : size_bytes;
    if (n >= sizeof name)
        return;
    memcpy(name, text, n);
    name[n] = '\0';
    const int verdict = check_verdict_of(name);
    const size_t skipped = n < size_bytes ? n + 1 : n;
    if (strcmp(name, "cannot") == 0 && !ret->has_verdict) {
        ret->cannot = true;
        take_text(text + skipped, size_bytes - skipped, ret->reason, sizeof ret->reason);
    }
    if (verdict >= 0)
        set_verdict(ret, (enum check_verdict)verdict, text + skipped, size_bytes - skipped);
}

static void read_verdict(const char *text, size_t size_bytes, const char *token,
                         struct check_record *ret)
{
    static const char forged[] = "the plugin wrote a verdict of its own";
    static const char inside[] = "a verdict came while the plugin was not back from a call";
    const size_t n = CHECK_TOKEN_DIGITS;
    if (size_bytes >= 6 && memcmp(text, "failed", 6) == 0)
        read_trusted(text, size_bytes, ret);
    else if (token == NULL || size_bytes <= n || memcmp(text, token, n) != 0 || text[n] != ' ')
        set_verdict(ret, CHECK_FAILED, forged, sizeof forged - 1);
    else if (ret->phase[0] != '\0' && (size_bytes < n + 7 || memcmp(text + n, " failed", 7) != 0))
        set_verdict(ret, CHECK_FAILED, inside, sizeof inside - 1);
    else
        read_trusted(text + n + 1, size_bytes - n - 1, ret);
}

void check_record_read(const char *bytes, size_t size_bytes, const char *token,
                       struct check_record *ret)
{
    *ret = (struct check_record){.has_verdict = false};
    for (size_t at = 0; at < size_bytes;) {
        const char *end = memchr(bytes + at, '\n', size_bytes - at);
        if (end == NULL)
            return; /* cut off: it ended while it wrote */
        const size_t n = (size_t)(end - (bytes + at));
        if (n > 0 && bytes[at] == 'S')
            take_text(bytes + at + 1, n - 1, ret->step, sizeof ret->step);
        else if (n > 0 && bytes[at] == 'P')
            take_text(bytes + at + 1, n - 1, ret->phase, sizeof ret->phase);
        else if (n > 0 && bytes[at] == 'V')
            read_verdict(bytes + at + 1, n - 1, token, ret);
        at += n + 1;
    }
}
