/*
 * Once what occurs is known, feeding allocates nothing, whatever snapshots are taken and
 * held in between: it is the thread of the events that feeds.
 */
#include "scene.h"

#include "etwc_alloc.h"

enum { ROUND = 200, IS_WAITING = 5 };

static void
object(unsigned opcode, int64_t now, uint32_t tid, uint32_t handle)
{
    put p = {0};
    put_u64(&p, 0x1000 + handle);
    put_u32(&p, handle);
    put_u16(&p, 7);
    etwc_event event = event_of(ETWC_CLASS_OBJECT, opcode, 2, 0, now, p);
    event.running_thread_id = tid;
    feed(&event);
}

/* A little of everything: runs, waits, readiness, interrupts, samples, disks, handles,
 * an image and a thread that come and go. */
static int64_t
a_round(int64_t now, uint32_t i)
{
    uint32_t tid = 5000 + i % 5 * 4;
    switch_from(0, now + 1, 10, IS_WAITING, 6, 20);
    ready(1, now + 10, 10);
    switch_from(0, now + 20, 20, IS_WAITING, 15, 10);
    interrupt(66, 0, now + 22, now + 24);
    sample(now + 30, 10, 0x1000, 0x40);
    disk_read(now + 40, 10, 4096);
    disk_read(now + 41, 20, 512);
    object(32, now + 50, 10, 0x44);
    object(33, now + 60, 10, 0x44);
    image(10, now + 70, A, 0x700000, "\\d\\comes.dll");
    image(2, now + 80, A, 0x700000, "\\d\\comes.dll");
    thread(START, now + 91, B, tid);
    switch_from(1, now + 92, 0, 0, 0, tid);
    disk_read(now + 93, tid, 512);
    thread(END, now + 94, B, tid);
    switch_from(1, now + 95, tid, 4, 0, 0);
    return now + ROUND;
}

static int64_t
begin_steady(void)
{
    scene_limits[0] = scene_limits[1] = scene_limits[2] = 16;
    begin(2);
    process(RUNDOWN, 1, A, 0xA, 259);
    process(RUNDOWN, 1, B, 0xB, 259);
    thread(RUNDOWN, 1, A, 10);
    thread(RUNDOWN, 1, B, 20);
    switch_to(0, 2, 0, 10);
    switch_to(1, 2, 0, 0);
    int64_t now = 10;
    for (uint32_t i = 0; i < 64; i++) {
        now = a_round(now, i);
        etwc_aggregate_release(aggregate, now);
    }
    return now;
}

TEST(feeding_allocates_nothing_after_a_snapshot)
{
    int64_t now = begin_steady();
    etwc_snapshot *held = look(now);
    for (uint32_t i = 0; i < 40; i++) {
        etwc_snapshot *s = look(now);
        uint64_t before = etwc_alloc_count();
        for (uint32_t j = 0; j < 3; j++)
            now = a_round(now, 64 + i * 3 + j);
        CHECK_EQ_U64(etwc_alloc_count() - before, 0);
        etwc_snapshot_free(held);
        held = s;
        etwc_aggregate_release(aggregate, now);
    }
    etwc_snapshot_free(held);
    etwc_snapshot *last = look(now);
    const etwc_process_row *row = row_of(last, A, 0);
    CHECK(row->counters.disk_read_ops > 100);
    CHECK(row->counters.handles_opened > 100);
    CHECK(row->counters.ready_ticks > 0);
    finish(last);
    scene_limits[0] = scene_limits[1] = scene_limits[2] = 0;
}

HARNESS_MAIN
