/* http_tls.c - see http_tls.h. The one file that knows OpenSSL's libssl. */
#include "http_tls.h"
#include "errors.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

struct http_tls_context {
    SSL_CTX *ssl;
};

struct http_tls {
    SSL *ssl;
    BIO *in, *out; /* the SSL's */
};

/* ---- certificates */

/* Protocols are told apart in the handshake: this service speaks one. */
static int choose_protocol(SSL *ssl, const unsigned char **ret, unsigned char *ret_bytes,
                           const unsigned char *offered, unsigned offered_bytes, void *unused)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen = NULL;
    (void)ssl;
    (void)unused;
    if (SSL_select_next_proto(&chosen, ret_bytes, ours, sizeof ours - 1, offered, offered_bytes) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *ret = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static model_status explain(const char *what, const char *path, struct model_error *err)
{
    char reason[200];
    unsigned long code = ERR_get_error();
    int errnum = ERR_SYSTEM_ERROR(code) ? ERR_GET_REASON(code) : 0;
    ERR_error_string_n(code, reason, sizeof reason);
    ERR_clear_error();
    if (errnum != 0)
        return error_set_errno(err, errnum, "cannot read %.400s", path);
    return error_set(err, MODEL_INVALID_ARGUMENT, "%.400s holds no %s in the form PEM: %s", path,
                     what, reason);
}

/* Instead of a question on the terminal. */
static int no_password(char *ret, int size_bytes, int is_for_writing, void *unused)
{
    (void)ret;
    (void)size_bytes;
    (void)is_for_writing;
    (void)unused;
    return 0;
}

static model_status load(SSL_CTX *ssl, const char *certificate_path, const char *key_path,
                         struct model_error *err)
{
    SSL_CTX_set_default_passwd_cb(ssl, no_password);
    if (SSL_CTX_use_certificate_chain_file(ssl, certificate_path) != 1)
        return explain("certificate", certificate_path, err);
    if (SSL_CTX_use_PrivateKey_file(ssl, key_path, SSL_FILETYPE_PEM) != 1) {
        unsigned long code = ERR_peek_error();
        if (ERR_GET_LIB(code) != ERR_LIB_X509)
            return explain("key without a password", key_path, err);
        ERR_clear_error();
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "the key in %.300s is not the one of the certificate in %.300s", key_path,
                         certificate_path);
    }
    return MODEL_OK;
}

model_status http_tls_context_create(const char *certificate_path, const char *key_path,
                                     struct http_tls_context **ret, struct model_error *err)
{
    struct http_tls_context *context = calloc(1, sizeof *context);
    ERR_clear_error();
    if (context == NULL || (context->ssl = SSL_CTX_new(TLS_server_method())) == NULL) {
        free(context);
        return error_no_memory(err, "TLS");
    }
    (void)SSL_CTX_set_min_proto_version(context->ssl, TLS1_2_VERSION);
    (void)SSL_CTX_set_options(context->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                                SSL_OP_CIPHER_SERVER_PREFERENCE);
    (void)SSL_CTX_set_mode(context->ssl, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(context->ssl, choose_protocol, NULL);
    model_status status = load(context->ssl, certificate_path, key_path, err);
    if (status != MODEL_OK) {
        http_tls_context_destroy(context);
        return status;
    }
    *ret = context;
    return MODEL_OK;
}

void http_tls_context_destroy(struct http_tls_context *context)
{
    if (context == NULL)
        return;
    SSL_CTX_free(context->ssl);
    free(context);
}

/* ---- a connection */

struct http_tls *http_tls_create(struct http_tls_context *context)
{
    struct http_tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL)
        return NULL;
    tls->ssl = SSL_new(context->ssl);
    tls->in = BIO_new(BIO_s_mem());
    tls->out = BIO_new(BIO_s_mem());
    if (tls->ssl == NULL || tls->in == NULL || tls->out == NULL) {
        BIO_free(tls->in);
        BIO_free(tls->out);
        SSL_free(tls->ssl);
        free(tls);
        return NULL;
    }
    (void)BIO_set_mem_eof_return(tls->in, -1);
    SSL_set_bio(tls->ssl, tls->in, tls->out); /* they belong to it now */
    SSL_set_accept_state(tls->ssl);
    return tls;
}

void http_tls_destroy(struct http_tls *tls)
{
    if (tls == NULL)
        return;
    SSL_free(tls->ssl);
    free(tls);
}

bool http_tls_feed(struct http_tls *tls, const void *data, size_t size_bytes)
{
    return size_bytes <= INT_MAX && BIO_write(tls->in, data, (int)size_bytes) == (int)size_bytes;
}

bool http_tls_read(struct http_tls *tls, void *data, size_t size_bytes, size_t *ret_size_bytes)
{
    ERR_clear_error();
    int n = SSL_read(tls->ssl, data, size_bytes > INT_MAX ? INT_MAX : (int)size_bytes);
    *ret_size_bytes = n > 0 ? (size_t)n : 0;
    if (n > 0)
        return true;
    int error = SSL_get_error(tls->ssl, n);
    ERR_clear_error();
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

bool http_tls_write(struct http_tls *tls, const void *data, size_t size_bytes)
{
    ERR_clear_error();
    bool is_done =
        size_bytes == 0 || (size_bytes <= INT_MAX && SSL_is_init_finished(tls->ssl) &&
                            SSL_write(tls->ssl, data, (int)size_bytes) == (int)size_bytes);
    ERR_clear_error();
    return is_done;
}

void http_tls_end(struct http_tls *tls)
{
    if (SSL_is_init_finished(tls->ssl))
        (void)SSL_shutdown(tls->ssl);
    ERR_clear_error();
}

bool http_tls_take(struct http_tls *tls, struct buffer *ret)
{
    char *data = NULL;
    long size_bytes = BIO_get_mem_data(tls->out, &data);
    if (size_bytes > 0 && buffer_append(ret, data, (size_t)size_bytes) != MODEL_OK)
        return false;
    (void)BIO_reset(tls->out);
    return true;
}
