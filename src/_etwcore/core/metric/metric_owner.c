/*
 * Whose event is it: the table of event-decoding.md, chapter 5.
 *
 * The processor is always that of the record; thread and process come from the
 * payload where a record speaks of somebody else than the thread that logged it.
 */
#include "metric_owner.h"

#include "etwc_lifetime.h"
#include "etwc_provider.h"

static metric_subject
subject_process(uint32_t process_id)
{
    return (metric_subject){METRIC_BY_PROCESS, process_id};
}

static metric_subject
subject_thread(uint32_t thread_id)
{
    return (metric_subject){METRIC_BY_THREAD, thread_id};
}

static metric_subject
subject_header(const etwc_event *event)
{
    if (event->process_id == ETWC_NO_ID)
        return (metric_subject){METRIC_BY_NOBODY, ETWC_NO_ID};
    return subject_process(event->process_id);
}

/* Records that the running thread has caused without saying so. On a processor
 * whose first switch has not been seen they belong to nobody. */
static metric_subject
subject_running(const etwc_event *event)
{
    if (event->process_id != ETWC_NO_ID)
        return subject_process(event->process_id);
    uint32_t thread_id = event->thread_id;
    if (thread_id == ETWC_NO_ID)
        thread_id = event->running_thread_id;
    if (thread_id == ETWC_NO_ID)
        return (metric_subject){METRIC_BY_NOBODY, ETWC_NO_ID};
    return subject_thread(thread_id);
}

static metric_subject
subject_unlisted(const etwc_event *event)
{
    switch (event->kernel_class) {
    case ETWC_CLASS_REGISTRY:
    case ETWC_CLASS_OBJECT:
    case ETWC_CLASS_POOL:
        return subject_running(event);
    default:
        return subject_header(event);
    }
}

metric_subject
metric_subject_of(const etwc_event *event, const etwc_kernel_record *record)
{
    switch (record->type) {
    case ETWC_KERNEL_PROCESS_START:
    case ETWC_KERNEL_PROCESS_END:
    case ETWC_KERNEL_PROCESS_RUNDOWN_START:
    case ETWC_KERNEL_PROCESS_RUNDOWN_END:
    case ETWC_KERNEL_PROCESS_DEFUNCT:
        return subject_process(record->u.process.process_id);
    case ETWC_KERNEL_PROCESS_TERMINATE:
        return subject_process(record->u.terminated_process_id);
    case ETWC_KERNEL_PROCESS_COUNTERS_EXIT:
    case ETWC_KERNEL_PROCESS_COUNTERS_RUNDOWN:
        return subject_process(record->u.counters.process_id);
    case ETWC_KERNEL_THREAD_START:
    case ETWC_KERNEL_THREAD_END:
    case ETWC_KERNEL_THREAD_RUNDOWN_START:
    case ETWC_KERNEL_THREAD_RUNDOWN_END:
    case ETWC_KERNEL_THREAD_NAME:
        return subject_process(record->u.thread.process_id);
    case ETWC_KERNEL_THREAD_PRIORITY:
        if (record->fields & ETWC_HAS_PROCESS_ID)
            return subject_process(record->u.priority.process_id);
        return subject_thread(record->u.priority.thread_id);
    case ETWC_KERNEL_THREAD_AFFINITY:
        return subject_thread(record->u.affinity.thread_id);
    case ETWC_KERNEL_CSWITCH:
        return subject_thread(record->u.cswitch.new_thread_id);
    case ETWC_KERNEL_READY_THREAD:
        return subject_thread(record->u.ready.thread_id);
    case ETWC_KERNEL_IMAGE_LOAD:
    case ETWC_KERNEL_IMAGE_UNLOAD:
    case ETWC_KERNEL_IMAGE_RUNDOWN_START:
    case ETWC_KERNEL_IMAGE_RUNDOWN_END:
        return subject_process(record->u.image.process_id);
    case ETWC_KERNEL_SAMPLE:
        /* The profiler still meets a thread that has logged its end; that is the
         * system taking it down. The corpus counts such samples as nobody's. */
        return (metric_subject){METRIC_BY_LIVE_THREAD, record->u.sample.thread_id};
    case ETWC_KERNEL_HARD_FAULT:
        return subject_thread(record->u.hard_fault.thread_id);
    case ETWC_KERNEL_VIRTUAL_ALLOC:
    case ETWC_KERNEL_VIRTUAL_FREE:
        return subject_process(record->u.virtual_memory.process_id);
    case ETWC_KERNEL_DISK_READ:
    case ETWC_KERNEL_DISK_WRITE:
    case ETWC_KERNEL_DISK_FLUSH:
    case ETWC_KERNEL_DISK_INIT:
        if (record->fields & ETWC_HAS_THREAD_ID)
            return subject_thread(record->u.disk.thread_id);
        /* The thread of an init record's header can be another one. */
        return (metric_subject){METRIC_BY_NOBODY, ETWC_NO_ID};
    case ETWC_KERNEL_FILE_READ:
    case ETWC_KERNEL_FILE_WRITE:
    case ETWC_KERNEL_FILE_OTHER:
        if (record->fields & ETWC_HAS_THREAD_ID)
            return subject_thread(record->u.file.thread_id);
        return subject_running(event);
    case ETWC_KERNEL_NETWORK:
        return subject_process(record->u.network.process_id);
    case ETWC_KERNEL_STACK:
    case ETWC_KERNEL_STACK_KEY:
        return subject_process(record->u.stack.process_id);
    case ETWC_KERNEL_HANDLE_RUNDOWN:
        if (record->fields & ETWC_HAS_PROCESS_ID)
            return subject_process(record->u.handle.process_id);
        return subject_running(event);
    case ETWC_KERNEL_PAGE_FAULT:
    case ETWC_KERNEL_SYSCALL_ENTER:
    case ETWC_KERNEL_SYSCALL_EXIT:
    case ETWC_KERNEL_FILE_END:
    case ETWC_KERNEL_HANDLE_CREATE:
    case ETWC_KERNEL_HANDLE_CLOSE:
    case ETWC_KERNEL_HANDLE_DUPLICATE:
        return subject_running(event);
    case ETWC_KERNEL_OF_PROCESS:
        return subject_process(record->u.subject.process_id);
    case ETWC_KERNEL_OF_THREAD:
        return subject_thread(record->u.subject.thread_id);
    case ETWC_KERNEL_INTERRUPT:
        return (metric_subject){METRIC_BY_NOBODY, ETWC_NO_ID};
    default:
        return subject_unlisted(event);
    }
}

