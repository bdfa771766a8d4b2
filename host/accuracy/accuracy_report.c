/* accuracy_report.c - see accuracy_report.h. One table of the numbers is printed, read and checked by. */
#include "accuracy_report.h"
#include "errors.h"
#include "files.h"
#include "json_view.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_REPORT_BYTES  ((size_t)16 << 10)
#define MAX_REPORT_VALUES 64
#define MAX_TEXT_BYTES    SHA256_HEX_BYTES /* of a field: the key's */

struct text_field {
    const char *name;
    size_t offset, size_bytes;
};
#define TEXT(field)                                                                                \
    {                                                                                              \
#field, offsetof(struct accuracy_report, field),                                           \
            sizeof(((struct accuracy_report *)NULL)->field)                                        \
    }
static const struct text_field texts[] = {
    TEXT(key),          TEXT(dtype),  TEXT(plugin),      TEXT(plugin_version),
    TEXT(host_version), TEXT(inputs), TEXT(worst_output)};

struct number_field {
    const char *name;
    size_t offset;
    double min, max;
    bool may_miss;      /* null is ACCURACY_NOT_MEASURED */
    bool may_be_absent; /* from reports of before there was such a field: 0 */
};
#define NUMBER(field) #field, offsetof(struct accuracy_report, field)
static const struct number_field numbers[] = {
    {NUMBER(cosine), -1, 1, false, false},       {NUMBER(max_abs), 0, 1e300, true, false},
    {NUMBER(top1_agreement), 0, 1, true, false}, {NUMBER(perplexity_f32), 1, 1e300, true, false},
    {NUMBER(perplexity), 1, 1e300, true, false},
};
#define BUDGET(field) #field, offsetof(struct accuracy_budget, field)
static const struct number_field budgets[] = {
    {BUDGET(max_cosine_loss), 0, 2, false, false},
    {BUDGET(max_perplexity_change), 0, 1e6, true, false},
    {BUDGET(min_top1_agreement), 0, 1, false, true},
};
#define N_ROWS(table) (sizeof(table) / sizeof *(table))

struct accuracy_budget accuracy_default_budget(int32_t dtype)
{
    static const double losses[] = {[MODELHOST_F32] = 0,
                                    [MODELHOST_BF16] = 0.0001,
                                    [MODELHOST_INT8] = 0.005,
                                    [MODELHOST_INT4] = 0.02};
    const bool known = dtype >= 0 && (size_t)dtype < N_ROWS(losses);
    return (struct accuracy_budget){known ? losses[dtype] : 0, ACCURACY_NOT_MEASURED, 0};
}

static double perplexity_change(const struct accuracy_report *report)
{
    return report->perplexity / report->perplexity_f32 - 1;
}

static bool has_perplexity(const struct accuracy_report *report)
{
    return report->perplexity_f32 >= 1 && report->perplexity >= 1;
}

/* ---- the budget: whether each part of it is kept, and the sentence when it is not */

/* A hair's breadth is forgiven: 1 - 0.995 is not 0.005. */
static bool is_similar(const struct accuracy_report *report, const struct accuracy_budget *budget)
{
    return 1 - report->cosine <= budget->max_cosine_loss + 1e-12;
}

static void say_cosine(const struct accuracy_report *report, const struct accuracy_budget *budget,
                       char *text, size_t text_bytes)
{
    (void)snprintf(text, text_bytes, "cosine %.9g of %s, want at least %.9g", report->cosine,
                   report->worst_output, 1 - budget->max_cosine_loss);
}

/* What was not measured is below 0. */
static bool agrees(const struct accuracy_report *report, const struct accuracy_budget *budget)
{
    return budget->min_top1_agreement <= 0 || report->top1_agreement >= budget->min_top1_agreement;
}

static void say_agreement(const struct accuracy_report *report,
                          const struct accuracy_budget *budget, char *text, size_t text_bytes)
{
    const double want = 100 * budget->min_top1_agreement;
    if (report->top1_agreement >= 0)
        (void)snprintf(
            text, text_bytes,
            "the largest logit agrees with float32 in %.6g%% of rows, want at least %.6g%%",
            100 * report->top1_agreement, want);
    else
        (void)snprintf(text, text_bytes,
                       "there are no logits to agree with float32, want at least %.6g%% of rows",
                       want);
}

static bool predicts(const struct accuracy_report *report, const struct accuracy_budget *budget)
{
    return budget->max_perplexity_change < 0 ||
           (has_perplexity(report) && perplexity_change(report) <= budget->max_perplexity_change);
}

static void say_perplexity(const struct accuracy_report *report,
                           const struct accuracy_budget *budget, char *text, size_t text_bytes)
{
    const double want = 100 * budget->max_perplexity_change;
    if (has_perplexity(report))
        (void)snprintf(text, text_bytes, "perplexity %.4g%% higher, want at most %.4g%%",
                       100 * perplexity_change(report), want);
    else
        (void)snprintf(text, text_bytes, "perplexity was not measured, want at most %.4g%% more",
                       want);
}

