/*
 * Whose event it is: a row of the table of event-decoding.md, chapter 5, for each
 * test. Processes A and B have a thread each; KILLER is in every header, so that a
 * header which is not the subject shows.
 */
#include "harness.h"

#include "etwc_lifetime.h"
#include "payload.h"

enum {
    A = 100,
    A_THREAD = 10,
    B = 200,
    B_THREAD = 20,
    KILLER = 300,
    KILLER_THREAD = 30
};

static etwc_lifetimes *lives;

static void
say_thread(etwc_kernel_type type, int64_t now, uint32_t pid, uint32_t tid)
{
    etwc_event event = {.raw_time = now};
    etwc_kernel_record record = {.type = (uint8_t)type};
    record.u.thread.process_id = pid;
    record.u.thread.thread_id = tid;
    CHECK_OK(etwc_lifetimes_apply(lives, &event, &record, NULL));
}

static void
begin(void)
{
    lives = etwc_lifetimes_new();
    CHECK(lives != NULL);
    say_thread(ETWC_KERNEL_THREAD_RUNDOWN_START, 1, A, A_THREAD);
    say_thread(ETWC_KERNEL_THREAD_RUNDOWN_START, 1, B, B_THREAD);
    say_thread(ETWC_KERNEL_THREAD_RUNDOWN_START, 1, KILLER, KILLER_THREAD);
}

static void
finish(void)
{
    etwc_lifetimes_free(lives);
}

/* The owner by its id; the instance must be of the same process. */
static uint32_t
owner_of(const etwc_event *event)
{
    uint32_t id = etwc_lifetimes_owner_id(lives, event);
    const etwc_process_life *life = etwc_lifetimes_owner(lives, event);
    if (life != NULL)
        CHECK_EQ_U64(life->process_id, id);
    return id;
}

/* Who an event with this payload belongs to when its header names the killer, and
 * when its header names nobody. */
static void
check_owner(const payload *p, uint8_t kernel_class, uint8_t opcode, uint8_t version,
            uint32_t wanted)
{
    etwc_event event = event_of(p, kernel_class, opcode, version);
    event.raw_time = 50;
    CHECK_EQ_U64(owner_of(&event), wanted);
    event.process_id = KILLER;
    event.thread_id = KILLER_THREAD;
    CHECK_EQ_U64(owner_of(&event), wanted);
}

static payload
numbers(size_t count, const uint64_t *values, const uint8_t *sizes)
{
    payload p = {.pointer_size = 8};
    for (size_t i = 0; i < count; i++)
        put(&p, values[i], sizes[i]);
    return p;
}

#define PAYLOAD(...) payload_of(__VA_ARGS__, -1)

/* Pairs of (size, value), -1 ends. */
static payload
payload_of(int first, ...)
{
    uint64_t values[16];
    uint8_t sizes[16];
    size_t count = 0;
    va_list args;
    va_start(args, first);
    for (int size = first; size >= 0; size = va_arg(args, int)) {
        sizes[count] = (uint8_t)size;
        values[count++] = (uint64_t)va_arg(args, int);
    }
    va_end(args);
    return numbers(count, values, sizes);
}

TEST(an_event_with_a_header_belongs_to_the_process_in_it)
{
    begin();
    payload p = {.pointer_size = 8};
    etwc_event event = event_of(&p, ETWC_CLASS_NONE, 0, 0);
    CHECK_EQ_U64(owner_of(&event), ETWC_NO_ID);
    event.process_id = 12345; /* also when nothing else tells of it */
    CHECK_EQ_U64(owner_of(&event), 12345);
    CHECK(etwc_lifetimes_owner(lives, &event) == NULL);
    event.process_id = A;
    CHECK_EQ_U64(owner_of(&event), A);
    finish();
}

TEST(process_records_belong_to_their_subject)
{
    begin();
    for (unsigned opcode = 1; opcode <= 4; opcode++) {
        /* Process 1 is logged by the parent, 11 by who ends it. */
        payload p = PAYLOAD(8, 0xABC, 4, A, 4, KILLER, 4, 0, 4, 259, 8, 0, 4, 0, 4, 0,
                            1, 'x', 1, 0, 2, 0, 2, 0, 2, 0);
        check_owner(&p, ETWC_CLASS_PROCESS, (uint8_t)opcode, 4, A);
    }
    payload p = PAYLOAD(4, A);
    check_owner(&p, ETWC_CLASS_PROCESS, 11, 2, A);
    finish();
}

