/*
 * Limits of rows: what leaves, what is refused, and that neither disturbs the living
 * or the sums of the machine (`look` checks these with every snapshot).
 */
#include "scene.h"

#include "etwc_alloc.h"

static void
limits(uint32_t processes, uint32_t threads, uint32_t images)
{
    scene_limits[0] = processes;
    scene_limits[1] = threads;
    scene_limits[2] = images;
}

static const etwc_machine_row *
machine_of(const etwc_snapshot *s)
{
    return etwc_snapshot_machine(s);
}

/* A process of a few ticks, with an image of its own; A runs before and after. */
static int64_t
short_process(int64_t now, uint32_t i)
{
    char name[32];
    uint32_t pid = 1000 + i % 5000 * 4, tid = 50000 + i % 7000 * 4;
    (void)snprintf(name, sizeof name, "\\d\\program%u.exe", i);
    process(START, now + 1, pid, 0x1000 + i, 259);
    thread(START, now + 1, pid, tid);
    image(10, now + 2, pid, 0x400000, name);
    switch_to(0, now + 3, 10, tid);
    disk_read(now + 4, tid, 512);
    image(2, now + 6, pid, 0x400000, name);
    thread(END, now + 7, pid, tid);
    switch_to(0, now + 8, tid, 10);
    process(END, now + 9, pid, 0x1000 + i, 0);
    return now + 10;
}

enum { SHORT_RUN = 5, SHORT_WHOLE = 10, SHORT_PROCESSES = 3000 };

static int64_t
living_process(void)
{
    process(RUNDOWN, 1, A, 0xA, 259);
    thread(RUNDOWN, 1, A, 10);
    thread(RUNDOWN, 1, A, 11);
    image(3, 1, A, 0x10000, "\\d\\a.exe");
    switch_to(0, 2, 0, 10);
    return 2;
}

static void
months_of_short_processes(void)
{
    int64_t now = living_process();
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < SHORT_PROCESSES; i++) {
        now = short_process(now, i);
        if (is_first_pass || i % 5 != 4)
            continue;
        etwc_snapshot *s = look(now);
        etwc_aggregate_release(aggregate, now);
        CHECK(etwc_snapshot_row_count(s) <= 8);
        size_t threads, images;
        (void)etwc_snapshot_threads(s, &threads);
        (void)etwc_snapshot_images(s, &images);
        CHECK(threads <= 16 + 1); /* and the one that stands for the refused */
        CHECK(images <= 8);
        etwc_snapshot_free(s);
        if (i == SHORT_PROCESSES / 3 - 1)
            bytes = etwc_aggregate_bytes(aggregate);
    }
    /* Texts are swept when there are some. Of a shared table every instance has a
     * number of 4 bytes here. */
    uint64_t more = 320 * 1024 + 2 * SHORT_PROCESSES * sizeof(uint32_t) * 2;
    if (!is_first_pass && lives != NULL)
        CHECK(etwc_aggregate_bytes(aggregate) <= bytes + more);
}

static void
check_months(void)
{
    const int64_t end = 2 + SHORT_PROCESSES * SHORT_WHOLE;
    etwc_snapshot *s = look(end);
    const etwc_machine_row *m = machine_of(s);
    CHECK_EQ_U64(m->expired_processes + etwc_snapshot_row_count(s),
                 SHORT_PROCESSES + 1);
    CHECK_EQ_U64(m->expired_early, 0);
    CHECK_EQ_U64(m->refused_processes + m->refused_threads + m->refused_images, 0);
    CHECK_EQ_U64(m->process_ticks, SHORT_PROCESSES * SHORT_WHOLE);
    const etwc_process_row *living = row_of(s, A, 0);
    CHECK_EQ_U64(living->counters.run_ticks,
                 SHORT_PROCESSES * (SHORT_WHOLE - SHORT_RUN));
    CHECK_EQ_U64(living->counters.context_switches, SHORT_PROCESSES + 1);
    CHECK_EQ_U64(living->gauges.thread_count, 2);
    CHECK_EQ_U64(living->gauges.image_count, 1);
    finish(s);
    limits(0, 0, 0);
}

TEST(months_of_short_processes_take_bounded_memory_after_a_first_pass)
{
    limits(8, 16, 8);
    first_pass(1);
    months_of_short_processes();
    open_aggregate();
    months_of_short_processes();
    check_months();
}

