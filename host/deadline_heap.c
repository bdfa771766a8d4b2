/* deadline_heap.c - see deadline_heap.h. */
#include "deadline_heap.h"

#include <stdlib.h>

static void place(struct deadline_heap *heap, size_t index, struct modelhost_request *request)
{
    heap->items[index] = request;
    request->heap_index = index;
}

static void sift_up(struct deadline_heap *heap, size_t index, struct modelhost_request *request)
{
    while (index > 0 && heap->items[(index - 1) / 2]->deadline_ns > request->deadline_ns) {
        place(heap, index, heap->items[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    place(heap, index, request);
}

static void sift_down(struct deadline_heap *heap, size_t index, struct modelhost_request *request)
{
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= heap->n_items)
            break;
        if (child + 1 < heap->n_items &&
            heap->items[child + 1]->deadline_ns < heap->items[child]->deadline_ns)
            child++;
        if (heap->items[child]->deadline_ns >= request->deadline_ns)
            break;
        place(heap, index, heap->items[child]);
        index = child;
    }
    place(heap, index, request);
}

model_status deadline_heap_add(struct deadline_heap *heap, struct modelhost_request *request)
{
    if (heap->n_items == heap->capacity) {
        size_t capacity = heap->capacity > 0 ? heap->capacity * 2 : 64;
        struct modelhost_request **items = realloc(heap->items, capacity * sizeof *items);
        if (items == NULL)
            return MODEL_OUT_OF_MEMORY;
        heap->items = items;
        heap->capacity = capacity;
    }
    sift_up(heap, heap->n_items++, request);
    return MODEL_OK;
}

void deadline_heap_remove(struct deadline_heap *heap, struct modelhost_request *request)
{
    size_t index = request->heap_index;
    if (index == SIZE_MAX)
        return;
    request->heap_index = SIZE_MAX;
    struct modelhost_request *last = heap->items[--heap->n_items];
    if (last == request)
        return;
    if (index > 0 && heap->items[(index - 1) / 2]->deadline_ns > last->deadline_ns)
        sift_up(heap, index, last);
    else
        sift_down(heap, index, last);
}

struct modelhost_request *deadline_heap_first(const struct deadline_heap *heap)
{
    return heap->n_items > 0 ? heap->items[0] : NULL;
}

void deadline_heap_finish(struct deadline_heap *heap)
{
    free(heap->items);
    *heap = (struct deadline_heap){0};
}