TEST(thread_records_belong_to_the_process_in_their_payload)
{
    begin();
    payload p =
        PAYLOAD(4, A, 4, 77, 8, 0, 8, 0, 8, 0, 8, 0, 8, 0, 8, 0, 8, 0, 4, 0, 4, 8);
    check_owner(&p, ETWC_CLASS_THREAD, 1, 3, A); /* the header is the creator */
    check_owner(&p, ETWC_CLASS_THREAD, 2, 3, A);
    finish();
}

TEST(image_network_and_address_space_records_name_a_process)
{
    begin();
    payload image = PAYLOAD(8, 1, 8, 1, 4, A, 4, 0, 4, 0, 4, 0, 8, 0, 8, 0, 8, 0, 2, 0);
    check_owner(&image, ETWC_CLASS_IMAGE, 10, 2, A);
    payload tcp = PAYLOAD(4, A, 4, 100, 4, 0, 4, 0, 2, 0, 2, 0, 4, 0, 4, 0, 4, 0, 8, 0);
    check_owner(&tcp, ETWC_CLASS_TCP_IP, 10, 2, A);
    payload udp = PAYLOAD(4, A, 4, 100, 4, 0, 4, 0, 2, 0, 2, 0, 4, 0, 8, 0);
    check_owner(&udp, ETWC_CLASS_UDP_IP, 11, 2, A);
    payload space = PAYLOAD(8, 1, 8, 1, 4, A, 4, 0x1000);
    check_owner(&space, ETWC_CLASS_PAGE_FAULT, 98, 2, A);
    payload map = PAYLOAD(8, 1, 8, 1, 8, 0, 8, 1, 4, A);
    check_owner(&map, ETWC_CLASS_FILE_IO, 37, 2, A);
    payload newer = PAYLOAD(8, 1, 8, 1, 8, 0, 8, 1, 8, 0, 4, A);
    check_owner(&newer, ETWC_CLASS_FILE_IO, 40, 3, A);
    payload stack = PAYLOAD(8, 5, 4, A, 4, A_THREAD, 8, 1);
    check_owner(&stack, ETWC_CLASS_STACK_WALK, 32, 2, A);
    finish();
}

TEST(records_that_name_a_thread_belong_to_its_process)
{
    begin();
    payload sample = PAYLOAD(8, 1, 4, A_THREAD, 2, 1, 1, 0, 1, 0);
    check_owner(&sample, ETWC_CLASS_PERF_INFO, 46, 2, A);
    payload counter = PAYLOAD(8, 1, 4, A_THREAD, 2, 1, 2, 0);
    check_owner(&counter, ETWC_CLASS_PERF_INFO, 47, 2, A);
    payload ready = PAYLOAD(4, A_THREAD, 4, 0);
    check_owner(&ready, ETWC_CLASS_THREAD, 50, 2, A);
    payload priority = PAYLOAD(4, A_THREAD, 1, 8, 1, 9, 2, 0);
    check_owner(&priority, ETWC_CLASS_THREAD, 48, 3, A);
    payload fault = PAYLOAD(8, 1, 8, 0, 8, 0, 8, 0, 4, A_THREAD, 4, 4096);
    check_owner(&fault, ETWC_CLASS_PAGE_FAULT, 32, 2, A);
    payload read =
        PAYLOAD(4, 0, 4, 0, 4, 512, 4, 0, 8, 0, 8, 0, 8, 0, 8, 0, 4, A_THREAD);
    check_owner(&read, ETWC_CLASS_DISK_IO, 10, 3, A);
    payload file = PAYLOAD(8, 0, 8, 0, 8, 0, 8, 0, 4, A_THREAD, 4, 512, 4, 0);
    check_owner(&file, ETWC_CLASS_FILE_IO, 67, 3, A);
    finish();
}

