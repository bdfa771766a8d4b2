/* digest.c - see digest.h: the one place that knows OpenSSL. */
#include "digest.h"
#include "errors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#define READ_BLOCK_BYTES (1 << 17)

/* A struct digest is an EVP_MD_CTX behind an opaque name. */
static EVP_MD_CTX *context_of(struct digest *digest)
{
    return (EVP_MD_CTX *)digest;
}

static model_status create(const EVP_MD *kind, struct digest **ret, struct model_error *err)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context == NULL || EVP_DigestInit_ex(context, kind, NULL) != 1) {
        EVP_MD_CTX_free(context);
        return error_no_memory(err, "a digest");
    }
    *ret = (struct digest *)context;
    return MODEL_OK;
}

model_status digest_create_sha256(struct digest **ret, struct model_error *err)
{
    return create(EVP_sha256(), ret, err);
}

model_status digest_create_sha1(struct digest **ret, struct model_error *err)
{
    return create(EVP_sha1(), ret, err);
}

model_status digest_create_git_blob(uint64_t size_bytes, struct digest **ret,
                                    struct model_error *err)
{
    model_status status = create(EVP_sha1(), ret, err);
    if (status != MODEL_OK)
        return status;
    char header[32];
    int length = snprintf(header, sizeof header, "blob %llu", (unsigned long long)size_bytes);
    digest_update(*ret, header, (size_t)length + 1);
    return MODEL_OK;
}

void digest_update(struct digest *digest, const void *data, size_t size_bytes)
{
    (void)EVP_DigestUpdate(context_of(digest), data, size_bytes);
}

void digest_finish_hex(struct digest *digest, char *ret_hex)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int n_bytes = 0;
    (void)EVP_DigestFinal_ex(context_of(digest), bytes, &n_bytes);
    EVP_MD_CTX_free(context_of(digest));
    static const char digits[] = "0123456789abcdef";
    for (unsigned int i = 0; i < n_bytes; i++) {
        ret_hex[2 * i] = digits[bytes[i] >> 4];
        ret_hex[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret_hex[2 * n_bytes] = '\0';
}

void digest_destroy(struct digest *digest)
{
    EVP_MD_CTX_free(context_of(digest));
}

static model_status update_from_file(struct digest *digest, int fd, const char *path,
                                     uint64_t *ret_size_bytes, struct model_error *err)
{
    unsigned char block[READ_BLOCK_BYTES];
    uint64_t total = 0;
    for (;;) {
        ssize_t n = read(fd, block, sizeof block);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, errno, "cannot read %s", path);
        if (n == 0)
            break;
        digest_update(digest, block, (size_t)n);
        total += (uint64_t)n;
    }
    *ret_size_bytes = total;
    return MODEL_OK;
}

model_status digest_file_sha256(const char *path, char ret_hex[SHA256_HEX_BYTES],
                                uint64_t *ret_size_bytes, struct model_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open %s", path);
    struct digest *digest = NULL;
    uint64_t size_bytes = 0;
    struct stat info;
    model_status status = MODEL_OK;
    if (fstat(fd, &info) != 0)
        status = error_set_errno(err, errno, "cannot stat %s", path);
    else if (!S_ISREG(info.st_mode)) /* a pipe without a writer would read as an empty file */
        status = error_set(err, MODEL_INVALID_ARGUMENT, "%s is not a regular file", path);
    else
        status = digest_create_sha256(&digest, err);
    if (status == MODEL_OK)
        status = update_from_file(digest, fd, path, &size_bytes, err);
    (void)close(fd);
    if (status != MODEL_OK) {
        digest_destroy(digest);
        return status;
    }
    digest_finish_hex(digest, ret_hex);
    *ret_size_bytes = size_bytes;
    return MODEL_OK;
}

model_status digest_bytes_sha256(const void *data, size_t size_bytes,
                                 char ret_hex[SHA256_HEX_BYTES], struct model_error *err)
{
    struct digest *digest = NULL;
    model_status status = digest_create_sha256(&digest, err);
    if (status != MODEL_OK)
        return status;
    digest_update(digest, data, size_bytes);
    digest_finish_hex(digest, ret_hex);
    return MODEL_OK;
}

const char *digest_library_version(void)
{
    return OpenSSL_version(OPENSSL_VERSION_STRING);
}
