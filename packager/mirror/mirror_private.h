/* mirror_private.h - what the parts of the mirror share: mirror.c (who may ask for what),
 * mirror_repository.c (when it is known), mirror_api.c (JSON), mirror_files.c (files), mirror_reply.c
 * (errors and headers). */
#ifndef MIRROR_PRIVATE_H
#define MIRROR_PRIVATE_H

#include "mirror.h"
#include "http_server.h"
#include "mirror_catalog.h"
#include "mirror_route.h"
#include "mirror_snapshot.h"

#define MIRROR_PAGE_SIZE 1000

struct mirror_scanner;

struct mirror {
    struct uv_loop_s *loop;
    struct mirror_options options;
    struct mirror_catalog catalog;
    struct mirror_scanner *scanner;
    uint64_t refreshed_ms; /* when the catalog was read */
    bool is_closing;
    void (*on_closed)(void *context);
    void *on_closed_context;
};

/* mirror_repository.c: replies now or once the repository is scanned; the request may ask. */
void mirror_answer(struct mirror *mirror, struct mirror_repository *repository,
                   const struct mirror_route *route, struct http_request *request);

/* mirror_api.c, mirror_files.c: reply from the repository's snapshot; the revision is checked. */
void mirror_reply_api(struct mirror *mirror, const struct mirror_repository *repository,
                      const struct mirror_route *route, struct http_request *request);
/* False, without a reply, when the file on disk is not the one of the snapshot: scan again. */
bool mirror_reply_file(const struct mirror_repository *repository, const struct mirror_route *route,
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
