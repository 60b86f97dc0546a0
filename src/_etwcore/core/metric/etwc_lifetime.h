/*
 * Who was who, and when: the life of every process and thread that a trace
 * tells of, and the owner of an event by them (event-decoding.md, chapter 5).
 *
 * Ids are reused, so every question is asked with a time. A reader of a file
 * fills the table in a first pass, then asks; reading is safe from any thread
 * once nobody applies records any more.
 */
#ifndef ETWC_LIFETIME_H
#define ETWC_LIFETIME_H

#include "etwc_event.h"
#include "etwc_kernel.h"
#include "etwc_provider.h"
#include "etwc_status.h"
#include "etwc_strings.h"

typedef struct etwc_lifetimes etwc_lifetimes;

/* Which records told of an instance: bits of `seen`. */
enum {
    ETWC_SEEN_START = 1 << 0,
    ETWC_SEEN_RUNDOWN_START = 1 << 1,
    ETWC_SEEN_END = 1 << 2,
    ETWC_SEEN_RUNDOWN_END = 1 << 3,
    ETWC_SEEN_DEFUNCT = 1 << 4,
    /* The same from manifest providers, which can tell of what the classes tell, too. */
    ETWC_SEEN_MANIFEST_START = 1 << 5,
    ETWC_SEEN_MANIFEST_END = 1 << 6,
    ETWC_SEEN_MANIFEST_RUNDOWN = 1 << 7
};

/* One process instance. Times are session clock; INT64_MIN: before the trace,
 * INT64_MAX: not ended as far as the trace tells. */
typedef struct etwc_process_life {
    uint64_t key; /* UniqueProcessKey; 0 when unknown */
    int64_t begin_raw_time;
    int64_t end_raw_time;
    uint32_t process_id;
    uint32_t index; /* stable number of the instance, from 0 */
    uint32_t seen;  /* ETWC_SEEN_*; 0: only threads have named it */
} etwc_process_life;

/* What the records of a process say about it. Texts are NULL when no record had
 * one; they live as long as etwc_lifetimes_strings. */
typedef struct etwc_process_facts {
    const etwc_text_entry *name;
    const etwc_text_entry *command_line;
    const etwc_text_entry *user_sid; /* "S-1-5-18" */
    const etwc_text_entry *package_full_name;
    const etwc_text_entry *application_id;
    const etwc_text_entry *image_path; /* device form; of manifest records */
    int64_t exit_filetime;    /* of a defunct or manifest record; 0 when unknown */
    int64_t create_filetime;  /* of a manifest record; 0 when unknown */
    uint64_t sequence_number; /* likewise; never given twice */
    uint32_t parent_id;
    uint32_t logon_session_id;
    uint32_t exit_status; /* valid with ETWC_HAS_EXIT_STATUS in `fields` */
    uint32_t flags;
    uint32_t fields; /* ETWC_HAS_PROCESS_ID: parent_id; _SESSION, _FLAGS, ... */
} etwc_process_facts;

/* One thread instance. Thread 0 has none: it is the idle thread of every
 * processor. */
typedef struct etwc_thread_life {
    int64_t begin_raw_time;
    int64_t end_raw_time;
    const etwc_text_entry *name; /* NULL when unknown */
    uint32_t thread_id;
    uint32_t process_id;
    uint32_t index; /* stable number of the instance, from 0 */
    uint32_t seen;
} etwc_thread_life;

/* What the records of the session itself say: a first pass knows it before the
 * first event is counted. */
typedef struct etwc_session_facts {
    uint32_t group_masks[8]; /* all that were told, together */
    bool has_group_masks;
    uint32_t first_sample_interval_100ns; /* of the timer; 0 when unknown */
    uint32_t page_size;                   /* in bytes; 0 when unknown */
    bool has_class[ETWC_CLASS_COUNT];     /* of which a record was applied or noted */
} etwc_session_facts;

ETWC_NODISCARD etwc_lifetimes *etwc_lifetimes_new(void);
void etwc_lifetimes_free(etwc_lifetimes *lifetimes); /* accepts NULL */
/* Most bytes that the table may take; applying fails with E_LIMIT above. 0, the
 * default, is no limit. */
void etwc_lifetimes_set_limit(etwc_lifetimes *lifetimes, uint64_t bytes);
/* Bytes of memory in use. */
uint64_t etwc_lifetimes_bytes(const etwc_lifetimes *lifetimes);

