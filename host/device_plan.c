/* device_plan.c - see device_plan.h. */
#include "device_plan.h"

#define BY_KERNELS (DEVICE_PLAN_PLANNED - 1)

const char *const device_plan_requested[DEVICE_PLAN_REQUESTED] = {
    [MODEL_UNITS_CPU_AND_NEURAL_ENGINE] = "cpuAndNeuralEngine",
    [MODEL_UNITS_ALL] = "all",
    [MODEL_UNITS_CPU_ONLY] = "cpuOnly",
    [MODEL_UNITS_CPU_AND_GPU] = "cpuAndGPU",
    [MODEL_UNITS_NONE] = "none"};

/* By the devices that have operators: the Neural Engine 1, a GPU 2, the processor 4. */
const char *const device_plan_planned[DEVICE_PLAN_PLANNED] = {
    "unknown",   "neuralEngine", "gpu",    "neuralEngineAndGPU", "cpuOnly", "cpuAndNeuralEngine",
    "cpuAndGPU", "all",          "kernels"};

static bool is_known(const struct model_device_plan *plan)
{
    return plan->by_kernels == 0 && plan->n_operators > 0;
}

bool device_plan_is_sound(const struct model_device_plan *plan)
{
    const uint64_t n = (uint64_t)plan->n_neural_engine + plan->n_gpu + plan->n_cpu;
    return plan->requested_units >= 0 && plan->requested_units < DEVICE_PLAN_REQUESTED &&
           plan->by_kernels <= 1 && n == plan->n_operators && (n == 0 || plan->by_kernels == 0) &&
           plan->neural_engine_share >= 0 && plan->neural_engine_share <= 1;
}

bool device_plan_read(const struct model *model, struct model_device_plan *ret)
{
    if (!MODEL_HAS(struct model, model, get_extension) || model->get_extension == NULL)
        return false;
    const struct model_device_plan *plan = model->get_extension(model, MODEL_DEVICE_PLAN);
    if (plan == NULL || !MODEL_HAS(struct model_device_plan, plan, neural_engine_share) ||
        !device_plan_is_sound(plan))
        return false;
    *ret = *plan;
    ret->struct_size = sizeof *ret;
    return true;
}

static uint32_t planned_place(const struct model_device_plan *plan)
{
    if (plan->by_kernels != 0)
        return BY_KERNELS;
    return (plan->n_neural_engine > 0 ? 1u : 0) + (plan->n_gpu > 0 ? 2u : 0) +
           (plan->n_cpu > 0 ? 4u : 0);
}

uint32_t device_plan_place(const struct model_device_plan *plan)
{
    return (uint32_t)plan->requested_units * DEVICE_PLAN_PLANNED + planned_place(plan);
}

void device_plan_describe(const struct model_device_plan *plan, json_node *info)
{
    json_node *node = json_add_object(info, "device_plan");
    (void)json_add_string(node, "requested_units", device_plan_requested[plan->requested_units]);
    (void)json_add_string(node, "planned_units", device_plan_planned[planned_place(plan)]);
    if (!is_known(plan)) {
        (void)json_add_null(node, "ane_eligible");
        (void)json_add_null(node, "ane_operators_covered");
        (void)json_add_null(node, "ane_cost_share");
        (void)json_add_string(node, "planned_coverage", "not known on this system");
        return;
    }
    (void)json_add_bool(node, "ane_eligible", plan->n_neural_engine > 0);
    (void)json_add_number(node, "ane_operators_covered",
                          (double)plan->n_neural_engine / plan->n_operators);
    (void)json_add_number(node, "ane_cost_share", plan->neural_engine_share);
    (void)json_add_number(node, "operators", plan->n_operators);
    (void)json_add_number(node, "ane_operators", plan->n_neural_engine);
    (void)json_add_number(node, "gpu_operators", plan->n_gpu);
    (void)json_add_number(node, "cpu_operators", plan->n_cpu);
}
