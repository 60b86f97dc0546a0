/* Stacks of events: chapter 4 of the document, rule by rule. */
#include "harness.h"

#include "etwc_stack.h"
#include "payload.h"

enum {
    STACK = 32,
    CREATE = 34,
    DELETE = 35,
    RUNDOWN = 36,
    KERNEL_KEY = 37,
    USER_KEY = 38
};
enum { THREAD = 50, OTHER_THREAD = 51, MAX_FRAMES = 64 };

#define KERNEL(n) (UINT64_C(0xFFFFF80000000000) + (n))
#define USER(n) (UINT64_C(0x7FF600000000) + (n))

static etwc_pool *pool;

static etwc_stacks *
new_stacks(uint64_t limit)
{
    etwc_stacks *stacks;
    pool = etwc_pool_new(limit);
    CHECK(pool != NULL);
    CHECK_OK(etwc_stacks_new(pool, &stacks, NULL));
    return stacks;
}

static void
free_stacks(etwc_stacks *stacks)
{
    etwc_stacks_free(stacks);
    CHECK_EQ_U64(etwc_pool_in_use(pool), 0);
    etwc_pool_release(pool);
}

static etwc_status
feed(etwc_stacks *stacks, const payload *p, uint8_t opcode, int64_t raw_time)
{
    etwc_event event = event_of(p, ETWC_CLASS_STACK_WALK, opcode, 2);
    event.raw_time = raw_time;
    return etwc_stacks_feed(stacks, &event, NULL);
}

static void
feed_frames(etwc_stacks *stacks, int64_t raw_time, int64_t event_time, uint32_t thread,
            const uint64_t *frames, size_t count)
{
    payload p = {.pointer_size = 8};
    put(&p, (uint64_t)event_time, 8);
    put(&p, 4, 4);
    put(&p, thread, 4);
    for (size_t i = 0; i < count; i++)
        put_pointer(&p, frames[i]);
    CHECK_OK(feed(stacks, &p, STACK, raw_time));
}

static void
feed_reference(etwc_stacks *stacks, uint8_t opcode, int64_t raw_time,
               int64_t event_time, uint64_t key)
{
    payload p = {.pointer_size = 8};
    put(&p, (uint64_t)event_time, 8);
    put(&p, 4, 4);
    put(&p, THREAD, 4);
    put_pointer(&p, key);
    CHECK_OK(feed(stacks, &p, opcode, raw_time));
}

static void
feed_definition(etwc_stacks *stacks, uint8_t opcode, int64_t raw_time, uint64_t key,
                uint64_t frame)
{
    payload p = {.pointer_size = 8};
    put_pointer(&p, key);
    put_pointer(&p, frame);
    put_pointer(&p, frame + 1);
    CHECK_OK(feed(stacks, &p, opcode, raw_time));
}

static etwc_event
event_at(int64_t raw_time, uint32_t thread)
{
    static const payload empty = {.pointer_size = 8};
    etwc_event event = event_of(&empty, ETWC_CLASS_PROCESS, 1, 4);
    event.raw_time = raw_time;
    event.thread_id = thread;
    return event;
}

static void
check_stack(const etwc_stacks *stacks, const etwc_event *event, bool is_complete,
            const uint64_t *expected, size_t count)
{
    uint64_t frames[MAX_FRAMES];
    bool found_complete;
    size_t found =
        etwc_stacks_resolve(stacks, event, frames, MAX_FRAMES, &found_complete);
    CHECK_EQ_U64(found, count);
    CHECK_EQ_U64(found_complete, is_complete);
    for (size_t i = 0; i < count; i++)
        CHECK_EQ_U64(frames[i], expected[i]);
}

TEST(stack_is_found_by_time_and_thread)
{
    static const uint64_t mine[] = {KERNEL(1), USER(2)}, other[] = {KERNEL(3)};
    etwc_stacks *stacks = new_stacks(1 << 20);
    feed_frames(stacks, 200, 100, OTHER_THREAD, other, 1);
    feed_frames(stacks, 210, 100, THREAD, mine, 2);
    etwc_stacks_finish(stacks);
    etwc_event event = event_at(100, THREAD), later = event_at(101, THREAD),
               stranger = event_at(100, 77);
    check_stack(stacks, &event, true, mine, 2);
    check_stack(stacks, &later, true, NULL, 0);
    check_stack(stacks, &stranger, true, NULL, 0);
    free_stacks(stacks);
}

TEST(event_without_a_thread_takes_that_of_its_processor)
{
    static const uint64_t first[] = {KERNEL(1)}, second[] = {KERNEL(2)};
    etwc_stacks *stacks = new_stacks(1 << 20);
    feed_frames(stacks, 200, 100, THREAD, first, 1);
    feed_frames(stacks, 210, 100, OTHER_THREAD, second, 1);
    feed_frames(stacks, 220, 300, OTHER_THREAD, second, 1);
    etwc_stacks_finish(stacks);
    etwc_event event = event_at(100, ETWC_NO_ID);
    event.running_thread_id = OTHER_THREAD;
    check_stack(stacks, &event, true, second, 1);
    event = event_at(300, ETWC_NO_ID); /* there is only one: that it is */
    event.processor = 7;
    check_stack(stacks, &event, true, second, 1);
    free_stacks(stacks);
}

