#include "etwc_clock.h"

enum { RAW_STEPS = 4 };

void
etwc_clock_init(etwc_clock *clock, int64_t raw_base, int64_t start_100ns,
                int64_t frequency_hz, bool is_filetime)
{
    bool is_broken = !is_filetime && frequency_hz <= 0;
    *clock = (etwc_clock){raw_base, start_100ns, frequency_hz, is_filetime, is_broken};
    if (is_filetime || is_broken)
        clock->frequency_hz = ETWC_100NS_PER_SECOND;
}

static int64_t
saturate(bool is_negative)
{
    return is_negative ? INT64_MIN : INT64_MAX;
}

static int64_t
add_saturating(int64_t a, int64_t b)
{
    if (b > 0 ? a > INT64_MAX - b : a < INT64_MIN - b)
        return saturate(b < 0);
    return a + b;
}

static int64_t
subtract_wrapping(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

static uint64_t
magnitude(int64_t v)
{
    return v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
}

/* n * to / from without overflow of the product, truncated; saturates at
 * INT64_MAX. The remainder is below `from`, so its product fits as long as
 * `from` stays below 9.2e11; beyond that it is scaled down first. */
static int64_t
scale(uint64_t n, uint64_t to, uint64_t from)
{
    uint64_t whole = n / from;
    uint64_t rest = n % from;
    if (whole > (uint64_t)INT64_MAX / to)
        return INT64_MAX;
    while (rest > UINT64_MAX / to) {
        rest >>= 1;
        from >>= 1;
    }
    return add_saturating((int64_t)(whole * to), (int64_t)(rest * to / from));
}

int64_t
etwc_clock_filetime(const etwc_clock *clock, int64_t raw)
{
    if (clock->is_filetime)
        return raw;
    if (clock->is_broken)
        return clock->start_100ns;
    int64_t ticks = subtract_wrapping(raw, clock->raw_base);
    int64_t span = scale(magnitude(ticks), (uint64_t)ETWC_100NS_PER_SECOND,
                         (uint64_t)clock->frequency_hz);
    return add_saturating(clock->start_100ns, ticks < 0 ? -span : span);
}

int64_t
etwc_clock_raw(const etwc_clock *clock, int64_t filetime)
{
    if (clock->is_filetime)
        return filetime;
    if (clock->is_broken)
        return filetime <= clock->start_100ns ? INT64_MIN : INT64_MAX;
    int64_t span = subtract_wrapping(filetime, clock->start_100ns);
    /* Stamps before the base truncate toward it, so the first stamp of a unit
     * lies almost one unit further out there. */
    bool is_before = span <= 0;
    int64_t ticks = scale(magnitude(span) + is_before, (uint64_t)clock->frequency_hz,
                          (uint64_t)ETWC_100NS_PER_SECOND);
    int64_t raw = add_saturating(clock->raw_base, is_before ? -ticks : ticks);
    /* Truncation leaves the guess a tick or two off on either side. */
    for (int i = 0; i < RAW_STEPS && raw > INT64_MIN &&
                    etwc_clock_filetime(clock, raw - 1) >= filetime;
         i++)
        raw--;
    for (int i = 0; i < RAW_STEPS && raw < INT64_MAX &&
                    etwc_clock_filetime(clock, raw) < filetime;
         i++)
        raw++;
    return raw;
}

int64_t
etwc_clock_span_ns(const etwc_clock *clock, int64_t ticks)
{
    int64_t ns = scale(magnitude(ticks), UINT64_C(1000000000),
                       (uint64_t)clock->frequency_hz);
    return ticks < 0 ? -ns : ns;
}

double
etwc_clock_relative_ms(const etwc_clock *clock, int64_t raw)
{
    int64_t ticks = subtract_wrapping(raw, clock->raw_base);
    return (double)ticks * 1000.0 / (double)clock->frequency_hz;
}

int64_t
etwc_clock_unix_ns(int64_t filetime)
{
    int64_t since = filetime - ETWC_UNIX_EPOCH_100NS;
    if (filetime < INT64_MIN + ETWC_UNIX_EPOCH_100NS)
        return INT64_MIN;
    if (since > INT64_MAX / 100 || since < INT64_MIN / 100)
        return saturate(since < 0);
    return since * 100;
}
