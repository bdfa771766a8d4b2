/* http_tls.h - TLS for the HTTP service, without sockets: bytes go in and come out. OpenSSL lives behind
 * this header. A context may be shared by any number of servers of one thread; a connection's TLS belongs
 * to its thread. */
#ifndef HTTP_TLS_H
#define HTTP_TLS_H

#include "buffer.h"

#include <stdbool.h>

struct http_tls_context;
struct http_tls;

/* A certificate with its chain and its key, both in PEM files. TLS 1.2 and 1.3. MODEL_NOT_FOUND,
 * MODEL_IO: a file cannot be read; MODEL_INVALID_ARGUMENT: it holds no such thing, or the two do not
 * belong together. */
model_status http_tls_context_create(const char *certificate_path, const char *key_path,
                                     struct http_tls_context **ret, struct model_error *err);
void http_tls_context_destroy(struct http_tls_context *context);

/* The server's side of a connection; NULL without memory. */
struct http_tls *http_tls_create(struct http_tls_context *context);
void http_tls_destroy(struct http_tls *tls);

/* Bytes from the client, encrypted; false without memory. */
bool http_tls_feed(struct http_tls *tls, const void *data, size_t size_bytes);
/* What was decrypted, up to size_bytes bytes; the handshake goes on by it. False: the connection is to
 * be ended, after what http_tls_take() gives was sent. *ret_size_bytes 0: no more for now. */
bool http_tls_read(struct http_tls *tls, void *data, size_t size_bytes, size_t *ret_size_bytes);
/* Encrypts; only after the handshake. */
bool http_tls_write(struct http_tls *tls, const void *data, size_t size_bytes);
/* Nothing more will be written. */
void http_tls_end(struct http_tls *tls);
/* Appends what is to be sent to the client; false without memory. */
bool http_tls_take(struct http_tls *tls, struct buffer *ret);

#endif