TEST(halves_are_joined_kernel_first)
{
    static const uint64_t expected[] = {KERNEL(1), KERNEL(2), USER(5), USER(6)};
    etwc_stacks *stacks = new_stacks(1 << 20);
    feed_reference(stacks, USER_KEY, 150, 100, 0xB);
    feed_reference(stacks, KERNEL_KEY, 151, 100, 0xA);
    feed_definition(stacks, RUNDOWN, 900, 0xA, KERNEL(1));
    feed_definition(stacks, RUNDOWN, 901, 0xB, USER(5));
    etwc_stacks_finish(stacks);
    etwc_event event = event_at(100, THREAD);
    check_stack(stacks, &event, true, expected, 4);

    free_stacks(stacks);

    stacks = new_stacks(1 << 20); /* frames in two records */
    feed_frames(stacks, 150, 100, THREAD, expected + 2, 2);
    feed_frames(stacks, 151, 100, THREAD, expected, 2);
    etwc_stacks_finish(stacks);
    check_stack(stacks, &event, true, expected, 4);
    free_stacks(stacks);
}

TEST(key_means_the_first_definition_at_or_after_the_reference)
{
    static const uint64_t first[] = {KERNEL(10), KERNEL(11)};
    static const uint64_t second[] = {KERNEL(20), KERNEL(21)};
    etwc_stacks *stacks = new_stacks(1 << 20);
    feed_reference(stacks, KERNEL_KEY, 150, 100, 0xA);
    feed_definition(stacks, DELETE, 200, 0xA, KERNEL(10));
    feed_reference(stacks, KERNEL_KEY, 200, 190, 0xA); /* at the same time as it */
    feed_reference(stacks, KERNEL_KEY, 201, 195, 0xA);
    feed_definition(stacks, RUNDOWN, 300, 0xA, KERNEL(20));
    feed_reference(stacks, KERNEL_KEY, 301, 290, 0xA);
    feed_reference(stacks, KERNEL_KEY, 302, 291, 0xC);
    etwc_stacks_finish(stacks);
    etwc_event early = event_at(100, THREAD), same = event_at(190, THREAD),
               late = event_at(195, THREAD), too_late = event_at(290, THREAD);
    check_stack(stacks, &early, true, first, 2);
    check_stack(stacks, &same, true, first, 2);
    check_stack(stacks, &late, true, second, 2);
    check_stack(stacks, &too_late, false, NULL, 0);
    etwc_stacks_counts counts;
    etwc_stacks_get_counts(stacks, &counts);
    CHECK_EQ_U64(counts.records, 5);
    CHECK_EQ_U64(counts.references, 5);
    CHECK_EQ_U64(counts.unresolved, 2);
    CHECK_EQ_U64(counts.definitions, 2);
    free_stacks(stacks);
}

TEST(definition_that_began_a_key_serves_when_no_other_follows)
{
    static const uint64_t first[] = {KERNEL(10), KERNEL(11)};
    static const uint64_t second[] = {KERNEL(20), KERNEL(21)};
    etwc_stacks *stacks = new_stacks(1 << 20);
    feed_definition(stacks, CREATE, 50, 0xA, KERNEL(10));
    feed_reference(stacks, KERNEL_KEY, 150, 100, 0xA);
    feed_definition(stacks, CREATE, 200, 0xA, KERNEL(20)); /* the key's next life */
    feed_reference(stacks, KERNEL_KEY, 250, 210, 0xA);
    etwc_stacks_finish(stacks);
    etwc_event early = event_at(100, THREAD), late = event_at(210, THREAD);
    check_stack(stacks, &early, true, first, 2);
    check_stack(stacks, &late, true, second, 2);
    free_stacks(stacks);
}

/* An extended item: the layout of an on-disk list (size, type, linkage, data
 * size, then the data). */
static void
put_item(payload *p, uint16_t type, bool is_last, uint64_t match_id,
         const uint64_t *words, size_t count)
{
    size_t data_size = 8 + 8 * count;
    put(p, 8 + data_size, 2);
    put(p, type, 2);
    put(p, is_last ? 0 : 1, 2);
    put(p, data_size, 2);
    put(p, match_id, 8);
    for (size_t i = 0; i < count; i++)
        put(p, words[i], 8);
}

static etwc_event
event_with_items(const payload *p, int64_t raw_time)
{
    etwc_event event = event_at(raw_time, THREAD);
    event.kernel_class = ETWC_CLASS_NONE;
    event.extended = p->bytes;
    event.extended_size = (uint32_t)p->size;
    event.extended_form = ETWC_EXTENDED_ITEMS;
    return event;
}

