/* prometheus.c - see prometheus.h. Numbers are written as integers and fractions of integers, so that the
 * application's locale has no say in them. */
#include "prometheus.h"
#include "errors.h"
#include "utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct writer {
    struct buffer *text;
    model_status status; /* the first failure */
};

static void put(struct writer *writer, const char *text, size_t size_bytes)
{
    if (writer->status == MODEL_OK)
        writer->status = buffer_append(writer->text, text, size_bytes);
}

static void put_text(struct writer *writer, const char *text)
{
    put(writer, text, strlen(text));
}

static void put_number(struct writer *writer, uint64_t number)
{
    char digits[24];
    put(writer, digits, (size_t)snprintf(digits, sizeof digits, "%" PRIu64, number));
}

/* A label's value: backslash, quote and newline are escaped, what is not UTF-8 becomes U+FFFD. */
static void put_value(struct writer *writer, const char *value)
{
    const size_t size_bytes = strlen(value);
    for (size_t at = 0; at < size_bytes;) {
        const size_t valid = utf8_valid_prefix(value + at, size_bytes - at);
        for (const size_t end = at + valid; at < end; at++) {
            const char c = value[at];
            if (c == '\n')
                put_text(writer, "\\n");
            else if (c == '\\' || c == '"')
                put(writer, (const char[]){'\\', c}, 2);
            else
                put(writer, &c, 1);
        }
        if (at < size_bytes) {
            put_text(writer, "\xEF\xBF\xBD");
            at++;
        }
    }
}

static void put_label(struct writer *writer, bool *is_first, const char *name, const char *value)
{
    if (value == NULL)
        return;
    put_text(writer, *is_first ? "{" : ",");
    put_text(writer, name);
    put_text(writer, "=\"");
    put_value(writer, value);
    put_text(writer, "\"");
    *is_first = false;
}

/* "name_suffix{model=...,le="..."} " */
static void put_name(struct writer *writer, const struct metric_sample *sample, const char *suffix,
                     const char *le)
{
    bool is_first = true;
    put_text(writer, sample->family->name);
    put_text(writer, suffix);
    put_label(writer, &is_first, "model", sample->model);
    put_label(writer, &is_first, "backend", sample->backend);
    put_label(writer, &is_first, sample->family->label, sample->value);
    if (sample->second_value != NULL)
        put_label(writer, &is_first, sample->family->second_label, sample->second_value);
    put_label(writer, &is_first, "le", le);
    put_text(writer, is_first ? " " : "} ");
}

/* A sum of values, in the family's unit. */
static void put_sum(struct writer *writer, const struct histogram_bounds *bounds, uint64_t sum)
{
    const uint64_t per_unit = (uint64_t)bounds->per_unit;
    put_number(writer, sum / per_unit);
    if (per_unit == 1)
        return;
    char fraction[24];
    const size_t size_bytes =
        (size_t)snprintf(fraction, sizeof fraction, "%" PRIu64, per_unit + sum % per_unit);
    fraction[0] = '.'; /* the digit that keeps the zeros behind it */
    put(writer, fraction, size_bytes);
}

static void put_histogram(struct writer *writer, const struct metric_sample *sample)
{
    const struct histogram_bounds *bounds = sample->family->bounds;
    uint64_t count = 0;
    for (uint32_t i = 0; i <= bounds->n_bounds; i++) {
        count += sample->numbers[i];
        put_name(writer, sample, "_bucket", i < bounds->n_bounds ? bounds->text[i] : "+Inf");
        put_number(writer, count);
        put_text(writer, "\n");
    }
    put_name(writer, sample, "_sum", NULL);
    put_sum(writer, bounds, sample->numbers[bounds->n_bounds + 1]);
    put_text(writer, "\n");
    put_name(writer, sample, "_count", NULL);
    put_number(writer, count);
    put_text(writer, "\n");
}

static model_status put_sample(void *context, const struct metric_sample *sample)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    struct writer *writer = context;
    const struct metric_family *family = sample->family;
    if (sample->is_first) {
        const char *const head[] = {"# HELP ",    family->name,        " ",
                                    family->help, "\n# TYPE ",         family->name,
                                    " ",          types[family->type], "\n"};
        for (size_t i = 0; i < sizeof head / sizeof *head; i++)
            put_text(writer, head[i]);
    }
    if (family->type == METRIC_HISTOGRAM) {
        put_histogram(writer, sample);
    } else {
        put_name(writer, sample, "", NULL);
        put_number(writer, sample->numbers[0]);
        put_text(writer, "\n");
    }
    return writer->status;
}

model_status prometheus_write(struct metrics *metrics, struct buffer *text, struct model_error *err)
{
    struct writer writer = {text, MODEL_OK};
    const model_status status = metrics_visit(metrics, METRICS_WAIT, put_sample, &writer);
    return status == MODEL_OK ? MODEL_OK : error_no_memory(err, "the text of the metrics");
}
