/* download_print.c - see download_print.h. */
#include "download_print.h"
#include "commands.h"
#include "errors.h"
#include "files.h"
#include "human_text.h"
#include "package_json.h"

#include <stdio.h>
#include <stdlib.h>

static const char *source_of(const struct plan_file *file)
{
    return file->in_store ? "in store" : "fetch";
}

static model_status print_plan(const struct download *download, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(64u << 20);
    char size[HUMAN_TEXT_BYTES], rest[HUMAN_TEXT_BYTES];
    const struct download_plan *plan = &download->plan;
    for (size_t i = 0; i < plan->n_files; i++)
        (void)buffer_printf(&text, "%10s  %-8s  %s\n",
                            human_size(plan->files[i].file->size_bytes, size),
                            download->present != NULL ? "in store" : source_of(&plan->files[i]),
                            plan->files[i].file->path);
    for (size_t i = 0; i < download->files.n_files; i++)
        if (download->verdicts[i] != FILE_TAKEN)
            (void)buffer_printf(&text, "%10s  %-8s  %s  (%s)\n",
                                human_size(download->files.files[i].size_bytes, size), "left out",
                                download->files.files[i].path,
                                file_verdict_reason(download->verdicts[i]));
    uint64_t fetch_bytes = download->present != NULL ? 0 : plan->fetch_bytes;
    (void)buffer_printf(&text, "%10s  in %zu files of %s@%.12s; %s to fetch\n",
                        human_size(plan->total_bytes, size), plan->n_files, download->model.id,
                        download->model.commit, human_size(fetch_bytes, rest));
    model_status status = command_print(text.data, err);
    buffer_finish(&text);
    return status;
}

static model_status print_tree(json_node *tree, struct model_error *err)
{
    char *text = command_json_text(tree);
    json_free(tree);
    if (text == NULL)
        return error_no_memory(err, "the result");
    model_status status = command_print(text, err);
    free(text);
    return status;
}

static void add_left_out(json_node *root, const struct download *download)
{
    json_node *left_out = json_add_array(root, "left_out");
    for (size_t i = 0; i < download->files.n_files; i++) {
        if (download->verdicts[i] == FILE_TAKEN)
            continue;
        json_node *item = json_add_object(left_out, NULL);
        (void)json_add_string(item, "path", download->files.files[i].path);
        (void)json_add_number(item, "size", (double)download->files.files[i].size_bytes);
        (void)json_add_string(item, "reason", file_verdict_reason(download->verdicts[i]));
    }
}

static model_status print_plan_json(const struct download *download, struct model_error *err)
{
    const struct download_plan *plan = &download->plan;
    json_node *root = json_new_object();
    (void)json_add_string(root, "id", download->model.id);
    (void)json_add_string(root, "revision", download->model.commit);
    json_node *files = json_add_array(root, "files");
    for (size_t i = 0; i < plan->n_files; i++) {
        json_node *item = json_add_object(files, NULL);
        (void)json_add_string(item, "path", plan->files[i].file->path);
        (void)json_add_number(item, "size", (double)plan->files[i].file->size_bytes);
        (void)json_add_bool(item, "in_store", download->present != NULL || plan->files[i].in_store);
    }
    add_left_out(root, download);
    (void)json_add_number(root, "total_bytes", (double)plan->total_bytes);
    (void)json_add_number(root, "fetch_bytes",
                          download->present != NULL ? 0 : (double)plan->fetch_bytes);
    return print_tree(root, err);
}

static model_status print_result_json(const struct download_result *result, struct model_error *err)
{
    struct package package = {0};
    model_status status = package_open(result->dir, NULL, &package, err);
    if (status != MODEL_OK)
        return status;
    json_node *root = json_new_object();
    (void)json_add_string(root, "id", result->id);
    (void)json_add_string(root, "revision", result->revision);
    (void)json_add_string(root, "path", result->dir);
    package_json_add_files(root, &package);
    package_json_add_plugin(root, &package);
    (void)json_add_number(root, "downloaded_bytes", (double)result->downloaded_bytes);
    (void)json_add_number(root, "reused_bytes", (double)result->reused_bytes);
    package_finish(&package);
    return print_tree(root, err);
}

static void send_done(const struct download_result *result)
{
    json_node *event = command_event("done");
    (void)json_add_string(event, "id", result->id);
    (void)json_add_string(event, "revision", result->revision);
    (void)json_add_number(event, "downloaded_bytes", (double)result->downloaded_bytes);
    (void)json_add_number(event, "reused_bytes", (double)result->reused_bytes);
    if (result->plugin_advice != NULL)
        (void)json_add_string(event, "advice", result->plugin_advice);
    command_event_send(event);
}

model_status download_print_result(const struct download_result *result, bool json, bool quiet,
                                   struct model_error *err)
{
    char size[HUMAN_TEXT_BYTES];
    if (!quiet && json) {
        send_done(result);
    } else if (!quiet) {
        fprintf(stderr, "%s@%.12s: %s downloaded", result->id, result->revision,
                human_size(result->downloaded_bytes, size));
        if (result->reused_bytes > 0)
            fprintf(stderr, ", %s in the store already", human_size(result->reused_bytes, size));
        fprintf(stderr, "\n");
    }
    if (!quiet && !json && result->plugin_advice != NULL)
        fprintf(stderr, "pkgmgr: %s\n", result->plugin_advice);
    if (json)
        return print_result_json(result, err);
    char *line = text_format("%s\n", result->dir);
    if (line == NULL)
        return error_no_memory(err, "the result");
    model_status status = command_print(line, err);
    free(line);
    return status;
}

model_status download_print_plan(const struct download *download, bool json,
                                 struct model_error *err)
{
    return json ? print_plan_json(download, err) : print_plan(download, err);
}
