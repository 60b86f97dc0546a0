/* The short way of frequent records against the tables: whatever it takes, it takes
 * as they do. */
#include "harness.h"

#include "etwc_frequent.h"

enum { VERSIONS = 8, LENGTHS = 48 };

typedef bool take_function(const etwc_event *event, const etwc_kernel_record *full);

static bool
takes_cswitch(const etwc_event *event, const etwc_kernel_record *full)
{
    etwc_kernel_cswitch own;
    const etwc_kernel_cswitch *other = &full->u.cswitch;
    if (!etwc_frequent_cswitch(event, &own))
        return false;
    CHECK_EQ_U64(full->type, ETWC_KERNEL_CSWITCH);
    CHECK_EQ_U64(own.new_thread_id, other->new_thread_id);
    CHECK_EQ_U64(own.old_thread_id, other->old_thread_id);
    CHECK_EQ_U64(own.new_wait_ticks, other->new_wait_ticks);
    CHECK(own.new_priority == other->new_priority);
    CHECK(own.old_priority == other->old_priority);
    CHECK_EQ_U64(own.old_wait_reason, other->old_wait_reason);
    CHECK_EQ_U64(own.old_wait_mode, other->old_wait_mode);
    CHECK_EQ_U64(own.old_state, other->old_state);
    CHECK_EQ_U64(own.previous_c_state, other->previous_c_state);
    return true;
}

static bool
takes_ready(const etwc_event *event, const etwc_kernel_record *full)
{
    etwc_kernel_ready own;
    const etwc_kernel_ready *other = &full->u.ready;
    if (!etwc_frequent_ready(event, &own))
        return false;
    CHECK_EQ_U64(full->type, ETWC_KERNEL_READY_THREAD);
    CHECK_EQ_U64(own.thread_id, other->thread_id);
    CHECK(own.adjust_reason == other->adjust_reason);
    CHECK(own.adjust_increment == other->adjust_increment);
    CHECK(own.flag == other->flag);
    return true;
}

static bool
takes_sample(const etwc_event *event, const etwc_kernel_record *full)
{
    etwc_kernel_sample own;
    const etwc_kernel_sample *other = &full->u.sample;
    if (!etwc_frequent_sample(event, &own))
        return false;
    CHECK_EQ_U64(full->type, ETWC_KERNEL_SAMPLE);
    CHECK_EQ_U64(own.instruction_pointer, other->instruction_pointer);
    CHECK_EQ_U64(own.thread_id, other->thread_id);
    CHECK_EQ_U64(own.count, other->count);
    CHECK_EQ_U64(own.flags, other->flags);
    return true;
}

static bool
takes_dpc(const etwc_event *event, const etwc_kernel_record *full)
{
    etwc_kernel_interrupt own;
    const etwc_kernel_interrupt *other = &full->u.interrupt;
    if (!etwc_frequent_dpc(event, &own))
        return false;
    CHECK_EQ_U64(full->type, ETWC_KERNEL_INTERRUPT);
    CHECK(own.initial_raw_time == other->initial_raw_time);
    CHECK_EQ_U64(own.routine, other->routine);
    CHECK(own.is_isr == other->is_isr);
    return true;
}

/* How many of all versions, lengths and pointer sizes go the short way. */
static unsigned
count_taken(take_function *take, uint8_t kernel_class, uint8_t opcode)
{
    uint8_t bytes[LENGTHS];
    unsigned taken = 0;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37 + 129); /* no two alike, half of them negative */
    for (unsigned length = 0; length < LENGTHS; length++) {
        for (unsigned version = 0; version < VERSIONS; version++) {
            for (unsigned pointer_size = 4; pointer_size <= 8; pointer_size += 4) {
                /* Of its own size, so that a read past the end is found out. */
                uint8_t *payload = malloc(length + 1);
                CHECK(payload != NULL);
                memcpy(payload + 1, bytes, length);
                etwc_event event = {
                    .kernel_class = kernel_class,
                    .opcode = opcode,
                    .version = (uint8_t)version,
                    .pointer_size = (uint8_t)pointer_size,
                    .payload = payload + 1,
                    .payload_size = length,
                };
                etwc_kernel_record full;
                etwc_completeness completeness = etwc_kernel_decode(&event, &full);
                if (take(&event, &full)) {
                    CHECK_EQ_U64(completeness, ETWC_DECODED_FULL);
                    taken++;
                }
                free(payload);
            }
        }
    }
    return taken;
}

TEST(frequent_records_are_read_as_by_the_tables)
{
    /* Versions times pointer sizes that have one layout. */
    CHECK_EQ_U64(count_taken(takes_cswitch, ETWC_CLASS_THREAD, 36), 2 * 2);
    CHECK_EQ_U64(count_taken(takes_ready, ETWC_CLASS_THREAD, 50), 1 * 2);
    CHECK_EQ_U64(count_taken(takes_sample, ETWC_CLASS_PERF_INFO, 46), 1);
    CHECK_EQ_U64(count_taken(takes_dpc, ETWC_CLASS_PERF_INFO, 68), 2);
}

TEST(frequent_records_are_told_by_class_and_opcode)
{
    etwc_event event = {.kernel_class = ETWC_CLASS_THREAD, .opcode = 36};
    CHECK_EQ_U64(etwc_frequent_of(&event), ETWC_FREQUENT_CSWITCH);
    event.kernel_class = ETWC_CLASS_NONE;
    CHECK(etwc_frequent_of(&event) != ETWC_FREQUENT_CSWITCH);
    event = (etwc_event){.kernel_class = ETWC_CLASS_THREAD, .opcode = 50};
    CHECK_EQ_U64(etwc_frequent_of(&event), ETWC_FREQUENT_READY_THREAD);
    event = (etwc_event){.kernel_class = ETWC_CLASS_PERF_INFO, .opcode = 46};
    CHECK_EQ_U64(etwc_frequent_of(&event), ETWC_FREQUENT_SAMPLE);
    event.opcode = 68;
    CHECK_EQ_U64(etwc_frequent_of(&event), ETWC_FREQUENT_DPC);
}

HARNESS_MAIN
