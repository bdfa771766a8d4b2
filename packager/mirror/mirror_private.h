/* mirror_private.h - what the parts of the mirror share: mirror.c (who may ask for what),
 * mirror_repository.c (when it is known), mirror_api.c (JSON), mirror_files.c (files), mirror_reply.c
 * (errors and headers), mirror_fault_reply.c (what goes wrong on purpose). */
#ifndef MIRROR_PRIVATE_H
#define MIRROR_PRIVATE_H

#include "mirror.h"
#include "http_server.h"
#include "mirror_catalog.h"
#include "mirror_route.h"
#include "mirror_snapshot.h"

#define MIRROR_PAGE_SIZE 1000

struct mirror_faults;
struct mirror_puller;
struct mirror_scanner;

struct mirror {
    struct uv_loop_s *loop;
    struct mirror_options options;
    struct mirror_catalog catalog;
    struct mirror_scanner *scanner;
    struct mirror_puller *puller;   /* NULL: all there is lies in the folder */
    struct store *store;            /* NULL: the folder is none */
    struct mirror_archive *archive; /* the folder is a file; NULL: it is none */
    struct mirror_faults *faults;   /* NULL: none */
    char cdn_url[128];
    uint64_t refreshed_ms; /* when the catalog was read */
    bool is_closing;
    void (*on_closed)(void *context);
    void *on_closed_context;
};

/* mirror_repository.c: replies now or once the repository is scanned; the request may ask. */
void mirror_answer(struct mirror *mirror, struct mirror_repository *repository,
                   const struct mirror_route *route, struct http_request *request);

/* mirror_pull.c: the same for what a store or another hub has. */
void mirror_pull_answer(struct mirror *mirror, const struct mirror_route *route,
                        struct http_request *request);
model_status mirror_puller_create(struct mirror *mirror, struct model_error *err);
/* Frees the puller; NULL is fine. */
void mirror_puller_close(struct mirror_puller *puller, void (*on_closed)(void *context),
                         void *context);
/* Where the bytes of a pulled file lie; to be freed; NULL: nowhere yet, or no memory. */
char *mirror_pull_path(const struct mirror *mirror, const struct mirror_file *file);

/* mirror_api.c, mirror_files.c: reply from the repository's snapshot; the revision is checked. */
void mirror_reply_api(struct mirror *mirror, const struct mirror_repository *repository,
                      const struct mirror_route *route, struct http_request *request);
/* False, without a reply, when the file on disk is not the one of the snapshot: scan again. */
bool mirror_reply_file(struct mirror *mirror, const struct mirror_repository *repository,
                       const struct mirror_route *route, struct http_request *request);

/* mirror.c: to the same address with another id, relative as the hub sends it. */
void mirror_redirect(struct http_request *request, const struct mirror_route *route,
                     const char *id);

/* mirror_fault_reply.c; only with faults. Each that returns true has replied. */
bool mirror_fault_request(struct mirror *mirror, const struct mirror_route *route,
                          struct http_request *request);
bool mirror_fault_file(struct mirror *mirror, const struct mirror_repository *repository,
                       const struct mirror_route *route, const struct mirror_file *file,
                       struct http_request *request);
/* The descriptor stays the caller's; -1 when there is none: nothing is compressed then. */
bool mirror_fault_body(struct mirror *mirror, const struct mirror_repository *repository,
                       const struct mirror_route *route, struct http_request *request, int fd,
                       uint64_t file_bytes, uint64_t length_bytes);
/* Whether the request sees the repository after its branch moved: *ret is then how it looks. Shares
 * the files with `now`. */
bool mirror_fault_move(struct mirror *mirror, const struct mirror_route *route,
                       const struct mirror_snapshot *now, struct mirror_snapshot *ret);

/* mirror_files.c: HEAD of a file that is not here yet. */
void mirror_reply_file_head(struct mirror *mirror, const struct mirror_repository *repository,
                            const struct mirror_route *route, const struct mirror_file *file,
                            struct http_request *request);

/* mirror_reply.c. The hub says errors three times: status, X-Error-Code and X-Error-Message, JSON.
 * code may be NULL. */
void mirror_reply_error(struct http_request *request, int status, const char *code,
                        const char *format, ...) __attribute__((format(printf, 4, 5)));
void mirror_reply_status(struct http_request *request, model_status status,
                         const struct model_error *err);
void mirror_reply_no_repository(struct http_request *request, const char *id);
/* Frees the text; NULL is for "no memory". */
void mirror_reply_json(struct http_request *request, char *text);
void mirror_reply_no_method(struct http_request *request, const char *allowed);
/* "http://host:port" as the client sees this server, by Host and X-Forwarded-*; "" if unknown. */
#define MIRROR_BASE_BYTES 300
const char *mirror_base_url(const struct http_request *request, char text[MIRROR_BASE_BYTES]);
/* Text from outside for a sentence: cut, printable ASCII. */
#define MIRROR_SHOWN_BYTES 200
const char *mirror_shown(const char *text, char shown[MIRROR_SHOWN_BYTES]);

#endif
