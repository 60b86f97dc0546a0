/*
 * Lives of processes and threads, from records made by hand. What is expected
 * follows chapter 5 of event-decoding.md.
 */
#include "harness.h"

#include "etwc_lifetime.h"
#include "etwc_table.h"

static etwc_lifetimes *lives;

static void
say(const etwc_kernel_record *record, int64_t now)
{
    etwc_event event = {.raw_time = now,
                        .process_id = ETWC_NO_ID,
                        .thread_id = ETWC_NO_ID,
                        .running_thread_id = ETWC_NO_ID};
    CHECK_OK(etwc_lifetimes_apply(lives, &event, record, NULL));
}

static void
process(etwc_kernel_type type, int64_t now, uint32_t pid, uint64_t key)
{
    etwc_kernel_record record = {.type = (uint8_t)type};
    record.fields = key ? ETWC_HAS_KEY : 0;
    record.u.process.process_id = pid;
    record.u.process.key = key;
    say(&record, now);
}

static void
thread(etwc_kernel_type type, int64_t now, uint32_t pid, uint32_t tid)
{
    etwc_kernel_record record = {.type = (uint8_t)type};
    record.u.thread.process_id = pid;
    record.u.thread.thread_id = tid;
    say(&record, now);
}

#define START ETWC_KERNEL_PROCESS_START
#define END ETWC_KERNEL_PROCESS_END
#define RUNDOWN ETWC_KERNEL_PROCESS_RUNDOWN_START
#define ALIVE ETWC_KERNEL_PROCESS_RUNDOWN_END
#define DEFUNCT ETWC_KERNEL_PROCESS_DEFUNCT
#define T_START ETWC_KERNEL_THREAD_START
#define T_END ETWC_KERNEL_THREAD_END
#define T_RUNDOWN ETWC_KERNEL_THREAD_RUNDOWN_START
#define T_ALIVE ETWC_KERNEL_THREAD_RUNDOWN_END

/* Key of the process that has the id at that time; 0: nobody. */
static uint64_t
key_at(uint32_t pid, int64_t now)
{
    const etwc_process_life *life = etwc_lifetimes_process(lives, pid, now);
    return life ? life->key : 0;
}

static uint64_t
owner_at(uint32_t tid, int64_t now)
{
    const etwc_process_life *life = etwc_lifetimes_process_of_thread(lives, tid, now);
    return life ? life->key : 0;
}

static void
begin(void)
{
    lives = etwc_lifetimes_new();
    CHECK(lives != NULL);
}

static void
finish(void)
{
    etwc_lifetimes_free(lives);
}

TEST(an_id_is_unknown_before_its_start)
{
    begin();
    process(START, 100, 8, 0xA);
    CHECK(etwc_lifetimes_process(lives, 8, 99) == NULL);
    CHECK_EQ_U64(key_at(8, 100), 0xA);
    CHECK_EQ_U64(key_at(8, INT64_MAX), 0xA);
    CHECK(etwc_lifetimes_process(lives, 12, 100) == NULL);
    finish();
}

TEST(a_rundown_reaches_back_before_the_trace)
{
    begin();
    process(RUNDOWN, 100, 8, 0xA);
    CHECK_EQ_U64(key_at(8, INT64_MIN), 0xA);
    CHECK_EQ_I64(etwc_lifetimes_process(lives, 8, 5)->begin_raw_time, INT64_MIN);
    finish();
}

TEST(an_id_names_the_dead_until_it_is_given_again)
{
    begin();
    process(START, 100, 8, 0xA);
    process(END, 200, 8, 0xA);
    process(START, 300, 8, 0xB);
    CHECK_EQ_U64(key_at(8, 299), 0xA);
    CHECK_EQ_U64(key_at(8, 300), 0xB);
    CHECK_EQ_I64(etwc_lifetimes_process(lives, 8, 250)->end_raw_time, 200);
    CHECK_EQ_I64(etwc_lifetimes_process_until(lives, 8, 150), 300);
    CHECK_EQ_I64(etwc_lifetimes_process_until(lives, 8, 50), 100);
    CHECK_EQ_I64(etwc_lifetimes_process_until(lives, 8, 300), INT64_MAX);
    finish();
}

