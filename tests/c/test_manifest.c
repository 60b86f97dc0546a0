/*
 * Lives and numbers from the manifest providers of the kernel, alone and beside the
 * kernel's own classes, which tell the same.
 */
#include "scene.h"

enum {
    PROCESS_STARTS = 1,
    PROCESS_STOPS = 2,
    THREAD_STARTS = 3,
    THREAD_STOPS = 4,
    PROCESS_RUNDOWN = 15,
    CREATED = 7000, /* FILETIME of the creation of process A */
};

static etwc_event
manifest_event(uint8_t kernel_class, unsigned id, unsigned version, int64_t now, put p)
{
    etwc_event event = event_of(ETWC_CLASS_NONE, 0, version, 0, now, p);
    event.kind = ETWC_KIND_EVENT;
    event.kernel_class = kernel_class;
    event.id = (uint16_t)id;
    event.flags = ETWC_FLAG_NO_CPUTIME;
    return event;
}

/* Version 0 of starts, 1 of stops, 0 of the rundown: without a sequence number. */
static void
manifest_process(unsigned id, int64_t now, uint32_t pid, uint64_t created)
{
    put p = {0};
    put_u32(&p, pid);
    put_u64(&p, created);
    if (id == PROCESS_STOPS) {
        put_u64(&p, created + 500);
        put_u32(&p, 3); /* exit code */
        put_u32(&p, 1);
        put_u32(&p, 77); /* handles */
        put_u64(&p, 4096);
        put_u64(&p, 8192);
        put_u64(&p, 123456); /* cycles */
        for (uint32_t i = 1; i <= 5; i++)
            put_u32(&p, i);
        put_bytes(&p, "app.exe", 8);
    } else {
        put_u32(&p, SYSTEM_PID);
        put_u32(&p, 1);
        if (id == PROCESS_RUNDOWN)
            put_u32(&p, 0);
        put_bytes(&p, "d\0\\\0a\0b\0\0", 10);
        if (id == PROCESS_RUNDOWN)
            put_bytes(&p, "\0\0\0\0\0\0\0\0\0\0\0", 12);
    }
    etwc_event event =
        manifest_event(ETWC_CLASS_MANIFEST_PROCESS, id, id == PROCESS_STOPS, now, p);
    feed(&event);
}

static void
manifest_thread(unsigned id, int64_t now, uint32_t pid, uint32_t tid)
{
    put p = {0};
    put_u32(&p, pid);
    put_u32(&p, tid);
    for (int i = 0; i < 7; i++)
        put_u64(&p, 0);
    put_u32(&p, 0);
    if (id == THREAD_STOPS)
        put_u64(&p, 900);
    etwc_event event = manifest_event(ETWC_CLASS_MANIFEST_PROCESS, id, 1, now, p);
    feed(&event);
}

static void
begin_lives(void)
{
    lives = etwc_lifetimes_new();
    CHECK(lives != NULL);
    is_first_pass = true;
}

static void
finish_lives(void)
{
    is_first_pass = false;
    etwc_lifetimes_free(lives);
    lives = NULL;
}

static const etwc_process_life *
life_at(uint32_t pid, int64_t now)
{
    const etwc_process_life *life = etwc_lifetimes_process(lives, pid, now);
    CHECK(life != NULL);
    return life;
}

/* ---- Lives ------------------------------------------------------------------------ */

