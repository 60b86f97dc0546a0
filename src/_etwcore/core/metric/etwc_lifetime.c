/* Instances of processes and threads, and what their records say about them. */
#include "etwc_lifetime.h"

#include "etwc_alloc.h"
#include "etwc_provider.h"
#include "etwc_text.h"
#include "metric_ids.h"

/* ExitStatus of a process that has not ended. */
#define LIFETIME_STILL_ACTIVE 259u

typedef struct lifetime_process {
    etwc_process_life life;
    etwc_process_facts facts;
    int64_t named_raw_time;  /* of the first record that named it */
    bool was_named_by_start; /* that was the start of a thread */
} lifetime_process;

typedef struct lifetime_thread {
    etwc_thread_life life;
    int64_t named_raw_time;
} lifetime_thread;

struct etwc_lifetimes {
    metric_ids process_ids, thread_ids;
    lifetime_process *processes;
    size_t process_count, process_capacity;
    lifetime_thread *threads;
    size_t thread_count, thread_capacity;
    etwc_session_facts session;
    etwc_strings *strings;
    uint64_t limit_bytes;
    uint64_t span_bytes;
};

/* ---- The table ------------------------------------------------------------------- */

etwc_lifetimes *
etwc_lifetimes_new(void)
{
    etwc_lifetimes *lifetimes = etwc_calloc(1, sizeof *lifetimes);
    if (lifetimes == NULL)
        return NULL;
    lifetimes->strings = etwc_strings_new();
    if (lifetimes->strings == NULL || !metric_ids_init(&lifetimes->process_ids) ||
        !metric_ids_init(&lifetimes->thread_ids)) {
        etwc_lifetimes_free(lifetimes);
        return NULL;
    }
    return lifetimes;
}

void
etwc_lifetimes_free(etwc_lifetimes *lifetimes)
{
    if (lifetimes == NULL)
        return;
    metric_ids_reset(&lifetimes->process_ids);
    metric_ids_reset(&lifetimes->thread_ids);
    etwc_free(lifetimes->processes);
    etwc_free(lifetimes->threads);
    etwc_strings_release(lifetimes->strings);
    etwc_free(lifetimes);
}

void
etwc_lifetimes_set_limit(etwc_lifetimes *lifetimes, uint64_t bytes)
{
    lifetimes->limit_bytes = bytes;
}

static uint64_t
lifetime_bytes(const etwc_lifetimes *l)
{
    return l->process_capacity * sizeof *l->processes +
           l->thread_capacity * sizeof *l->threads +
           (l->process_ids.capacity + l->thread_ids.capacity) *
               (sizeof(metric_chain) + 4 * sizeof(etwc_table_slot)) +
           (l->process_count + l->thread_count) * sizeof(metric_span) +
           etwc_strings_size(l->strings);
}

/* ---- Instances ------------------------------------------------------------------- */

static lifetime_process *
process_new(etwc_lifetimes *l, uint32_t process_id, uint64_t key, int64_t now)
{
    void *items = l->processes;
    if (l->process_count >= ETWC_TABLE_NONE ||
        !etwc_grow(&items, &l->process_capacity, l->process_count + 1,
                   sizeof *l->processes))
        return NULL;
    l->processes = items;
    lifetime_process *process = &l->processes[l->process_count];
    *process = (lifetime_process){
        .life = {.key = key,
                 .begin_raw_time = INT64_MIN,
                 .end_raw_time = INT64_MAX,
                 .process_id = process_id,
                 .index = (uint32_t)l->process_count},
        .named_raw_time = now,
    };
    return process;
}

/* Makes the new instance the one that its id names from then on. */
static bool
process_give(etwc_lifetimes *l, lifetime_process *process, int64_t from)
{
    if (!metric_ids_give(&l->process_ids, process->life.process_id,
                         (metric_span){from, process->life.index}))
        return false;
    l->process_count++;
    return true;
}