TEST(a_start_for_a_living_id_ends_the_old_instance)
{
    begin();
    process(RUNDOWN, 10, 8, 0xA);
    process(START, 300, 8, 0xA); /* the address was used again */
    CHECK_EQ_U64(etwc_lifetimes_process_count(lives), 2);
    CHECK_EQ_I64(etwc_lifetimes_process(lives, 8, 299)->end_raw_time, 300);
    CHECK_EQ_I64(etwc_lifetimes_process(lives, 8, 300)->begin_raw_time, 300);
    finish();
}

TEST(a_rundown_logged_twice_or_late_changes_nothing)
{
    begin();
    process(START, 100, 8, 0xA);
    process(RUNDOWN, 150, 8, 0xA);
    process(RUNDOWN, 160, 8, 0xA);
    CHECK_EQ_U64(etwc_lifetimes_process_count(lives), 1);
    CHECK_EQ_I64(etwc_lifetimes_process(lives, 8, 100)->begin_raw_time, 100);
    finish();
}

TEST(a_rundown_with_another_key_takes_the_id)
{
    begin();
    process(RUNDOWN, 100, 8, 0xA);
    process(RUNDOWN, 200, 8, 0xB);
    CHECK_EQ_U64(key_at(8, 199), 0xA);
    CHECK_EQ_U64(key_at(8, 200), 0xB);
    CHECK_EQ_I64(etwc_lifetimes_process(lives, 8, 200)->begin_raw_time, INT64_MIN);
    finish();
}

TEST(an_end_alone_makes_an_instance_from_before)
{
    begin();
    process(END, 200, 8, 0xA);
    thread(T_END, 210, 8, 44);
    process(ALIVE, 220, 12, 0xC);
    CHECK_EQ_U64(key_at(8, INT64_MIN), 0xA);
    CHECK_EQ_I64(etwc_lifetimes_process(lives, 8, 0)->end_raw_time, 200);
    CHECK_EQ_U64(owner_at(44, INT64_MIN), 0xA);
    CHECK_EQ_I64(etwc_lifetimes_thread(lives, 44, 0)->end_raw_time, 210);
    CHECK_EQ_U64(key_at(12, 0), 0xC);
    CHECK_EQ_I64(etwc_lifetimes_process(lives, 12, 0)->end_raw_time, INT64_MAX);
    finish();
}

TEST(a_defunct_record_is_no_exit)
{
    begin();
    process(RUNDOWN, 100, 8, 0xA);
    process(DEFUNCT, 500, 8, 0xA);
    CHECK_EQ_I64(etwc_lifetimes_process(lives, 8, 500)->end_raw_time, INT64_MAX);
    finish();
}

TEST(a_defunct_record_never_takes_the_id_from_the_living)
{
    begin();
    process(START, 100, 8, 0xB);
    process(DEFUNCT, 500, 8, 0xA);
    CHECK_EQ_U64(etwc_lifetimes_process_count(lives), 2);
    CHECK_EQ_U64(key_at(8, 600), 0xB);
    process(DEFUNCT, 501, 16, 0xD); /* nobody else has ever had it */
    CHECK_EQ_U64(key_at(16, 0), 0xD);
    CHECK_EQ_I64(etwc_lifetimes_process(lives, 16, 0)->end_raw_time, 501);
    finish();
}

TEST(a_thread_id_that_is_reused_goes_to_the_new_process)
{
    begin();
    process(RUNDOWN, 1, 8, 0xA);
    process(RUNDOWN, 1, 12, 0xB);
    thread(T_RUNDOWN, 2, 8, 44);
    thread(T_END, 100, 8, 44);
    thread(T_START, 200, 12, 44);
    CHECK_EQ_U64(owner_at(44, 0), 0xA);
    CHECK_EQ_U64(owner_at(44, 150), 0xA); /* still its own after the end */
    CHECK_EQ_U64(owner_at(44, 200), 0xB);
    CHECK_EQ_I64(etwc_lifetimes_thread_until(lives, 44, 150), 200);
    finish();
}