static metric_subject
subject_of_event(const etwc_event *event)
{
    if (event->kernel_class == ETWC_CLASS_NONE)
        return subject_header(event);
    etwc_kernel_record record;
    (void)etwc_kernel_decode(event, &record);
    return metric_subject_of(event, &record);
}

bool
metric_header_is_of(const etwc_event *event, uint32_t thread_id)
{
    return event->thread_id == thread_id && event->process_id != ETWC_NO_ID;
}

static const etwc_process_life *
process_of_subject(const etwc_lifetimes *lifetimes, metric_subject subject,
                   const etwc_event *event)
{
    int64_t now = event->raw_time;
    if (subject.by == METRIC_BY_LIVE_THREAD && subject.id != 0) {
        const etwc_thread_life *thread =
            etwc_lifetimes_thread(lifetimes, subject.id, now);
        if (thread == NULL || thread->end_raw_time < now)
            return NULL;
    }
    const etwc_process_life *life =
        etwc_lifetimes_process_of_thread(lifetimes, subject.id, now);
    if (life == NULL && metric_header_is_of(event, subject.id))
        life = etwc_lifetimes_process(lifetimes, event->process_id, now);
    return life;
}

const etwc_process_life *
etwc_lifetimes_owner(const etwc_lifetimes *lifetimes, const etwc_event *event)
{
    metric_subject subject = subject_of_event(event);
    switch (subject.by) {
    case METRIC_BY_PROCESS:
        return etwc_lifetimes_process(lifetimes, subject.id, event->raw_time);
    case METRIC_BY_NOBODY:
        return NULL;
    default:
        return process_of_subject(lifetimes, subject, event);
    }
}

uint32_t
etwc_lifetimes_owner_id(const etwc_lifetimes *lifetimes, const etwc_event *event)
{
    metric_subject subject = subject_of_event(event);
    if (subject.by == METRIC_BY_PROCESS)
        return subject.id;
    if (subject.by == METRIC_BY_NOBODY)
        return ETWC_NO_ID;
    /* Thread 0 is the idle thread of a processor, whatever the trace says. */
    if (subject.id == 0)
        return 0;
    const etwc_process_life *life = process_of_subject(lifetimes, subject, event);
    if (life != NULL)
        return life->process_id;
    return subject.by == METRIC_BY_THREAD && metric_header_is_of(event, subject.id)
               ? event->process_id
               : ETWC_NO_ID;
}
