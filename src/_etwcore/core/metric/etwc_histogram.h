/*
 * Histograms of times with eight steps between a time and its double: log-linear, with
 * the same steps always, so that the difference of two is a histogram, too.
 *
 * Times below 8 ns have a step each; from there on the width of a step is an eighth
 * of the power of two below it. The middle of a step is at most 6.25 % from any time
 * in it. Times from 2^42 ns (73 minutes) on are counted in the last step.
 *
 * A histogram has those steps alone that lie between its shortest and its longest time,
 * in whole octaves: the times of one disk span few of them.
 */
#ifndef ETWC_HISTOGRAM_H
#define ETWC_HISTOGRAM_H

#include "etwc_base.h"

enum {
    ETWC_HISTOGRAM_STEP_BITS = 3,
    ETWC_HISTOGRAM_TIME_BITS = 42,
    ETWC_HISTOGRAM_STEPS = (ETWC_HISTOGRAM_TIME_BITS - ETWC_HISTOGRAM_STEP_BITS + 1)
                           << ETWC_HISTOGRAM_STEP_BITS
};

typedef struct etwc_histogram {
    uint64_t max_ns;            /* exact, like the sum */
    uint64_t total_ns;          /* of all times */
    uint32_t first, step_count; /* the steps that it has; zeroed: none */
    uint64_t counts[];
} etwc_histogram;

typedef struct etwc_histogram_summary {
    uint64_t count;
    uint64_t total_ns;
    uint64_t p50_ns, p99_ns; /* nearest rank, middle of its step */
    uint64_t max_ns; /* exact when it is of this part, else the end of its step */
} etwc_histogram_summary;

/* Bytes that it takes once it has the step of that time, or all steps of another one;
 * each may be NULL, which is an empty one. */
size_t etwc_histogram_size_with(const etwc_histogram *histogram, uint64_t ns);
size_t etwc_histogram_size_merged(const etwc_histogram *to, const etwc_histogram *from);
/* Both want memory of that size. */
void etwc_histogram_add(etwc_histogram *histogram, uint64_t ns);
void etwc_histogram_merge(etwc_histogram *to, const etwc_histogram *from);
/* Times in a step, which it may not have. */
uint64_t etwc_histogram_count(const etwc_histogram *histogram, size_t step);
/* Of what `histogram` has and `base`, the same one earlier (NULL: empty), had not
 * yet. All 0 when that is nothing; `histogram` may be NULL, too. */
void etwc_histogram_summarize(const etwc_histogram *histogram,
                              const etwc_histogram *base, etwc_histogram_summary *out);

/* The step that a time falls in, and the first time of a step. */
size_t etwc_histogram_step(uint64_t ns);
uint64_t etwc_histogram_step_begin(size_t step);

#endif
