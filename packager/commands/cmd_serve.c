/* cmd_serve.c - `pkgmgr serve`: the mirror on an HTTP server, until a signal ends it. */
#include "buffer.h"
#include "commands.h"
#include "errors.h"
#include "http_server.h"
#include "http_tls.h"
#include "mirror.h"
#include "mirror_access_log.h"
#include "mirror_fault.h"
#include "mirror_tokens.h"
#include "serve_settings.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <uv.h>

#define MAX_CONNECTIONS 4096
#define OTHER_FDS       64
#define DRAIN_MS        10000 /* for replies that are under way at a signal */

const char help_serve[] =
    "usage: pkgmgr serve DIR|STORE|FILE.mhp [OPTION]...\n\n"
    "Serves the models of a folder as huggingface.co does: DIR/OWNER/NAME/..., and DIR/NAME/... where\n"
    "a config.json or weights lie in it. Clients need HF_ENDPOINT set to the address that is printed.\n"
    "Of a store, the packages are served as the repositories that they came from, and so is a package in\n"
    "one file, of which nothing is unpacked to disk.\n"
    "Files are read when first asked for; hidden ones and links that leave DIR are not served.\n"
    "Ends on SIGINT or SIGTERM, when what is under way is done, after 10 s at the latest.\n\n"
    "  --port N          listen there; 0 takes any free one (default: 8080)\n"
    "  --host H          listen on that address (default: 127.0.0.1, this machine alone)\n"
    "  --token T         requests must carry this token\n"
    "  --token-file F    requests must carry one of the tokens of this file, lines of\n"
    "                    NAME TOKEN [ID]...: the ids are the gated repositories that the token\n"
    "                    opens, '*' is all of them; may be repeated\n"
    "  --anonymous       what is not gated needs no token all the same\n"
    "  --gated ID        files of that repository want a token that opens it; may be repeated\n"
    "  --alias OLD=ID    answer to an old name, too; may be repeated. A bare NAME leads to the only\n"
    "                    OWNER/NAME by itself\n"
    "  --page-size N     items of a listing's page at most (default: 1000)\n"
    "  --max-per-address N  connections from one address at most (default: 512)\n"
    "  --cert F --key F  https, with this certificate and its chain, and its key, in PEM\n"
    "  --upstream URL    what is not in DIR comes from this hub, is checked, and kept below DIR/.pulled;\n"
    "                    when that hub is out of reach, what was kept is served. If DIR is a store,\n"
    "                    a model that was fetched whole becomes a package there\n"
    "  --upstream-keep SIZE  keep so much below DIR/.pulled, 500M or 2T (default: 100G); what was not\n"
    "                    used for the longest time goes first\n"
    "  --upstream-token-file F  the token for that hub. Whoever may ask here gets what it may read\n"
    "  --access-log F    a line for each request into this file, - is stdout\n"
    "  --access-format FORMAT  of these lines: common (default) or json\n"
    "  --fault MODE[=N]  for tests of downloaders: go wrong on purpose; may be repeated. --fault help\n"
    "                    lists the modes\n"
    "  -v, --verbose     one line to stderr for each request\n"
    "  -q, --quiet       warnings only\n";

struct service {
    uv_loop_t loop;
    uv_signal_t signals[2];
    struct http_server *server, *cdn; /* cdn: for faults */
    struct http_tls_context *tls;     /* NULL: none */
    struct mirror_access_log *access_log;
    struct mirror *mirror;
};

static int print_faults(void)
{
    const char *line;
    printf("faults that `pkgmgr serve --fault MODE[=N]` makes; N may be 'always':\n\n");
    for (size_t i = 0; (line = mirror_fault_help(i)) != NULL; i++)
        printf("%s", line);
    return 0;
}

/* ---- the service */

/* [any-thread] */
static void write_log(void *context, int32_t level, const char *message)
{
    (void)context;
    fprintf(stderr, "pkgmgr serve: %s%s\n", level == MODEL_LOG_WARN ? "warning: " : "", message);
}

static void on_mirror_closed(void *context)
{
    struct service *service = context;
    http_tls_context_destroy(service->tls);
    mirror_access_log_close(service->access_log);
}

static void on_server_closed(void *context)
{
    struct service *service = context;
    mirror_close(service->mirror, on_mirror_closed, service);
}

static void on_cdn_closed(void *context)
{
    struct service *service = context;
    http_server_end(service->server, DRAIN_MS, on_server_closed, service);
}

/* Ends whatever has been started. The signals are given back, so that a second one ends the process as
 * usual. */
static void end_service(struct service *service)
{
    for (size_t i = 0; i < 2; i++)
        if (service->signals[i].data != NULL && !uv_is_closing((uv_handle_t *)&service->signals[i]))
            uv_close((uv_handle_t *)&service->signals[i], NULL);
    if (service->cdn != NULL)
        http_server_end(service->cdn, DRAIN_MS, on_cdn_closed, service);
    else if (service->server != NULL)
        http_server_end(service->server, DRAIN_MS, on_server_closed, service);
    service->cdn = NULL;
}

static void on_signal(uv_signal_t *handle, int signal_number)
{
    (void)signal_number;
    end_service(handle->data);
}

/* Before anything listens: what a signal is to end is there when the loop runs, and tells of it. */
static model_status catch_signals(struct service *service, struct model_error *err)
{
    static const int numbers[2] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < 2; i++) {
        int code = uv_signal_init(&service->loop, &service->signals[i]);
        service->signals[i].data = code == 0 ? service : NULL;
        if (code == 0)
            code = uv_signal_start(&service->signals[i], on_signal, numbers[i]);
        if (code != 0)
            return error_set_errno(err, -code, "cannot watch for signals");
    }
    return MODEL_OK;
}

