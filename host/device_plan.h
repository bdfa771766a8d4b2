/* device_plan.h - what a model says of the devices that its framework plans for it (MODEL_DEVICE_PLAN), checked, as a part of
 * its description and as a metric's labels. It is the plan that is told, not what ran. [any-thread] */
#ifndef DEVICE_PLAN_H
#define DEVICE_PLAN_H

#include "json_view.h"
#include "model_extensions.h"

#include <stdbool.h>

/* False: the model has none, or says what cannot be. Calls the plugin. */
bool device_plan_read(const struct model *model, struct model_device_plan *ret);

/* Whether all of it can be: known units, counts that add up, a share from 0 to 1. */
bool device_plan_is_sound(const struct model_device_plan *plan);

/* Adds {"requested_units", "planned_units", "ane_eligible", "ane_operators_covered", "ane_cost_share", ...} as "device_plan"; what is not known is
 * null, and a sentence. */
void device_plan_describe(const struct model_device_plan *plan, json_node *info);

/* Places of the values of METRIC_MODEL_INFO's labels: of requested units, and of planned ones. */
#define DEVICE_PLAN_REQUESTED 5
#define DEVICE_PLAN_PLANNED   9
extern const char *const device_plan_requested[DEVICE_PLAN_REQUESTED];
extern const char *const device_plan_planned[DEVICE_PLAN_PLANNED];
uint32_t device_plan_place(const struct model_device_plan *plan);

#endif