static lifetime_process *
process_last(const etwc_lifetimes *l, uint32_t process_id)
{
    uint32_t index = metric_ids_last(&l->process_ids, process_id);
    return index == ETWC_TABLE_NONE ? NULL : &l->processes[index];
}

static void
process_close(lifetime_process *process, int64_t now)
{
    if (process != NULL && process->life.end_raw_time == INT64_MAX)
        process->life.end_raw_time = now;
}

static bool
is_same_process(const lifetime_process *process, uint64_t key)
{
    return process != NULL &&
           (process->life.key == key || process->life.key == 0 || key == 0);
}

/* A process that a thread has named before its own start record came, at the
 * same time: the two were logged on different processors. */
static bool
is_early_name_of(const lifetime_process *process, int64_t now)
{
    return process != NULL && process->life.seen == 0 && process->was_named_by_start &&
           process->named_raw_time == now;
}

/* The same record once more, as in a file that was merged with itself. */
static bool
is_same_start(const lifetime_process *process, uint64_t key, int64_t now)
{
    return process != NULL && key != 0 && process->life.key == key &&
           process->life.begin_raw_time == now;
}

/* Gives the id to a new instance and ends the one that had it. */
static lifetime_process *
process_succeed(etwc_lifetimes *l, uint32_t process_id, uint64_t key, int64_t from,
                int64_t now)
{
    uint32_t before = metric_ids_last(&l->process_ids, process_id);
    lifetime_process *process = process_new(l, process_id, key, now);
    if (process == NULL || !process_give(l, process, from))
        return NULL;
    if (before != ETWC_TABLE_NONE)
        process_close(&l->processes[before], now);
    return process;
}

static lifetime_process *
process_start(etwc_lifetimes *l, uint32_t process_id, uint64_t key, int64_t now)
{
    lifetime_process *last = process_last(l, process_id);
    if (is_same_start(last, key, now))
        return last;
    if (is_early_name_of(last, now)) {
        uint32_t at = etwc_table_find(&l->process_ids.table, process_id);
        last->life.begin_raw_time = now;
        if (l->process_ids.chains[at].count == 1)
            l->process_ids.chains[at].first.from_raw_time = now;
        return last;
    }
    lifetime_process *process = process_succeed(l, process_id, key, now, now);
    if (process != NULL)
        process->life.begin_raw_time = now;
    return process;
}

/* The instance that a record names which is no start: the last one of that id,
 * or one that was there before and is heard of for the first time. */
static lifetime_process *
process_named(etwc_lifetimes *l, uint32_t process_id, uint64_t key, int64_t now)
{
    lifetime_process *last = process_last(l, process_id);
    if (is_same_process(last, key))
        return last;
    return process_succeed(l, process_id, key, last == NULL ? INT64_MIN : now, now);
}

/* A defunct record tells of a process that is dead already: it never takes the
 * id from somebody else. */
static lifetime_process *
process_defunct(etwc_lifetimes *l, uint32_t process_id, uint64_t key, int64_t now)
{
    const metric_chain *chain = metric_ids_chain(&l->process_ids, process_id);
    if (chain == NULL)
        return process_named(l, process_id, key, now);
    for (uint32_t i = chain->count; i > 0; i--) {
        lifetime_process *process =
            &l->processes[metric_chain_spans(chain)[i - 1].index];
        if (is_same_process(process, key))
            return process;
    }
    lifetime_process *process = process_new(l, process_id, key, now);
    if (process != NULL)
        l->process_count++;
    return process;
}

/* ---- Facts ----------------------------------------------------------------------- */

/* The name in an end record can be cut to 14 characters: keep the longer one. */
static bool
facts_set_name(etwc_lifetimes *l, etwc_process_facts *facts, etwc_span name)
{
    if (name.len == 0)
        return true;
    if (facts->name != NULL && facts->name->length >= name.len)
        return true;
    const etwc_text_entry *text = etwc_strings_add_latin1(l->strings, name);
    if (text != NULL)
        facts->name = text;
    return text != NULL;
}