TEST(a_thread_id_that_is_reused_in_one_process_is_a_new_thread)
{
    begin();
    process(RUNDOWN, 1, 8, 0xA);
    thread(T_START, 10, 8, 44);
    thread(T_START, 20, 8, 44);
    CHECK_EQ_U64(etwc_lifetimes_thread_count(lives), 2);
    CHECK_EQ_I64(etwc_lifetimes_thread(lives, 44, 19)->end_raw_time, 20);
    finish();
}

TEST(a_thread_rundown_of_a_living_thread_changes_nothing)
{
    begin();
    process(RUNDOWN, 1, 8, 0xA);
    thread(T_START, 10, 8, 44);
    thread(T_RUNDOWN, 20, 8, 44);
    thread(T_ALIVE, 30, 8, 44);
    CHECK_EQ_U64(etwc_lifetimes_thread_count(lives), 1);
    CHECK_EQ_I64(etwc_lifetimes_thread(lives, 44, 20)->begin_raw_time, 10);
    CHECK(etwc_lifetimes_thread(lives, 44, 9) == NULL);
    finish();
}

TEST(threads_belong_to_the_instance_that_had_the_pid_then)
{
    begin();
    process(START, 100, 8, 0xA);
    thread(T_START, 101, 8, 44);
    process(END, 200, 8, 0xA);
    process(START, 300, 8, 0xB);
    thread(T_START, 301, 8, 48);
    thread(T_START, 302, 8, 44);
    CHECK_EQ_U64(owner_at(44, 250), 0xA);
    CHECK_EQ_U64(owner_at(44, 301), 0xA); /* 44 was not given again yet */
    CHECK_EQ_U64(owner_at(44, 302), 0xB);
    CHECK_EQ_U64(owner_at(48, 302), 0xB);
    finish();
}

TEST(a_rundown_of_a_thread_after_its_pid_was_reused_is_a_new_thread)
{
    begin();
    process(START, 100, 8, 0xA);
    thread(T_START, 101, 8, 44);
    process(START, 300, 8, 0xB);
    thread(T_ALIVE, 400, 8, 44);
    CHECK_EQ_U64(owner_at(44, 399), 0xA);
    CHECK_EQ_U64(owner_at(44, 400), 0xB);
    finish();
}

TEST(a_first_thread_may_be_logged_before_its_process_at_the_same_time)
{
    begin();
    thread(T_START, 100, 8, 44); /* lower processor number: delivered first */
    process(START, 100, 8, 0xA);
    CHECK_EQ_U64(etwc_lifetimes_process_count(lives), 1);
    CHECK_EQ_U64(owner_at(44, 100), 0xA);
    CHECK(etwc_lifetimes_process(lives, 8, 99) == NULL);
    /* The same for a pid that somebody has had before. */
    process(END, 150, 8, 0xA);
    thread(T_START, 200, 8, 48);
    process(START, 200, 8, 0xB);
    CHECK_EQ_U64(owner_at(48, 200), 0xB);
    CHECK_EQ_U64(key_at(8, 199), 0xA);
    finish();
}

TEST(a_process_that_only_threads_name_is_known_by_its_id)
{
    begin();
    thread(T_RUNDOWN, 100, 8, 44);
    const etwc_process_life *life = etwc_lifetimes_process_of_thread(lives, 44, 0);
    CHECK(life != NULL);
    CHECK_EQ_U64(life->process_id, 8);
    CHECK_EQ_U64(life->seen, 0);
    process(RUNDOWN, 120, 8, 0xA); /* the record of the same process comes later */
    CHECK_EQ_U64(etwc_lifetimes_process_count(lives), 1);
    CHECK_EQ_U64(owner_at(44, 0), 0xA);
    finish();
}

