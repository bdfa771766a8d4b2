/* archive_secret.c - see archive_secret.h. */
#include "archive_secret.h"
#include "errors.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

model_status archive_secret_create(enum archive_key_source source, const void *bytes,
                                   size_t size_bytes, struct archive_secret **ret,
                                   struct model_error *err)
{
    if (source == ARCHIVE_KEY_OF_FILE && size_bytes != CIPHER_KEY_BYTES)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "a key has %d bytes, this one has %s; 'head -c %d /dev/urandom >FILE' "
                         "makes one",
                         CIPHER_KEY_BYTES, size_bytes < CIPHER_KEY_BYTES ? "fewer" : "more",
                         CIPHER_KEY_BYTES);
    const uint8_t *nul = source == ARCHIVE_KEY_OF_PASSPHRASE && size_bytes > 0
                             ? memchr(bytes, '\0', size_bytes)
                             : NULL;
    if (nul != NULL) /* it could not be typed, and whoever keeps it as text would cut it there */
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "a passphrase has no NUL bytes, this one has one at offset %zu; want a "
                         "line of text, or give a key file",
                         (size_t)(nul - (const uint8_t *)bytes));
    if (size_bytes == 0 || size_bytes > ARCHIVE_MAX_PASSPHRASE_BYTES)
        return error_set(err, MODEL_INVALID_ARGUMENT, "a passphrase has 1 to %d bytes, this one %s",
                         ARCHIVE_MAX_PASSPHRASE_BYTES, size_bytes == 0 ? "is empty" : "has more");
    struct archive_secret *secret = secret_allocate(sizeof *secret);
    if (secret == NULL)
        return error_no_memory(err, "a passphrase");
    secret->source = source;
    secret->size_bytes = size_bytes;
    memcpy(secret->bytes, bytes, size_bytes);
    *ret = secret;
    return MODEL_OK;
}

/* Until the end, the line's end is_line, or there is no room. What follows a line is somebody else's. */
static model_status fill(int fd, const char *name, bool is_line, uint8_t *bytes, size_t capacity,
                         size_t *ret, struct model_error *err)
{
    size_t got = 0;
    while (got < capacity && !(is_line && got > 0 && bytes[got - 1] == '\n')) {
        const ssize_t n = read(fd, bytes + got, is_line ? 1 : capacity - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, errno, "cannot read %s", name);
        if (n == 0)
            break;
        got += (size_t)n;
    }
    *ret = got;
    return MODEL_OK;
}

static size_t first_line(const uint8_t *bytes, size_t size_bytes)
{
    const uint8_t *end = memchr(bytes, '\n', size_bytes);
    size_t n = end != NULL ? (size_t)(end - bytes) : size_bytes;
    return n > 0 && end != NULL && bytes[n - 1] == '\r' ? n - 1 : n;
}

model_status archive_secret_read(enum archive_key_source source, int fd, const char *name,
                                 struct archive_secret **ret, struct model_error *err)
{
    const size_t capacity =
        ARCHIVE_MAX_PASSPHRASE_BYTES + 3; /* and the line's end, and a byte more */
    size_t n = 0;
    uint8_t *bytes = secret_allocate(capacity);
    if (bytes == NULL)
        return error_no_memory(err, "a passphrase");
    model_status status =
        fill(fd, name, source == ARCHIVE_KEY_OF_PASSPHRASE, bytes, capacity, &n, err);
    if (status == MODEL_OK && source == ARCHIVE_KEY_OF_PASSPHRASE)
        n = first_line(bytes, n);
    if (status == MODEL_OK) {
        status = archive_secret_create(source, bytes, n, ret, err);
        if (status == MODEL_INVALID_ARGUMENT) /* a wrong one, as one that does not open it */
            status = MODELHOST_UNAUTHORIZED;
        if (status != MODEL_OK)
            error_prefix(err, "%s", name);
    }
    secret_free(bytes);
    return status;
}

model_status archive_secret_read_file(enum archive_key_source source, const char *path,
                                      struct archive_secret **ret, struct model_error *err)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open the %s %s",
                               source == ARCHIVE_KEY_OF_FILE ? "key file" : "passphrase file",
                               path);
    model_status status = archive_secret_read(source, fd, path, ret, err);
    (void)close(fd);
    return status;
}

void archive_secret_destroy(struct archive_secret *secret)
{
    secret_free(secret);
}
