/* print_answers.c - the answers of tasks as a person reads them. One function per shape of answer, found
 * by the member that only that shape has. */
#include "cmd_run.h"
#include "errors.h"
#include "json_view.h"

#include <stdio.h>
#include <string.h>

static const char *string_of(const json_node *node, const char *key)
{
    return json_string_or(json_member(node, key), "");
}

static double number_of(const json_node *node, const char *key)
{
    return json_number_or(json_member(node, key), 0);
}

static void print_masks(const json_node *masks)
{
    for (const json_node *mask = json_first(masks); mask != NULL; mask = json_next(mask)) {
        if (json_count(masks) > 1)
            printf("  mask at token %d\n", (int)number_of(mask, "index"));
        const json_node *candidates = json_member(mask, "candidates");
        for (const json_node *c = json_first(candidates); c != NULL; c = json_next(c))
            printf("  %6.2f %%  %-16s %s\n", 100 * number_of(c, "score"), string_of(c, "token_str"),
                   string_of(c, "sequence"));
    }
}

static void print_labels(const json_node *labels)
{
    for (const json_node *l = json_first(labels); l != NULL; l = json_next(l))
        printf("  %6.2f %%  %s\n", 100 * number_of(l, "score"), string_of(l, "label"));
}

static void print_groups(const json_node *groups)
{
    for (const json_node *g = json_first(groups); g != NULL; g = json_next(g))
        printf("  %6.2f %%  %-12s %s  [%d, %d)\n", 100 * number_of(g, "score"),
               string_of(g, "entity_group"), string_of(g, "word"), (int)number_of(g, "start"),
               (int)number_of(g, "end"));
    if (json_count(groups) == 0)
        printf("  (nothing found)\n");
}

static void print_spans(const json_node *answers)
{
    for (const json_node *a = json_first(answers); a != NULL; a = json_next(a))
        printf("  %6.2f %%  %s  [%d, %d)\n", 100 * number_of(a, "score"), string_of(a, "answer"),
               (int)number_of(a, "start"), (int)number_of(a, "end"));
}

static void print_embedding(const json_node *embedding)
{
    size_t n = json_count(embedding), i = 0;
    printf("  %zu values:", n);
    for (const json_node *v = json_first(embedding); v != NULL && i < 6; v = json_next(v), i++)
        printf(" %.4f", json_number_or(v, 0));
    printf("%s\n", n > 6 ? " ... (all with --json)" : "");
}

static const struct {
    const char *member;
    void (*print)(const json_node *node);
} shapes[] = {{"masks", print_masks},
              {"labels", print_labels},
              {"groups", print_groups},
              {"answers", print_spans},
              {"embedding", print_embedding}};

model_status print_image_answers(const char *answers, const char *const *names,
                                 struct model_error *err)
{
    json_node *root = NULL;
    model_status status = json_parse(answers, strlen(answers), "the answer", &root, err);
    if (status != MODEL_OK)
        return status;
    for (const json_node *item = json_first(root); item != NULL; item = json_next(item)) {
        printf("%s\n", *names++);
        print_labels(item);
    }
    json_free(root);
    return fflush(stdout) == 0 ? MODEL_OK
                               : error_set(err, MODEL_IO, "cannot write to standard output");
}

model_status print_answers(const char *answers, struct model_error *err)
{
    json_node *root = NULL;
    model_status status = json_parse(answers, strlen(answers), "the answer", &root, err);
    if (status != MODEL_OK)
        return status;
    for (const json_node *item = json_first(root); item != NULL; item = json_next(item)) {
        printf("%s\n", string_of(item, "text"));
        for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
            if (json_member(item, shapes[i].member) != NULL)
                shapes[i].print(json_member(item, shapes[i].member));
    }
    json_free(root);
    return command_flush(err);
}