static bool
facts_set_text(etwc_lifetimes *l, const etwc_text_entry **place, etwc_span text)
{
    if (*place != NULL && (text.len == 0 || (*place)->length != 0))
        return true;
    const etwc_text_entry *entry = etwc_strings_add_utf16(l->strings, text);
    if (entry != NULL)
        *place = entry;
    return entry != NULL;
}

static bool
facts_set_sid(etwc_lifetimes *l, etwc_process_facts *facts, etwc_span sid)
{
    char text[ETWC_SID_TEXT_SIZE];
    if (facts->user_sid != NULL || !etwc_sid_to_text(sid, text))
        return true;
    facts->user_sid = etwc_strings_add(l->strings, text, strlen(text));
    return facts->user_sid != NULL;
}

static bool
facts_learn(etwc_lifetimes *l, etwc_process_facts *facts,
            const etwc_kernel_process *record, uint32_t fields)
{
    if (!(facts->fields & ETWC_HAS_PROCESS_ID)) {
        facts->parent_id = record->parent_id;
        facts->fields |= ETWC_HAS_PROCESS_ID;
    }
    if ((fields & ETWC_HAS_SESSION) && !(facts->fields & ETWC_HAS_SESSION)) {
        facts->logon_session_id = record->logon_session_id;
        facts->fields |= ETWC_HAS_SESSION;
    }
    if (fields & ETWC_HAS_FLAGS) {
        facts->flags = record->flags;
        facts->fields |= ETWC_HAS_FLAGS;
    }
    bool is_ok = facts_set_name(l, facts, record->image_file_name);
    is_ok &= facts_set_sid(l, facts, record->user_sid);
    if (fields & ETWC_HAS_COMMAND_LINE)
        is_ok &= facts_set_text(l, &facts->command_line, record->command_line);
    if (fields & ETWC_HAS_PACKAGE) {
        is_ok &=
            facts_set_text(l, &facts->package_full_name, record->package_full_name);
        is_ok &= facts_set_text(l, &facts->application_id, record->application_id);
    }
    return is_ok;
}

static void
facts_learn_exit(etwc_process_facts *facts, const etwc_kernel_process *record,
                 uint32_t fields, bool is_end)
{
    if ((fields & ETWC_HAS_EXIT_STATUS) &&
        (is_end || (!(facts->fields & ETWC_HAS_EXIT_STATUS) &&
                    record->exit_status != LIFETIME_STILL_ACTIVE))) {
        facts->exit_status = record->exit_status;
        facts->fields |= ETWC_HAS_EXIT_STATUS;
    }
    if (fields & ETWC_HAS_EXIT_TIME)
        facts->exit_filetime = record->exit_filetime;
}

static bool
apply_process(etwc_lifetimes *l, const etwc_event *event,
              const etwc_kernel_record *record)
{
    const etwc_kernel_process *said = &record->u.process;
    uint64_t key = record->fields & ETWC_HAS_KEY ? said->key : 0;
    int64_t now = event->raw_time;
    lifetime_process *process;
    uint32_t seen;
    switch (record->type) {
    case ETWC_KERNEL_PROCESS_START:
        process = process_start(l, said->process_id, key, now);
        seen = ETWC_SEEN_START;
        break;
    case ETWC_KERNEL_PROCESS_RUNDOWN_START:
        process = process_named(l, said->process_id, key, now);
        seen = ETWC_SEEN_RUNDOWN_START;
        break;
    case ETWC_KERNEL_PROCESS_RUNDOWN_END:
        process = process_named(l, said->process_id, key, now);
        seen = ETWC_SEEN_RUNDOWN_END;
        break;
    case ETWC_KERNEL_PROCESS_END:
        process = process_named(l, said->process_id, key, now);
        seen = ETWC_SEEN_END;
        break;
    default:
        process = process_defunct(l, said->process_id, key, now);
        seen = ETWC_SEEN_DEFUNCT;
        break;
    }
    if (process == NULL)
        return false;
    bool is_first_end = seen == ETWC_SEEN_END && !(process->life.seen & ETWC_SEEN_END);
    if (seen == ETWC_SEEN_END || (seen == ETWC_SEEN_DEFUNCT && process->life.seen == 0))
        process_close(process, now);
    if (process->life.key == 0)
        process->life.key = key;
    process->life.seen |= seen;
    if (seen == ETWC_SEEN_END || seen == ETWC_SEEN_DEFUNCT)
        facts_learn_exit(&process->facts, said, record->fields, is_first_end);
    return facts_learn(l, &process->facts, said, record->fields);
}

