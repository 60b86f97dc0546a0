/*
 * The harness of the C tests: one program per module, tests/c/test_MODULE.c.
 *
 *     #include "harness.h"
 *     #include "etwc_span.h"
 *
 *     TEST(a_take_past_the_end_moves_nothing)
 *     {
 *         ...
 *         CHECK(!etwc_span_take(&span, 5, &part));
 *         CHECK_EQ_U64(span.len, 4);
 *     }
 *
 *     HARNESS_MAIN
 *
 * Run all of them, or those whose program or test name contains a word:
 *
 *     python3 dev.py ctest [word ...]
 *
 * A failed CHECK prints its line and values and ends the test (by longjmp, so it
 * also works in helper functions). CHECKs do not depend on NDEBUG. When a test
 * has passed, every block of the core's allocator that it took must be free
 * again, else it fails. SKIP("reason") ends a test as skipped.
 *
 * Other .c files of this folder (no test_ prefix) are linked to every program.
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "etwc_alloc.h"
#include "etwc_status.h"

#ifndef ETWC_ALLOC_FAULTS
#error "the C tests are built with ETWC_ALLOC_FAULTS; use dev.py ctest"
#endif

typedef struct harness_test {
    const char *name;
    void (*run)(void);
    struct harness_test *next;
} harness_test;

typedef enum harness_result {
    HARNESS_PASSED,
    HARNESS_FAILED,
    HARNESS_SKIPPED
} harness_result;

static harness_test *harness_first;
static harness_test **harness_end = &harness_first;
static jmp_buf harness_exit;
static volatile harness_result harness_outcome;

#define TEST(test_name)                                                  \
    static void test_##test_name(void);                                  \
    __attribute__((constructor)) static void register_##test_name(void)  \
    {                                                                    \
        static harness_test self = {#test_name, test_##test_name, NULL}; \
        *harness_end = &self;                                            \
        harness_end = &self.next;                                        \
    }                                                                    \
    static void test_##test_name(void)

__attribute__((noreturn)) static inline void
harness_stop(harness_result outcome)
{
    harness_outcome = outcome;
    longjmp(harness_exit, 1);
}

#define SKIP(reason)                         \
    do {                                     \
        printf("  skipped: %s\n", (reason)); \
        harness_stop(HARNESS_SKIPPED);       \
    } while (0)

__attribute__((format(printf, 3, 4), noreturn)) static inline void
harness_fail(const char *file, int line, const char *format, ...)
{
    va_list args;
    printf("  %s:%d: ", file, line);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    harness_stop(HARNESS_FAILED);
}

/* ---- Checks: the value that was got first, the expected one second ---------- */

