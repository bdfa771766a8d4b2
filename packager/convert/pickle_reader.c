/* pickle_reader.c - see pickle_reader.h. A table has a function for each opcode that is known;
 * pickle_machine.c is what they work on. */
#include "pickle_reader.h"
#include "errors.h"
#include "pickle_globals.h"
#include "pickle_machine.h"
#include "printable_text.h"

#include <stdlib.h>
#include <string.h>

#define MAX_PROTOCOL 5

typedef model_status opcode_fn(struct pickle_machine *machine, unsigned argument);

/* ---- opcodes: values */

static model_status op_protocol(struct pickle_machine *machine, unsigned argument)
{
    uint64_t version = 0;
    model_status status = machine_take_number(machine, argument, &version);
    if (status == MODEL_OK && (version < 2 || version > MAX_PROTOCOL))
        return machine_refuse(machine, "its protocol is none of 2 to 5");
    return status;
}

static model_status op_frame(struct pickle_machine *machine, unsigned argument)
{
    uint64_t ignored = 0;
    return machine_take_number(machine, argument, &ignored);
}

static model_status op_none(struct pickle_machine *machine, unsigned argument)
{
    (void)argument;
    return machine_push_new(machine, (struct pickle_value){.kind = PICKLE_NONE});
}

static model_status op_bool(struct pickle_machine *machine, unsigned argument)
{
    return machine_push_new(machine,
                            (struct pickle_value){.kind = PICKLE_BOOL, .boolean = argument != 0});
}

/* One and two bytes are unsigned, four are not. */
static model_status op_integer(struct pickle_machine *machine, unsigned argument)
{
    uint64_t value = 0;
    model_status status = machine_take_number(machine, argument, &value);
    int64_t number = argument == 4 ? (int64_t)(int32_t)(uint32_t)value : (int64_t)value;
    return status == MODEL_OK
               ? machine_push_new(machine,
                                  (struct pickle_value){.kind = PICKLE_INTEGER, .integer = number})
               : status;
}

/* Two's complement of any length; up to 8 bytes it is a number to us. */
static model_status op_long(struct pickle_machine *machine, unsigned argument)
{
    uint64_t n = 0, value = 0;
    const uint8_t *bytes = NULL;
    model_status status = machine_take_number(machine, argument, &n);
    if (status == MODEL_OK)
        status = machine_take(machine, (size_t)n, &bytes);
    if (status != MODEL_OK)
        return status;
    if (n > 8)
        return machine_push_new(machine, (struct pickle_value){.kind = PICKLE_BIG_INTEGER,
                                                               .n = (uint32_t)n,
                                                               .text = (const char *)bytes});
    if (n > 0 && bytes[n - 1] & 0x80)
        value = UINT64_MAX;
    for (size_t i = (size_t)n; i-- > 0;)
        value = value << 8 | bytes[i];
    return machine_push_new(
        machine, (struct pickle_value){.kind = PICKLE_INTEGER, .integer = (int64_t)value});
}

static model_status op_float(struct pickle_machine *machine, unsigned argument)
{
    const uint8_t *bytes = NULL;
    model_status status = machine_take(machine, argument, &bytes);
    uint64_t bits = 0;
    double number;
    if (status != MODEL_OK)
        return status;
    for (unsigned i = 0; i < argument; i++) /* big-endian */
        bits = bits << 8 | bytes[i];
    memcpy(&number, &bits, sizeof number);
    return machine_push_new(machine,
                            (struct pickle_value){.kind = PICKLE_NUMBER, .number = number});
}

static model_status push_text(struct pickle_machine *machine, unsigned length_bytes,
                              enum pickle_kind kind)
{
    uint64_t n = 0;
    const uint8_t *text = NULL;
    model_status status = machine_take_number(machine, length_bytes, &n);
    if (status == MODEL_OK && n > machine->size_bytes)
        return machine_refuse(machine, "truncated");
    if (status == MODEL_OK)
        status = machine_take(machine, (size_t)n, &text);
    return status == MODEL_OK
               ? machine_push_new(machine, (struct pickle_value){.kind = kind,
                                                                 .n = (uint32_t)n,
                                                                 .text = (const char *)text})
               : status;
}

static model_status op_text(struct pickle_machine *machine, unsigned argument)
{
    return push_text(machine, argument, PICKLE_TEXT);
}

static model_status op_bytes(struct pickle_machine *machine, unsigned argument)
{
    return push_text(machine, argument, PICKLE_BYTES);
}

/* ---- opcodes: containers */

static model_status push_container(struct pickle_machine *machine, enum pickle_kind kind,
                                   const uint32_t *items, uint32_t n)
{
    uint32_t added = 0;
    model_status status =
        machine_say(machine, pickle_add_items(machine->pickle, kind, items, n, &added));
    return status == MODEL_OK ? machine_push(machine, added) : status;
}

