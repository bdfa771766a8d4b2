/* cmd_doctor.c - `pkgmgr doctor`. */
#include "command_trust.h"
#include "commands.h"
#include "environment.h"
#include "errors.h"
#include "health.h"
#include "hub_cache.h"
#include "hub_environment.h"
#include "hub_url.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

const char help_doctor[] =
    "usage: pkgmgr doctor [OPTION]...\n\n"
    "Looks whether everything is there that packages need to come, stay and run: the store and its\n"
    "disk, the hub, the token, the clock, plugins, modelhost and trusted keys. One line for each check,\n"
    "and one with what to do where something is wrong. The exit code is 0 unless a check failed; then\n"
    "it is that of the first that did, as another command would have it (5: network, 4: token,\n"
    "8: disk, ...).\n\n"
    "  --endpoint URL     the hub (default: HF_ENDPOINT, or https://huggingface.co)\n"
    "  --cacert FILE      certificates to trust instead of the system's (default: SSL_CERT_FILE)\n"
    "  --store DIR        where packages live (default: MODELHOST_STORE, or ~/.cache/modelhost)\n"
    "  --plugin-path P    folders with plugins, separated by ':' (default: MODELHOST_PLUGIN_PATH)\n"
    "  --json             print the findings as a JSON array\n"
    "  -q, --quiet        only what is wrong\n";

struct doctor {
    const char *endpoint, *ca_file, *store_dir, *plugin_path;
    bool as_json, quiet;
    json_node *array;          /* as_json */
    model_status first_failed; /* MODEL_OK: none */
};

static const char *word_of(enum health_verdict verdict)
{
    static const char *const words[] = {"ok", "skipped", "warning", "FAILED"};
    return words[verdict];
}

static void take(void *context, const struct health_finding *finding)
{
    struct doctor *doctor = context;
    if (finding->verdict == HEALTH_FAILED && doctor->first_failed == MODEL_OK)
        doctor->first_failed = finding->status != MODEL_OK ? finding->status : MODEL_INTERNAL;
    if (doctor->as_json) {
        json_node *item = json_add_object(doctor->array, NULL);
        (void)json_add_string(item, "check", finding->name);
        (void)json_add_string(item, "verdict",
                              finding->verdict == HEALTH_FAILED ? "failed"
                                                                : word_of(finding->verdict));
        (void)json_add_string(item, "text", finding->text);
        if (finding->remedy[0] != '\0')
            (void)json_add_string(item, "remedy", finding->remedy);
    } else if (!doctor->quiet || finding->verdict >= HEALTH_WARNING) {
        printf("%-8s %-10s %s%s%s\n", word_of(finding->verdict), finding->name, finding->text,
               finding->remedy[0] != '\0' ? "; " : "", finding->remedy);
        (void)fflush(stdout);
    }
}

static model_status check_hub(const struct doctor *doctor, struct hub_environment *environment,
                              const struct health_report *report, struct model_error *err)
{
    struct hub_http *http = NULL;
    char *endpoint = NULL;
    const struct hub_http_options options = {
        .ca_file = doctor->ca_file != NULL ? doctor->ca_file : environment->ca_file};
    model_status status = hub_endpoint_normalize(
        doctor->endpoint != NULL ? doctor->endpoint : environment->endpoint, &endpoint, err);
    if (status == MODEL_OK && !environment->offline)
        status = hub_environment_read_token(environment, err);
    if (status == MODEL_OK)
        status = hub_http_create(&options, &http, err);
    if (status == MODEL_OK)
        health_check_hub(&(struct health_hub){.endpoint = endpoint,
                                              .token = environment->token,
                                              .offline = environment->offline,
                                              .transport = hub_http_transport(http),
                                              .now_s = (int64_t)time(NULL)},
                         report);
    hub_http_destroy(http);
    free(endpoint);
    return status;
}

static void check_trust(const struct health_report *report)
{
    struct key_store keys = {0};
    struct model_error err = MODEL_ERROR_INIT;
    model_status status = command_key_store(&keys, &err);
    if (status == MODEL_OK)
        health_check_trust(keys.trusted_path, report);
    else
        health_say(report, "trust", HEALTH_FAILED, status, NULL, "%s", err.message);
    key_store_finish(&keys);
}

static void look(const struct doctor *doctor, const struct health_report *report)
{
    struct hub_environment environment = {0};
    struct model_error err = MODEL_ERROR_INIT;
    char *modelhost = NULL;
    model_status status = hub_environment_read(&environment, &err);
    if (status != MODEL_OK) {
        health_say(report, "settings", HEALTH_FAILED, status, NULL, "%s", err.message);
        return;
    }
    health_check_store(doctor->store_dir != NULL ? doctor->store_dir : environment.store_dir,
                       report);
    status = check_hub(doctor, &environment, report, &err);
    if (status != MODEL_OK)
        health_say(report, "settings", HEALTH_FAILED, status, NULL, "%s", err.message);
    status = environment_worker_path(&modelhost, &err);
    if (status == MODEL_OK)
        health_check_plugins(doctor->plugin_path != NULL ? doctor->plugin_path
                                                         : environment.plugin_path,
                             modelhost, report);
    else
        health_say(report, "modelhost", HEALTH_FAILED, status, NULL, "%s", err.message);
    free(modelhost);
    check_trust(report);
    hub_environment_finish(&environment);
}

int cmd_doctor(int argc, char **argv)
{
    struct doctor doctor = {.first_failed = MODEL_OK};
    struct model_error err = MODEL_ERROR_INIT;
    const struct health_report report = {take, &doctor};
    const struct command_option table[] = {{"endpoint", .text = &doctor.endpoint},
                                           {"cacert", .text = &doctor.ca_file},
                                           {"store", .text = &doctor.store_dir},
                                           {"plugin-path", .text = &doctor.plugin_path},
                                           {"json", .flag = &doctor.as_json},
                                           {"quiet", .flag = &doctor.quiet, .letter = 'q'},
                                           {.name = NULL}};
    if (!command_read_options(argc, argv, table))
        return COMMAND_USAGE;
    if (optind < argc)
        return command_usage("doctor", "takes no argument, got '%s'", argv[optind]);
    doctor.array = json_new_array();
    look(&doctor, &report);
    model_status status = doctor.as_json ? command_print_json(doctor.array, &err) : MODEL_OK;
    json_free(doctor.array);
    if (status != MODEL_OK)
        return command_fail(status, &err);
    return doctor.first_failed != MODEL_OK ? status_exit_code(doctor.first_failed) : 0;
}
