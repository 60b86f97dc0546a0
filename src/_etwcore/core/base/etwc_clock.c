#include "etwc_clock.h"

enum { RAW_STEPS = 4 };

static uint64_t
greatest_common_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static void
init_fast_path(etwc_clock *clock)
{
    uint64_t from = (uint64_t)clock->frequency_hz;
    uint64_t common = greatest_common_divisor(ETWC_100NS_PER_SECOND, from);
    clock->multiplier = ETWC_100NS_PER_SECOND / common;
    clock->divisor = from / common;
    clock->is_100ns = clock->multiplier == 1 && clock->divisor == 1;
    if (!clock->is_filetime && !clock->is_broken && clock->start_100ns < INT64_MAX / 2)
        clock->fast_limit = INT64_MAX / 2 / clock->multiplier;
}

void
etwc_clock_init(etwc_clock *clock, int64_t raw_base, int64_t start_100ns,
                int64_t frequency_hz, bool is_filetime)
{
    *clock = (etwc_clock){
        .raw_base = raw_base,
        .start_100ns = start_100ns,
        .frequency_hz = frequency_hz,
        .is_filetime = is_filetime,
        .is_broken = !is_filetime && frequency_hz <= 0,
    };
    if (is_filetime || clock->is_broken)
        clock->frequency_hz = ETWC_100NS_PER_SECOND;
    init_fast_path(clock);
}

static int64_t
saturate(bool is_negative)
{
    return is_negative ? INT64_MIN : INT64_MAX;
}

/* base + v or base - v */
static int64_t
move_saturating(int64_t base, bool is_negative, uint64_t v)
{
    uint64_t room = is_negative ? (uint64_t)base - (uint64_t)INT64_MIN
                                : (uint64_t)INT64_MAX - (uint64_t)base;
    if (v > room)
        return saturate(is_negative);
    return (int64_t)(is_negative ? (uint64_t)base - v : (uint64_t)base + v);
}

/* |a - b|, which always fits. */
static uint64_t
distance(int64_t a, int64_t b)
{
    return a < b ? (uint64_t)b - (uint64_t)a : (uint64_t)a - (uint64_t)b;
}

/* floor(rest * to / from) for rest and to below from, from below 2^63 and to below
 * 2^32: multiplied one bit at a time, so that nothing is ever above 2 * from. */
static uint64_t
scale_bitwise(uint64_t rest, uint64_t to, uint64_t from)
{
    uint64_t quotient = 0;
    uint64_t left = 0; /* below from */
    for (uint64_t bit = UINT64_C(1) << 31; bit != 0; bit >>= 1) {
        quotient *= 2;
        left *= 2;
        if (left >= from) {
            left -= from;
            quotient++;
        }
        if ((to & bit) == 0)
            continue;
        if (left >= from - rest) {
            left -= from - rest;
            quotient++;
        } else {
            left += rest;
        }
    }
    return quotient;
}

/* floor(n * to / from), exact; saturates. One of `to` and `from` is a number of
 * units in a second and below 2^32, and both are below 2^63. */
static inline uint64_t
scale(uint64_t n, uint64_t to, uint64_t from)
{
    uint64_t whole = n / from;
    uint64_t rest = n % from;
    if (whole > UINT64_MAX / to)
        return UINT64_MAX;
    uint64_t part = rest <= UINT64_MAX / to
                        ? rest * to / from
                        : rest * (to / from) + scale_bitwise(rest, to % from, from);
    whole *= to;
    return part <= UINT64_MAX - whole ? whole + part : UINT64_MAX;
}

int64_t
etwc_clock_filetime_of_any(const etwc_clock *clock, int64_t raw)
{
    if (clock->is_filetime)
        return raw;
    if (clock->is_broken)
        return clock->start_100ns;
    uint64_t span = scale(distance(raw, clock->raw_base), ETWC_100NS_PER_SECOND,
                          (uint64_t)clock->frequency_hz);
    return move_saturating(clock->start_100ns, raw < clock->raw_base, span);
}

int64_t
etwc_clock_raw(const etwc_clock *clock, int64_t filetime)
{
    if (clock->is_filetime)
        return filetime;
    if (clock->is_broken)
        return filetime <= clock->start_100ns ? INT64_MIN : INT64_MAX;
    if (filetime == INT64_MIN)
        return INT64_MIN; /* where every stamp that is too early saturates */
    uint64_t span = distance(filetime, clock->start_100ns);
    /* Stamps before the base truncate toward it, so the first stamp of a unit
     * lies almost one unit further out there. */
    bool is_before = filetime <= clock->start_100ns;
    uint64_t ticks = scale(span + (is_before && span < UINT64_MAX),
                           (uint64_t)clock->frequency_hz, ETWC_100NS_PER_SECOND);
    int64_t raw = move_saturating(clock->raw_base, is_before, ticks);
    /* Truncation leaves the guess a tick or two off on either side. */
    for (int i = 0; i < RAW_STEPS && raw > INT64_MIN &&
                    etwc_clock_filetime(clock, raw - 1) >= filetime;
         i++)
        raw--;
    for (int i = 0;
         i < RAW_STEPS && raw < INT64_MAX && etwc_clock_filetime(clock, raw) < filetime;
         i++)
        raw++;
    return raw;
}

int64_t
etwc_clock_span_ns(const etwc_clock *clock, int64_t ticks)
{
    uint64_t ns = scale(distance(ticks, 0), 1000000000, (uint64_t)clock->frequency_hz);
    return move_saturating(0, ticks < 0, ns);
}

double
etwc_clock_relative_ms(const etwc_clock *clock, int64_t raw)
{
    double ticks = (double)distance(raw, clock->raw_base);
    double ms = ticks * 1000.0 / (double)clock->frequency_hz;
    return raw < clock->raw_base ? -ms : ms;
}

int64_t
etwc_clock_unix_ns(int64_t filetime)
{
    if (filetime < INT64_MIN + ETWC_UNIX_EPOCH_100NS)
        return INT64_MIN;
    int64_t since = filetime - ETWC_UNIX_EPOCH_100NS;
    if (since > INT64_MAX / 100 || since < INT64_MIN / 100)
        return saturate(since < 0);
    return since * 100;
}