static model_status op_empty(struct pickle_machine *machine, unsigned argument)
{
    return push_container(machine, (enum pickle_kind)argument, NULL, 0);
}

static model_status op_tuple_of(struct pickle_machine *machine, unsigned argument)
{
    model_status status = machine_want(machine, argument);
    if (status != MODEL_OK)
        return status;
    machine->n_stack -= argument;
    return push_container(machine, PICKLE_TUPLE, machine->stack + machine->n_stack, argument);
}

static model_status op_marked(struct pickle_machine *machine, unsigned argument)
{
    const uint32_t *items = NULL;
    uint32_t n = 0;
    model_status status = machine_take_marked(machine, &items, &n);
    if (status == MODEL_OK && argument == PICKLE_DICT && n % 2 != 0)
        return machine_refuse(machine, "a key without a value");
    return status == MODEL_OK ? push_container(machine, (enum pickle_kind)argument, items, n)
                              : status;
}

static model_status extend(struct pickle_machine *machine, enum pickle_kind kind,
                           const uint32_t *items, uint32_t n)
{
    model_status status = machine_want(machine, 1);
    if (status != MODEL_OK)
        return status;
    uint32_t container = machine->stack[machine->n_stack - 1];
    if (pickle_at(machine->pickle, container)->kind != kind)
        return machine_refuse(machine, "adds items to what is no list or dict");
    if (kind == PICKLE_DICT && n % 2 != 0)
        return machine_refuse(machine, "a key without a value");
    return machine_say(machine, pickle_extend(machine->pickle, container, items, n));
}

/* One item, or one key and value. */
static model_status op_add(struct pickle_machine *machine, unsigned argument)
{
    uint32_t n = argument == PICKLE_DICT ? 2 : 1;
    model_status status = machine_want(machine, n + 1);
    if (status != MODEL_OK)
        return status;
    machine->n_stack -= n;
    return extend(machine, (enum pickle_kind)argument, machine->stack + machine->n_stack, n);
}

static model_status op_add_marked(struct pickle_machine *machine, unsigned argument)
{
    const uint32_t *items = NULL;
    uint32_t n = 0;
    model_status status = machine_take_marked(machine, &items, &n);
    return status == MODEL_OK ? extend(machine, (enum pickle_kind)argument, items, n) : status;
}

/* ---- opcodes: the machine's own */

static model_status op_mark(struct pickle_machine *machine, unsigned argument)
{
    (void)argument;
    if (machine->n_marks == PICKLE_MAX_MARKS)
        return machine_refuse(machine, "nested too deeply");
    machine->marks[machine->n_marks++] = machine->n_stack;
    return MODEL_OK;
}

static model_status op_pop(struct pickle_machine *machine, unsigned argument)
{
    const uint32_t *items = NULL;
    uint32_t n = 0;
    uint32_t floor = machine->n_marks > 0 ? machine->marks[machine->n_marks - 1] : 0;
    if (argument == 1 || (machine->n_marks > 0 && machine->n_stack == floor))
        return machine_take_marked(machine, &items, &n);
    model_status status = machine_want(machine, 1);
    machine->n_stack -= status == MODEL_OK;
    return status;
}

static model_status op_put(struct pickle_machine *machine, unsigned argument)
{
    uint64_t slot = machine->n_memo; /* MEMOIZE takes the next one */
    model_status status = argument > 0 ? machine_take_number(machine, argument, &slot) : MODEL_OK;
    return status == MODEL_OK ? machine_remember(machine, slot) : status;
}

static model_status op_get(struct pickle_machine *machine, unsigned argument)
{
    uint64_t slot = 0;
    model_status status = machine_take_number(machine, argument, &slot);
    if (status == MODEL_OK && (slot >= machine->memo_capacity || machine->memo[slot] == MEMO_UNSET))
        return machine_refuse(machine, "reads a memo slot that nothing was put into");
    return status == MODEL_OK ? machine_push(machine, machine->memo[slot]) : status;
}

static model_status op_stop(struct pickle_machine *machine, unsigned argument)
{
    (void)argument;
    if (machine->n_stack != 1 || machine->n_marks != 0)
        return machine_refuse(machine, "ends with more or less than one value");
    machine->stopped = true;
    return MODEL_OK;
}

/* ---- opcodes: names and calls */

