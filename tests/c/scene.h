/*
 * Scenes for the tests of an aggregate: events made by hand, one call each. One tick
 * is 100 ns, and processors are numbered from 0.
 */
#ifndef SCENE_H
#define SCENE_H

#include "harness.h"

#include "etwc_aggregate.h"
#include "etwc_provider.h"

enum { SYSTEM_PID = 4, A = 100, B = 200 };

static etwc_aggregate *aggregate;
static etwc_lifetimes *lives;
static uint8_t payload[512];

typedef struct put {
    size_t size;
} put;

static inline void
put_bytes(put *p, const void *bytes, size_t n)
{
    memcpy(payload + p->size, bytes, n);
    p->size += n;
}

static inline void
put_u8(put *p, unsigned v)
{
    payload[p->size++] = (uint8_t)v;
}

static inline void
put_u16(put *p, unsigned v)
{
    etwc_store_u16(payload + p->size, (uint16_t)v);
    p->size += 2;
}

static inline void
put_u32(put *p, uint64_t v)
{
    etwc_store_u32(payload + p->size, (uint32_t)v);
    p->size += 4;
}

static inline void
put_u64(put *p, uint64_t v)
{
    etwc_store_u64(payload + p->size, v);
    p->size += 8;
}

static inline etwc_event
event_of(uint8_t kernel_class, unsigned opcode, unsigned version, unsigned cpu,
         int64_t now, put p)
{
    return (etwc_event){
        .raw_time = now,
        .filetime = now,
        .payload = payload,
        .payload_size = (uint32_t)p.size,
        .extended = payload,
        .process_id = ETWC_NO_ID,
        .thread_id = ETWC_NO_ID,
        .running_thread_id = ETWC_NO_ID,
        .processor = cpu,
        .version = (uint8_t)version,
        .opcode = (uint8_t)opcode,
        .kind = ETWC_KIND_PERFINFO,
        .pointer_size = 8,
        .kernel_class = kernel_class,
        .provider_id = *etwc_kernel_group_guid(kernel_class),
    };
}

/* In a first pass only the lifetimes are fed, as a reader of files does. */
static bool is_first_pass;
static void (*after_each_event)(int64_t now);

static inline void
feed(const etwc_event *event)
{
    if (!is_first_pass) {
        CHECK_OK(etwc_aggregate_apply(aggregate, event, NULL));
        if (after_each_event != NULL)
            after_each_event(event->raw_time + 3);
        return;
    }
    etwc_kernel_record record;
    (void)etwc_kernel_decode(event, &record);
    CHECK_OK(etwc_lifetimes_apply(lives, event, &record, NULL));
}

static inline void
process(unsigned opcode, int64_t now, uint32_t pid, uint64_t key, uint32_t exit)
{
    put p = {0};
    put_u64(&p, key);
    put_u32(&p, pid);
    put_u32(&p, SYSTEM_PID);
    put_u32(&p, 1); /* session */
    put_u32(&p, exit);
    put_u64(&p, 0x1000);
    put_u32(&p, 0);
    put_u32(&p, 0); /* no SID */
    put_bytes(&p, "app.exe", 8);
    put_bytes(&p, "a\0b\0\0", 6);
    put_bytes(&p, "\0\0\0", 4);
    etwc_event event = event_of(ETWC_CLASS_PROCESS, opcode, 4, 0, now, p);
    feed(&event);
}

/* What the next thread records say of the thread. */
static uint64_t affinity_told;
static unsigned base_priority_told = 8;

static inline etwc_event
thread_event(unsigned opcode, int64_t now, uint32_t pid, uint32_t tid)
{
    put p = {0};
    put_u32(&p, pid);
    put_u32(&p, tid);
    for (int i = 0; i < 7; i++)
        put_u64(&p, i == 4 ? affinity_told : 0);
    put_u32(&p, 0);
    put_u32(&p, base_priority_told);
    return event_of(ETWC_CLASS_THREAD, opcode, 3, 0, now, p);
}

static inline void
thread(unsigned opcode, int64_t now, uint32_t pid, uint32_t tid)
{
    etwc_event event = thread_event(opcode, now, pid, tid);
    feed(&event);
}

/* The old thread leaves in that state, waiting for that reason. */
static inline void
switch_from(unsigned cpu, int64_t now, uint32_t old_tid, unsigned state,
            unsigned reason, uint32_t new_tid)
{
    put p = {0};
    put_u32(&p, new_tid);
    put_u32(&p, old_tid);
    put_u32(&p, 0);
    put_u8(&p, reason);
    put_u8(&p, 0);
    put_u8(&p, state);
    put_u8(&p, 0);
    put_u32(&p, 0);
    put_u32(&p, 0);
    etwc_event event = event_of(ETWC_CLASS_THREAD, 36, 4, cpu, now, p);
    feed(&event);
}