TEST(two_records_of_one_start_make_one_process)
{
    for (int manifest_first = 0; manifest_first < 2; manifest_first++) {
        begin_lives();
        int64_t classic = 1000 + manifest_first * 20,
                manifest = 1020 - manifest_first * 20;
        if (manifest_first)
            manifest_process(PROCESS_STARTS, manifest, A, CREATED);
        process(1, classic, A, 0xA, 259);
        if (!manifest_first)
            manifest_process(PROCESS_STARTS, manifest, A, CREATED);
        CHECK_EQ_U64(etwc_lifetimes_process_count(lives), 1);
        const etwc_process_life *life = life_at(A, 2000);
        CHECK_EQ_U64(life->key, 0xA);
        CHECK_EQ_I64(life->begin_raw_time, classic);
        CHECK_EQ_U64(life->seen, ETWC_SEEN_START | ETWC_SEEN_MANIFEST_START);
        const etwc_process_facts *facts = etwc_lifetimes_facts_at(lives, life->index);
        CHECK_EQ_I64(facts->create_filetime, CREATED);
        CHECK_EQ_STR(facts->image_path->bytes, "d\\ab");
        CHECK_EQ_STR(facts->name->bytes, "app.exe"); /* the longer one */

        /* The end, in the other order. */
        if (!manifest_first)
            manifest_process(PROCESS_STOPS, 3000, A, CREATED);
        process(2, 3010, A, 0xA, 3);
        if (manifest_first)
            manifest_process(PROCESS_STOPS, 3020, A, CREATED);
        CHECK_EQ_U64(etwc_lifetimes_process_count(lives), 1);
        CHECK_EQ_I64(life_at(A, 5000)->end_raw_time, 3010);
        finish_lives();
    }
}

TEST(a_start_long_after_the_other_is_another_process)
{
    begin_lives();
    process(1, 1000, A, 0xA, 259);
    manifest_process(PROCESS_STARTS, 1000 + 20000000, A, CREATED);
    CHECK_EQ_U64(etwc_lifetimes_process_count(lives), 2);
    CHECK_EQ_U64(life_at(A, 30000000)->key, 0);
    finish_lives();
}

TEST(an_id_that_is_given_again_at_once_is_another_process)
{
    begin_lives();
    for (uint64_t i = 0; i < 3; i++) {
        int64_t now = 1000 + (int64_t)i * 100;
        manifest_process(PROCESS_STARTS, now, A, CREATED + i);
        process(1, now + 1, A, 0xA + i, 259);
        process(2, now + 50, A, 0xA + i, 0);
        manifest_process(PROCESS_STOPS, now + 51, A, CREATED + i);
    }
    CHECK_EQ_U64(etwc_lifetimes_process_count(lives), 3);
    for (uint64_t i = 0; i < 3; i++) {
        const etwc_process_life *life = life_at(A, 1001 + (int64_t)i * 100);
        CHECK_EQ_U64(life->key, 0xA + i);
        CHECK_EQ_I64(life->end_raw_time, 1050 + (int64_t)i * 100);
        CHECK_EQ_I64(etwc_lifetimes_facts_at(lives, life->index)->create_filetime,
                     (int64_t)(CREATED + i));
    }
    finish_lives();
}

TEST(a_stop_that_comes_late_ends_the_process_it_names)
{
    begin_lives();
    manifest_process(PROCESS_STARTS, 1000, A, CREATED);
    manifest_process(PROCESS_STARTS, 2000, A, CREATED + 900);
    manifest_process(PROCESS_STOPS, 2010, A, CREATED);
    CHECK_EQ_U64(etwc_lifetimes_process_count(lives), 2);
    CHECK_EQ_I64(life_at(A, 1500)->end_raw_time, 2000); /* when the id was taken */
    CHECK_EQ_I64(life_at(A, 3000)->end_raw_time, INT64_MAX);
    finish_lives();
}

TEST(a_stop_alone_tells_of_a_process_that_is_older)
{
    begin_lives();
    manifest_thread(THREAD_STOPS, 900, A, 10); /* names it, too */
    manifest_process(PROCESS_STOPS, 1000, A, CREATED);
    CHECK_EQ_U64(etwc_lifetimes_process_count(lives), 1);
    const etwc_process_life *life = life_at(A, 0);
    CHECK_EQ_I64(life->begin_raw_time, INT64_MIN);
    CHECK_EQ_I64(life->end_raw_time, 1000);
    const etwc_process_facts *facts = etwc_lifetimes_facts_at(lives, life->index);
    CHECK_EQ_U64(facts->fields & ETWC_HAS_PROCESS_ID, 0); /* no parent is told */
    CHECK_EQ_I64(facts->exit_filetime, CREATED + 500);
    CHECK_EQ_U64(facts->exit_status, 3);
    finish_lives();
}