static model_status push_global(struct pickle_machine *machine, const char *module,
                                size_t module_bytes, const char *name, size_t name_bytes)
{
    const struct pickle_global *global = pickle_find_global(module, module_bytes, name, name_bytes);
    if (global != NULL)
        return machine_push_new(machine,
                                (struct pickle_value){.kind = PICKLE_GLOBAL, .global = global});
    char shown_module[PRINTABLE_TEXT_BYTES], shown_name[PRINTABLE_TEXT_BYTES];
    return error_set(machine->err, MODEL_CORRUPT,
                     "%s asks for '%s.%s', which no tensor needs; nothing was executed: get the "
                     "weights as safetensors, or save the model's state_dict() alone",
                     machine->what, printable_text(module, module_bytes, shown_module),
                     printable_text(name, name_bytes, shown_name));
}

/* Two lines: module and name. */
static model_status op_global(struct pickle_machine *machine, unsigned argument)
{
    const char *parts[2];
    size_t sizes[2];
    (void)argument;
    for (int i = 0; i < 2; i++) {
        const uint8_t *begin = machine->data + machine->at;
        const uint8_t *end = memchr(begin, '\n', machine->size_bytes - machine->at);
        if (end == NULL)
            return machine_refuse(machine, "truncated");
        parts[i] = (const char *)begin;
        sizes[i] = (size_t)(end - begin);
        machine->at += sizes[i] + 1;
    }
    return push_global(machine, parts[0], sizes[0], parts[1], sizes[1]);
}

static model_status op_stack_global(struct pickle_machine *machine, unsigned argument)
{
    (void)argument;
    model_status status = machine_want(machine, 2);
    if (status != MODEL_OK)
        return status;
    machine->n_stack -= 2;
    const struct pickle_value *module =
        pickle_at(machine->pickle, machine->stack[machine->n_stack]);
    const struct pickle_value *name =
        pickle_at(machine->pickle, machine->stack[machine->n_stack + 1]);
    if (module->kind != PICKLE_TEXT || name->kind != PICKLE_TEXT)
        return machine_refuse(machine, "a name that is no text");
    return push_global(machine, module->text, module->n, name->text, name->n);
}

static model_status op_reduce(struct pickle_machine *machine, unsigned argument)
{
    uint32_t made = 0;
    (void)argument;
    model_status status = machine_want(machine, 2);
    if (status != MODEL_OK)
        return status;
    machine->n_stack -= 2;
    status = pickle_call(machine->pickle, machine->stack[machine->n_stack],
                         machine->stack[machine->n_stack + 1], machine->what, &made, machine->err);
    return status == MODEL_OK ? machine_push(machine, made) : status;
}

static model_status op_persistent(struct pickle_machine *machine, unsigned argument)
{
    uint32_t made = 0;
    (void)argument;
    model_status status = machine_want(machine, 1);
    if (status != MODEL_OK)
        return status;
    status = pickle_persistent(machine->pickle, machine->stack[--machine->n_stack], machine->what,
                               &made, machine->err);
    return status == MODEL_OK ? machine_push(machine, made) : status;
}

/* The state of an OrderedDict is its attributes (_metadata), that of a tensor likewise: data is not in
 * them. */
static model_status op_build(struct pickle_machine *machine, unsigned argument)
{
    (void)argument;
    model_status status = machine_want(machine, 2);
    if (status != MODEL_OK)
        return status;
    enum pickle_kind state = pickle_at(machine->pickle, machine->stack[--machine->n_stack])->kind;
    enum pickle_kind object =
        pickle_at(machine->pickle, machine->stack[machine->n_stack - 1])->kind;
    if (state != PICKLE_DICT || (object != PICKLE_DICT && object != PICKLE_TENSOR))
        return machine_refuse(machine, "sets the state of what is no dict or tensor");
    return MODEL_OK;
}

/* By the opcode's byte, with its name in Python's pickletools. The argument is what tells opcodes of one function
 * apart: how many bytes of number or length follow in the pickle, how many values are taken, or what is made of
 * them. */