/* ---- Threads --------------------------------------------------------------------- */

static const lifetime_process *
process_of_thread(const etwc_lifetimes *l, const lifetime_thread *thread)
{
    uint32_t index = metric_ids_find(&l->process_ids, thread->life.process_id,
                                     thread->named_raw_time);
    if (index != ETWC_TABLE_NONE)
        return &l->processes[index];
    /* Named before its process's start: the first one must be meant. */
    const metric_chain *chain =
        metric_ids_chain(&l->process_ids, thread->life.process_id);
    return chain == NULL ? NULL : &l->processes[metric_chain_spans(chain)[0].index];
}

static lifetime_thread *
thread_succeed(etwc_lifetimes *l, const etwc_kernel_thread *said, int64_t from,
               int64_t now)
{
    uint32_t before = metric_ids_last(&l->thread_ids, said->thread_id);
    void *items = l->threads;
    if (l->thread_count >= ETWC_TABLE_NONE ||
        !etwc_grow(&items, &l->thread_capacity, l->thread_count + 1,
                   sizeof *l->threads))
        return NULL;
    l->threads = items;
    lifetime_thread *thread = &l->threads[l->thread_count];
    *thread = (lifetime_thread){
        .life = {.begin_raw_time = INT64_MIN,
                 .end_raw_time = INT64_MAX,
                 .thread_id = said->thread_id,
                 .process_id = said->process_id,
                 .index = (uint32_t)l->thread_count},
        .named_raw_time = now,
    };
    if (!metric_ids_give(&l->thread_ids, said->thread_id,
                         (metric_span){from, thread->life.index}))
        return NULL;
    l->thread_count++;
    if (before != ETWC_TABLE_NONE && l->threads[before].life.end_raw_time == INT64_MAX)
        l->threads[before].life.end_raw_time = now;
    return thread;
}

/* A thread has no key: it is the same while its process instance is. */
static bool
is_same_thread(const etwc_lifetimes *l, const lifetime_thread *thread,
               const etwc_kernel_thread *said, int64_t now)
{
    if (thread->life.process_id != said->process_id)
        return false;
    uint32_t index = metric_ids_find(&l->process_ids, said->process_id, now);
    const lifetime_process *process = process_of_thread(l, thread);
    return process == NULL || process->life.index == index;
}

/* A thread proves that its process exists, also when no record tells of it. */
static bool
ensure_process(etwc_lifetimes *l, const etwc_kernel_thread *said, int64_t now,
               bool is_start)
{
    if (metric_ids_last(&l->process_ids, said->process_id) != ETWC_TABLE_NONE)
        return true;
    lifetime_process *process = process_named(l, said->process_id, 0, now);
    if (process != NULL)
        process->was_named_by_start = is_start;
    return process != NULL;
}