TEST(rundowns_of_both_name_the_living)
{
    begin_lives();
    process(3, 100, A, 0xA, 259);
    manifest_process(PROCESS_RUNDOWN, 200, A, CREATED);
    manifest_process(PROCESS_RUNDOWN, 300, B, CREATED);
    process(3, 400, B, 0xB, 259);
    CHECK_EQ_U64(etwc_lifetimes_process_count(lives), 2);
    CHECK_EQ_U64(life_at(A, 0)->key, 0xA);
    CHECK_EQ_U64(life_at(B, 0)->key, 0xB);

    /* The next owner of an id whose start was lost. */
    manifest_process(PROCESS_STOPS, 500, A, CREATED);
    manifest_process(PROCESS_RUNDOWN, 600, A, CREATED + 900);
    CHECK_EQ_U64(etwc_lifetimes_process_count(lives), 3);
    CHECK_EQ_I64(life_at(A, 550)->end_raw_time, 500);
    CHECK_EQ_I64(life_at(A, 700)->end_raw_time, INT64_MAX);
    finish_lives();
}

TEST(a_class_that_finds_a_process_alive_does_not_mean_the_one_that_has_ended)
{
    begin_lives();
    manifest_process(PROCESS_STARTS, 100, A, CREATED);
    manifest_process(PROCESS_STOPS, 200, A, CREATED);
    process(4, 300, A, 0xA, 259);
    CHECK_EQ_U64(etwc_lifetimes_process_count(lives), 2);
    CHECK_EQ_U64(life_at(A, 150)->key, 0);
    CHECK_EQ_U64(life_at(A, 300)->key, 0xA);
    finish_lives();
}

TEST(two_records_of_one_thread_make_one_thread)
{
    begin_lives();
    process(1, 900, A, 0xA, 259);
    for (int i = 0; i < 3; i++) { /* the id is given again at once */
        int64_t now = 1000 + i * 100;
        manifest_thread(THREAD_STARTS, now, A, 10);
        thread(1, now + 1, A, 10);
        manifest_thread(THREAD_STOPS, now + 50, A, 10);
        thread(2, now + 51, A, 10);
    }
    CHECK_EQ_U64(etwc_lifetimes_thread_count(lives), 3);
    for (int i = 0; i < 3; i++) {
        const etwc_thread_life *life = etwc_lifetimes_thread(lives, 10, 1001 + i * 100);
        CHECK_EQ_I64(life->begin_raw_time, 1001 + i * 100);
        CHECK_EQ_I64(life->end_raw_time, 1051 + i * 100);
    }
    finish_lives();
}

/* ---- Numbers ---------------------------------------------------------------------- */

TEST(an_exit_is_counted_once)
{
    begin(1);
    manifest_process(PROCESS_STARTS, 100, A, CREATED);
    manifest_thread(THREAD_STARTS, 110, A, 10);
    manifest_thread(THREAD_STOPS, 150, A, 10);
    manifest_process(PROCESS_STOPS, 200, A, CREATED);
    manifest_process(PROCESS_STOPS, 201, A, CREATED);
    etwc_snapshot *s = look(300);
    const etwc_process_row *row = row_of(s, A, 0);
    CHECK_EQ_U64(row->counters.exit_cycles, 123456);
    CHECK_EQ_U64(row->counters.exit_read_ops, 1);
    CHECK_EQ_U64(row->counters.exit_write_ops, 2);
    CHECK_EQ_U64(row->counters.exit_read_bytes, 3 * 1024);
    CHECK_EQ_U64(row->counters.exit_write_bytes, 4 * 1024);
    CHECK_EQ_U64(row->counters.exit_hard_faults, 5);
    CHECK_EQ_U64(row->counters.ended_thread_cycles, 900);
    CHECK_EQ_U64(row->counters.threads_started, 1);
    CHECK_EQ_U64(row->gauges.handle_count, 77);
    CHECK_EQ_U64(row->gauges.private_bytes, 4096);
    CHECK_EQ_U64(row->gauges.peak_pagefile_usage, 8192);
    CHECK(row->known & ETWC_ROW_EXIT);
    CHECK(row->known & ETWC_ROW_EXIT_COUNTS);
    CHECK_EQ_I64(row->begin_filetime, CREATED); /* not the time of the record */
    CHECK_EQ_I64(row->end_filetime, CREATED + 500);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->presence[ETWC_SOURCE_exits], ETWC_PRESENT);
    finish(s);
}