TEST(stack_in_the_event_itself)
{
    static const uint64_t frames[] = {USER(1), USER(2), USER(3)};
    payload p = {.pointer_size = 8};
    put_item(&p, ETWC_EXT_STACK_TRACE64, true, 0, frames, 3);
    etwc_stacks *stacks = new_stacks(1 << 20);
    etwc_event event = event_with_items(&p, 100);
    CHECK_OK(etwc_stacks_feed(stacks, &event, NULL));
    etwc_stacks_finish(stacks);
    check_stack(stacks, &event, true, frames, 3);
    free_stacks(stacks);
}

TEST(half_with_a_match_id_finds_the_other_half)
{
    static const uint64_t user[] = {USER(1), USER(2)}, kernel[] = {KERNEL(3)};
    static const uint64_t both[] = {KERNEL(3), USER(1), USER(2)};
    payload first = {.pointer_size = 8}, second = {.pointer_size = 8},
            alone = {.pointer_size = 8};
    put_item(&first, ETWC_EXT_STACK_TRACE64, true, 900, kernel, 1);
    put_item(&second, ETWC_EXT_STACK_TRACE64, true, 900, user, 2);
    put_item(&alone, ETWC_EXT_STACK_TRACE64, true, 901, kernel, 1);
    etwc_stacks *stacks = new_stacks(1 << 20);
    etwc_event event = event_with_items(&first, 100),
               other = event_with_items(&second, 500),
               half = event_with_items(&alone, 600);
    CHECK_OK(etwc_stacks_feed(stacks, &event, NULL));
    CHECK_OK(etwc_stacks_feed(stacks, &other, NULL));
    CHECK_OK(etwc_stacks_feed(stacks, &half, NULL));
    etwc_stacks_finish(stacks);
    check_stack(stacks, &event, true, both, 3);
    check_stack(stacks, &half, false, kernel, 1);
    free_stacks(stacks);
}

TEST(key_in_the_event_itself)
{
    static const uint64_t frames[] = {USER(5), USER(6)};
    uint64_t key = 0xA;
    payload p = {.pointer_size = 8};
    put_item(&p, ETWC_EXT_STACK_KEY64, true, 0, &key, 1);
    etwc_stacks *stacks = new_stacks(1 << 20);
    etwc_event event = event_with_items(&p, 100);
    CHECK_OK(etwc_stacks_feed(stacks, &event, NULL));
    feed_definition(stacks, DELETE, 200, 0xA, USER(5));
    feed_definition(stacks, DELETE, 300, 0xA, USER(9));
    etwc_stacks_finish(stacks);
    check_stack(stacks, &event, true, frames, 2);
    free_stacks(stacks);
}

TEST(memory_is_bounded)
{
    static const uint64_t frames[] = {KERNEL(1), USER(2)};
    etwc_stacks *stacks = new_stacks(1 << 16);
    payload p = {.pointer_size = 8};
    etwc_status st = ETWC_OK;
    put(&p, 100, 8);
    put(&p, 4, 4);
    put(&p, THREAD, 4);
    put_pointer(&p, frames[0]);
    size_t fed = 0;
    while (st == ETWC_OK && fed < 100000) {
        st = feed(stacks, &p, STACK, 200);
        fed += st == ETWC_OK;
    }
    CHECK_STATUS(st, ETWC_E_LIMIT);
    CHECK(etwc_pool_in_use(pool) <= 1 << 16);
    etwc_stacks_finish(stacks); /* what was fed before is still there */
    etwc_stacks_counts counts;
    etwc_stacks_get_counts(stacks, &counts);
    CHECK_EQ_U64(counts.records, fed);
    CHECK_STATUS(feed(stacks, &p, STACK, 300), ETWC_E_STATE);
    free_stacks(stacks);
}

TEST(memory_that_is_out_leaves_nothing_behind)
{
    FOR_EACH_ALLOC_FAULT () {
        payload p = {.pointer_size = 8};
        put(&p, 0xA, 8);
        put_pointer(&p, KERNEL(1));
        put_pointer(&p, KERNEL(2));
        put_pointer(&p, KERNEL(3));
        etwc_pool *own = etwc_pool_new(1 << 20);
        etwc_stacks *stacks = NULL;
        etwc_status st = own ? etwc_stacks_new(own, &stacks, NULL) : ETWC_E_NOMEM;
        for (uint8_t opcode = STACK; opcode <= USER_KEY && st == ETWC_OK; opcode++)
            st = feed(stacks, &p, opcode, opcode);
        CHECK_STATUS(st, ALLOC_FAULT_HIT() ? ETWC_E_NOMEM : ETWC_OK);
        etwc_stacks_free(stacks);
        etwc_pool_release(own);
    }
}

HARNESS_MAIN
