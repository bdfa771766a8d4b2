/* http_spoil.c - replies that go wrong on purpose, so that clients can be tested; see http_server.h.
 * Counts bytes and the sweeper's rounds, reads no clock. Loop thread only. */
#include "http_private.h"

void http_reply_spoil(struct http_request *request, enum http_spoil spoil, uint64_t bytes)
{
    request->spoil = spoil;
    request->spoil_bytes = bytes;
}

/* A drip goes out in the sweeper's round only, but for the first one, which brings the head. */
static size_t limit_drip(struct http_connection *connection, uint64_t sent_bytes, size_t size_bytes)
{
    uint64_t drip_bytes = connection->request->spoil_bytes;
    if (sent_bytes > 0 && !connection->is_paused) {
        connection->is_paused = true;
        connection->deadline_ms = UINT64_MAX;
        return 0;
    }
    return drip_bytes > 0 && drip_bytes < size_bytes ? (size_t)drip_bytes : size_bytes;
}

size_t http_spoil_limit(struct http_connection *connection, uint64_t sent_bytes, size_t size_bytes)
{
    const struct http_request *request = connection->request;
    if (request->spoil == HTTP_SPOIL_DRIP)
        return limit_drip(connection, sent_bytes, size_bytes);
    if (request->spoil != HTTP_SPOIL_CUT && request->spoil != HTTP_SPOIL_STALL)
        return size_bytes;
    if (sent_bytes < request->spoil_bytes) {
        uint64_t left_bytes = request->spoil_bytes - sent_bytes;
        return left_bytes < size_bytes ? (size_t)left_bytes : size_bytes;
    }
    if (request->spoil == HTTP_SPOIL_CUT || connection->saw_end) {
        http_connection_close(connection);
    } else {
        connection->is_stalled = true;
        connection->deadline_ms = UINT64_MAX;
    }
    return 0;
}

void http_spoil_piece(const struct http_request *request, uint64_t sent_bytes, char *piece,
                      size_t size_bytes)
{
    if (request->spoil == HTTP_SPOIL_FLIP && request->spoil_bytes >= sent_bytes &&
        request->spoil_bytes - sent_bytes < size_bytes)
        piece[request->spoil_bytes - sent_bytes] ^= 1;
}
