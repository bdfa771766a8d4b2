/* transfer.c - see transfer.h. Every file gets its SHA-256 computed as the bytes pass, for the
 * manifest; a file that the hub names by its git blob gets that digest too. Nothing is read twice. */
#include "transfer.h"
#include "errors.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define MAX_FETCHES 2 /* of a file whose bytes are wrong */

/* The receiving end. */
struct landing {
    const struct transfer *transfer;
    int fd;
    uint64_t received_bytes;
    bool is_unknown; /* the hub gave no digest: no second fetch will tell */
    struct digest *sha256;
    struct digest *git_blob; /* NULL when the hub gave a SHA-256 */
};

static void drop_digests(struct landing *landing)
{
    digest_destroy(landing->sha256);
    digest_destroy(landing->git_blob);
    landing->sha256 = landing->git_blob = NULL;
}

static void tell(const struct landing *landing)
{
    const struct transfer *transfer = landing->transfer;
    if (transfer->advance != NULL)
        transfer->advance(transfer->advance_context, landing->received_bytes);
}

static model_status disk_error(const struct landing *landing, struct model_error *err)
{
    int errnum = errno;
    if (errnum == ENOSPC || errnum == EDQUOT)
        return error_set(
            err, MODEL_IO,
            "no space left on the disk while writing '%.200s' to the store %.400s; free some, or "
            "choose another disk with --store DIR",
            landing->transfer->file->path, landing->transfer->store_dir);
    (void)error_set_errno(err, errnum, "cannot write '%.200s' to the store %.400s",
                          landing->transfer->file->path, landing->transfer->store_dir);
    error_advise(err, "see to it, or choose another --store");
    return MODEL_IO;
}

static model_status restart(void *context, struct model_error *err)
{
    struct landing *landing = context;
    const struct hub_file *file = landing->transfer->file;
    drop_digests(landing);
    landing->received_bytes = 0;
    if (ftruncate(landing->fd, 0) != 0 || lseek(landing->fd, 0, SEEK_SET) != 0)
        return disk_error(landing, err);
    model_status status = digest_create_sha256(&landing->sha256, err);
    if (status == MODEL_OK && file->digest.kind != HUB_DIGEST_SHA256)
        status = digest_create_git_blob(file->size_bytes, &landing->git_blob, err);
    tell(landing);
    return status;
}

static model_status write_all(const struct landing *landing, const char *data, size_t size_bytes,
                              struct model_error *err)
{
    while (size_bytes > 0) {
        ssize_t n = write(landing->fd, data, size_bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return disk_error(landing, err);
        data += n;
        size_bytes -= (size_t)n;
    }
    return MODEL_OK;
}

static model_status receive(void *context, const void *data, size_t size_bytes,
                            struct model_error *err)
{
    struct landing *landing = context;
    const struct hub_file *file = landing->transfer->file;
    if (size_bytes > file->size_bytes - landing->received_bytes)
        return error_set(err, MODEL_CORRUPT,
                         "the file '%s' is longer than the %llu bytes that the hub announced",
                         file->path, (unsigned long long)file->size_bytes);
    model_status status = write_all(landing, data, size_bytes, err);
    if (status != MODEL_OK)
        return status;
    digest_update(landing->sha256, data, size_bytes);
    if (landing->git_blob != NULL)
        digest_update(landing->git_blob, data, size_bytes);
    landing->received_bytes += size_bytes;
    tell(landing);
    return MODEL_OK;
}

static model_status compare(const char *path, const char *kind, const char *found,
                            const char *wanted, struct model_error *err)
{
    if (strcmp(found, wanted) == 0)
        return MODEL_OK;
    return error_set(err, MODEL_CORRUPT,
                     "the file '%s' came with wrong bytes: its %s is %s, want %s", path, kind,
                     found, wanted);
}

/* Size and digest of what has arrived. The list's digest counts before that of the headers. */
static model_status check(struct landing *landing, const struct hub_digest *from_headers,
                          char ret_sha256[SHA256_HEX_BYTES], struct model_error *err)
{
    const struct hub_file *file = landing->transfer->file;
    const struct hub_digest *want =
        file->digest.kind != HUB_DIGEST_NONE ? &file->digest : from_headers;
    char sha256[SHA256_HEX_BYTES], sha1[SHA1_HEX_BYTES] = "";
    if (landing->received_bytes != file->size_bytes)
        return error_set(err, MODEL_CORRUPT, "the file '%s' came with %llu bytes, want %llu",
                         file->path, (unsigned long long)landing->received_bytes,
                         (unsigned long long)file->size_bytes);
    digest_finish_hex(landing->sha256, sha256);
    landing->sha256 = NULL;
    if (landing->git_blob != NULL)
        digest_finish_hex(landing->git_blob, sha1);
    landing->git_blob = NULL;
    model_status status;
    if (want->kind == HUB_DIGEST_SHA256)
        status = compare(file->path, "SHA-256", sha256, want->hex, err);
    else if (want->kind == HUB_DIGEST_GIT_BLOB)
        status = compare(file->path, "git SHA-1", sha1, want->hex, err);
    else
        status = error_set(err, MODEL_CORRUPT,
                           "the hub gives no digest for '%s', so its bytes cannot be checked; is "
                           "this a hub?",
                           file->path);
    landing->is_unknown = want->kind == HUB_DIGEST_NONE;
    if (status == MODEL_OK)
        memcpy(ret_sha256, sha256, sizeof sha256);
    return status;
}

/* Up to MAX_FETCHES times, as long as only the bytes are wrong. */
static model_status fetch(struct landing *landing, char ret_sha256[SHA256_HEX_BYTES],
                          struct model_error *err)
{
    const struct transfer *transfer = landing->transfer;
    struct hub_receiver receiver = {restart, receive, landing};
    model_status status = MODEL_CORRUPT;
    for (int n = 1; n <= MAX_FETCHES && status == MODEL_CORRUPT && !landing->is_unknown; n++) {
        struct hub_digest digest = {0};
        if (n > 1)
            log_write(transfer->log, MODEL_LOG_WARN, "%s; fetching it once more", err->message);
        status = hub_get_file(transfer->hub, transfer->model, transfer->file->path, &receiver,
                              &digest, err);
        if (status == MODEL_OK)
            status = check(landing, &digest, ret_sha256, err);
    }
    if (status == MODEL_CORRUPT && !landing->is_unknown)
        error_advise(err, "it was fetched twice; try again later, and if that does not help the "
                          "server or a proxy damages it");
    return status;
}

model_status transfer_run(const struct transfer *transfer, char ret_sha256[SHA256_HEX_BYTES],
                          struct model_error *err)
{
    struct model_error own = MODEL_ERROR_INIT;
    char sha256[SHA256_HEX_BYTES];
    if (err == NULL)
        err = &own;
    struct landing landing = {.transfer = transfer};
    landing.fd = open(transfer->part_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (landing.fd < 0)
        return disk_error(&landing, err);
    model_status status = fetch(&landing, sha256, err);
    drop_digests(&landing);
    if (status == MODEL_OK && fsync(landing.fd) != 0)
        status = disk_error(&landing, err);
    if (close(landing.fd) != 0 && status == MODEL_OK)
        status = disk_error(&landing, err);
    if (status == MODEL_OK)
        memcpy(ret_sha256, sha256, sizeof sha256);
    else
        (void)unlink(transfer->part_path);
    return status;
}
