/* Selections: each condition alone, together, and their private copies. */
#include "harness.h"

#include "etwc_selection.h"

static const uint8_t no_bytes[1];

/* Everything differs from 0, so that a condition on a wrong field shows. */
static etwc_event
sample(void)
{
    etwc_event event;
    memset(&event, 0, sizeof event);
    memset(event.provider_id.bytes, 0x11, 16);
    event.filetime = 1000;
    event.keyword = 0x8000000000000004;
    event.process_id = 20;
    event.thread_id = 30;
    event.processor = 40;
    event.id = 50;
    event.opcode = 200;
    event.level = 4;
    event.payload = no_bytes;
    return event;
}

static bool
matches(const etwc_selection *selection, const etwc_event *event)
{
    etwc_matcher *matcher = etwc_matcher_new(selection);
    CHECK(matcher != NULL);
    CHECK(!etwc_matcher_is_empty(matcher));
    bool result = etwc_matcher_matches(matcher, event);
    etwc_matcher_free(matcher);
    return result;
}

#define CHECK_MATCHES(event, wanted, ...)                       \
    do {                                                        \
        const etwc_selection selection_ = {__VA_ARGS__};        \
        CHECK_EQ_U64(matches(&selection_, &(event)), (wanted)); \
    } while (0)

TEST(an_empty_selection_takes_all)
{
    static const etwc_selection nothing_set;
    etwc_event event = sample();
    const etwc_selection *const empty[] = {NULL, &nothing_set};
    for (int i = 0; i < 2; i++) {
        etwc_matcher *matcher = etwc_matcher_new(empty[i]);
        CHECK(matcher != NULL);
        CHECK(etwc_matcher_is_empty(matcher));
        CHECK(etwc_matcher_matches(matcher, &event));
        CHECK(etwc_matcher_allows_provider(matcher, event.provider_id.bytes));
        CHECK(etwc_matcher_allows_processor(matcher, 65535));
        etwc_matcher_free(matcher);
    }
    etwc_matcher_free(NULL);
}

TEST(lists_hold_when_they_contain_the_value)
{
    etwc_event event = sample();
    const uint32_t with[] = {90, 20, 7, 30, 40, 3}; /* unsorted */
    const uint32_t without[] = {19, 21, 29, 31, 39, 41};
    const uint16_t ids[] = {65535, 50, 0}, no_ids[] = {49, 51, 50 + 256};
    const uint8_t opcodes[] = {255, 200}, no_opcodes[] = {199, 72};
    etwc_guid guids[2];
    memset(guids, 0x11, sizeof guids);
    guids[0].bytes[15] = 0x12;

    CHECK_MATCHES(event, true, .process_ids = with, .process_id_count = 6);
    CHECK_MATCHES(event, false, .process_ids = without, .process_id_count = 6);
    CHECK_MATCHES(event, true, .thread_ids = with, .thread_id_count = 6);
    CHECK_MATCHES(event, false, .thread_ids = without, .thread_id_count = 6);
    CHECK_MATCHES(event, true, .processors = with, .processor_count = 6);
    CHECK_MATCHES(event, false, .processors = without, .processor_count = 6);
    CHECK_MATCHES(event, true, .ids = ids, .id_count = 3);
    CHECK_MATCHES(event, false, .ids = no_ids, .id_count = 3);
    CHECK_MATCHES(event, true, .opcodes = opcodes, .opcode_count = 2);
    CHECK_MATCHES(event, false, .opcodes = no_opcodes, .opcode_count = 2);
    CHECK_MATCHES(event, true, .providers = guids, .provider_count = 2);
    CHECK_MATCHES(event, false, .providers = guids, .provider_count = 1);
}

TEST(an_empty_list_takes_nothing)
{
    etwc_event event = sample();
    const uint32_t none[] = {0};
    const uint16_t no_id = 0;
    const uint8_t no_opcode = 0;
    const etwc_guid no_guid = {{0}};
    CHECK_MATCHES(event, false, .process_ids = none);
    CHECK_MATCHES(event, false, .thread_ids = none);
    CHECK_MATCHES(event, false, .processors = none);
    CHECK_MATCHES(event, false, .ids = &no_id);
    CHECK_MATCHES(event, false, .opcodes = &no_opcode);
    CHECK_MATCHES(event, false, .providers = &no_guid);
}

TEST(levels_keywords_and_times_have_their_bounds)
{
    etwc_event event = sample();
    CHECK_MATCHES(event, true, .has_max_level = true, .max_level = 4);
    CHECK_MATCHES(event, false, .has_max_level = true, .max_level = 3);
    CHECK_MATCHES(event, true, .any_keyword = UINT64_C(1) << 63);
    CHECK_MATCHES(event, true, .any_keyword = 7);
    CHECK_MATCHES(event, false, .any_keyword = 3);
    CHECK_MATCHES(event, true, .has_start = true, .start_filetime = 1000);
    CHECK_MATCHES(event, false, .has_start = true, .start_filetime = 1001);
    CHECK_MATCHES(event, true, .has_end = true, .end_filetime = 1001);
    CHECK_MATCHES(event, false, .has_end = true, .end_filetime = 1000);
    CHECK_MATCHES(event, false, .has_end = true, .end_filetime = INT64_MIN);
    CHECK_MATCHES(event, true, .has_start = true, .start_filetime = INT64_MIN);
    event.level = 0;
    CHECK_MATCHES(event, true, .has_max_level = true, .max_level = 0);
}