static bool
apply_thread(etwc_lifetimes *l, const etwc_event *event,
             const etwc_kernel_record *record)
{
    const etwc_kernel_thread *said = &record->u.thread;
    int64_t now = event->raw_time;
    bool is_start = record->type == ETWC_KERNEL_THREAD_START;
    if (!ensure_process(l, said, now, is_start))
        return false;
    if (said->thread_id == 0)
        return true;
    uint32_t index = metric_ids_last(&l->thread_ids, said->thread_id);
    lifetime_thread *thread = index == ETWC_TABLE_NONE ? NULL : &l->threads[index];
    bool is_new = thread == NULL || !is_same_thread(l, thread, said, now) ||
                  (is_start && thread->life.begin_raw_time != now);
    if (is_new) {
        bool is_older = thread == NULL && !is_start;
        thread = thread_succeed(l, said, is_older ? INT64_MIN : now, now);
        if (thread == NULL)
            return false;
        if (is_start)
            thread->life.begin_raw_time = now;
    }
    switch (record->type) {
    case ETWC_KERNEL_THREAD_START:
        thread->life.seen |= ETWC_SEEN_START;
        break;
    case ETWC_KERNEL_THREAD_END:
        thread->life.seen |= ETWC_SEEN_END;
        if (thread->life.end_raw_time == INT64_MAX)
            thread->life.end_raw_time = now;
        break;
    case ETWC_KERNEL_THREAD_RUNDOWN_START:
        thread->life.seen |= ETWC_SEEN_RUNDOWN_START;
        break;
    case ETWC_KERNEL_THREAD_RUNDOWN_END:
        thread->life.seen |= ETWC_SEEN_RUNDOWN_END;
        break;
    default: /* a thread that is given a name is alive */
        break;
    }
    if (!(record->fields & ETWC_HAS_NAME) || said->name.len == 0)
        return true;
    const etwc_text_entry *name = etwc_strings_add_utf16(l->strings, said->name);
    if (name != NULL)
        thread->life.name = name;
    return name != NULL;
}

/* ---- The session ------------------------------------------------------------------- */

static void
apply_group_masks(etwc_session_facts *session, const etwc_kernel_group_masks *said)
{
    for (size_t i = 0; i < ETWC_ARRAY_SIZE(session->group_masks); i++)
        session->group_masks[i] |= said->masks[i];
    session->has_group_masks = true;
}

/* The first record also tells what the samples before it weigh. */
static void
apply_sample_interval(etwc_session_facts *session,
                      const etwc_kernel_sample_interval *said)
{
    if (said->source != 0 || session->first_sample_interval_100ns != 0)
        return;
    session->first_sample_interval_100ns =
        said->old_interval != 0 ? said->old_interval : said->new_interval;
}

bool
etwc_lifetimes_wants(const etwc_event *event)
{
    if (event->kernel_class == ETWC_CLASS_EVENT_TRACE)
        return event->opcode == 5 || event->opcode == 32;
    if (event->kernel_class == ETWC_CLASS_SYSTEM_CONFIG)
        return event->opcode == 10;
    if (event->kernel_class == ETWC_CLASS_PERF_INFO)
        return event->opcode >= 72 && event->opcode <= 74;
    if (event->kernel_class == ETWC_CLASS_PROCESS)
        return event->opcode <= 4 || event->opcode == 39;
    if (event->kernel_class == ETWC_CLASS_THREAD)
        return event->opcode <= 4 || event->opcode == 72;
    return false;
}

etwc_status
etwc_lifetimes_apply(etwc_lifetimes *lifetimes, const etwc_event *event,
                     const etwc_kernel_record *record, etwc_error *err)
{
    bool is_ok;
    switch (record->type) {
    case ETWC_KERNEL_PROCESS_START:
    case ETWC_KERNEL_PROCESS_END:
    case ETWC_KERNEL_PROCESS_RUNDOWN_START:
    case ETWC_KERNEL_PROCESS_RUNDOWN_END:
    case ETWC_KERNEL_PROCESS_DEFUNCT:
        is_ok = apply_process(lifetimes, event, record);
        break;
    case ETWC_KERNEL_THREAD_START:
    case ETWC_KERNEL_THREAD_END:
    case ETWC_KERNEL_THREAD_RUNDOWN_START:
    case ETWC_KERNEL_THREAD_RUNDOWN_END:
    case ETWC_KERNEL_THREAD_NAME:
        is_ok = apply_thread(lifetimes, event, record);
        break;
    case ETWC_KERNEL_GROUP_MASKS:
        apply_group_masks(&lifetimes->session, &record->u.group_masks);
        return ETWC_OK;
    case ETWC_KERNEL_SYSTEM_CPU:
        lifetimes->session.page_size = record->u.cpu.page_size;
        return ETWC_OK;
    case ETWC_KERNEL_SAMPLE_INTERVAL:
        apply_sample_interval(&lifetimes->session, &record->u.sample_interval);
        return ETWC_OK;
    default:
        return ETWC_OK;
    }
    if (!is_ok)
        return etwc_fail(err, ETWC_E_NOMEM, "metric.lifetime");
    if (lifetimes->limit_bytes != 0 &&
        lifetime_bytes(lifetimes) > lifetimes->limit_bytes)
        return etwc_fail_at(err, ETWC_E_LIMIT, "metric.lifetime", -1,
                            "the trace tells of %zu processes and %zu threads",
                            lifetimes->process_count, lifetimes->thread_count);
    return ETWC_OK;
}

