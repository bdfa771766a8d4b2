/* soak_tally.c - see soak_tally.h. */
#include "soak_tally.h"

#include <stdio.h>

#define MAX_TOLD 20

static atomic_uint n_told;

void soak_tally_count(struct soak_tally *tally, enum soak_outcome outcome)
{
    (void)atomic_fetch_add(&tally->n[outcome], 1);
}

void soak_tally_wrong(struct soak_tally *tally, const char *what, model_status status,
                      const char *message)
{
    soak_tally_count(tally, SOAK_WRONG);
    if (atomic_fetch_add(&n_told, 1) < MAX_TOLD)
        fprintf(stderr, "WRONG: %s (%s): status %d: %s; want %s\n", tally->name, tally->where,
                (int)status, message, what);
}

void soak_tally_head(void)
{
    printf("\n%-18s %-10s %9s %8s %8s %9s %8s %7s %6s\n", "model", "where", "right", "cached",
           "streamed", "cancelled", "faults", "loads", "wrong");
}

void soak_tally_print(const struct soak_tally *tally)
{
    static const int widths[N_SOAK_OUTCOMES] = {9, 8, 8, 9, 8, 7, 6};
    printf("%-18s %-10s", tally->name, tally->where);
    for (int i = 0; i < N_SOAK_OUTCOMES; i++)
        printf(" %*llu", widths[i], atomic_load(&tally->n[i]));
    printf("\n");
}