static const struct {
    bool (*is_kept)(const struct accuracy_report *report, const struct accuracy_budget *budget);
    void (*say)(const struct accuracy_report *report, const struct accuracy_budget *budget,
                char *text, size_t text_bytes);
} parts[] = {{is_similar, say_cosine}, {agrees, say_agreement}, {predicts, say_perplexity}};

/* The first part that is missed, or N_ROWS(parts). */
static size_t first_missed(const struct accuracy_report *report,
                           const struct accuracy_budget *budget)
{
    size_t i = 0;
    while (i < N_ROWS(parts) && parts[i].is_kept(report, budget))
        i++;
    return i;
}

bool accuracy_report_passes(const struct accuracy_report *report,
                            const struct accuracy_budget *budget)
{
    return first_missed(report, budget) == N_ROWS(parts);
}

void accuracy_report_say(const struct accuracy_report *report, const struct accuracy_budget *budget,
                         char *text, size_t text_bytes)
{
    const size_t missed = first_missed(report, budget);
    if (missed < N_ROWS(parts))
        parts[missed].say(report, budget, text, text_bytes);
    else
        (void)snprintf(text, text_bytes, "cosine %.9g", report->cosine);
}

/* ---- which of two reports counts, and whether one does without somebody who looks at it */

bool accuracy_report_is_made(const struct accuracy_report *report)
{
    return strcmp(report->inputs, "made") == 0;
}

bool accuracy_report_is_weak(const struct accuracy_report *report)
{
    return accuracy_report_is_made(report) || report->samples < ACCURACY_FEW_SAMPLES;
}

bool accuracy_report_is_weaker(const struct accuracy_report *report,
                               const struct accuracy_report *than)
{
    const bool refuses = !accuracy_report_passes(report, &report->budget);
    const bool refused = !accuracy_report_passes(than, &than->budget);
    if (accuracy_report_is_made(report) != accuracy_report_is_made(than))
        return accuracy_report_is_made(report) && (refused || !refuses);
    if (refuses != refused)
        return refused;
    return report->samples < than->samples;
}

void accuracy_report_describe(const struct accuracy_report *report, char *text, size_t text_bytes)
{
    (void)snprintf(text, text_bytes, "%lld sample%s of %s, %s", (long long)report->samples,
                   report->samples == 1 ? "" : "s",
                   accuracy_report_is_made(report) ? "made inputs" : report->inputs,
                   accuracy_report_passes(report, &report->budget) ? "within its budget"
                                                                   : "budget missed");
}

/* ---- writing */

static bool is_printable(unsigned char c)
{
    return c >= 0x20 && c <= 0x7E;
}

/* What is read again is ASCII that can be printed: another character, or what is left of one that was cut, is a '?'. */
static void add_text(json_node *object, const struct text_field *field,
                     const struct accuracy_report *report)
{
    char shown[MAX_TEXT_BYTES];
    size_t n = 0;
    const unsigned char *text = (const unsigned char *)report + field->offset;
    for (size_t i = 0; i + 1 < field->size_bytes && text[i] != '\0'; i++)
        if ((text[i] & 0xC0) != 0x80) /* not behind a character's first byte */
            shown[n++] = is_printable(text[i]) ? (char)text[i] : '?';
    shown[n] = '\0';
    (void)json_add_string(object, field->name, shown);
}

static void add_number(json_node *object, const struct number_field *field, const void *from)
{
    double value = 0;
    memcpy(&value, (const char *)from + field->offset, sizeof value);
    if (field->may_miss && value < field->min)
        (void)json_add_null(object, field->name);
    else
        (void)json_add_number(object, field->name, value);
}

char *accuracy_report_print(const struct accuracy_report *report)
{
    json_node *root = json_new_object();
    (void)json_add_number(root, "format_version", ACCURACY_REPORT_FORMAT_VERSION);
    for (size_t i = 0; i < N_ROWS(texts); i++)
        add_text(root, &texts[i], report);
    (void)json_add_number(root, "created_s", (double)report->created_s);
    (void)json_add_number(root, "samples", (double)report->samples);
    (void)json_add_bool(root, "few_samples", report->samples < ACCURACY_FEW_SAMPLES);
    for (size_t i = 0; i < N_ROWS(numbers); i++)
        add_number(root, &numbers[i], report);
    if (has_perplexity(report))
        (void)json_add_number(root, "perplexity_change", perplexity_change(report));
    else
        (void)json_add_null(root, "perplexity_change");
    json_node *budget = json_add_object(root, "budget");
    for (size_t i = 0; i < N_ROWS(budgets); i++)
        add_number(budget, &budgets[i], &report->budget);
    (void)json_add_bool(root, "passed", accuracy_report_passes(report, &report->budget));
    char *text = json_print(root, true);
    json_free(root);
    return text;
}

/* ---- reading */