TEST(thread_0_is_idle_and_belongs_to_pid_0)
{
    begin();
    CHECK(etwc_lifetimes_process_of_thread(lives, 0, 5) == NULL);
    process(RUNDOWN, 1, 0, 0x1D);
    thread(T_RUNDOWN, 2, 0, 0);
    thread(T_RUNDOWN, 2, 0, 0);
    CHECK_EQ_U64(owner_at(0, 0), 0x1D);
    CHECK_EQ_U64(etwc_lifetimes_thread_count(lives), 0);
    finish();
}

TEST(a_clock_that_steps_back_keeps_the_last_answer)
{
    begin();
    process(START, 500, 8, 0xA);
    process(START, 400, 8, 0xB);
    CHECK_EQ_U64(key_at(8, 450), 0);
    CHECK_EQ_U64(key_at(8, 500), 0xB);
    finish();
}

TEST(many_reuses_of_one_id_are_found_by_time)
{
    begin();
    for (int64_t i = 0; i < 1000; i++)
        process(START, i * 10, 8, (uint64_t)i + 1);
    for (int64_t i = 0; i < 1000; i++) {
        CHECK_EQ_U64(key_at(8, i * 10), i + 1);
        CHECK_EQ_U64(key_at(8, i * 10 + 9), i + 1);
    }
    finish();
}

static void
named(etwc_kernel_type type, int64_t now, uint64_t key, const char *name, uint32_t exit)
{
    etwc_kernel_record record = {.type = (uint8_t)type};
    record.fields = ETWC_HAS_KEY | ETWC_HAS_EXIT_STATUS;
    record.u.process.process_id = 8;
    record.u.process.key = key;
    record.u.process.exit_status = exit;
    record.u.process.image_file_name = (etwc_span){(const uint8_t *)name, strlen(name)};
    say(&record, now);
}

TEST(the_longest_name_and_the_real_exit_status_are_kept)
{
    begin();
    named(RUNDOWN, 1, 0xA, "SearchProtocolHost.exe", 259);
    CHECK(!(etwc_lifetimes_facts_at(lives, 0)->fields & ETWC_HAS_EXIT_STATUS));
    named(END, 2, 0xA, "SearchProtocol", 0xC0000005);
    const etwc_process_facts *facts = etwc_lifetimes_facts_at(lives, 0);
    CHECK_EQ_STR(facts->name->bytes, "SearchProtocolHost.exe");
    CHECK_EQ_U64(facts->exit_status, 0xC0000005);
    named(END, 3, 0xA, "", 7); /* logged twice: the first one counts */
    CHECK_EQ_U64(etwc_lifetimes_facts_at(lives, 0)->exit_status, 0xC0000005);
    CHECK_EQ_I64(etwc_lifetimes_process(lives, 8, 3)->end_raw_time, 2);
    finish();
}

TEST(any_failed_allocation_leaves_a_usable_table)
{
    for (uint64_t n = 1; n < 60; n++) {
        lives = etwc_lifetimes_new();
        CHECK(lives != NULL);
        etwc_alloc_fail_after(n, false);
        for (uint32_t i = 0; i < 200; i++) {
            etwc_event event = {.raw_time = i};
            etwc_kernel_record record = {.type = ETWC_KERNEL_PROCESS_START};
            record.u.process.process_id = i % 100;
            etwc_status st = etwc_lifetimes_apply(lives, &event, &record, NULL);
            CHECK(st == ETWC_OK || st == ETWC_E_NOMEM);
            record.type = ETWC_KERNEL_THREAD_START;
            record.u.thread =
                (etwc_kernel_thread){.process_id = i % 100, .thread_id = 1000 + i % 70};
            st = etwc_lifetimes_apply(lives, &event, &record, NULL);
            CHECK(st == ETWC_OK || st == ETWC_E_NOMEM);
        }
        etwc_alloc_fail_after(0, false);
        process(START, 5000, 8, 0xA);
        CHECK_EQ_U64(key_at(8, 5000), 0xA);
        finish();
    }
}