TEST(months_of_short_processes_take_bounded_memory)
{
    limits(8, 16, 8);
    begin(1);
    months_of_short_processes();
    check_months();
}

/* The thread sanitizer makes each step some forty times slower: fewer will do there. */
#if defined(__SANITIZE_THREAD__)
#define HAS_SLOW_STEPS 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAS_SLOW_STEPS 1
#endif
#endif
#ifdef HAS_SLOW_STEPS
enum { MANY_SHORT = 200000 };
#else
enum { MANY_SHORT = 1000000 };
#endif

/* Fed without a first pass, as by a live session: the lifetimes forget, too. */
TEST(a_million_processes_take_the_memory_of_a_few)
{
    enum { FEW = MANY_SHORT / 10, TEXTS = 1 << 20 };
    limits(64, 128, 128);
    begin(1);
    int64_t now = living_process();
    uint64_t bytes = 0;
    int64_t blocks = 0;
    for (uint32_t i = 0; i < MANY_SHORT; i++) {
        now = short_process(now, i);
        if (i % FEW != FEW - 1)
            continue;
        etwc_snapshot_free(look(now));
        etwc_aggregate_release(aggregate, now);
        if (bytes == 0) {
            bytes = etwc_aggregate_bytes(aggregate);
            blocks = etwc_alloc_alive();
        }
        CHECK(etwc_aggregate_bytes(aggregate) <= bytes + TEXTS);
        CHECK(etwc_alloc_alive() <= blocks + 32); /* chunks of texts */
    }
    CHECK(bytes < 4 * TEXTS);
    etwc_snapshot *s = look(now);
    CHECK_EQ_U64(machine_of(s)->expired_processes + etwc_snapshot_row_count(s),
                 MANY_SHORT + 1);
    CHECK_EQ_U64(machine_of(s)->process_ticks, (uint64_t)MANY_SHORT * SHORT_WHOLE);
    CHECK_EQ_U64(machine_of(s)->refused_processes + machine_of(s)->refused_threads, 0);
    CHECK_EQ_U64(row_of(s, A, 0)->counters.context_switches, MANY_SHORT + 1);
    finish(s);
    limits(0, 0, 0);
}

/* All rows are the living's: what is refused is forgotten when it ends. */
TEST(refused_processes_leave_no_trace_when_they_have_ended)
{
    enum { MANY = 20000 };
    limits(2, 3, 0);
    begin(1);
    process(START, 1, A, 1, 259);
    process(START, 2, B, 2, 259);
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        int64_t now = 10 + i * 10;
        uint32_t pid = 1000 + i % 50 * 4;
        process(START, now, pid, 1000 + i, 259);
        for (uint32_t tid = 5000; tid < 5020; tid += 4)
            thread(START, now + 1, pid, tid);
        disk_read(now + 2, 5000, 512);
        for (uint32_t tid = 5000; tid < 5020; tid += 4)
            if (i % 3 != 0) /* an end that is lost comes with the next of that id */
                thread(END, now + 3, pid, tid);
        if (i % 2 == 0)
            process(END, now + 4, pid, 1000 + i, 0);
        if (i == MANY / 10)
            bytes = etwc_aggregate_bytes(aggregate);
    }
    CHECK(etwc_aggregate_bytes(aggregate) <= bytes);
    etwc_snapshot *s = look(10 * MANY + 10);
    CHECK_EQ_U64(etwc_snapshot_row_count(s), 2);
    CHECK_EQ_U64(machine_of(s)->refused_processes, MANY);
    CHECK_EQ_U64(machine_of(s)->disk_read_ops, MANY);
    CHECK_EQ_U64(row_of(s, A, 0)->counters.disk_read_ops, 0);
    etwc_snapshot_free(s);
    process(END, 10 * MANY + 20, A, 1, 0);
    process(START, 10 * MANY + 30, 1000, 7, 259);
    s = look(10 * MANY + 40);
    CHECK_EQ_U64(row_of(s, 1000, 0)->start_key, 7);
    finish(s);
    limits(0, 0, 0);
}