static const struct {
    opcode_fn *run;
    unsigned argument;
} opcodes[256] = {
    [0x80] = {op_protocol, 1},            /* PROTO */
    [0x95] = {op_frame, 8},               /* FRAME */
    ['N'] = {op_none, 0},                 /* NONE */
    [0x88] = {op_bool, 1},                /* NEWTRUE */
    [0x89] = {op_bool, 0},                /* NEWFALSE */
    ['K'] = {op_integer, 1},              /* BININT1 */
    ['M'] = {op_integer, 2},              /* BININT2 */
    ['J'] = {op_integer, 4},              /* BININT */
    [0x8a] = {op_long, 1},                /* LONG1 */
    ['G'] = {op_float, 8},                /* BINFLOAT */
    ['X'] = {op_text, 4},                 /* BINUNICODE */
    [0x8c] = {op_text, 1},                /* SHORT_BINUNICODE */
    [0x8d] = {op_text, 8},                /* BINUNICODE8 */
    ['U'] = {op_text, 1},                 /* SHORT_BINSTRING */
    ['T'] = {op_text, 4},                 /* BINSTRING */
    ['C'] = {op_bytes, 1},                /* SHORT_BINBYTES */
    ['B'] = {op_bytes, 4},                /* BINBYTES */
    [')'] = {op_empty, PICKLE_TUPLE},     /* EMPTY_TUPLE */
    [']'] = {op_empty, PICKLE_LIST},      /* EMPTY_LIST */
    ['}'] = {op_empty, PICKLE_DICT},      /* EMPTY_DICT */
    [0x85] = {op_tuple_of, 1},            /* TUPLE1 */
    [0x86] = {op_tuple_of, 2},            /* TUPLE2 */
    [0x87] = {op_tuple_of, 3},            /* TUPLE3 */
    ['t'] = {op_marked, PICKLE_TUPLE},    /* TUPLE */
    ['l'] = {op_marked, PICKLE_LIST},     /* LIST */
    ['d'] = {op_marked, PICKLE_DICT},     /* DICT */
    ['a'] = {op_add, PICKLE_LIST},        /* APPEND */
    ['s'] = {op_add, PICKLE_DICT},        /* SETITEM */
    ['e'] = {op_add_marked, PICKLE_LIST}, /* APPENDS */
    ['u'] = {op_add_marked, PICKLE_DICT}, /* SETITEMS */
    ['('] = {op_mark, 0},                 /* MARK */
    ['0'] = {op_pop, 0},                  /* POP */
    ['1'] = {op_pop, 1},                  /* POP_MARK */
    ['q'] = {op_put, 1},                  /* BINPUT */
    ['r'] = {op_put, 4},                  /* LONG_BINPUT */
    [0x94] = {op_put, 0},                 /* MEMOIZE */
    ['h'] = {op_get, 1},                  /* BINGET */
    ['j'] = {op_get, 4},                  /* LONG_BINGET */
    ['c'] = {op_global, 0},               /* GLOBAL */
    [0x93] = {op_stack_global, 0},        /* STACK_GLOBAL */
    ['R'] = {op_reduce, 0},               /* REDUCE */
    ['Q'] = {op_persistent, 0},           /* BINPERSID */
    ['b'] = {op_build, 0},                /* BUILD */
    ['.'] = {op_stop, 0},                 /* STOP */
};

/* Known to Python, and more than data. */
static const struct {
    uint8_t code;
    const char *name;
} refused[] = {
    {0x81, "NEWOBJ"},
    {0x92, "NEWOBJ_EX"},
    {'i', "INST"},
    {'o', "OBJ"},
    {0x82, "EXT1"},
    {0x83, "EXT2"},
    {0x84, "EXT4"},
    {'P', "PERSID"},
    {0x96, "BYTEARRAY8"},
    {0x97, "NEXT_BUFFER"},
    {0x98, "READONLY_BUFFER"},
};

static model_status refuse_opcode(const struct pickle_machine *machine, uint8_t code)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (refused[i].code == code)
            return error_set(machine->err, MODEL_CORRUPT,
                             "%s: the opcode %s at byte %zu, which no tensor needs; nothing was "
                             "executed",
                             machine->what, refused[i].name, machine->at - 1);
    return error_set(machine->err, MODEL_CORRUPT,
                     "%s: broken pickle at byte %zu: opcode 0x%02x is none that tensors need",
                     machine->what, machine->at - 1, code);
}

static model_status run(struct pickle_machine *machine)
{
    model_status status = MODEL_OK;
    while (status == MODEL_OK && !machine->stopped) {
        const uint8_t *code = NULL;
        status = machine_take(machine, 1, &code);
        if (status == MODEL_OK)
            status = opcodes[*code].run != NULL
                         ? opcodes[*code].run(machine, opcodes[*code].argument)
                         : refuse_opcode(machine, *code);
    }
    return status;
}

model_status pickle_read(const uint8_t *data, size_t size_bytes, const char *what,
                         struct pickle *ret, size_t *ret_used, struct model_error *err)
{
    struct pickle pickle = {0};
    struct pickle_machine *machine = calloc(1, sizeof *machine);
    if (machine == NULL)
        return error_no_memory(err, what);
    *machine = (struct pickle_machine){
        .data = data,
        .size_bytes = size_bytes < PICKLE_MAX_BYTES ? size_bytes : PICKLE_MAX_BYTES,
        .what = what,
        .err = err,
        .pickle = &pickle};
    model_status status = run(machine);
    if (status == MODEL_OK) {
        pickle.root = machine->stack[0];
        *ret = pickle;
        *ret_used = machine->at;
    } else {
        pickle_finish(&pickle);
    }
    machine_finish(machine);
    free(machine);
    return status;
}
