/* hub.c - see hub.h: the calls of a hub, made of hub_get(), and the addresses they go to. */
#include "hub_private.h"
#include "clock.h"
#include "errors.h"
#include "hub_answers.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_TOKEN_BYTES 4096

static void sleep_really(void *context, int64_t ms)
{
    struct timespec wait = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    (void)context;
    (void)nanosleep(&wait, NULL);
}

static int64_t real_now_s(void *context)
{
    (void)context;
    return (int64_t)time(NULL);
}

static int64_t real_now_ms(void *context)
{
    (void)context;
    return clock_now_ns() / NS_PER_MS;
}

model_status hub_check_token(const char *token, struct model_error *err)
{
    size_t n = 0;
    for (; token[n] > 0x20 && token[n] < 0x7f && n <= MAX_TOKEN_BYTES; n++)
        continue;
    if (n == 0 || token[n] != '\0')
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "the hub's token is not one: want up to %d printable characters without "
                         "spaces (a token is not shown here)",
                         MAX_TOKEN_BYTES);
    return MODEL_OK;
}

model_status hub_create(const struct hub_config *config, struct hub **ret, struct model_error *err)
{
    struct hub *hub = calloc(1, sizeof *hub);
    if (hub == NULL)
        return error_no_memory(err, "the hub client");
    hub->config = *config;
    if (hub->config.stall_timeout_ms <= 0)
        hub->config.stall_timeout_ms = HUB_STALL_TIMEOUT_MS;
    hub->clock = config->clock != NULL
                     ? *config->clock
                     : (struct hub_clock){sleep_really, real_now_s, real_now_ms, NULL};
    model_status status = hub_endpoint_normalize(config->endpoint, &hub->endpoint, err);
    if (status == MODEL_OK)
        status = hub_url_parse(hub->endpoint, &hub->origin, NULL, err);
    if (status == MODEL_OK && config->token != NULL)
        status = hub_check_token(config->token, err);
    if (status == MODEL_OK && config->transport == NULL)
        status = hub_http_create(&config->http, &hub->http, err);
    if (status != MODEL_OK) {
        hub_destroy(hub);
        return status;
    }
    hub->transport = config->transport != NULL ? *config->transport : hub_http_transport(hub->http);
    *ret = hub;
    return MODEL_OK;
}

void hub_destroy(struct hub *hub)
{
    if (hub == NULL)
        return;
    hub_http_destroy(hub->http);
    free(hub->endpoint);
    free(hub);
}

const char *hub_endpoint(const struct hub *hub)
{
    return hub->endpoint;
}

/* ---- JSON answers are small enough to be held in memory */

static model_status restart_text(void *context, struct model_error *err)
{
    (void)err;
    buffer_clear(context);
    return MODEL_OK;
}

static model_status write_text(void *context, const void *data, size_t size_bytes,
                               struct model_error *err)
{
    struct buffer *text = context;
    model_status status = buffer_append(text, data, size_bytes);
    if (status == MODEL_INVALID_ARGUMENT)
        return error_set(err, MODEL_CORRUPT,
                         "the hub's answer is longer than %zu bytes; is this a hub?",
                         text->max_bytes);
    return status == MODEL_OK ? MODEL_OK : error_no_memory(err, "the hub's answer");
}

/* GETs an answer into text; *ret_link (may be NULL) is its Link header, to be freed. */
static model_status get_text(struct hub *hub, const struct hub_request *request,
                             struct buffer *text, char **ret_link, struct model_error *err)
{
    struct hub_receiver receiver = {restart_text, write_text, text};
    struct hub_response response;
    struct hub_request limited = *request;
    limited.timeout_ms = HUB_TEXT_TIMEOUT_MS;
    model_status status = hub_get(hub, &limited, &receiver, &response, NULL, err);
    if (status != MODEL_OK)
        return status;
    if (ret_link != NULL) {
        *ret_link = response.headers[HUB_LINK];
        response.headers[HUB_LINK] = NULL;
    }
    hub_response_finish(&response);
    return MODEL_OK;
}

/* endpoint + parts; the revision as one segment, the tail as a path. To be freed. */
static model_status make_url(const struct hub *hub, const char *prefix, const char *id,
                             const char *verb, const char *revision, const char *tail, char **ret,
                             struct model_error *err)
{
    struct buffer url = BUFFER_INIT(HUB_MAX_URL_BYTES - 1);
    model_status status = buffer_printf(&url, "%s%s%s%s", hub->endpoint, prefix, id, verb);
    if (status == MODEL_OK)
        status = hub_url_escape(&url, revision, false);
    if (status == MODEL_OK && tail[0] != '\0' && tail[0] != '?')
        status = buffer_append_text(&url, "/");
    if (status == MODEL_OK)
        status = tail[0] == '?' ? buffer_append_text(&url, tail) : hub_url_escape(&url, tail, true);
    char *text = status == MODEL_OK ? buffer_take(&url) : NULL;
    buffer_finish(&url);
    if (text == NULL)
        return status == MODEL_INVALID_ARGUMENT
                   ? error_set(err, MODEL_INVALID_ARGUMENT,
                               "the address of '%s' at revision '%.100s' is too long", id, revision)
                   : error_no_memory(err, "a URL");
    *ret = text;
    return MODEL_OK;
}

