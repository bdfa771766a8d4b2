/* errors.c - error sentences; see errors.h. Any thread: the cause of the last sentence is the thread's own,
 * as errno is. */
#include "errors.h"
#include "utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct {
    model_status status;
    int exit_code;
    const char *name;
} statuses[] = {
    {MODEL_OK, 0, "ok"},
    {MODEL_INVALID_ARGUMENT, 1, "invalid_argument"},
    {MODEL_NOT_FOUND, 3, "not_found"},
    {MODEL_UNSUPPORTED, 1, "unsupported"},
    {MODEL_CORRUPT, 7, "corrupt"},
    {MODEL_OUT_OF_MEMORY, 1, "out_of_memory"},
    {MODEL_IO, 8, "io"},
    {MODEL_CANCELLED, 130, "cancelled"},
    {MODEL_DEADLINE, 124, "deadline"},
    {MODEL_BUSY, 10, "busy"},
    {MODEL_INTERNAL, 1, "internal"},
    {MODEL_ABI_MISMATCH, 1, "abi_mismatch"},
    {MODELHOST_UNAUTHORIZED, 4, "unauthorized"},
    {MODELHOST_NETWORK, 5, "network"},
    {MODELHOST_RATE_LIMITED, 6, "rate_limited"},
    {MODELHOST_OFFLINE, 9, "offline"},
    {MODELHOST_CRASHED, 1, "crashed"},
    {MODELHOST_UNTRUSTED, 7, "untrusted"},
};

#define N_STATUSES (sizeof statuses / sizeof statuses[0])

/* Of the last sentence: which struct got it, and the error number it came from. */
static _Thread_local struct {
    const struct model_error *err;
    int errnum;
} last_cause;

