/* Instances of processes and threads, and what their records say about them. */
#include "etwc_lifetime.h"

#include "etwc_alloc.h"
#include "metric_facts.h"
#include "metric_lives.h"

/* Two records of one start, from a kernel class and from a manifest provider, are
 * written one after the other: they lie closer together than this. 100 ns. */
#define LIFETIME_TWIN_SPAN INT64_C(10000000)

enum {
    SEEN_ANY_START = ETWC_SEEN_START | ETWC_SEEN_MANIFEST_START,
    SEEN_ANY_END = ETWC_SEEN_END | ETWC_SEEN_MANIFEST_END
};

/* ---- The table ------------------------------------------------------------------- */

etwc_lifetimes *
etwc_lifetimes_new(void)
{
    etwc_lifetimes *lifetimes = etwc_calloc(1, sizeof *lifetimes);
    if (lifetimes == NULL)
        return NULL;
    lifetimes->free_processes = lifetimes->free_threads = ETWC_TABLE_NONE;
    lifetimes->leaving_process = lifetimes->leaving_thread = ETWC_TABLE_NONE;
    lifetimes->newest_process = ETWC_TABLE_NONE;
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

uint64_t
etwc_lifetimes_bytes(const etwc_lifetimes *l)
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
    lifetime_process *process = metric_lives_new_process(l);
    if (process == NULL)
        return NULL;
    process->life.key = key;
    process->life.begin_raw_time = INT64_MIN;
    process->life.end_raw_time = INT64_MAX;
    process->life.process_id = process_id;
    process->named_raw_time = now;
    return process;
}

/* Makes the new instance the one that its id names from then on. */
static bool
process_give(etwc_lifetimes *l, const lifetime_process *process, int64_t from)
{
    if (!metric_ids_give(&l->process_ids, process->life.process_id,
                         (metric_span){from, process->life.index}))
        return false;
    metric_lives_take_process(l, process);
    return true;
}

static lifetime_process *
process_last(const etwc_lifetimes *l, uint32_t process_id)
{
    uint32_t index = metric_ids_last(&l->process_ids, process_id);
    return index == ETWC_TABLE_NONE ? NULL : &l->processes[index];
}

static void
process_close(etwc_lifetimes *l, lifetime_process *process, int64_t now)
{
    if (process != NULL && process->life.end_raw_time == INT64_MAX)
        metric_lives_end_process(l, process, now);
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
        process_close(l, &l->processes[before], now);
    return process;
}

static bool
is_near(int64_t filetime, int64_t other)
{
    int64_t low = filetime < other ? filetime : other;
    int64_t high = filetime < other ? other : filetime;
    return (uint64_t)high - (uint64_t)low <= (uint64_t)LIFETIME_TWIN_SPAN;
}

/* Whether a start of the one source is that of an instance which the other source
 * has told already, and which lives. */
static bool
is_twin_start(uint32_t seen, int64_t end_raw_time, int64_t begin_filetime,
              const etwc_event *event)
{
    bool is_manifest = etwc_class_is_manifest(event->kernel_class);
    uint32_t mine = is_manifest ? ETWC_SEEN_MANIFEST_START : ETWC_SEEN_START;
    return (seen & SEEN_ANY_START) == (SEEN_ANY_START & ~mine) &&
           end_raw_time == INT64_MAX && is_near(begin_filetime, event->filetime);
}

/* When an instance has ended: by its first end record, but rather by that of a class
 * than by that of a manifest provider. */
static int64_t
end_of(uint32_t seen, int64_t end_raw_time, bool is_manifest, int64_t now)
{
    bool is_by_manifest = (seen & SEEN_ANY_END) == ETWC_SEEN_MANIFEST_END;
    return end_raw_time == INT64_MAX || (is_by_manifest && !is_manifest) ? now
                                                                         : end_raw_time;
}