model_status hub_find_model(struct hub *hub, const char *id, const char *revision,
                            struct hub_model *ret, struct model_error *err)
{
    struct hub_subject subject = {id, revision, NULL};
    struct buffer text = BUFFER_INIT(HUB_MAX_MODEL_BYTES);
    char *url = NULL;
    model_status status = hub_check_id(id, err);
    if (status == MODEL_OK)
        status = make_url(hub, "/api/models/", id, "/revision/", revision, "", &url, err);
    if (status == MODEL_OK)
        status =
            get_text(hub, &(struct hub_request){.url = url, .subject = &subject}, &text, NULL, err);
    if (status == MODEL_OK)
        status = hub_parse_model(text.data != NULL ? text.data : "", text.size, id, ret, err);
    free(url);
    buffer_finish(&text);
    return status;
}

/* Replaces *url by the next page's address, or by NULL at the end. */
static model_status next_page(char **url, const char *link, struct model_error *err)
{
    const char *start;
    size_t n;
    char *next = NULL;
    model_status status = MODEL_OK;
    if (link != NULL && hub_link_next(link, &start, &n)) {
        char *reference = strndup(start, n);
        status = reference == NULL ? error_no_memory(err, "a URL")
                                   : hub_url_follow(*url, reference, &next, err);
        free(reference);
    }
    free(*url);
    *url = next;
    return status;
}

/* Whether another page is asked for: a hub that always names one more must not keep us for ever. */
static model_status check_page(const struct hub *hub, const struct hub_model *model, unsigned page,
                               int64_t started_ms, struct model_error *err)
{
    if (page == HUB_MAX_PAGES)
        return error_set(err, MODEL_CORRUPT,
                         "the hub's list of files of '%s' does not end; is this a hub?", model->id);
    if (hub->clock.now_ms(hub->clock.context) - started_ms > HUB_LIST_TIMEOUT_MS)
        return error_set(err, MODELHOST_NETWORK,
                         "the hub's list of files of '%s' was not complete after %d s and %u "
                         "pages; try again later",
                         model->id, HUB_LIST_TIMEOUT_MS / 1000, page);
    return MODEL_OK;
}

model_status hub_list_files(struct hub *hub, const struct hub_model *model, struct hub_files *ret,
                            struct model_error *err)
{
    struct hub_subject subject = {model->id, model->commit, NULL};
    struct buffer text = BUFFER_INIT(HUB_MAX_PAGE_BYTES);
    struct hub_files files = {0};
    char *url = NULL;
    bool has_left = false;
    int64_t started_ms = hub->clock.now_ms(hub->clock.context);
    model_status status = make_url(hub, "/api/models/", model->id, "/tree/", model->commit,
                                   "?recursive=true&expand=false", &url, err);
    for (unsigned page = 0; status == MODEL_OK && url != NULL; page++) {
        struct hub_request request = {.url = url, .subject = &subject, .has_left = &has_left};
        char *link = NULL;
        status = check_page(hub, model, page, started_ms, err);
        if (status == MODEL_OK)
            status = get_text(hub, &request, &text, &link, err);
        if (status == MODEL_OK)
            status =
                hub_parse_tree_page(text.data != NULL ? text.data : "", text.size, &files, err);
        if (status == MODEL_OK)
            status = next_page(&url, link, err);
        free(link);
    }
    if (status == MODEL_OK)
        status = hub_files_complete(&files, err);
    free(url);
    buffer_finish(&text);
    if (status == MODEL_OK)
        *ret = files;
    else
        hub_files_finish(&files);
    return status;
}

model_status hub_file_url(const struct hub *hub, const struct hub_model *model, const char *path,
                          char **ret, struct model_error *err)
{
    return make_url(hub, "/", model->id, "/resolve/", model->commit, path, ret, err);
}

model_status hub_get_file(struct hub *hub, const struct hub_model *model, const char *path,
                          const struct hub_receiver *receiver, struct hub_digest *ret_digest,
                          struct model_error *err)
{
    struct hub_subject subject = {model->id, model->commit, path};
    struct hub_response response;
    char *url = NULL;
    model_status status = hub_file_url(hub, model, path, &url, err);
    if (status == MODEL_OK)
        status = hub_get(hub, &(struct hub_request){.url = url, .subject = &subject}, receiver,
                         &response, ret_digest, err);
    if (status == MODEL_OK)
        hub_response_finish(&response);
    free(url);
    return status;
}
