/* serve_settings.c - see serve_settings.h. */
#include "serve_settings.h"
#include "errors.h"
#include "hub.h"
#include "hub_environment.h"
#include "human_text.h"
#include "mirror_catalog.h"
#include "mirror_tokens.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_PORT            8080
#define DEFAULT_PER_ADDRESS     512
#define DEFAULT_KEEP            "100G"
#define MAX_CONNECTIONS_AT_MOST 100000

static bool read_options(int argc, char **argv, struct serve_settings *s)
{
    const struct command_option table[] = {
        {.name = "host", .text = &s->host},
        {.name = "port", .integer = &s->port, .max = UINT16_MAX},
        {.name = "token", .text = &s->token},
        {.name = "token-file", .list = &s->token_files},
        {.name = "anonymous", .flag = &s->is_open},
        {.name = "gated", .list = &s->gated},
        {.name = "alias", .list = &s->aliases},
        {.name = "page-size", .integer = &s->page_size, .min = 1, .max = 1000000},
        {.name = "max-per-address",
         .integer = &s->max_per_address,
         .min = 1,
         .max = MAX_CONNECTIONS_AT_MOST},
        {.name = "cert", .text = &s->certificate},
        {.name = "key", .text = &s->key},
        {.name = "access-log", .text = &s->access_log},
        {.name = "access-format", .text = &s->access_format},
        {.name = "upstream", .text = &s->upstream},
        {.name = "upstream-token-file", .text = &s->upstream_token_file},
        {.name = "upstream-keep", .text = &s->upstream_keep},
        {.name = "fault", .list = &s->faults},
        {.name = "verbose", .flag = &s->is_verbose, .letter = 'v'},
        {.name = "quiet", .flag = &s->is_quiet, .letter = 'q'},
        {.name = NULL},
    };
    return command_read_options(argc, argv, table);
}

/* "old=ns/new". */
static int read_aliases(struct serve_settings *s)
{
    for (size_t i = 0; i < s->aliases.n_values; i++) {
        const char *text = s->aliases.values[i], *equals = strchr(text, '=');
        if (equals == NULL || equals == text || equals[1] == '\0')
            return command_usage("serve", "--alias wants OLD=OWNER/NAME, but got '%s'", text);
        char *copy = s->alias_texts[i] = strdup(text);
        struct model_error err = MODEL_ERROR_INIT;
        if (copy == NULL)
            return command_fail(error_no_memory(&err, "an alias"), &err);
        copy[equals - text] = '\0';
        s->alias_pairs[i] = (struct mirror_alias){copy, copy + (equals - text) + 1};
    }
    return 0;
}

static int read_tokens(struct serve_settings *s)
{
    struct model_error err = MODEL_ERROR_INIT;
    if (s->token != NULL && s->token[0] == '\0')
        return command_usage("serve", "--token wants a token that is not empty");
    model_status status = mirror_tokens_create(&s->tokens, &err);
    if (status == MODEL_OK && s->token != NULL)
        status = mirror_tokens_add(s->tokens, "token", s->token, &err);
    for (size_t i = 0; status == MODEL_OK && i < s->token_files.n_values; i++)
        status = mirror_tokens_read(s->tokens, s->token_files.values[i], &err);
    if (status == MODEL_OK && s->upstream != NULL)
        status = hub_endpoint_normalize(s->upstream, &s->upstream_url, &err);
    if (status == MODEL_OK && s->upstream_token_file != NULL)
        status = hub_token_read(s->upstream_token_file, &s->upstream_token, &err);
    if (status == MODEL_OK && s->upstream_token != NULL)
        status = hub_check_token(s->upstream_token, &err);
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}

static int check(const struct serve_settings *s, int n_arguments)
{
    if (n_arguments != 1)
        return command_usage("serve", "wants one folder or file to serve, got %d", n_arguments);
    if ((s->certificate == NULL) != (s->key == NULL))
        return command_usage("serve", "--cert and --key belong together");
    if (s->access_format != NULL && strcmp(s->access_format, "common") != 0 &&
        strcmp(s->access_format, "json") != 0)
        return command_usage("serve", "--access-format wants common or json, but got '%s'",
                             s->access_format);
    if (s->is_open && s->token == NULL && s->token_files.n_values == 0)
        return command_usage("serve", "--anonymous says nothing without --token or --token-file");
    if (s->upstream == NULL && s->upstream_keep != NULL)
        return command_usage("serve", "--upstream-keep says nothing without --upstream");
    return 0;
}

static int read_sizes(struct serve_settings *s)
{
    const char *text = s->upstream_keep != NULL ? s->upstream_keep : DEFAULT_KEEP;
    if (!human_size_read(text, &s->upstream_keep_bytes))
        return command_usage("serve", "--upstream-keep is '%s', want bytes, such as 500M or 2T",
                             text);
    return 0;
}

static void fill_options(struct serve_settings *s, const char *folder)
{
    s->mirror = (struct mirror_options){.folder = folder,
                                        .tokens = s->tokens,
                                        .is_open = s->is_open,
                                        .aliases = s->alias_pairs,
                                        .n_aliases = s->aliases.n_values,
                                        .gated = s->gated.values,
                                        .n_gated = s->gated.n_values,
                                        .faults = s->faults.values,
                                        .n_faults = s->faults.n_values,
                                        .upstream = s->upstream_url,
                                        .upstream_token = s->upstream_token,
                                        .upstream_keep_bytes = s->upstream_keep_bytes,
                                        .page_size = (size_t)s->page_size};
}

int serve_settings_read(int argc, char **argv, struct serve_settings *settings)
{
    size_t n = (size_t)argc;
    struct command_list *const lists[] = {&settings->token_files, &settings->gated,
                                          &settings->aliases, &settings->faults};
    *settings =
        (struct serve_settings){.port = DEFAULT_PORT, .max_per_address = DEFAULT_PER_ADDRESS};
    bool has_room = true;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        has_room = (lists[i]->values = calloc(n, sizeof(char *))) != NULL && has_room;
    settings->alias_pairs = calloc(n, sizeof *settings->alias_pairs);
    settings->alias_texts = calloc(n, sizeof(char *));
    struct model_error err = MODEL_ERROR_INIT;
    if (!has_room || settings->alias_pairs == NULL || settings->alias_texts == NULL)
        return command_fail(error_no_memory(&err, "the command line"), &err);
    if (!read_options(argc, argv, settings))
        return COMMAND_USAGE;
    settings->wants_fault_help =
        settings->faults.n_values == 1 && strcmp(settings->faults.values[0], "help") == 0;
    int code = settings->wants_fault_help ? 0 : check(settings, argc - optind);
    if (code == 0)
        code = read_sizes(settings);
    if (code == 0)
        code = read_aliases(settings);
    if (code == 0)
        code = read_tokens(settings);
    if (code == 0)
        fill_options(settings, argv[optind]);
    return code;
}

void serve_settings_finish(struct serve_settings *settings)
{
    for (size_t i = 0; settings->alias_texts != NULL && i < settings->aliases.n_values; i++)
        free(settings->alias_texts[i]);
    free(settings->alias_texts);
    free(settings->alias_pairs);
    free(settings->token_files.values);
    free(settings->gated.values);
    free(settings->aliases.values);
    free(settings->faults.values);
    free(settings->upstream_url);
    free(settings->upstream_token);
    mirror_tokens_destroy(settings->tokens);
    *settings = (struct serve_settings){0};
}