TEST(a_limit_ends_a_trace_of_endless_instances)
{
    begin();
    etwc_lifetimes_set_limit(lives, 1 << 20);
    etwc_status st = ETWC_OK;
    for (uint32_t i = 1; st == ETWC_OK && i < 1000000; i++) {
        etwc_event event = {.raw_time = i};
        etwc_kernel_record record = {.type = ETWC_KERNEL_PROCESS_START};
        record.u.process.process_id = i;
        st = etwc_lifetimes_apply(lives, &event, &record, NULL);
    }
    CHECK_STATUS(st, ETWC_E_LIMIT);
    finish();
}

TEST(a_table_finds_every_key_and_no_other)
{
    etwc_table table;
    CHECK(etwc_table_init(&table));
    /* Some have a place, some lie beyond all places, some are no multiple of four. */
    for (uint32_t i = 0; i < 20000; i++) {
        CHECK(etwc_table_put(&table, i * 16, i));
        CHECK(etwc_table_put(&table, i * 16 + 2, i + 1));
    }
    CHECK(etwc_table_put(&table, 32, 77));
    CHECK(etwc_table_put(&table, UINT32_MAX, 5));
    for (uint32_t i = 0; i < 20000; i++) {
        CHECK_EQ_U64(etwc_table_find(&table, i * 16), i == 2 ? 77 : i);
        CHECK_EQ_U64(etwc_table_find(&table, i * 16 + 1), ETWC_TABLE_NONE);
        CHECK_EQ_U64(etwc_table_find(&table, i * 16 + 2), i + 1);
        CHECK_EQ_U64(etwc_table_find(&table, i * 16 + 4), ETWC_TABLE_NONE);
    }
    CHECK_EQ_U64(etwc_table_find(&table, UINT32_MAX), 5);
    /* An array of places for each id that could be would be 16 GiB. */
    CHECK(etwc_table_bytes(&table) <= UINT64_C(1) << 20);
    etwc_table_reset(&table);
}

TEST(a_table_forgets_keys_and_still_finds_the_others)
{
    enum { KEYS = 3000, FACTOR = 47 }; /* odd ones, and multiples of four */
    static uint8_t is_there[KEYS];
    etwc_table table;
    CHECK(etwc_table_init(&table));
    memset(is_there, 0, sizeof is_there);
    uint64_t random = 7;
    for (uint32_t turn = 0; turn < 200000; turn++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        uint32_t key = (uint32_t)(random >> 33) % KEYS;
        /* Few at once in a table of few slots, so that most searches meet others. */
        bool adds = (random >> 20) % 16 == 0;
        if (adds)
            CHECK(etwc_table_put(&table, key * FACTOR, key + 1));
        else
            etwc_table_remove(&table, key * FACTOR);
        is_there[key] = adds;
    }
    uint32_t count = 0;
    for (uint32_t key = 0; key < KEYS; key++) {
        CHECK_EQ_U64(etwc_table_find(&table, key * FACTOR),
                     is_there[key] ? key + 1 : ETWC_TABLE_NONE);
        count += is_there[key];
    }
    CHECK(count > 50);
    etwc_table_remove(&table, UINT32_MAX);
    for (uint32_t key = 0; key < KEYS; key++)
        CHECK_EQ_U64(etwc_table_find(&table, key * FACTOR),
                     is_there[key] ? key + 1 : ETWC_TABLE_NONE);
    etwc_table_reset(&table);
}

/* ---- A table that is filled for months -------------------------------------------- */

static uint32_t forgotten[8];
static size_t forgotten_count;

static void
note_forgotten(void *context, bool is_thread, uint32_t index)
{
    CHECK(context == &forgotten_count);
    forgotten[forgotten_count++] = index + (is_thread ? 100 : 0);
}

