/* api_metrics.c - the public functions that read the metrics; see include/modelhost.h. */
#include "errors.h"
#include "host.h"
#include "prometheus.h"

#include <stdlib.h>

struct modelhost_metrics {
    char *text;
};

model_status modelhost_metrics_read(struct modelhost *host, struct modelhost_metrics **ret_metrics,
                                    struct model_error *err)
{
    struct modelhost_metrics *metrics = calloc(1, sizeof *metrics);
    struct buffer text = BUFFER_INIT(PROMETHEUS_MAX_BYTES);
    model_status status = MODEL_OK;
    if (metrics == NULL)
        return error_no_memory(err, "the metrics");
    status = prometheus_write(host->metrics.metrics, &text, err);
    if (status == MODEL_OK && (metrics->text = buffer_take(&text)) == NULL)
        status = error_no_memory(err, "the metrics");
    if (status != MODEL_OK)
        goto fail;
    *ret_metrics = metrics;
    return MODEL_OK;
fail:
    buffer_finish(&text);
    modelhost_metrics_destroy(metrics);
    return status;
}

const char *modelhost_metrics_text(const struct modelhost_metrics *metrics)
{
    return metrics->text;
}

void modelhost_metrics_destroy(struct modelhost_metrics *metrics)
{
    if (metrics == NULL)
        return;
    free(metrics->text);
    free(metrics);
}