static inline void
switch_to(unsigned cpu, int64_t now, uint32_t old_tid, uint32_t new_tid)
{
    switch_from(cpu, now, old_tid, ETWC_THREAD_INITIALIZED, 0, new_tid);
}

static inline void
ready(unsigned cpu, int64_t now, uint32_t tid)
{
    put p = {0};
    put_u32(&p, tid);
    put_u32(&p, 0);
    etwc_event event = event_of(ETWC_CLASS_THREAD, 50, 2, cpu, now, p);
    feed(&event);
}

static inline void
priority(unsigned opcode, int64_t now, uint32_t tid, unsigned old, unsigned new)
{
    put p = {0};
    put_u32(&p, tid);
    put_u8(&p, old);
    put_u8(&p, new);
    put_u16(&p, 0);
    etwc_event event = event_of(ETWC_CLASS_THREAD, opcode, 3, 0, now, p);
    feed(&event);
}

static inline void
affinity(int64_t now, uint32_t tid, uint64_t mask, unsigned group)
{
    put p = {0};
    put_u64(&p, mask);
    put_u32(&p, tid);
    put_u16(&p, group);
    put_u16(&p, 0);
    etwc_event event = event_of(ETWC_CLASS_THREAD, 53, 2, 0, now, p);
    feed(&event);
}

static inline void
interrupt(unsigned opcode, unsigned cpu, int64_t begin, int64_t end)
{
    put p = {0};
    put_u64(&p, (uint64_t)begin);
    put_u64(&p, 0xFFFFF80000001000);
    if (opcode == 67)
        put_u32(&p, 0);
    etwc_event event = event_of(ETWC_CLASS_PERF_INFO, opcode, 2, cpu, end, p);
    feed(&event);
}

#define DPC 68
#define ISR 67

static inline void
sample(int64_t now, uint32_t tid, uint64_t address, unsigned flags)
{
    put p = {0};
    put_u64(&p, address);
    put_u32(&p, tid);
    put_u16(&p, 1);
    put_u8(&p, flags);
    put_u8(&p, 0);
    etwc_event event = event_of(ETWC_CLASS_PERF_INFO, 46, 2, 0, now, p);
    feed(&event);
}

static inline void
interval(int64_t now, uint32_t source, uint32_t new_interval, uint32_t old_interval)
{
    put p = {0};
    put_u32(&p, source);
    put_u32(&p, new_interval);
    put_u32(&p, old_interval);
    put_bytes(&p, "T\0\0", 4);
    etwc_event event = event_of(ETWC_CLASS_PERF_INFO, 73, 3, 0, now, p);
    feed(&event);
}

static inline void
disk_read(int64_t now, uint32_t tid, uint32_t size)
{
    put p = {0};
    put_u32(&p, 0);
    put_u32(&p, 0);
    put_u32(&p, size);
    put_u32(&p, 0);
    for (int i = 0; i < 3; i++)
        put_u64(&p, 0);
    put_u64(&p, 7);
    put_u32(&p, tid);
    etwc_event event = event_of(ETWC_CLASS_DISK_IO, 10, 3, 0, now, p);
    feed(&event);
}

static inline void
image(unsigned opcode, int64_t now, uint32_t pid, uint64_t base, const char *name)
{
    put p = {0};
    put_u64(&p, base);
    put_u64(&p, 0x2000);
    put_u32(&p, pid);
    put_u32(&p, 1);
    put_u32(&p, 2);
    put_u32(&p, 0);
    put_u64(&p, base);
    for (int i = 0; i < 4; i++)
        put_u32(&p, 0);
    for (; *name; name++)
        put_u16(&p, (unsigned)*name);
    put_u16(&p, 0);
    etwc_event event = event_of(ETWC_CLASS_IMAGE, opcode, 2, 0, now, p);
    feed(&event);
}

#define START 1
#define END 2
#define RUNDOWN 3
#define ALIVE 4

/* ---- Scenes are told once or twice --------------------------------------------------- */

static uint32_t scene_processors;
static uint32_t scene_limits[3]; /* of processes, threads and images; 0: none */
static const etwc_gap *scene_gaps;
static size_t scene_gap_count;

