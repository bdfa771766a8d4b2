/* pickle_machine.c - see pickle_machine.h. */
#include "pickle_machine.h"
#include "errors.h"

#include <stdlib.h>

model_status machine_refuse(const struct pickle_machine *machine, const char *problem)
{
    return error_set(machine->err, MODEL_CORRUPT, "%s: broken pickle at byte %zu: %s",
                     machine->what, machine->at, problem);
}

model_status machine_say(const struct pickle_machine *machine, model_status status)
{
    if (status == MODEL_CORRUPT)
        return machine_refuse(machine, "too many values");
    return status == MODEL_OK ? status : error_no_memory(machine->err, machine->what);
}

model_status machine_take(struct pickle_machine *machine, size_t n, const uint8_t **ret)
{
    if (n > machine->size_bytes - machine->at)
        return machine_refuse(machine, "truncated");
    *ret = machine->data + machine->at;
    machine->at += n;
    return MODEL_OK;
}

model_status machine_take_number(struct pickle_machine *machine, unsigned n, uint64_t *ret)
{
    const uint8_t *bytes = NULL;
    model_status status = machine_take(machine, n, &bytes);
    uint64_t value = 0;
    for (unsigned i = n; status == MODEL_OK && i-- > 0;)
        value = value << 8 | bytes[i];
    if (status == MODEL_OK)
        *ret = value;
    return status;
}

model_status machine_push(struct pickle_machine *machine, uint32_t value)
{
    if (machine->n_stack == machine->stack_capacity) {
        uint32_t capacity = machine->stack_capacity > 0 ? machine->stack_capacity * 2 : 64;
        if (capacity > PICKLE_MAX_STACK)
            return machine_refuse(machine, "too many values at a time");
        void *larger = realloc(machine->stack, capacity * sizeof *machine->stack);
        if (larger == NULL)
            return error_no_memory(machine->err, machine->what);
        machine->stack = larger;
        machine->stack_capacity = capacity;
    }
    machine->stack[machine->n_stack++] = value;
    return MODEL_OK;
}

model_status machine_push_new(struct pickle_machine *machine, struct pickle_value value)
{
    uint32_t added = 0;
    model_status status = machine_say(machine, pickle_add(machine->pickle, value, &added));
    return status == MODEL_OK ? machine_push(machine, added) : status;
}

model_status machine_want(const struct pickle_machine *machine, uint32_t n)
{
    uint32_t floor = machine->n_marks > 0 ? machine->marks[machine->n_marks - 1] : 0;
    return machine->n_stack - floor >= n ? MODEL_OK
                                         : machine_refuse(machine, "takes more than is there");
}

model_status machine_take_marked(struct pickle_machine *machine, const uint32_t **ret,
                                 uint32_t *ret_n)
{
    if (machine->n_marks == 0)
        return machine_refuse(machine, "no mark is set");
    uint32_t height = machine->marks[--machine->n_marks];
    *ret = machine->stack != NULL ? machine->stack + height : NULL;
    *ret_n = machine->n_stack - height;
    machine->n_stack = height;
    return MODEL_OK;
}

model_status machine_remember(struct pickle_machine *machine, uint64_t slot)
{
    if (slot >= PICKLE_MAX_VALUES || slot > machine->size_bytes)
        return machine_refuse(machine, "a memo slot that a pickle of this size cannot need");
    if (machine_want(machine, 1) != MODEL_OK)
        return MODEL_CORRUPT;
    if (slot >= machine->memo_capacity) {
        uint32_t capacity = machine->memo_capacity > 0 ? machine->memo_capacity : 64;
        while (capacity <= slot)
            capacity *= 2;
        uint32_t *larger = realloc(machine->memo, capacity * sizeof *larger);
        if (larger == NULL)
            return error_no_memory(machine->err, machine->what);
        for (uint32_t i = machine->memo_capacity; i < capacity; i++)
            larger[i] = MEMO_UNSET;
        machine->memo = larger;
        machine->memo_capacity = capacity;
    }
    machine->n_memo += machine->memo[slot] == MEMO_UNSET;
    machine->memo[slot] = machine->stack[machine->n_stack - 1];
    return MODEL_OK;
}

void machine_finish(struct pickle_machine *machine)
{
    free(machine->stack);
    free(machine->memo);
    machine->stack = machine->memo = NULL;
}
