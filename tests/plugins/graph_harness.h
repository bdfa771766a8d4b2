/* graph_harness.h - graphs in tests: built by a builder, finished, and run on numbers. One test, one thread. */
#ifndef GRAPH_HARNESS_H
#define GRAPH_HARNESS_H

#include "plugin_harness.h"

#include "graph_build.h"
#include "graph_services.h"

struct graph_test {
    struct harness *harness;
    struct graph_services services;
    struct kernels *kernels;
    struct graph_builder builder;
    struct linear_runner *runner;
    uint64_t seed;
};

struct graph_test *graph_test_create(void);
/* With the services of this harness, which ends with the test. */
struct graph_test *graph_test_create_in(struct harness *harness);
/* Fails unless everything was given back. */
void graph_test_destroy(struct graph_test *test);

/* n numbers in [-1, 1), with the test's memory; an input or a constant of them. */
float *graph_test_numbers(struct graph_test *test, size_t n);
uint32_t graph_test_input(struct graph_test *test, const struct graph_shape *shape);
uint32_t graph_test_constant(struct graph_test *test, const struct graph_shape *shape);
/* Finishes the graph, whose one output this becomes; it must work. */
void graph_test_finish(struct graph_test *test, uint32_t output);
/* Runs it on the first n_inputs; the output is freed by the caller. */
float *graph_test_run(struct graph_test *test, const float *const *inputs);
/* The same on inputs that may be U8. */
float *graph_test_run_inputs(struct graph_test *test, const struct graph_input *inputs);
/* Nodes that are left. */
uint32_t graph_test_nodes(const struct graph_test *test);
/* Fails unless |found - want| <= 1e-5 max(1, |want|) for all n. */
void graph_test_close(const char *what, const float *found, const double *want, size_t n);

#endif