static inline void
open_aggregate(void)
{
    etwc_aggregate_options options = {
        .lifetimes = lives,
        .processors = scene_processors,
        .timer_resolution_100ns = 156250,
        .max_processes = scene_limits[0],
        .max_threads = scene_limits[1],
        .max_images = scene_limits[2],
        .gaps = scene_gaps,
        .gap_count = scene_gap_count,
    };
    etwc_clock_init(&options.clock, 0, 1000, 10000000, false);
    aggregate = etwc_aggregate_new(&options);
    CHECK(aggregate != NULL);
    is_first_pass = false;
}

static inline void
begin(uint32_t processors)
{
    lives = NULL;
    scene_processors = processors;
    open_aggregate();
}

static inline void
first_pass(uint32_t processors)
{
    lives = etwc_lifetimes_new();
    CHECK(lives != NULL);
    scene_processors = processors;
    is_first_pass = true;
}

/* A snapshot that shares nothing with those before it says the same. */
static inline void
check_shared_rows(const etwc_snapshot *snapshot, int64_t now)
{
    etwc_snapshot *fresh;
    CHECK_OK(
        etwc_aggregate_snapshot(aggregate, now, ETWC_SNAPSHOT_FRESH, &fresh, NULL));
    CHECK_EQ_U64(etwc_snapshot_row_count(snapshot), etwc_snapshot_row_count(fresh));
    for (size_t i = 0; i < etwc_snapshot_row_count(fresh); i++) {
        etwc_process_row row, expected;
        etwc_snapshot_row(snapshot, i, &row);
        etwc_snapshot_row(fresh, i, &expected);
        CHECK(memcmp(&row, &expected, sizeof row) == 0);
        CHECK(memcmp(etwc_snapshot_texts(snapshot, i), etwc_snapshot_texts(fresh, i),
                     sizeof(etwc_row_texts)) == 0);
        CHECK(memcmp(etwc_snapshot_details(snapshot, i),
                     etwc_snapshot_details(fresh, i), sizeof(etwc_row_details)) == 0);
    }
    etwc_snapshot_free(fresh);
}

static inline etwc_snapshot *
look(int64_t now)
{
    etwc_snapshot *snapshot;
    CHECK_OK(
        etwc_aggregate_snapshot(aggregate, now, ETWC_SNAPSHOT_ALL, &snapshot, NULL));
    /* The self-check of every snapshot. */
    const etwc_machine_row *m = etwc_snapshot_machine(snapshot);
    CHECK_EQ_U64(m->process_ticks + m->unowned_ticks + m->idle_ticks + m->dpc_ticks +
                     m->isr_ticks + m->unknown_ticks,
                 m->processors * (uint64_t)m->wall_ticks);
    CHECK_EQ_I64(m->self_check_ticks, 0);
    size_t processors;
    const etwc_processor_row *row = etwc_snapshot_processors(snapshot, &processors);
    CHECK_EQ_U64(processors, m->processors);
    for (size_t i = 0; i < processors; i++, row++) {
        CHECK_EQ_U64(row->process_ticks + row->idle_ticks + row->dpc_ticks +
                         row->isr_ticks + row->unknown_ticks,
                     row->wall_ticks);
        CHECK_EQ_I64(row->self_check_ticks, 0);
    }
    check_shared_rows(snapshot, now);
    return snapshot;
}

static inline void
finish(etwc_snapshot *snapshot)
{
    etwc_aggregate_free(aggregate);
    etwc_lifetimes_free(lives);
    etwc_snapshot_free(snapshot); /* it outlives what it was taken from */
}

/* The n-th row with that pid, from 0. */
static inline const etwc_process_row *
row_of(etwc_snapshot *snapshot, uint32_t pid, unsigned n)
{
    size_t count;
    const etwc_process_row *rows = etwc_snapshot_rows(snapshot, &count);
    for (size_t i = 0; i < count; i++)
        if (rows[i].process_id == pid && n-- == 0)
            return &rows[i];
    harness_fail(__FILE__, __LINE__, "no row of pid %u", pid);
}

static inline size_t
count_of(etwc_snapshot *snapshot, uint32_t pid)
{
    size_t count, found = 0;
    const etwc_process_row *rows = etwc_snapshot_rows(snapshot, &count);
    for (size_t i = 0; i < count; i++)
        found += rows[i].process_id == pid;
    return found;
}

#define RUN(snapshot, pid) (row_of((snapshot), (pid), 0)->counters.run_ticks)

static inline void
two_processes(void)
{
    process(RUNDOWN, 0, 0, 0x1D, 259);
    process(RUNDOWN, 0, A, 0xA, 259);
    process(RUNDOWN, 0, B, 0xB, 259);
    thread(RUNDOWN, 0, A, 10);
    thread(RUNDOWN, 0, B, 20);
}

#endif