TEST(a_late_record_of_a_process_that_has_left_makes_no_row)
{
    limits(2, 2, 0);
    begin(1);
    process(START, 1, A, 1, 259);
    thread(START, 1, A, 10);
    thread(END, 2, A, 10);
    process(END, 3, A, 1, 0);
    process(START, 4, B, 2, 259);
    thread(START, 4, B, 20);
    process(START, 5, 300, 3, 259); /* A leaves */
    disk_read(6, 10, 512);          /* it came late */
    etwc_snapshot *s = look(7);
    CHECK_EQ_U64(etwc_snapshot_row_count(s), 2);
    CHECK_EQ_U64(row_of(s, B, 0)->counters.disk_read_ops, 0);
    CHECK_EQ_U64(row_of(s, 300, 0)->counters.disk_read_ops, 0);
    CHECK_EQ_U64(machine_of(s)->disk_read_ops, 1);
    CHECK_EQ_U64(machine_of(s)->refused_processes + machine_of(s)->refused_threads, 0);
    finish(s);
    limits(0, 0, 0);
}

TEST(intervals_are_right_across_rows_that_have_left)
{
    limits(4, 8, 8);
    begin(1);
    int64_t now = living_process();
    etwc_snapshot *base = look(now);
    uint64_t runs = 0;
    for (uint32_t i = 0; i < 100; i++) {
        now = short_process(now, i);
        etwc_snapshot *s = look(now);
        uint64_t sum = 0;
        for (size_t row = 0; row < etwc_snapshot_row_count(s); row++) {
            etwc_process_row part;
            etwc_snapshot_difference(s, row, base, &part);
            sum += part.counters.run_ticks;
            if (part.process_id == A)
                CHECK_EQ_U64(part.counters.run_ticks, SHORT_WHOLE - SHORT_RUN);
            if (etwc_snapshot_find(base, part.row_id, row) == ETWC_NO_ROW)
                CHECK_EQ_U64(part.process_id, 1000 + i * 4);
        }
        CHECK_EQ_U64(sum, SHORT_WHOLE);
        runs += sum;
        etwc_aggregate_release(aggregate, now);
        etwc_snapshot_free(base);
        base = s;
    }
    CHECK_EQ_U64(runs, 100 * SHORT_WHOLE);
    CHECK_EQ_U64(machine_of(base)->expired_early, 0);
    CHECK(machine_of(base)->expired_processes > 90);
    finish(base);
    limits(0, 0, 0);
}

TEST(what_leaves_before_it_was_seen_is_counted)
{
    limits(4, 0, 0);
    begin(1);
    int64_t now = living_process();
    for (uint32_t i = 0; i < 20; i++)
        now = short_process(now, i);
    etwc_snapshot *s = look(now);
    CHECK_EQ_U64(machine_of(s)->expired_processes, 17);
    CHECK_EQ_U64(machine_of(s)->expired_early, 17);
    finish(s);
    limits(0, 0, 0);
}

TEST(the_living_stay_and_the_new_one_is_refused)
{
    limits(3, 0, 0);
    begin(1);
    for (uint32_t pid = 100; pid < 108; pid++) {
        process(START, 10, pid, pid, 259);
        thread(START, 10, pid, pid * 10);
    }
    for (uint32_t i = 0; i < 8; i++) /* each runs twice for 10 ticks */
        for (uint32_t turn = 0; turn < 2; turn++)
            switch_to(0, 100 + (i * 2 + turn) * 10, i + turn == 0 ? 0 : 1000 + i * 10,
                      1000 + i * 10);
    etwc_snapshot *s = look(260);
    CHECK_EQ_U64(etwc_snapshot_row_count(s), 3);
    CHECK_EQ_U64(machine_of(s)->refused_processes, 5);
    CHECK_EQ_U64(machine_of(s)->expired_processes, 0);
    for (uint32_t pid = 100; pid < 103; pid++)
        CHECK_EQ_U64(row_of(s, pid, 0)->counters.context_switches, 2);
    CHECK(machine_of(s)->unowned_ticks > 0);
    finish(s);
    limits(0, 0, 0);
}

TEST(a_refused_process_gives_way_to_the_next_of_its_id)
{
    limits(2, 0, 0);
    begin(1);
    process(START, 10, A, 1, 259);
    process(START, 11, B, 2, 259);
    process(START, 12, 300, 3, 259); /* refused */
    disk_read(13, 999, 512);         /* of a thread that nobody knows */
    process(END, 20, A, 1, 0);
    process(END, 21, 300, 3, 0);
    process(START, 30, 300, 4, 259); /* takes the place of A */
    etwc_snapshot *s = look(40);
    CHECK_EQ_U64(etwc_snapshot_row_count(s), 2);
    CHECK_EQ_U64(row_of(s, 300, 0)->start_key, 4);
    CHECK_EQ_U64(machine_of(s)->refused_processes, 1);
    CHECK_EQ_U64(machine_of(s)->expired_processes, 1);
    finish(s);
    limits(0, 0, 0);
}

