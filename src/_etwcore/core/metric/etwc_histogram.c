#include "etwc_histogram.h"

enum { PER_OCTAVE = 1 << ETWC_HISTOGRAM_STEP_BITS };

/* Number of the highest bit of what is not 0. */
static inline unsigned
top_bit(uint64_t value)
{
#ifdef __GNUC__
    return 63u - (unsigned)__builtin_clzll(value);
#else
    unsigned bit = 0;
    while ((value >>= 1) != 0)
        bit++;
    return bit;
#endif
}

size_t
etwc_histogram_step(uint64_t ns)
{
    if (ns < PER_OCTAVE)
        return (size_t)ns;
    if (ns >> ETWC_HISTOGRAM_TIME_BITS != 0)
        return ETWC_HISTOGRAM_STEPS - 1;
    unsigned shift = top_bit(ns) - ETWC_HISTOGRAM_STEP_BITS;
    /* The leading one of the shifted time steps into the next octave. */
    return (size_t)shift * PER_OCTAVE + (size_t)(ns >> shift);
}

uint64_t
etwc_histogram_step_begin(size_t step)
{
    if (step < PER_OCTAVE)
        return step;
    size_t shift = step / PER_OCTAVE - 1;
    return (uint64_t)(PER_OCTAVE + step % PER_OCTAVE) << shift;
}

void
etwc_histogram_add(etwc_histogram *histogram, uint64_t ns)
{
    histogram->counts[etwc_histogram_step(ns)]++;
    histogram->total_ns += ns;
    if (ns > histogram->max_ns)
        histogram->max_ns = ns;
}

void
etwc_histogram_merge(etwc_histogram *to, const etwc_histogram *from)
{
    for (size_t i = 0; i < ETWC_HISTOGRAM_STEPS; i++)
        to->counts[i] += from->counts[i];
    to->total_ns += from->total_ns;
    if (from->max_ns > to->max_ns)
        to->max_ns = from->max_ns;
}

/* What a step adds to the part; a base of something else cannot make it negative. */
static uint64_t
count_of(const etwc_histogram *histogram, const etwc_histogram *base, size_t step)
{
    uint64_t before = base == NULL ? 0 : base->counts[step];
    return histogram->counts[step] > before ? histogram->counts[step] - before : 0;
}

static uint64_t
middle_of(size_t step)
{
    uint64_t begin = etwc_histogram_step_begin(step);
    return begin + (etwc_histogram_step_begin(step + 1) - begin) / 2;
}

/* The longest time of the part: known when it is the longest of all, for that lies
 * in the part; else its step is. */
static uint64_t
max_of(const etwc_histogram *histogram, const etwc_histogram *base, size_t last)
{
    if (base == NULL || base->max_ns < histogram->max_ns)
        return histogram->max_ns;
    uint64_t end = etwc_histogram_step_begin(last + 1) - 1;
    return end < histogram->max_ns ? end : histogram->max_ns;
}

void
etwc_histogram_summarize(const etwc_histogram *histogram, const etwc_histogram *base,
                         etwc_histogram_summary *out)
{
    *out = (etwc_histogram_summary){0};
    if (histogram == NULL)
        return;
    size_t last = 0;
    for (size_t i = 0; i < ETWC_HISTOGRAM_STEPS; i++) {
        uint64_t count = count_of(histogram, base, i);
        out->count += count;
        if (count != 0)
            last = i;
    }
    if (out->count == 0)
        return;
    out->max_ns = max_of(histogram, base, last);
    out->total_ns = histogram->total_ns - (base == NULL ? 0 : base->total_ns);
    /* Nearest rank: at least that many of a hundred are not longer. */
    uint64_t rank50 = out->count - out->count / 2;
    uint64_t rank99 = out->count - out->count / 100;
    uint64_t seen = 0;
    for (size_t i = 0; i <= last; i++) {
        uint64_t count = count_of(histogram, base, i);
        if (seen < rank50 && rank50 <= seen + count)
            out->p50_ns = middle_of(i);
        if (seen < rank99 && rank99 <= seen + count)
            out->p99_ns = middle_of(i);
        seen += count;
    }
    if (out->p50_ns > out->max_ns)
        out->p50_ns = out->max_ns;
    if (out->p99_ns > out->max_ns)
        out->p99_ns = out->max_ns;
}