/* Applies a record of a process, a thread or the session; others are ignored. Records come in time
 * order. A failure (E_NOMEM, E_LIMIT) leaves the table usable. */
ETWC_NODISCARD etwc_status etwc_lifetimes_apply(etwc_lifetimes *lifetimes,
                                                const etwc_event *event,
                                                const etwc_kernel_record *record,
                                                etwc_error *err);
/* A record of that class is in the trace, although nobody applies it. */
void etwc_lifetimes_note_class(etwc_lifetimes *lifetimes, uint8_t kernel_class);
/* True for the events that apply may use: what a first pass has to decode. */
bool etwc_lifetimes_wants(const etwc_event *event);

/* The instance that had this id at that time (identities outlive their end until
 * the id is given again); NULL when unknown. Borrowed until the next apply. */
const etwc_process_life *etwc_lifetimes_process(const etwc_lifetimes *lifetimes,
                                                uint32_t process_id, int64_t raw_time);
const etwc_process_life *
etwc_lifetimes_process_of_thread(const etwc_lifetimes *lifetimes, uint32_t thread_id,
                                 int64_t raw_time);
const etwc_thread_life *etwc_lifetimes_thread(const etwc_lifetimes *lifetimes,
                                              uint32_t thread_id, int64_t raw_time);
/* The instance that owns an event, by chapter 5; NULL when nobody knows or
 * nobody does (DPC, ISR). */
const etwc_process_life *etwc_lifetimes_owner(const etwc_lifetimes *lifetimes,
                                              const etwc_event *event);
/* The process id of the owner, which can be known when the instance is not (a
 * record header names it); ETWC_NO_ID when nobody knows. */
uint32_t etwc_lifetimes_owner_id(const etwc_lifetimes *lifetimes,
                                 const etwc_event *event);

/* ---- Walking the instances ----------------------------------------------------- */

uint32_t etwc_lifetimes_process_count(const etwc_lifetimes *lifetimes);
uint32_t etwc_lifetimes_thread_count(const etwc_lifetimes *lifetimes);
/* Borrowed until the next apply; the index must be below the count. The place of a
 * forgotten instance has no id (ETWC_NO_ID). */
const etwc_process_life *etwc_lifetimes_process_at(const etwc_lifetimes *lifetimes,
                                                   uint32_t index);
const etwc_process_facts *etwc_lifetimes_facts_at(const etwc_lifetimes *lifetimes,
                                                  uint32_t index);
const etwc_thread_life *etwc_lifetimes_thread_at(const etwc_lifetimes *lifetimes,
                                                 uint32_t index);
/* The process of a thread instance; NULL when no record told of it. */
const etwc_process_life *etwc_lifetimes_process_of(const etwc_lifetimes *lifetimes,
                                                   const etwc_thread_life *thread);
/* When the id passes to another instance, as far as the table knows; INT64_MAX:
 * never. Answers stay right for all times from raw_time to before that. */
int64_t etwc_lifetimes_process_until(const etwc_lifetimes *lifetimes,
                                     uint32_t process_id, int64_t raw_time);
int64_t etwc_lifetimes_thread_until(const etwc_lifetimes *lifetimes, uint32_t thread_id,
                                    int64_t raw_time);
const etwc_session_facts *etwc_lifetimes_session(const etwc_lifetimes *lifetimes);
/* The process that was made last, or ETWC_NO_ID. */
uint32_t etwc_lifetimes_newest_process(const etwc_lifetimes *lifetimes);

/* ---- For a table that is filled for months --------------------------------------- */

/* Nobody asks for an instance any more: it is forgotten, at its end if it is alive.
 * Its index goes to another instance then; `forgot` is told before. */
void etwc_lifetimes_let_go_process(etwc_lifetimes *lifetimes, uint32_t index);
void etwc_lifetimes_let_go_thread(etwc_lifetimes *lifetimes, uint32_t index);
typedef void (*etwc_forgot_fn)(void *context, bool is_thread, uint32_t index);
void etwc_lifetimes_on_forget(etwc_lifetimes *lifetimes, etwc_forgot_fn forgot,
                              void *context);
/* Texts of the forgotten go when they are as many as the others, and `from_bytes` or
 * more in all. True when that was done: all texts are at other addresses. */
bool etwc_lifetimes_sweep(etwc_lifetimes *lifetimes, size_t from_bytes);

/* The heap of all texts; borrowed, retain it to keep texts longer. Another one after a
 * sweep. */
etwc_strings *etwc_lifetimes_strings(const etwc_lifetimes *lifetimes);

#endif
