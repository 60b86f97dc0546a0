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

/* ---- The steps that one has ---------------------------------------------------------- */

typedef struct step_range {
    size_t first, end;
} step_range;

static step_range
range_of(const etwc_histogram *histogram)
{
    if (histogram == NULL || histogram->step_count == 0)
        return (step_range){ETWC_HISTOGRAM_STEPS, 0};
    return (step_range){histogram->first, histogram->first + histogram->step_count};
}

/* With the octaves of others, which are none when `end` is 0. */
static step_range
range_with(const etwc_histogram *histogram, step_range more)
{
    step_range range = range_of(histogram);
    if (more.end == 0)
        return range;
    size_t first = more.first & ~(size_t)(PER_OCTAVE - 1);
    size_t end = ((more.end - 1) | (PER_OCTAVE - 1)) + 1;
    return (step_range){first < range.first ? first : range.first,
                        end > range.end ? end : range.end};
}

static size_t
size_of(step_range range)
{
    size_t count = range.end == 0 ? 0 : range.end - range.first;
    return sizeof(etwc_histogram) + count * sizeof(uint64_t);
}

static step_range
range_with_time(const etwc_histogram *histogram, uint64_t ns)
{
    size_t step = etwc_histogram_step(ns);
    return range_with(histogram, (step_range){step, step + 1});
}

size_t
etwc_histogram_size_with(const etwc_histogram *histogram, uint64_t ns)
{
    return size_of(range_with_time(histogram, ns));
}

size_t
etwc_histogram_size_merged(const etwc_histogram *to, const etwc_histogram *from)
{
    return size_of(range_with(to, range_of(from)));
}

/* To a range that has all of its steps, and some. */
static void
widen(etwc_histogram *histogram, step_range range)
{
    size_t had = histogram->step_count, count = range.end - range.first;
    size_t shift = had == 0 ? 0 : histogram->first - range.first;
    uint64_t *counts = histogram->counts;
    memmove(counts + shift, counts, had * sizeof *counts);
    memset(counts, 0, shift * sizeof *counts);
    memset(counts + shift + had, 0, (count - shift - had) * sizeof *counts);
    histogram->first = (uint32_t)range.first;
    histogram->step_count = (uint32_t)count;
}

uint64_t
etwc_histogram_count(const etwc_histogram *histogram, size_t step)
{
    size_t at = step - histogram->first; /* wraps when it is below */
    return at < histogram->step_count ? histogram->counts[at] : 0;
}

/* ---- Counting ------------------------------------------------------------------------ */

void
etwc_histogram_add(etwc_histogram *histogram, uint64_t ns)
{
    size_t step = etwc_histogram_step(ns);
    if (ETWC_UNLIKELY(step - histogram->first >= histogram->step_count))
        widen(histogram, range_with_time(histogram, ns));
    histogram->counts[step - histogram->first]++;
    histogram->total_ns += ns;
    if (ns > histogram->max_ns)
        histogram->max_ns = ns;
}

void
etwc_histogram_merge(etwc_histogram *to, const etwc_histogram *from)
{
    step_range range = range_of(from);
    if (range.end == 0)
        return;
    widen(to, range_with(to, range));
    for (size_t i = range.first; i < range.end; i++)
        to->counts[i - to->first] += from->counts[i - range.first];
    to->total_ns += from->total_ns;
    if (from->max_ns > to->max_ns)
        to->max_ns = from->max_ns;
}

/* ---- What a part of it says ------------------------------------------------------------ */

/* What a step adds to the part; a base of something else cannot make it negative. */
static uint64_t
count_of(const etwc_histogram *histogram, const etwc_histogram *base, size_t step)
{
    uint64_t now = etwc_histogram_count(histogram, step);
    uint64_t before = base == NULL ? 0 : etwc_histogram_count(base, step);
    return now > before ? now - before : 0;
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
    step_range range = range_of(histogram);
    size_t last = 0;
    for (size_t i = range.first; i < range.end; i++) {
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
    for (size_t i = range.first; i <= last; i++) {
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