/* Cuts a sentence that vsnprintf truncated so that it does not end inside a UTF-8 character. */
static void trim_partial_character(char *text, size_t size_bytes)
{
    size_t end = strlen(text);
    if (end + 1 < size_bytes)
        return;
    size_t start = end; /* of the last character */
    while (start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
        start--;
    if (start == 0)
        return;
    unsigned char lead = (unsigned char)text[--start];
    size_t wanted = lead < 0xC0 ? end - start : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (end - start < wanted)
        text[start] = '\0';
}

/* Bytes of the message that the struct's maker gave room for: it may be of another version. A struct_size of 0
 * was forgotten, and means the whole: no version had less. */
static size_t message_bytes(const struct model_error *err)
{
    const size_t before = offsetof(struct model_error, message);
    if (err != NULL && err->struct_size == 0)
        return sizeof err->message;
    if (err == NULL || err->struct_size <= before)
        return 0;
    size_t given = err->struct_size - before;
    return given < sizeof err->message ? given : sizeof err->message;
}

/* What a sentence quotes may come from anywhere: control characters (but line ends and tabs) and marks of direction,
 * which a terminal would obey, become question marks. */
static void make_plain(char *text)
{
    for (size_t left = strlen(text); left > 0; left--, text++) {
        const size_t n = *text != '\n' && *text != '\t' ? utf8_control_bytes(text, left) : 0;
        memset(text, '?', n);
    }
}

static void write_sentence(struct model_error *err, const char *format, va_list arguments)
{
    (void)vsnprintf(err->message, message_bytes(err), format, arguments);
    trim_partial_character(err->message, message_bytes(err));
    make_plain(err->message);
}

/* Puts ": text" behind the sentence that is there. */
static void append_sentence(struct model_error *err, const char *text)
{
    size_t used = strlen(err->message), room = message_bytes(err);
    (void)snprintf(err->message + used, room - used, ": %s", text);
    trim_partial_character(err->message, room);
}

model_status error_set(struct model_error *err, model_status status, const char *format, ...)
{
    if (message_bytes(err) > 0) {
        va_list arguments;
        va_start(arguments, format);
        write_sentence(err, format, arguments);
        va_end(arguments);
        last_cause.err = NULL;
    }
    return status;
}

/* What helps against a cause that is the same wherever it strikes; NULL: the caller knows better. */
static const char *remedy_of(int errnum)
{
    static const struct {
        int errnum;
        const char *remedy;
    } rows[] = {
        {EMFILE, "raise the limit of open files (ulimit -n)"},
        {ENFILE, "the whole system has too many files open; end other programs"},
        {EFBIG,
         "raise the limit of file sizes (ulimit -f), or choose a disk that takes such files"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].errnum == errnum)
            return rows[i].remedy;
    return NULL;
}

int error_cause(const struct model_error *err)
{
    return err != NULL && last_cause.err == err ? last_cause.errnum : 0;
}

model_status error_set_errno(struct model_error *err, int errnum, const char *format, ...)
{
    if (message_bytes(err) > 0) {
        const char *remedy = remedy_of(errnum);
        va_list arguments;
        va_start(arguments, format);
        write_sentence(err, format, arguments);
        va_end(arguments);
        char reason[128] = "";
#ifdef __GLIBC__
        const char *text = strerror_r(errnum, reason, sizeof reason);
#else
        const char *text = strerror_r(errnum, reason, sizeof reason) == 0 ? reason : "error";
#endif
        append_sentence(err, text);
        last_cause.err = NULL;
        if (remedy != NULL)
            error_advise(err, "%s", remedy);
        last_cause.err = err;
        last_cause.errnum = errnum;
    }
    if (errnum == ENOENT || errnum == ENOTDIR)
        return MODEL_NOT_FOUND;
    return errnum == ENOMEM ? MODEL_OUT_OF_MEMORY : MODEL_IO;
}

model_status error_no_memory(struct model_error *err, const char *what)
{
    return error_set(err, MODEL_OUT_OF_MEMORY, "out of memory for %s", what);
}

void error_prefix(struct model_error *err, const char *format, ...)
{
    const size_t n_bytes = message_bytes(err);
    if (n_bytes == 0)
        return;
    char rest[MODEL_ERROR_BYTES];
    memcpy(rest, err->message, n_bytes);
    rest[n_bytes - 1] = '\0'; /* a plugin may have filled the array */
    va_list arguments;
    va_start(arguments, format);
    write_sentence(err, format, arguments);
    va_end(arguments);
    append_sentence(err, rest);
}

void error_advise(struct model_error *err, const char *format, ...)
{
    const size_t size_bytes = message_bytes(err);
    if (size_bytes == 0 || remedy_of(error_cause(err)) != NULL)
        return;
    struct model_error advice = MODEL_ERROR_INIT;
    va_list arguments;
    va_start(arguments, format);
    write_sentence(&advice, format, arguments);
    va_end(arguments);
    err->message[size_bytes - 1] = '\0'; /* a plugin may have filled the array */
    if (strstr(err->message, advice.message) != NULL)
        return; /* another process, or a layer below, has said so */
    size_t room = size_bytes - 1, wanted = strlen(advice.message) + 2;
    size_t kept = strnlen(err->message, room);
    kept = wanted >= room ? 0 : kept + wanted > room ? room - wanted : kept;
    while (kept > 0 && ((unsigned char)err->message[kept] & 0xC0) == 0x80)
        kept--; /* not inside a character */
    bool is_question = kept > 0 && err->message[kept - 1] == '?';
    (void)snprintf(err->message + kept, size_bytes - kept, "%s %s", is_question ? "" : ";",
                   advice.message);
    trim_partial_character(err->message, size_bytes);
}

const char *status_name(model_status status)
{
    for (size_t i = 0; i < N_STATUSES; i++)
        if (statuses[i].status == status)
            return statuses[i].name;
    return "unknown";
}

int status_exit_code(model_status status)
{
    for (size_t i = 0; i < N_STATUSES; i++)
        if (statuses[i].status == status)
            return statuses[i].exit_code;
    return 1;
}