TEST(the_header_of_a_disk_init_record_can_be_another_thread)
{
    begin();
    payload init = PAYLOAD(8, 1, 4, A_THREAD);
    check_owner(&init, ETWC_CLASS_DISK_IO, 12, 3, A);
    payload older = PAYLOAD(8, 1); /* names nobody */
    check_owner(&older, ETWC_CLASS_DISK_IO, 12, 2, ETWC_NO_ID);
    finish();
}

TEST(a_context_switch_belongs_to_the_arriving_thread)
{
    begin();
    payload p = PAYLOAD(4, B_THREAD, 4, A_THREAD, 8, 0, 8, 0);
    check_owner(&p, ETWC_CLASS_THREAD, 36, 4, B);
    payload idle = PAYLOAD(4, 0, 4, A_THREAD, 8, 0, 8, 0);
    check_owner(&idle, ETWC_CLASS_THREAD, 36, 4, 0);
    payload unknown = PAYLOAD(4, 99, 4, A_THREAD, 8, 0, 8, 0);
    check_owner(&unknown, ETWC_CLASS_THREAD, 36, 4, ETWC_NO_ID);
    finish();
}

TEST(an_interrupt_belongs_to_nobody)
{
    begin();
    payload dpc = PAYLOAD(8, 1, 8, 1);
    check_owner(&dpc, ETWC_CLASS_PERF_INFO, 68, 2, ETWC_NO_ID);
    payload isr = PAYLOAD(8, 1, 8, 1, 1, 0, 2, 0, 1, 0);
    check_owner(&isr, ETWC_CLASS_PERF_INFO, 67, 2, ETWC_NO_ID);
    finish();
}

TEST(what_names_nobody_belongs_to_who_runs_on_the_processor)
{
    static const struct {
        uint8_t kernel_class, opcode;
    } cases[] = {
        {ETWC_CLASS_PAGE_FAULT, 10}, {ETWC_CLASS_PERF_INFO, 51},
        {ETWC_CLASS_OBJECT, 32},     {ETWC_CLASS_REGISTRY, 10},
        {ETWC_CLASS_POOL, 32},       {ETWC_CLASS_FILE_IO, 76},
    };
    begin();
    for (size_t i = 0; i < ETWC_ARRAY_SIZE(cases); i++) {
        payload p = PAYLOAD(8, 1, 8, 1, 8, 1, 8, 1, 8, 0);
        etwc_event event = event_of(&p, cases[i].kernel_class, cases[i].opcode, 2);
        event.raw_time = 50;
        /* Before the first switch of the processor: nobody. */
        CHECK_EQ_U64(owner_of(&event), ETWC_NO_ID);
        event.running_thread_id = A_THREAD;
        CHECK_EQ_U64(owner_of(&event), A);
        /* A header that is there comes first. */
        event.process_id = B;
        event.thread_id = B_THREAD;
        CHECK_EQ_U64(owner_of(&event), B);
    }
    finish();
}

TEST(file_names_of_a_rundown_belong_to_nobody)
{
    begin();
    payload p = PAYLOAD(8, 1, 2, 'x', 2, 0);
    etwc_event event = event_of(&p, ETWC_CLASS_FILE_IO, 36, 2);
    event.running_thread_id = A_THREAD;
    CHECK_EQ_U64(owner_of(&event), ETWC_NO_ID);
    finish();
}

TEST(samples_of_an_ended_thread_belong_to_nobody_and_disk_reads_to_it)
{
    begin();
    say_thread(ETWC_KERNEL_THREAD_END, 40, A, A_THREAD);
    payload sample = PAYLOAD(8, 1, 4, A_THREAD, 2, 1, 1, 0, 1, 0);
    check_owner(&sample, ETWC_CLASS_PERF_INFO, 46, 2, ETWC_NO_ID);
    payload read =
        PAYLOAD(4, 0, 4, 0, 4, 512, 4, 0, 8, 0, 8, 0, 8, 0, 8, 0, 4, A_THREAD);
    check_owner(&read, ETWC_CLASS_DISK_IO, 10, 3, A);
    finish();
}

HARNESS_MAIN