TEST(a_thread_that_still_runs_keeps_its_row)
{
    limits(2, 0, 0);
    begin(1);
    process(START, 10, A, 1, 259);
    thread(START, 10, A, 10);
    switch_to(0, 20, 0, 10);
    thread(END, 30, A, 10);
    process(END, 31, A, 1, 0);
    process(START, 40, B, 2, 259);
    process(START, 41, 300, 3, 259); /* A's thread is on the processor */
    switch_to(0, 50, 10, 0);
    etwc_snapshot *s = look(60);
    CHECK_EQ_U64(row_of(s, A, 0)->counters.run_ticks, 30);
    finish(s);
    limits(0, 0, 0);
}

TEST(threads_leave_for_threads_and_their_process_keeps_the_sum)
{
    limits(0, 4, 0);
    begin(1);
    process(START, 1, A, 1, 259);
    thread(START, 1, A, 10);
    switch_to(0, 2, 0, 10);
    for (uint32_t i = 0; i < 50; i++) {
        int64_t now = 10 + i * 10;
        thread(START, now, A, 100 + i);
        switch_to(0, now + 1, 10, 100 + i);
        thread(END, now + 3, A, 100 + i);
        switch_to(0, now + 4, 100 + i, 10);
    }
    etwc_snapshot *s = look(510);
    CHECK_EQ_U64(row_of(s, A, 0)->counters.run_ticks, 508);
    CHECK_EQ_U64(row_of(s, A, 0)->counters.threads_started, 51);
    CHECK(machine_of(s)->expired_threads >= 46);
    CHECK_EQ_U64(machine_of(s)->refused_threads, 0);
    size_t count;
    const etwc_thread_row *rows = etwc_snapshot_threads(s, &count);
    CHECK(count <= 6);
    for (size_t i = 1; i < count; i++)
        CHECK(rows[i - 1].row_id < rows[i].row_id);
    finish(s);
    limits(0, 0, 0);
}

TEST(living_threads_stay_and_what_a_refused_one_runs_is_unowned)
{
    limits(0, 3, 0);
    begin(1);
    process(START, 1, A, 1, 259);
    for (uint32_t tid = 10; tid < 15; tid++)
        thread(START, 1, A, tid);
    switch_to(0, 10, 0, 10);
    switch_to(0, 30, 10, 14); /* refused */
    switch_to(0, 70, 14, 10);
    etwc_snapshot *s = look(80);
    CHECK_EQ_U64(row_of(s, A, 0)->counters.run_ticks, 30);
    CHECK_EQ_U64(machine_of(s)->unowned_ticks, 40);
    CHECK_EQ_U64(machine_of(s)->refused_threads, 2);
    finish(s);
    limits(0, 0, 0);
}

/* Those that leave make holes where images are looked for. */
TEST(images_are_found_after_others_have_left)
{
    enum { KEPT = 99, LATER = 1000 };
    limits(0, 0, 200);
    begin(1);
    process(START, 1, A, 1, 259);
    for (uint32_t i = 0; i < KEPT; i++) {
        image(10, 2, A, 0x80000000 + i * 0x1000, "gone.dll");
        image(10, 2, A, 0x10000000 + i * 0x10000, "kept.dll");
    }
    for (uint32_t i = 0; i < KEPT; i++)
        image(2, 3, A, 0x80000000 + i * 0x1000, "gone.dll");
    for (uint32_t i = 0; i < LATER; i++) { /* the limit lets the others go */
        image(10, 10 + i, A, 0x90000000 + i * 0x1000, "x.dll");
        image(2, 10 + i, A, 0x90000000 + i * 0x1000, "x.dll");
    }
    for (uint32_t i = 0; i < KEPT; i++)
        image(2, 5000, A, 0x10000000 + i * 0x10000, "kept.dll");
    etwc_snapshot *s = look(5001);
    CHECK_EQ_U64(row_of(s, A, 0)->counters.images_loaded, 2 * KEPT + LATER);
    CHECK_EQ_U64(row_of(s, A, 0)->gauges.image_count,
                 0); /* each unload has found its load */
    finish(s);
    limits(0, 0, 0);
}

