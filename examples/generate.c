/* generate.c - a program that goes on with a text, and shows it while it is made.
 *
 *   cc generate.c $(pkg-config --cflags --libs modelhost) -o generate
 *   ./generate openai-community/gpt2 "Once upon a time"
 */
#include <modelhost.h>
#include <stdio.h>
#include <string.h>

/* Whole characters only; on the thread that computes, so keep it short. */
static void show(void *context, const struct modelhost_token *token)
{
    fwrite(token->text, 1, token->text_bytes, context);
    fflush(context);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "openai-community/gpt2";
    const char *text = argc > 2 ? argv[2] : "Once upon a time";
    struct modelhost_prompt prompt = {sizeof prompt, text, strlen(text), NULL, 0};
    struct modelhost_generation generation = MODELHOST_GENERATION_INIT;
    struct model_error err = {sizeof err, ""};
    struct modelhost *host = NULL;
    struct modelhost_model *model = NULL;
    struct modelhost_result *result = NULL;

    generation.temperature = 0.8;
    generation.on_token = show;
    generation.context = stdout;
    if (modelhost_download(name, NULL, &err) == MODEL_OK &&
        modelhost_create(NULL, &host, &err) == MODEL_OK &&
        modelhost_load(host, name, &model, &err) == MODEL_OK &&
        modelhost_generate(model, &prompt, 1, &generation, NULL, &result, &err) == MODEL_OK)
        puts("");
    else
        fprintf(stderr, "generate: %s\n", err.message);

    modelhost_result_destroy(result);
    modelhost_release(model);
    modelhost_destroy(host);
    return result != NULL ? 0 : 1;
}