TEST(all_conditions_must_hold)
{
    const uint32_t pid = 20, tid = 30, processor = 40;
    const uint16_t id = 50;
    const uint8_t opcode = 200;
    etwc_event event = sample();
    etwc_guid guid = event.provider_id;
    const etwc_selection all = {
        .providers = &guid,
        .provider_count = 1,
        .ids = &id,
        .id_count = 1,
        .opcodes = &opcode,
        .opcode_count = 1,
        .process_ids = &pid,
        .process_id_count = 1,
        .thread_ids = &tid,
        .thread_id_count = 1,
        .processors = &processor,
        .processor_count = 1,
        .has_max_level = true,
        .max_level = 4,
        .any_keyword = 4,
        .has_start = true,
        .has_end = true,
        .start_filetime = 1000,
        .end_filetime = 1001,
    };
    etwc_event other;
    CHECK(matches(&all, &event));
#define CHECK_ONE_OFF(change) \
    other = event;            \
    change;                   \
    CHECK(!matches(&all, &other))
    CHECK_ONE_OFF(other.provider_id.bytes[0]++);
    CHECK_ONE_OFF(other.id++);
    CHECK_ONE_OFF(other.opcode++);
    CHECK_ONE_OFF(other.process_id++);
    CHECK_ONE_OFF(other.thread_id++);
    CHECK_ONE_OFF(other.processor++);
    CHECK_ONE_OFF(other.level++);
    CHECK_ONE_OFF(other.keyword = 8);
    CHECK_ONE_OFF(other.filetime++);
    CHECK_ONE_OFF(other.filetime--);
#undef CHECK_ONE_OFF
}

static uint32_t
owner_of(void *context, const etwc_event *event)
{
    ++*(unsigned *)context;
    return event->thread_id == 30 ? 4 : ETWC_NO_ID;
}

TEST(owners_are_asked_for_last)
{
    const uint32_t owners[] = {9, 4};
    const uint32_t other_pid = 21;
    unsigned asked = 0;
    etwc_event event = sample();
    CHECK_MATCHES(event, true, .owner_ids = owners, .owner_id_count = 2,
                  .owner_of = owner_of, .owner_context = &asked);
    CHECK_MATCHES(event, false, .owner_ids = owners, .owner_id_count = 1,
                  .owner_of = owner_of, .owner_context = &asked);
    CHECK_EQ_U64(asked, 2);
    CHECK_MATCHES(event, false, .owner_ids = owners, .owner_id_count = 2,
                  .process_ids = &other_pid, .process_id_count = 1,
                  .owner_of = owner_of, .owner_context = &asked);
    CHECK_EQ_U64(asked, 2);
}

TEST(a_matcher_keeps_its_own_lists)
{
    uint32_t pids[] = {20};
    uint16_t ids[] = {50};
    etwc_event event = sample();
    etwc_guid guid = event.provider_id;
    etwc_selection selection = {.process_ids = pids,
                                .process_id_count = 1,
                                .ids = ids,
                                .id_count = 1,
                                .providers = &guid,
                                .provider_count = 1};
    etwc_matcher *matcher = etwc_matcher_new(&selection);
    CHECK(matcher != NULL);
    pids[0] = 0;
    ids[0] = 0;
    memset(&guid, 0, sizeof guid);
    CHECK(etwc_matcher_matches(matcher, &event));
    CHECK(!etwc_matcher_allows_provider(matcher, guid.bytes));
    etwc_matcher_free(matcher);
}

TEST(long_lists_are_searched_right)
{
    enum { COUNT = 1000 };
    uint32_t values[COUNT];
    for (uint32_t i = 0; i < COUNT; i++)
        values[i] = (i * 617 % COUNT) * 2; /* all even numbers, mixed */
    etwc_selection selection = {.processors = values, .processor_count = COUNT};
    etwc_matcher *matcher = etwc_matcher_new(&selection);
    CHECK(matcher != NULL);
    for (uint32_t i = 0; i < 2 * COUNT + 3; i++)
        CHECK_EQ_U64(etwc_matcher_allows_processor(matcher, i),
                     i % 2 == 0 && i < 2 * COUNT);
    CHECK(!etwc_matcher_allows_processor(matcher, UINT32_MAX));
    etwc_matcher_free(matcher);
}

TEST(every_allocation_may_fail)
{
    const uint32_t numbers[] = {1, 2};
    const uint16_t ids[] = {1};
    const etwc_guid guid = {{1}};
    const etwc_selection selection = {
        .providers = &guid,
        .provider_count = 1,
        .ids = ids,
        .id_count = 1,
        .process_ids = numbers,
        .process_id_count = 2,
        .owner_ids = numbers,
        .owner_id_count = 2,
        .thread_ids = numbers,
        .thread_id_count = 2,
        .processors = numbers,
        .processor_count = 2,
    };
    FOR_EACH_ALLOC_FAULT () {
        etwc_matcher *matcher = etwc_matcher_new(&selection);
        CHECK_EQ_U64(matcher == NULL, ALLOC_FAULT_HIT());
        etwc_matcher_free(matcher);
    }
}

HARNESS_MAIN
