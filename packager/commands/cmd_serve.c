/* cmd_serve.c - `pkgmgr serve`: the mirror on an HTTP server, until a signal ends it. */
#include "buffer.h"
#include "commands.h"
#include "errors.h"
#include "http_server.h"
#include "mirror.h"
#include "mirror_catalog.h"
#include "mirror_fault.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <uv.h>

#define MAX_NAMES       256
#define DEFAULT_PORT    8080
#define MAX_CONNECTIONS 4096
#define OTHER_FDS       64

const char help_serve[] =
    "usage: pkgmgr serve DIR [OPTION]...\n\n"
    "Serves the models of a folder as huggingface.co does: DIR/OWNER/NAME/..., and DIR/NAME/... where\n"
    "a config.json or weights lie in it. Clients need HF_ENDPOINT set to the address that is printed.\n"
    "Files are read when first asked for; hidden ones and links that leave DIR are not served.\n"
    "Ends on SIGINT or SIGTERM.\n\n"
    "  --port N          listen there; 0 takes any free one (default: 8080)\n"
    "  --host H          listen on that address (default: 127.0.0.1, this machine alone)\n"
    "  --token T         requests must carry this token\n"
    "  --gated ID        files of that repository want a token; may be repeated\n"
    "  --alias OLD=ID    answer to an old name, too; may be repeated. A bare NAME leads to the only\n"
    "                    OWNER/NAME by itself\n"
    "  --page-size N     items of a listing's page at most (default: 1000)\n"
    "  --fault MODE[=N]  for tests of downloaders: go wrong on purpose; may be repeated. --fault help\n"
    "                    lists the modes\n"
    "  -v, --verbose     one line to stderr for each request\n"
    "  -q, --quiet       warnings only\n";

enum { OPT_PORT = 256, OPT_HOST, OPT_TOKEN, OPT_GATED, OPT_ALIAS, OPT_PAGE_SIZE, OPT_FAULT };

static const struct option long_options[] = {
    {"port", required_argument, NULL, OPT_PORT},
    {"host", required_argument, NULL, OPT_HOST},
    {"token", required_argument, NULL, OPT_TOKEN},
    {"gated", required_argument, NULL, OPT_GATED},
    {"alias", required_argument, NULL, OPT_ALIAS},
    {"page-size", required_argument, NULL, OPT_PAGE_SIZE},
    {"fault", required_argument, NULL, OPT_FAULT},
    {"verbose", no_argument, NULL, 'v'},
    {"quiet", no_argument, NULL, 'q'},
    {NULL, 0, NULL, 0},
};

/* What the command line said; alias_texts owns what aliases point into. */
struct settings {
    const char *host;
    uint16_t port;
    struct mirror_options mirror;
    struct mirror_alias aliases[MAX_NAMES];
    char *alias_texts[MAX_NAMES];
    const char *gated[MAX_NAMES];
    const char *faults[MAX_NAMES];
    int32_t log_level;
};

struct service {
    uv_loop_t loop;
    uv_signal_t signals[2];
    struct http_server *server, *cdn; /* cdn: for faults */
    struct mirror *mirror;
};

/* ---- the command line */

static bool read_number(const char *text, unsigned long max, unsigned long *ret)
{
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9' || strlen(text) > 9)
        return false;
    unsigned long value = strtoul(text, &end, 10);
    if (*end != '\0' || value > max)
        return false;
    *ret = value;
    return true;
}

/* "old=ns/new". */
static int add_alias(struct settings *settings, const char *text)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text || equals[1] == '\0')
        return command_usage("serve", "--alias wants OLD=OWNER/NAME, but got '%s'", text);
    size_t n = settings->mirror.n_aliases;
    char *copy = n < MAX_NAMES ? strdup(text) : NULL;
    if (copy == NULL)
        return command_usage("serve", "more than %d aliases", MAX_NAMES);
    copy[equals - text] = '\0';
    settings->alias_texts[n] = copy;
    settings->aliases[n] = (struct mirror_alias){copy, copy + (equals - text) + 1};
    settings->mirror.n_aliases++;
    return 0;
}

static int add_gated(struct settings *settings, const char *id)
{
    if (settings->mirror.n_gated == MAX_NAMES)
        return command_usage("serve", "more than %d gated repositories", MAX_NAMES);
    settings->gated[settings->mirror.n_gated++] = id;
    return 0;
}

static int print_faults(void)
{
    const char *line;
    printf("faults that `pkgmgr serve --fault MODE[=N]` makes; N may be 'always':\n\n");
    for (size_t i = 0; (line = mirror_fault_help(i)) != NULL; i++)
        printf("%s", line);
    return 0;
}

static int add_fault(struct settings *settings, const char *text)
{
    if (settings->mirror.n_faults == MAX_NAMES)
        return command_usage("serve", "more than %d faults", MAX_NAMES);
    settings->faults[settings->mirror.n_faults++] = text;
    return 0;
}