TEST(what_is_let_go_is_forgotten_at_its_end_and_gives_its_place_back)
{
    lives = etwc_lifetimes_new();
    forgotten_count = 0;
    etwc_lifetimes_on_forget(lives, note_forgotten, &forgotten_count);
    process(START, 10, 4, 0xA);
    process(START, 11, 8, 0xB);
    thread(T_START, 12, 8, 80);
    etwc_lifetimes_let_go_process(lives, 0);
    etwc_lifetimes_let_go_thread(lives, 0);
    CHECK_EQ_U64(forgotten_count, 0);
    CHECK_EQ_U64(key_at(4, 15), 0xA);
    process(END, 20, 4, 0xA);
    CHECK_EQ_U64(forgotten_count, 1);
    CHECK_EQ_U64(forgotten[0], 0);
    CHECK_EQ_U64(key_at(4, 15), 0);
    thread(T_START, 21, 8, 80); /* its end was lost: the next one of its id tells it */
    CHECK_EQ_U64(forgotten_count, 2);
    CHECK_EQ_U64(forgotten[1], 100);
    CHECK(etwc_lifetimes_thread(lives, 80, 15) == NULL);
    CHECK_EQ_U64(owner_at(80, 22), 0xB);
    process(START, 30, 12, 0xC);
    CHECK_EQ_U64(etwc_lifetimes_newest_process(lives), 0);
    CHECK_EQ_U64(key_at(12, 31), 0xC);
    CHECK_EQ_U64(etwc_lifetimes_process_count(lives), 2);
    etwc_lifetimes_free(lives);
}

static void
named_process(int64_t now, uint32_t pid, uint64_t key, const char *name)
{
    etwc_kernel_record record = {.type = START, .fields = ETWC_HAS_KEY};
    record.u.process.process_id = pid;
    record.u.process.key = key;
    record.u.process.image_file_name = (etwc_span){(const uint8_t *)name, strlen(name)};
    say(&record, now);
}

TEST(texts_of_the_forgotten_go)
{
    enum { MANY = 20000, FROM = 128 * 1024 };
    lives = etwc_lifetimes_new();
    named_process(1, 4, 1, "stays.exe");
    size_t most = 0, sweeps = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "program-%u.exe", i);
        named_process(2 + i * 2, 8, 2 + i, name);
        process(END, 3 + i * 2, 8, 2 + i);
        etwc_lifetimes_let_go_process(lives, etwc_lifetimes_newest_process(lives));
        sweeps += etwc_lifetimes_sweep(lives, FROM);
        size_t bytes = etwc_strings_size(etwc_lifetimes_strings(lives));
        most = bytes > most ? bytes : most;
    }
    CHECK(sweeps > 2);
    CHECK(most <= 3 * FROM);
    CHECK_EQ_STR(etwc_lifetimes_facts_at(lives, 0)->name->bytes, "stays.exe");
    etwc_lifetimes_free(lives);
}

TEST(an_id_keeps_its_other_instances_when_one_is_forgotten)
{
    lives = etwc_lifetimes_new();
    for (uint32_t i = 0; i < 3; i++) {
        process(START, 10 + i * 10, 4, 0xA + i);
        process(END, 15 + i * 10, 4, 0xA + i);
    }
    process(START, 40, 8, 0xF);
    etwc_lifetimes_let_go_process(lives, 0);
    CHECK_EQ_U64(key_at(4, 12), 0);
    CHECK_EQ_U64(key_at(4, 22), 0xB);
    CHECK_EQ_U64(key_at(4, 32), 0xC);
    etwc_lifetimes_let_go_process(lives, 2);
    CHECK_EQ_U64(key_at(4, 32), 0xB); /* an id names its last instance */
    etwc_lifetimes_let_go_process(lives, 1);
    CHECK_EQ_U64(key_at(4, 32), 0);
    process(START, 50, 16, 0x10);
    process(START, 51, 4, 0x11);
    CHECK_EQ_U64(key_at(16, 60), 0x10);
    CHECK_EQ_U64(key_at(4, 60), 0x11);
    CHECK_EQ_U64(key_at(8, 60), 0xF);
    etwc_lifetimes_free(lives);
}

HARNESS_MAIN
