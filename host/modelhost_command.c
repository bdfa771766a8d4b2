/* modelhost_command.c - the modelhost command: its table of subcommands. */
#include "environment.h"
#include "modelhost_commands.h"
#include "openmp.h"

#include <stdlib.h>

static const struct command commands[] = {
    {"run", cmd_run, "run texts, images or tensors through a model", cmd_run_help},
    {"serve", cmd_serve_models, "serve models over HTTP", cmd_serve_models_help},
    {"tokenize", cmd_tokenize, "show what the tokenizer makes of a text", cmd_tokenize_help},
    {"preprocess", cmd_preprocess, "write the pixel_values that images become",
     cmd_preprocess_help},
    {"plugins", cmd_plugins, "list the plugins that can be found", cmd_plugins_help},
    {"explain", cmd_explain, "tell which plugin a package would use, and why", cmd_explain_help},
    {"config", cmd_config, "check a file of options, or list what may stand in one",
     cmd_config_help},
    {"worker", cmd_worker, NULL, cmd_worker_help},
    {"metrics", cmd_metrics, "print what a host counts and measures", cmd_metrics_help},
    {"bench", cmd_bench, "measure how fast a model is here", cmd_bench_help},
    {"quantize", cmd_quantize, "measure what fewer bits cost, and keep a report",
     cmd_quantize_help},
    {"check-plugin", cmd_check_plugin, "run the checks of a conformance run on a plugin",
     cmd_check_plugin_help},
    {"quarantine", cmd_quarantine, "list or clear the plugins that are not opened",
     cmd_quarantine_help},
    {.name = NULL},
};

int main(int argc, char **argv)
{
    static const struct command_choice choices[] = {
        {"isolation", "inproc worker"},
        {"loading", "mapped eager streaming lazy"},
        {"verification", "checksum standard paranoid"},
        {"task", "embed fill-mask classify token-classify question generate"},
        {"load-policy", "any conformant"},
        {"log-format", "text json"},
        {"dtype", "f32 bf16 int8 int4 auto"},
        {NULL, NULL},
    };
    static const struct program program = {
        "modelhost", "Runs machine-learning models that pkgmgr keeps as packages.", commands,
        choices};
    /* libgomp is opened later (host/openmp.h). */
    if (environment_value("OMP_WAIT_POLICY") == NULL)
        (void)setenv("GOMP_SPINCOUNT", OPENMP_SPIN_COUNT, 0);
    return command_main(&program, argc, argv);
}