static int take_option(struct settings *settings, int option, const char *value)
{
    unsigned long number = 0;
    switch (option) {
    case OPT_PORT:
        if (!read_number(value, UINT16_MAX, &number))
            return command_usage("serve", "--port wants a number from 0 to 65535, but got '%s'",
                                 value);
        settings->port = (uint16_t)number;
        return 0;
    case OPT_PAGE_SIZE:
        if (!read_number(value, 1000000, &number) || number == 0)
            return command_usage("serve", "--page-size wants a number from 1, but got '%s'", value);
        settings->mirror.page_size = number;
        return 0;
    case OPT_HOST:
        settings->host = value;
        return 0;
    case OPT_TOKEN:
        if (value[0] == '\0')
            return command_usage("serve", "--token wants a token that is not empty");
        settings->mirror.token = value;
        return 0;
    case OPT_GATED:
        return add_gated(settings, value);
    case OPT_ALIAS:
        return add_alias(settings, value);
    case OPT_FAULT:
        return add_fault(settings, value);
    case 'v':
        settings->log_level = MODEL_LOG_DEBUG;
        return 0;
    case 'q':
        settings->log_level = MODEL_LOG_WARN;
        return 0;
    default:
        return COMMAND_USAGE;
    }
}

static int read_command_line(int argc, char **argv, struct settings *settings)
{
    int option, code = 0;
    while (code == 0 && (option = command_next_option(argc, argv, ":vq", long_options)) != -1)
        code = take_option(settings, option, optarg);
    if (code != 0)
        return code;
    if (optind + 1 != argc &&
        !(settings->mirror.n_faults == 1 && strcmp(settings->faults[0], "help") == 0))
        return command_usage("serve", "wants one folder to serve, got %d", argc - optind);
    settings->mirror.folder = argv[optind];
    settings->mirror.aliases = settings->aliases;
    settings->mirror.gated = settings->gated;
    settings->mirror.faults = settings->faults;
    return 0;
}

/* ---- the service */

/* [any-thread] */
static void write_log(void *context, int32_t level, const char *message)
{
    (void)context;
    fprintf(stderr, "pkgmgr serve: %s%s\n", level == MODEL_LOG_WARN ? "warning: " : "", message);
}

static void on_server_closed(void *context)
{
    struct service *service = context;
    mirror_close(service->mirror, NULL, NULL);
}

/* The signals are given back, so that a second one ends the process as usual. */
static void stop(uv_signal_t *handle, int signal_number)
{
    struct service *service = handle->data;
    (void)signal_number;
    for (size_t i = 0; i < 2; i++)
        if (service->signals[i].data != NULL && !uv_is_closing((uv_handle_t *)&service->signals[i]))
            uv_close((uv_handle_t *)&service->signals[i], NULL);
    if (service->cdn != NULL)
        http_server_close(service->cdn, NULL, NULL);
    service->cdn = NULL;
    if (service->server != NULL)
        http_server_close(service->server, on_server_closed, service);
    service->server = NULL;
}

static model_status catch_signals(struct service *service, struct model_error *err)
{
    static const int numbers[2] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < 2; i++) {
        int code = uv_signal_init(&service->loop, &service->signals[i]);
        service->signals[i].data = service;
        if (code == 0)
            code = uv_signal_start(&service->signals[i], stop, numbers[i]);
        if (code != 0)
            return error_set(err, MODEL_IO, "cannot watch for signals: %s", uv_strerror(code));
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

static void warn(const struct service *service, const struct settings *settings,
                 const struct log_sink *log)
{
    const char *url = http_server_url(service->server);
    if (mirror_n_repositories(service->mirror) == 0)
        log_write(log, MODEL_LOG_WARN,
                  "no model in %s yet: want %s/OWNER/NAME/..., or %s/NAME/... with a config.json",
                  settings->mirror.folder, settings->mirror.folder, settings->mirror.folder);
    if (settings->mirror.token == NULL && strncmp(url, "http://127.", 11) != 0 &&
        strncmp(url, "http://[::1]", 12) != 0)
        log_write(log, MODEL_LOG_WARN, "whoever can reach %s can read these models: see --token",
                  url);
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

static model_status start(struct service *service, const struct settings *settings,
                          const struct log_sink *log, struct model_error *err)
{
    struct http_server_options options = {.host = settings->host,
                                          .port = settings->port,
                                          .handle = mirror_handle,
                                          .log = log,
                                          .max_connections = make_room()};
    model_status status = mirror_create(&service->loop, &settings->mirror, &service->mirror, err);
    if (status != MODEL_OK)
        return status;
    options.context = service->mirror;
    status = http_server_create(&service->loop, &options, &service->server, err);
    if (status != MODEL_OK)
        goto fail;
    status = start_cdn(service, options, err);
    if (status == MODEL_OK)
        status = catch_signals(service, err);
    if (status != MODEL_OK)
        return status;
    warn(service, settings, log);
    return print_urls(service, err);

fail:
    mirror_close(service->mirror, NULL, NULL);
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

static int serve(const struct settings *settings)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct service service = {.server = NULL};
    struct log_sink log = {.level = settings->log_level, .write = write_log};
    struct settings mine = *settings;
    mine.mirror.log = &log;
    if (uv_loop_init(&service.loop) != 0)
        return command_fail(error_no_memory(&err, "an event loop"), &err);
    model_status status = start(&service, &mine, &log, &err);
    if (status != MODEL_OK && service.server != NULL)
        stop(&service.signals[0], 0);
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
    struct settings settings = {.port = DEFAULT_PORT, .log_level = MODEL_LOG_INFO};
    int code = read_command_line(argc, argv, &settings);
    if (code == 0 && settings.mirror.n_faults == 1 && strcmp(settings.faults[0], "help") == 0)
        code = print_faults();
    else if (code == 0)
        code = serve(&settings);
    for (size_t i = 0; i < settings.mirror.n_aliases; i++)
        free(settings.alias_texts[i]);
    return code;
}
