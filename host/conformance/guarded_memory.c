/* guarded_memory.c - see guarded_memory.h. The table of blocks is fixed and its fields are atomic: the
 * handler reads it on whatever thread faulted, and allocates nothing. */
#include "guarded_memory.h"
#include "check_record.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#if defined(__linux__) && defined(__x86_64__)
#include <ucontext.h>
#endif

#define MAX_BLOCKS 4096
#define NAME_BYTES 80
#define FILL       0xA5

struct guarded {
    _Atomic uintptr_t map; /* 0: the slot is free; written last */
    size_t map_bytes, data_bytes, slack_bytes;
    unsigned char *data;
    bool is_frozen;
    char kind[NAME_BYTES], name[NAME_BYTES];
};

static struct guarded blocks[MAX_BLOCKS];
static pthread_mutex_t blocks_mutex = PTHREAD_MUTEX_INITIALIZER; /* taking and freeing a slot */
static int verdict_fd = -1;

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* "wrote to", "read" or, where the processor does not tell, "touched". */
static const char *deed(const void *context)
{
#if defined(__linux__) && defined(__x86_64__)
    const ucontext_t *machine = context;
    return (machine->uc_mcontext.gregs[REG_ERR] & 2) != 0 ? "wrote" : "read";
#else
    (void)context;
    return "touched";
#endif
}

static void report(const struct guarded *block, uintptr_t address, const void *context)
{
    char text[CHECK_REASON_BYTES];
    const uintptr_t data = (uintptr_t)block->data;
    if (address < data)
        (void)snprintf(text, sizeof text, "failed %s memory %zu bytes before %s '%s'",
                       deed(context), (size_t)(data - address), block->kind, block->name);
    else if (address >= data + block->data_bytes)
        (void)snprintf(text, sizeof text, "failed %s memory %zu bytes behind the end of %s '%s'",
                       deed(context), (size_t)(address - data - block->data_bytes), block->kind,
                       block->name);
    else
        (void)snprintf(text, sizeof text, "failed %s to %s '%s' at byte %zu, which is read-only",
                       deed(context), block->kind, block->name, (size_t)(address - data));
    check_record_write(verdict_fd, 'V', text);
}

/* Tells, and has the fault repeat without a handler. */
static void on_fault(int signal_number, siginfo_t *info, void *context)
{
    const uintptr_t address = (uintptr_t)info->si_addr;
    for (size_t i = 0; i < MAX_BLOCKS && info->si_code > 0; i++) {
        const uintptr_t map = atomic_load(&blocks[i].map);
        if (map != 0 && address >= map && address - map < blocks[i].map_bytes) {
            report(&blocks[i], address, context);
            break;
        }
    }
    const struct sigaction usual = {.sa_handler = SIG_DFL};
    (void)sigaction(signal_number, &usual, NULL);
    if (info->si_code <= 0)
        (void)raise(signal_number);
}

void guarded_memory_watch(int record_fd)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
    action.sa_sigaction = on_fault;
    verdict_fd = record_fd;
    (void)sigaction(SIGSEGV, &action, NULL);
    (void)sigaction(SIGBUS, &action, NULL);
}

/* A free slot with its pages, or NULL. */
static struct guarded *take_slot(size_t map_bytes)
{
    struct guarded *block = NULL;
    void *map = mmap(NULL, map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        return NULL;
    (void)pthread_mutex_lock(&blocks_mutex);
    for (size_t i = 0; i < MAX_BLOCKS && block == NULL; i++)
        if (atomic_load(&blocks[i].map) == 0)
            block = &blocks[i];
    if (block != NULL) {
        block->map_bytes = map_bytes;
        atomic_store(&block->map, (uintptr_t)map);
    }
    (void)pthread_mutex_unlock(&blocks_mutex);
    if (block == NULL)
        (void)munmap(map, map_bytes);
    return block;
}

struct guarded *guarded_create(const char *kind, const char *name, size_t size_bytes,
                               size_t alignment, enum guarded_place place)
{
    const size_t page = page_bytes();
    if (size_bytes > SIZE_MAX - 4 * page)
        return NULL;
    size_t inner = (size_bytes + page - 1) / page * page;
    inner = inner > 0 ? inner : page;
    struct guarded *block = take_slot(inner + 2 * page);
    if (block == NULL)
        return NULL;
    unsigned char *start = (unsigned char *)atomic_load(&block->map) + page;
    if (mprotect(start, inner, PROT_READ | PROT_WRITE) != 0) {
        guarded_destroy(block);
        return NULL;
    }
    (void)snprintf(block->kind, sizeof block->kind, "%s", kind);
    (void)snprintf(block->name, sizeof block->name, "%s", name);
    block->data_bytes = size_bytes;
    block->slack_bytes = inner - size_bytes;
    block->is_frozen = false;
    memset(start, FILL, inner);
    size_t before = place == GUARDED_AT_END ? inner - size_bytes : 0;
    block->data = start + before / alignment * alignment;
    return block;
}

void *guarded_data(const struct guarded *block)
{
    return block->data;
}

void guarded_freeze(struct guarded *block)
{
    const size_t page = page_bytes();
    (void)mprotect((unsigned char *)atomic_load(&block->map) + page, block->map_bytes - 2 * page,
                   PROT_READ);
    block->is_frozen = true;
}

bool guarded_is_intact(const struct guarded *block)
{
    const size_t page = page_bytes();
    const unsigned char *start = (const unsigned char *)atomic_load(&block->map) + page;
    const unsigned char *end = start + block->map_bytes - 2 * page;
    for (const unsigned char *c = start; c < end; c++)
        if (*c != FILL && (c < block->data || c >= block->data + block->data_bytes))
            return false;
    return true;
}

void guarded_destroy(struct guarded *block)
{
    if (block == NULL)
        return;
    const size_t map_bytes = block->map_bytes;
    void *map = (void *)atomic_exchange(&block->map, 0);
    (void)munmap(map, map_bytes);
}