/* ---- Questions ------------------------------------------------------------------- */

const etwc_process_life *
etwc_lifetimes_process(const etwc_lifetimes *lifetimes, uint32_t process_id,
                       int64_t raw_time)
{
    uint32_t index = metric_ids_find(&lifetimes->process_ids, process_id, raw_time);
    return index == ETWC_TABLE_NONE ? NULL : &lifetimes->processes[index].life;
}

const etwc_thread_life *
etwc_lifetimes_thread(const etwc_lifetimes *lifetimes, uint32_t thread_id,
                      int64_t raw_time)
{
    uint32_t index = metric_ids_find(&lifetimes->thread_ids, thread_id, raw_time);
    return index == ETWC_TABLE_NONE ? NULL : &lifetimes->threads[index].life;
}

const etwc_process_life *
etwc_lifetimes_process_of(const etwc_lifetimes *lifetimes,
                          const etwc_thread_life *thread)
{
    const lifetime_process *process =
        process_of_thread(lifetimes, &lifetimes->threads[thread->index]);
    return process == NULL ? NULL : &process->life;
}

const etwc_process_life *
etwc_lifetimes_process_of_thread(const etwc_lifetimes *lifetimes, uint32_t thread_id,
                                 int64_t raw_time)
{
    if (thread_id == 0)
        return etwc_lifetimes_process(lifetimes, 0, raw_time);
    const etwc_thread_life *thread =
        etwc_lifetimes_thread(lifetimes, thread_id, raw_time);
    return thread == NULL ? NULL : etwc_lifetimes_process_of(lifetimes, thread);
}

int64_t
etwc_lifetimes_process_until(const etwc_lifetimes *lifetimes, uint32_t process_id,
                             int64_t raw_time)
{
    return metric_ids_until(&lifetimes->process_ids, process_id, raw_time);
}

int64_t
etwc_lifetimes_thread_until(const etwc_lifetimes *lifetimes, uint32_t thread_id,
                            int64_t raw_time)
{
    if (thread_id == 0)
        return metric_ids_until(&lifetimes->process_ids, 0, raw_time);
    return metric_ids_until(&lifetimes->thread_ids, thread_id, raw_time);
}

uint32_t
etwc_lifetimes_process_count(const etwc_lifetimes *lifetimes)
{
    return (uint32_t)lifetimes->process_count;
}

uint32_t
etwc_lifetimes_thread_count(const etwc_lifetimes *lifetimes)
{
    return (uint32_t)lifetimes->thread_count;
}

const etwc_process_life *
etwc_lifetimes_process_at(const etwc_lifetimes *lifetimes, uint32_t index)
{
    return &lifetimes->processes[index].life;
}

const etwc_process_facts *
etwc_lifetimes_facts_at(const etwc_lifetimes *lifetimes, uint32_t index)
{
    return &lifetimes->processes[index].facts;
}

const etwc_thread_life *
etwc_lifetimes_thread_at(const etwc_lifetimes *lifetimes, uint32_t index)
{
    return &lifetimes->threads[index].life;
}

const etwc_session_facts *
etwc_lifetimes_session(const etwc_lifetimes *lifetimes)
{
    return &lifetimes->session;
}

etwc_strings *
etwc_lifetimes_strings(const etwc_lifetimes *lifetimes)
{
    return lifetimes->strings;
}