/* A connection may need two descriptors: raises the soft limit towards the hard one, and returns how
 * many connections fit. */
static size_t make_room(void)
{
    struct rlimit limit;
    rlim_t wanted = 2 * MAX_CONNECTIONS + OTHER_FDS;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        (void)getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur >= wanted)
        return MAX_CONNECTIONS;
    return limit.rlim_cur > OTHER_FDS + 2 ? (size_t)(limit.rlim_cur - OTHER_FDS) / 2 : 1;
}

static bool is_loopback(const char *url)
{
    const char *host = strstr(url, "://");
    return host != NULL && (strncmp(host, "://127.", 7) == 0 || strncmp(host, "://[::1]", 8) == 0);
}

static void warn(const struct service *service, const struct serve_settings *settings,
                 const struct log_sink *log)
{
    const char *url = http_server_url(service->server);
    if (mirror_n_repositories(service->mirror) == 0 && settings->mirror.upstream == NULL)
        log_write(log, MODEL_LOG_WARN,
                  "no model in %s yet: want %s/OWNER/NAME/..., or %s/NAME/... with a config.json",
                  settings->mirror.folder, settings->mirror.folder, settings->mirror.folder);
    if (mirror_tokens_count(settings->mirror.tokens) == 0 && !is_loopback(url))
        log_write(log, MODEL_LOG_WARN, "whoever can reach %s can read these models: see --token",
                  url);
}

static model_status open_files(struct service *service, const struct serve_settings *settings,
                               struct model_error *err)
{
    bool is_json = settings->access_format != NULL && strcmp(settings->access_format, "json") == 0;
    model_status status = MODEL_OK;
    if (settings->certificate != NULL)
        status = http_tls_context_create(settings->certificate, settings->key, &service->tls, err);
    if (status == MODEL_OK && settings->access_log != NULL)
        status = mirror_access_log_open(settings->access_log, is_json, &service->access_log, err);
    return status;
}

/* A content network for faults listens on any free port. */
static model_status start_cdn(struct service *service, struct http_server_options options,
                              struct model_error *err)
{
    if (!mirror_wants_cdn(service->mirror))
        return MODEL_OK;
    options.port = 0;
    options.handle = mirror_handle_cdn;
    model_status status = http_server_create(&service->loop, &options, &service->cdn, err);
    if (status == MODEL_OK)
        mirror_set_cdn(service->mirror, http_server_url(service->cdn));
    return status;
}

/* The mirror's address, and that of the content network on a second line. */
static model_status print_urls(const struct service *service, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(512);
    model_status status = buffer_printf(&text, "%s\n", http_server_url(service->server));
    if (status == MODEL_OK && service->cdn != NULL)
        status = buffer_printf(&text, "%s\n", http_server_url(service->cdn));
    if (status == MODEL_OK)
        status = command_print(text.data, err);
    buffer_finish(&text);
    return status;
}

static model_status start(struct service *service, const struct serve_settings *settings,
                          const struct log_sink *log, struct model_error *err)
{
    struct http_server_options options = {.host = settings->host,
                                          .port = (uint16_t)settings->port,
                                          .handle = mirror_handle,
                                          .finished = mirror_finished,
                                          .log = log,
                                          .max_connections = make_room(),
                                          .max_connections_per_address =
                                              (size_t)settings->max_per_address};
    struct mirror_options mirror = settings->mirror;
    model_status status = open_files(service, settings, err);
    options.tls = service->tls;
    mirror.log = log;
    mirror.access_log = service->access_log;
    if (status == MODEL_OK)
        status = mirror_create(&service->loop, &mirror, &service->mirror, err);
    if (status != MODEL_OK) {
        on_mirror_closed(service);
        return status;
    }
    options.context = service->mirror;
    status = http_server_create(&service->loop, &options, &service->server, err);
    if (status != MODEL_OK)
        goto fail;
    status = start_cdn(service, options, err);
    if (status != MODEL_OK)
        return status;
    warn(service, settings, log);
    return print_urls(service, err);

fail:
    mirror_close(service->mirror, on_mirror_closed, service);
    return status;
}

/* "give another port" in this command's words. */
static void name_option(struct model_error *err)
{
    static const char from[] = "give another port, or 0";
    char *at = strstr(err->message, from);
    char rest[MODEL_ERROR_BYTES];
    if (at == NULL)
        return;
    (void)snprintf(rest, sizeof rest, "give another --port, or 0%s", at + sizeof from - 1);
    (void)snprintf(at, sizeof err->message - (size_t)(at - err->message), "%s", rest);
}

static int serve(const struct serve_settings *settings)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct service service = {.server = NULL};
    struct log_sink log = {.level = settings->is_quiet     ? MODEL_LOG_WARN
                                    : settings->is_verbose ? MODEL_LOG_DEBUG
                                                           : MODEL_LOG_INFO,
                           .write = write_log};
    int loop_code = uv_loop_init(&service.loop);
    if (loop_code != 0)
        return command_fail(error_set_errno(&err, -loop_code, "cannot make an event loop"), &err);
    model_status status = catch_signals(&service, &err);
    if (status == MODEL_OK)
        status = start(&service, settings, &log, &err);
    if (status != MODEL_OK)
        end_service(&service);
    (void)uv_run(&service.loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&service.loop);
    if (status == MODEL_OK)
        return 0;
    name_option(&err);
    if (status == MODELHOST_NETWORK)
        error_advise(&err, "give --host an address of this machine");
    return command_fail(status, &err);
}

int cmd_serve(int argc, char **argv)
{
    struct serve_settings settings;
    int code = serve_settings_read(argc, argv, &settings);
    if (code == 0)
        code = settings.wants_fault_help ? print_faults() : serve(&settings);
    serve_settings_finish(&settings);
    return code;
}