static bool take_number(const json_node *object, const struct number_field *field, void *to)
{
    const json_node *node = json_member(object, field->name);
    double value = ACCURACY_NOT_MEASURED;
    if (node == NULL)
        return field->may_be_absent;
    if (json_is_null(node) && !field->may_miss)
        return false;
    if (!json_is_null(node)) {
        if (!json_is_number(node))
            return false;
        value = json_number_or(node, 0);
        if (!(value >= field->min && value <= field->max))
            return false;
    }
    memcpy((char *)to + field->offset, &value, sizeof value);
    return true;
}

static bool take_text(const json_node *root, const struct text_field *field,
                      struct accuracy_report *ret)
{
    const char *text = json_string_or(json_member(root, field->name), NULL);
    if (text == NULL || strlen(text) >= field->size_bytes)
        return false;
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++)
        if (!is_printable(*c))
            return false;
    memcpy((char *)ret + field->offset, text, strlen(text) + 1);
    return true;
}

static bool take_fields(const json_node *root, struct accuracy_report *ret)
{
    int64_t version = 0;
    bool good =
        json_integer(json_member(root, "format_version"), ACCURACY_REPORT_FORMAT_VERSION,
                     ACCURACY_REPORT_FORMAT_VERSION, &version) &&
        json_integer(json_member(root, "created_s"), 0, (int64_t)1 << 40, &ret->created_s) &&
        json_integer(json_member(root, "samples"), 1, (int64_t)1 << 40, &ret->samples);
    for (size_t i = 0; i < N_ROWS(texts) && good; i++)
        good = take_text(root, &texts[i], ret);
    for (size_t i = 0; i < N_ROWS(numbers) && good; i++)
        good = take_number(root, &numbers[i], ret);
    const json_node *budget = json_member(root, "budget");
    for (size_t i = 0; i < N_ROWS(budgets) && good; i++)
        good = take_number(budget, &budgets[i], &ret->budget);
    const json_node *said = json_member(root, "passed");
    /* The reader's own judgement, not the file's word; a file that says another thing is broken. */
    return good && json_is_bool(said) &&
           json_bool_or(said, false) == accuracy_report_passes(ret, &ret->budget);
}

model_status accuracy_report_parse(const char *text, size_t size_bytes, const char *what,
                                   struct accuracy_report *ret, struct model_error *err)
{
    json_node *root = NULL;
    struct accuracy_report report = {.created_s = 0};
    model_status status = json_parse_limited(text, size_bytes, MAX_REPORT_VALUES, what, &root, err);
    if (status == MODEL_OK && !take_fields(root, &report))
        status = error_set(err, MODEL_CORRUPT,
                           "%s is no accuracy report of format %d; run modelhost quantize again",
                           what, ACCURACY_REPORT_FORMAT_VERSION);
    json_free(root);
    if (status == MODEL_OK)
        *ret = report;
    return status;
}

/* ---- in the store */

char *accuracy_report_folder(const char *store_dir)
{
    return path_join(store_dir, "accuracy");
}

char *accuracy_report_path(const char *store_dir, const char *key)
{
    return text_format("%s/accuracy/%s.json", store_dir, key);
}

/* With a umask that lets others write it would not be read. */
static model_status write_text(void *context, struct file_out *out, struct model_error *err)
{
    model_status status = file_out_set_mode(out, 0644, err);
    return status == MODEL_OK ? file_out_write(out, context, strlen(context), err) : status;
}

model_status accuracy_report_write(const char *dir, const char *name,
                                   const struct accuracy_report *report, struct model_error *err)
{
    char *path = path_join(dir, name);
    char *text = accuracy_report_print(report);
    model_status status =
        path == NULL || text == NULL ? error_no_memory(err, "a report") : dir_make_all(dir, err);
    if (status == MODEL_OK)
        status = file_write_made(path, write_text, text, err);
    free(path);
    free(text);
    return status;
}

model_status accuracy_report_save(const char *store_dir, const struct accuracy_report *report,
                                  struct model_error *err)
{
    char *path = accuracy_report_path(store_dir, report->key);
    char *dir = accuracy_report_folder(store_dir);
    model_status status = path == NULL || dir == NULL
                              ? error_no_memory(err, "a path")
                              : accuracy_report_write(dir, path_base(path), report, err);
    free(dir);
    free(path);
    return status;
}

model_status accuracy_report_load(const char *store_dir, const char *key,
                                  struct accuracy_report *ret, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(MAX_REPORT_BYTES);
    struct accuracy_report report;
    char *path = accuracy_report_path(store_dir, key);
    model_status status = path != NULL ? file_read_trusted(path, MAX_REPORT_BYTES, &text, err)
                                       : error_no_memory(err, "a path");
    if (status == MODEL_OK)
        status = accuracy_report_parse(text.data != NULL ? text.data : "", text.size, path, &report,
                                       err);
    if (status == MODEL_OK && strcmp(report.key, key) != 0)
        status = error_set(err, MODEL_CORRUPT,
                           "%s is the report of another model; run modelhost quantize again", path);
    if (status == MODEL_OK)
        *ret = report;
    buffer_finish(&text);
    free(path);
    return status;
}