static lifetime_process *
process_start(etwc_lifetimes *l, uint32_t process_id, uint64_t key,
              const etwc_event *event)
{
    int64_t now = event->raw_time;
    lifetime_process *last = process_last(l, process_id);
    if (is_same_start(last, key, now))
        return last;
    if (last != NULL && is_twin_start(last->life.seen, last->life.end_raw_time,
                                      last->begin_filetime, event)) {
        if (!etwc_class_is_manifest(event->kernel_class))
            last->life.begin_raw_time = now; /* the classes' time is that of a start */
        return last;
    }
    if (is_early_name_of(last, now)) {
        last->begin_filetime = event->filetime;
        uint32_t at = etwc_table_find(&l->process_ids.table, process_id);
        last->life.begin_raw_time = now;
        if (l->process_ids.chains[at].count == 1)
            l->process_ids.chains[at].first.from_raw_time = now;
        return last;
    }
    lifetime_process *process = process_succeed(l, process_id, key, now, now);
    if (process != NULL) {
        process->life.begin_raw_time = now;
        process->begin_filetime = event->filetime;
    }
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

/* The same for one that is alive: not the one that has ended, as far as a record
 * without a key can tell. */
static lifetime_process *
process_alive(etwc_lifetimes *l, uint32_t process_id, uint64_t key, int64_t now)
{
    const lifetime_process *last = process_last(l, process_id);
    if (last != NULL && last->life.key == 0 &&
        (last->life.seen & SEEN_ANY_END) == ETWC_SEEN_MANIFEST_END)
        return process_succeed(l, process_id, key, now, now);
    return process_named(l, process_id, key, now);
}

/* The same for records of the manifest provider, which have no key, but say when
 * the process was created. Classes do not tell that. */
static lifetime_process *
process_created_at(etwc_lifetimes *l, const etwc_kernel_process *said, bool is_end,
                   int64_t now)
{
    const metric_chain *chain = metric_ids_chain(&l->process_ids, said->process_id);
    for (uint32_t i = chain == NULL ? 0 : chain->count; i > 0; i--) {
        lifetime_process *process =
            &l->processes[metric_chain_spans(chain)[i - 1].index];
        if (process->facts.create_filetime == said->create_filetime)
            return process;
    }
    lifetime_process *last = process_last(l, said->process_id);
    bool is_free = last != NULL && last->facts.create_filetime == 0 &&
                   (is_end ? !(last->life.seen & ETWC_SEEN_MANIFEST_END)
                           : last->life.end_raw_time == INT64_MAX);
    if (is_free)
        return last;
    return process_succeed(l, said->process_id, 0, last == NULL ? INT64_MIN : now, now);
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
        metric_lives_take_process(l, process);
    return process;
}

/* ---- Processes ------------------------------------------------------------------- */

static bool
apply_process(etwc_lifetimes *l, const etwc_event *event,
              const etwc_kernel_record *record)
{
    const etwc_kernel_process *said = &record->u.process;
    uint64_t key = record->fields & ETWC_HAS_KEY ? said->key : 0;
    int64_t now = event->raw_time;
    bool is_manifest = etwc_class_is_manifest(event->kernel_class);
    lifetime_process *process;
    uint32_t seen;
    switch (record->type) {
    case ETWC_KERNEL_PROCESS_START:
        process = process_start(l, said->process_id, key, event);
        seen = is_manifest ? ETWC_SEEN_MANIFEST_START : ETWC_SEEN_START;
        break;
    case ETWC_KERNEL_PROCESS_RUNDOWN_START:
        process = is_manifest ? process_created_at(l, said, false, now)
                              : process_alive(l, said->process_id, key, now);
        seen = is_manifest ? ETWC_SEEN_MANIFEST_RUNDOWN : ETWC_SEEN_RUNDOWN_START;
        break;
    case ETWC_KERNEL_PROCESS_RUNDOWN_END:
        process = process_alive(l, said->process_id, key, now);
        seen = ETWC_SEEN_RUNDOWN_END;
        break;
    case ETWC_KERNEL_PROCESS_END:
        process = is_manifest ? process_created_at(l, said, true, now)
                              : process_named(l, said->process_id, key, now);
        seen = is_manifest ? ETWC_SEEN_MANIFEST_END : ETWC_SEEN_END;
        break;
    default:
        process = process_defunct(l, said->process_id, key, now);
        seen = ETWC_SEEN_DEFUNCT;
        break;
    }
    if (process == NULL)
        return false;
    bool is_end = (seen & SEEN_ANY_END) != 0;
    bool is_first_end = is_end && !(process->life.seen & SEEN_ANY_END);
    if (is_end)
        metric_lives_end_process(
            l, process,
            end_of(process->life.seen, process->life.end_raw_time, is_manifest, now));
    else if (seen == ETWC_SEEN_DEFUNCT && process->life.seen == 0)
        process_close(l, process, now);
    if (process->life.key == 0)
        process->life.key = key;
    process->life.seen |= seen;
    if (is_end || seen == ETWC_SEEN_DEFUNCT)
        metric_facts_learn_exit(&process->facts, record, is_first_end);
    return metric_facts_learn(&process->facts, l->strings, record);
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
    lifetime_thread *thread = metric_lives_new_thread(l);
    if (thread == NULL)
        return NULL;
    thread->life.begin_raw_time = INT64_MIN;
    thread->life.end_raw_time = INT64_MAX;
    thread->life.thread_id = said->thread_id;
    thread->life.process_id = said->process_id;
    thread->named_raw_time = now;
    if (!metric_ids_give(&l->thread_ids, said->thread_id,
                         (metric_span){from, thread->life.index}))
        return NULL;
    metric_lives_take_thread(l, thread);
    if (before != ETWC_TABLE_NONE && l->threads[before].life.end_raw_time == INT64_MAX)
        metric_lives_end_thread(l, &l->threads[before], now);
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
    bool is_manifest = etwc_class_is_manifest(event->kernel_class);
    if (!ensure_process(l, said, now, is_start))
        return false;
    if (said->thread_id == 0)
        return true;
    uint32_t index = metric_ids_last(&l->thread_ids, said->thread_id);
    lifetime_thread *thread = index == ETWC_TABLE_NONE ? NULL : &l->threads[index];
    bool is_new = thread == NULL || !is_same_thread(l, thread, said, now);
    if (!is_new && is_start && thread->life.begin_raw_time != now)
        is_new = !is_twin_start(thread->life.seen, thread->life.end_raw_time,
                                thread->begin_filetime, event);
    if (is_new) {
        bool is_older = thread == NULL && !is_start;
        thread = thread_succeed(l, said, is_older ? INT64_MIN : now, now);
        if (thread == NULL)
            return false;
        if (is_start) {
            thread->life.begin_raw_time = now;
            thread->begin_filetime = event->filetime;
        }
    } else if (is_start && !is_manifest) {
        thread->life.begin_raw_time = now;
    }
    switch (record->type) {
    case ETWC_KERNEL_THREAD_START:
        thread->life.seen |= is_manifest ? ETWC_SEEN_MANIFEST_START : ETWC_SEEN_START;
        break;
    case ETWC_KERNEL_THREAD_END:
        metric_lives_end_thread(
            l, thread,
            end_of(thread->life.seen, thread->life.end_raw_time, is_manifest, now));
        thread->life.seen |= is_manifest ? ETWC_SEEN_MANIFEST_END : ETWC_SEEN_END;
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
    if (event->kernel_class == ETWC_CLASS_MANIFEST_PROCESS)
        return (event->id >= 1 && event->id <= 4) || event->id == 15;
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

void
etwc_lifetimes_note_class(etwc_lifetimes *lifetimes, uint8_t kernel_class)
{
    if (kernel_class < ETWC_CLASS_COUNT)
        lifetimes->session.has_class[kernel_class] = true;
}

etwc_status
etwc_lifetimes_apply(etwc_lifetimes *lifetimes, const etwc_event *event,
                     const etwc_kernel_record *record, etwc_error *err)
{
    bool is_ok;
    etwc_lifetimes_note_class(lifetimes, event->kernel_class);
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
    metric_lives_leave(lifetimes);
    if (!is_ok)
        return etwc_fail(err, ETWC_E_NOMEM, "metric.lifetime");
    if (lifetimes->limit_bytes != 0 &&
        etwc_lifetimes_bytes(lifetimes) > lifetimes->limit_bytes)
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
etwc_lifetimes_newest_process(const etwc_lifetimes *lifetimes)
{
    return lifetimes->newest_process;
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
