/* embed.c - the shortest useful program: get a model from a hub, open it, ask it.
 *
 *   cc embed.c $(pkg-config --cflags --libs modelhost) -o embed
 *   ./embed google-bert/bert-base-uncased "Paris is the [MASK] of France."
 */
#include <modelhost.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    const char *id = argc > 1 ? argv[1] : "google-bert/bert-base-uncased";
    const char *question = argc > 2 ? argv[2] : "Paris is the [MASK] of France.";
    struct modelhost_text text = {sizeof text, question, strlen(question), NULL, 0};
    struct model_error err = {sizeof err, ""};
    struct modelhost *host = NULL;
    struct modelhost_model *model = NULL;
    struct modelhost_result *result = NULL;

    if (modelhost_download(id, NULL, &err) == MODEL_OK &&
        modelhost_create(NULL, &host, &err) == MODEL_OK &&
        modelhost_load(host, id, &model, &err) == MODEL_OK &&
        modelhost_run_text(model, &text, 1, NULL, &result, &err) == MODEL_OK)
        puts(modelhost_result_json(result));
    else
        fprintf(stderr, "embed: %s\n", err.message);

    modelhost_result_destroy(result);
    modelhost_release(model);
    modelhost_destroy(host);
    return result != NULL ? 0 : 1;
}