TEST(images_leave_when_they_were_unloaded)
{
    limits(0, 0, 2);
    begin(1);
    process(START, 1, A, 1, 259);
    image(10, 2, A, 0x10000, "a.exe");
    for (uint32_t i = 0; i < 30; i++) {
        image(10, 10 + i, A, 0x20000 + i * 0x10000, "x.dll");
        image(2, 10 + i, A, 0x20000 + i * 0x10000, "x.dll");
    }
    image(10, 50, A, 0x8000000, "b.dll");
    image(10, 51, A, 0x9000000, "c.dll"); /* both others are mapped */
    etwc_snapshot *s = look(60);
    size_t count;
    const etwc_image_row *images = etwc_snapshot_images(s, &count);
    CHECK_EQ_U64(count, 2);
    CHECK_EQ_U64(images[0].base + images[1].base, 0x10000 + 0x8000000);
    CHECK_EQ_U64(machine_of(s)->expired_images, 30);
    CHECK_EQ_U64(machine_of(s)->refused_images, 1);
    CHECK_EQ_U64(row_of(s, A, 0)->counters.images_loaded, 33);
    CHECK_EQ_U64(row_of(s, A, 0)->gauges.image_count, 2);
    finish(s);
    limits(0, 0, 0);
}

TEST(texts_of_images_that_have_left_are_freed)
{
    limits(0, 0, 4);
    begin(1);
    process(START, 1, A, 1, 259);
    image(10, 2, A, 0x10000, "\\d\\first.exe");
    uint64_t most = 0;
    etwc_snapshot *old = NULL;
    for (uint32_t i = 0; i < 40000; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "\\d\\a folder of some length\\module%u.dll",
                       i);
        image(10, 10 + i, A, 0x20000 + i * UINT64_C(0x10000), name);
        image(2, 10 + i, A, 0x20000 + i * UINT64_C(0x10000), name);
        if (i == 3000)
            old = look(10 + i);
        uint64_t bytes = etwc_aggregate_bytes(aggregate);
        most = bytes > most ? bytes : most;
    }
    CHECK(most < 2 << 20); /* all of them would be 3 MB */
    size_t count;
    const etwc_image_row *images = etwc_snapshot_images(old, &count);
    CHECK_EQ_U64(count, 4); /* texts that a snapshot holds stay */
    for (size_t i = 0; i < count; i++)
        CHECK(strstr(images[i].file_name->bytes, "\\d\\") ==
              images[i].file_name->bytes);
    etwc_snapshot_free(old);
    etwc_snapshot *s = look(50000);
    images = etwc_snapshot_images(s, &count);
    CHECK_EQ_STR(images[0].file_name->bytes, "\\d\\first.exe");
    finish(s);
    limits(0, 0, 0);
}

TEST(any_failed_allocation_leaves_a_bounded_aggregate_usable)
{
    limits(5, 9, 6);
    for (uint64_t n = 1; n < 120; n++) {
        etwc_alloc_fail_after(n, false);
        etwc_aggregate_options options = {
            .processors = 1, .max_processes = 5, .max_threads = 9, .max_images = 6};
        etwc_clock_init(&options.clock, 0, 1000, 10000000, false);
        aggregate = etwc_aggregate_new(&options);
        if (aggregate == NULL)
            continue;
        for (uint32_t i = 0; i < 300; i++) {
            etwc_event event =
                thread_event(i % 3 == 2 ? END : START, i, 1000 + i % 40, 5000 + i / 3);
            etwc_status st = etwc_aggregate_apply(aggregate, &event, NULL);
            CHECK(st == ETWC_OK || st == ETWC_E_NOMEM);
        }
        etwc_snapshot *snapshot = NULL;
        etwc_status st =
            etwc_aggregate_snapshot(aggregate, 500, ETWC_SNAPSHOT_ALL, &snapshot, NULL);
        CHECK(st == ETWC_OK || st == ETWC_E_NOMEM);
        etwc_alloc_fail_after(0, false);
        if (st == ETWC_OK)
            etwc_snapshot_free(snapshot);
        etwc_aggregate_free(aggregate);
    }
    etwc_alloc_fail_after(0, false);
    limits(0, 0, 0);
}

HARNESS_MAIN