/* Without a first pass: the class is preferred from its first record on. */
TEST(a_class_that_tells_the_same_is_preferred_once_it_is_heard)
{
    begin(1);
    process(3, 50, A, 0xA, 259);
    manifest_thread(THREAD_STARTS, 100, A, 10);
    manifest_thread(THREAD_STOPS, 110, A, 10);
    for (uint32_t tid = 20; tid < 25; tid++) {
        thread(1, 200 + tid, A, tid);
        manifest_thread(THREAD_STARTS, 200 + tid, A, tid);
    }
    etwc_snapshot *s = look(300);
    CHECK_EQ_U64(row_of(s, A, 0)->counters.threads_started, 1 + 5);
    CHECK_EQ_U64(row_of(s, A, 0)->gauges.thread_count, 5);
    /* What only the provider tells is taken all the same. */
    CHECK_EQ_U64(row_of(s, A, 0)->counters.ended_thread_cycles, 900);
    finish(s);
}

TEST(threads_that_ended_are_told_per_interval)
{
    begin(1);
    manifest_thread(THREAD_STOPS, 100, A, 10);
    etwc_snapshot *first = look(100);
    size_t count;
    const etwc_ended_thread *ended = etwc_snapshot_ended(first, NULL, &count);
    CHECK_EQ_U64(count, 1);
    CHECK_EQ_U64(ended[0].thread_id, 10);
    CHECK_EQ_U64(ended[0].cycles, 900);

    for (uint32_t i = 0; i < ETWC_ENDED_THREADS; i++)
        manifest_thread(THREAD_STOPS, 200 + i, B, 1000 + i);
    etwc_snapshot *second = look(10000);
    ended = etwc_snapshot_ended(second, first, &count);
    CHECK(ended == NULL); /* half of them are forgotten */
    CHECK_EQ_U64(count, 0);
    CHECK_EQ_U64(etwc_snapshot_ended(first, NULL, &count)->thread_id, 10);
    CHECK_EQ_U64(count, 1);

    manifest_thread(THREAD_STOPS, 20000, B, 77);
    manifest_thread(THREAD_STOPS, 20001, A, 78);
    etwc_snapshot *third = look(30000);
    ended = etwc_snapshot_ended(third, second, &count);
    CHECK_EQ_U64(count, 2);
    CHECK_EQ_U64(ended[0].thread_id, 77);
    CHECK_EQ_U64(ended[1].thread_id, 78);
    CHECK_EQ_U64(ended[1].row_id, row_of(third, A, 0)->row_id);
    CHECK(etwc_snapshot_ended(third, third, &count) != NULL);
    CHECK_EQ_U64(count, 0);
    etwc_snapshot_free(first);
    etwc_snapshot_free(second);
    finish(third);
}

TEST(disk_transfers_of_nobody_do_not_make_a_source)
{
    begin(1);
    put p = {0};
    for (int i = 0; i < 4; i++)
        put_u32(&p, 512);
    for (int i = 0; i < 4; i++)
        put_u64(&p, 0);
    etwc_event event = manifest_event(ETWC_CLASS_MANIFEST_DISK, 10, 0, 100, p);
    event.process_id = A; /* of whatever thread met the end of the transfer */
    feed(&event);
    etwc_snapshot *s = look(200);
    const etwc_machine_row *m = etwc_snapshot_machine(s);
    CHECK_EQ_U64(m->presence[ETWC_SOURCE_disk], ETWC_ABSENT);
    CHECK_EQ_U64(m->presence[ETWC_SOURCE_disk_totals], ETWC_PRESENT);
    CHECK_EQ_U64(m->unowned_records, 1);
    CHECK_EQ_U64(m->disk_read_ops, 1);
    CHECK_EQ_U64(m->disk_read_bytes, 512);
    CHECK_EQ_U64(m->disk_write_ops + m->disk_flushes, 0);
    finish(s);
}

HARNESS_MAIN
