/*
 * What a table of lifetimes consists of, and how instances leave it (metric_lives.c).
 * Private to core/metric.
 */
#ifndef METRIC_LIVES_H
#define METRIC_LIVES_H

#include "etwc_lifetime.h"
#include "metric_ids.h"

typedef struct lifetime_process {
    etwc_process_life life;
    etwc_process_facts facts;
    int64_t named_raw_time;  /* of the first record that named it */
    int64_t begin_filetime;  /* with SEEN_ANY_START */
    bool was_named_by_start; /* that was the start of a thread */
    bool is_unwanted;        /* it is forgotten when it ends */
    uint32_t next_free;      /* of a place without an instance */
} lifetime_process;

typedef struct lifetime_thread {
    etwc_thread_life life;
    int64_t named_raw_time;
    int64_t begin_filetime; /* with SEEN_ANY_START */
    bool is_unwanted;
    uint32_t next_free;
} lifetime_thread;

struct etwc_lifetimes {
    metric_ids process_ids, thread_ids;
    lifetime_process *processes;
    size_t process_count, process_capacity;
    lifetime_thread *threads;
    size_t thread_count, thread_capacity;
    uint32_t free_processes, free_threads;    /* chains; ETWC_TABLE_NONE: empty */
    uint32_t newest_process;                  /* made last; ETWC_TABLE_NONE: none */
    uint32_t leaving_process, leaving_thread; /* unwanted, and ended just now */
    etwc_forgot_fn forgot;                    /* or NULL */
    void *forgot_context;
    etwc_session_facts session;
    etwc_strings *strings;
    size_t strings_after_sweep;
    uint64_t limit_bytes;
};

/* A place for a new instance, that of one which was forgotten if there is any. It is
 * taken by metric_lives_take_...; NULL when memory is out. */
ETWC_NODISCARD lifetime_process *metric_lives_new_process(etwc_lifetimes *l);
ETWC_NODISCARD lifetime_thread *metric_lives_new_thread(etwc_lifetimes *l);
void metric_lives_take_process(etwc_lifetimes *l, const lifetime_process *process);
void metric_lives_take_thread(etwc_lifetimes *l, const lifetime_thread *thread);
/* To be called once a record was applied: forgets what it has ended. */
void metric_lives_leave(etwc_lifetimes *l);

static inline void
metric_lives_end_process(etwc_lifetimes *l, lifetime_process *process, int64_t now)
{
    process->life.end_raw_time = now;
    if (ETWC_UNLIKELY(process->is_unwanted))
        l->leaving_process = process->life.index;
}

static inline void
metric_lives_end_thread(etwc_lifetimes *l, lifetime_thread *thread, int64_t now)
{
    thread->life.end_raw_time = now;
    if (ETWC_UNLIKELY(thread->is_unwanted))
        l->leaving_thread = thread->life.index;
}

#endif