#define CHECK(condition)                                                  \
    do {                                                                  \
        if (!(condition))                                                 \
            harness_fail(__FILE__, __LINE__, "not true: %s", #condition); \
    } while (0)

#define CHECK_EQ_U64(got, wanted) \
    harness_eq_u64(__FILE__, __LINE__, #got, (uint64_t)(got), (uint64_t)(wanted))
#define CHECK_EQ_I64(got, wanted) \
    harness_eq_i64(__FILE__, __LINE__, #got, (int64_t)(got), (int64_t)(wanted))
/* Two zero-terminated strings; NULL equals only NULL. */
#define CHECK_EQ_STR(got, wanted) \
    harness_eq_str(__FILE__, __LINE__, #got, (got), (wanted))
#define CHECK_EQ_MEM(got, wanted, n) \
    harness_eq_mem(__FILE__, __LINE__, #got, (got), (wanted), (n))
/* Two etwc_status values; CHECK_OK(call) is CHECK_STATUS(call, ETWC_OK). */
#define CHECK_STATUS(got, wanted) \
    harness_eq_status(__FILE__, __LINE__, #got, (got), (wanted))
#define CHECK_OK(got) CHECK_STATUS(got, ETWC_OK)

static inline void
harness_eq_u64(const char *file, int line, const char *what, uint64_t got,
               uint64_t wanted)
{
    if (got != wanted)
        harness_fail(file, line,
                     "%s is %" PRIu64 " (0x%" PRIx64 "), expected %" PRIu64
                     " (0x%" PRIx64 ")",
                     what, got, got, wanted, wanted);
}

static inline void
harness_eq_i64(const char *file, int line, const char *what, int64_t got,
               int64_t wanted)
{
    if (got != wanted)
        harness_fail(file, line, "%s is %" PRId64 ", expected %" PRId64, what, got,
                     wanted);
}

static inline void
harness_eq_str(const char *file, int line, const char *what, const char *got,
               const char *wanted)
{
    if (got == wanted)
        return;
    if (got == NULL || wanted == NULL || strcmp(got, wanted) != 0)
        harness_fail(file, line, "%s is \"%s\", expected \"%s\"", what,
                     got ? got : "(null)", wanted ? wanted : "(null)");
}

static inline void
harness_eq_mem(const char *file, int line, const char *what, const void *got,
               const void *wanted, size_t n)
{
    const uint8_t *g = got;
    const uint8_t *w = wanted;
    for (size_t i = 0; i < n; i++)
        if (g[i] != w[i])
            harness_fail(file, line,
                         "%s differs at byte %zu of %zu: %02x, expected %02x", what, i,
                         n, g[i], w[i]);
}

static inline void
harness_eq_status(const char *file, int line, const char *what, etwc_status got,
                  etwc_status wanted)
{
    if (got != wanted)
        harness_fail(file, line, "%s is %s, expected %s", what, etwc_status_name(got),
                     etwc_status_name(wanted));
}

/* ---- Helpers ------------------------------------------------------------------ */

/* Hex digits, blanks ignored, to bytes; the number of bytes. The test fails when
 * the text is not hex or dst is too small. */
static inline size_t
harness_hex(const char *text, uint8_t *dst, size_t capacity)
{
    size_t n = 0;
    for (; *text != '\0'; text++) {
        static const char digits[] = "0123456789abcdef";
        if (strchr(" \n\t", *text) != NULL)
            continue;
        const char *high = strchr(digits, text[0] | 0x20);
        const char *low = text[1] != '\0' ? strchr(digits, text[1] | 0x20) : NULL;
        if (high == NULL || low == NULL || n == capacity)
            harness_fail(__FILE__, __LINE__, "bad hex at \"%.16s\"", text);
        dst[n++] = (uint8_t)((high - digits) << 4 | (low - digits));
        text++;
    }
    return n;
}

/* Path of a file in the scratch folder of this run: it is removed afterwards. */
static inline const char *
harness_temp_path(const char *name, char *dst, size_t capacity)
{
    const char *folder = getenv("HARNESS_TEMP");
    int n = snprintf(dst, capacity, "%s/%s", folder ? folder : ".", name);
    if (n < 0 || (size_t)n >= capacity)
        harness_fail(__FILE__, __LINE__, "no room for the path of %s", name);
    return dst;
}

/* ---- Allocation faults ----------------------------------------------------------
 *
 * Runs the body again and again: first undisturbed, then with the 1st, 2nd, ...
 * allocation failing (that one only), until a whole round needs no more; then
 * the same with all allocations from the N-th on failing. After each round
 * nothing that the round took may be alive.
 *
 *     FOR_EACH_ALLOC_FAULT() {
 *         etwc_thing *thing = NULL;
 *         etwc_status st = etwc_thing_new(&thing, NULL);
 *         CHECK_STATUS(st, ALLOC_FAULT_HIT() ? ETWC_E_NOMEM : ETWC_OK);
 *         if (st == ETWC_OK)
 *             etwc_thing_free(thing);
 *     }
 *
 * ALLOC_FAULT_HIT() is true when an allocation of this round has failed already.
 * Do not `break` out of the body: `continue` ends a round.
 */
typedef struct harness_fault {
    uint64_t n; /* which allocation fails; 0 in the undisturbed round */
    bool is_sticky;
    bool is_started;
    uint64_t count_before;
    int64_t alive_before;
} harness_fault;

enum { HARNESS_MAX_FAULTS = 1000000 };

static harness_fault harness_round;

#define FOR_EACH_ALLOC_FAULT()                                   \
    for (harness_round = (harness_fault){0, false, false, 0, 0}; \
         harness_fault_next(__FILE__, __LINE__);)

#define ALLOC_FAULT_HIT()    \
    (harness_round.n != 0 && \
     etwc_alloc_count() - harness_round.count_before >= harness_round.n)

static inline bool
harness_fault_next(const char *file, int line)
{
    harness_fault *r = &harness_round;
    if (r->is_started) {
        bool was_hit = ALLOC_FAULT_HIT();
        etwc_alloc_fail_after(0, false);
        if (etwc_alloc_alive() != r->alive_before)
            harness_fail(file, line,
                         "%" PRId64 " blocks leak when allocation %" PRIu64 " fails%s",
                         etwc_alloc_alive() - r->alive_before, r->n,
                         r->is_sticky ? " and all later ones" : "");
        if (r->n != 0 && !was_hit) {
            if (r->is_sticky)
                return false;
            r->is_sticky = true;
            r->n = 0;
        }
        if (r->n == HARNESS_MAX_FAULTS)
            harness_fail(file, line, "the body never gets through");
        r->n++;
    }
    r->is_started = true;
    r->count_before = etwc_alloc_count();
    r->alive_before = etwc_alloc_alive();
    etwc_alloc_fail_after(r->n, r->is_sticky);
    return true;
}

/* ---- The runner ------------------------------------------------------------------ */

static inline harness_result
harness_run(const harness_test *test)
{
    int64_t alive = etwc_alloc_alive();
    harness_outcome = HARNESS_PASSED;
    if (setjmp(harness_exit) == 0)
        test->run();
    etwc_alloc_fail_after(0, false);
    if (harness_outcome == HARNESS_PASSED && etwc_alloc_alive() != alive) {
        printf("  %" PRId64 " blocks are still allocated\n",
               etwc_alloc_alive() - alive);
        harness_outcome = HARNESS_FAILED;
    }
    return harness_outcome;
}

/* Arguments: words; a test runs when its name contains one of them. */
static inline bool
harness_is_wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strstr(name, argv[i]) != NULL)
            return true;
    return argc < 2;
}

static inline int
harness_main(int argc, char **argv)
{
    static const char *const words[] = {"ok", "FAILED", "skipped"};
    unsigned counts[3] = {0, 0, 0};
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    for (const harness_test *test = harness_first; test != NULL; test = test->next) {
        if (!harness_is_wanted(test->name, argc, argv))
            continue;
        harness_result result = harness_run(test);
        counts[result]++;
        printf("%-8s %s\n", words[result], test->name);
    }
    printf("%u passed, %u failed, %u skipped\n", counts[HARNESS_PASSED],
           counts[HARNESS_FAILED], counts[HARNESS_SKIPPED]);
    return counts[HARNESS_FAILED] != 0;
}

#define HARNESS_MAIN                     \
    int main(int argc, char **argv)      \
    {                                    \
        return harness_main(argc, argv); \
    }

#endif
