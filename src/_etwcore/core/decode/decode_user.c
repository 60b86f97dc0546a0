/* Classes Heap, CritSec, ThreadPool, Job and CacheManager: event-decoding, 3.14.
 * The document names no versions here: user-mode writers use 0 to 2. */
#include "decode_layout.h"

/* Tables are laid out by hand. */
/* clang-format off */

/* ---- Heap ------------------------------------------------------------------ */

static const decode_row heap_create[] = {
    ROW(PTR, "Heap", HEX)
    ROW(U32, "Flags", HEX)
    ROW(PTR, "Reserve", DEC)
    ROW(PTR, "Commit", DEC)
    ROW(PTR, "Allocated", DEC)
};
static const decode_row heap_alloc[] = {
    ROW(PTR, "Heap", HEX)
    ROW(PTR, "Size", DEC)
    ROW(PTR, "Address", HEX)
    ROW(U32, "Source", DEC)
};
static const decode_row heap_realloc[] = {
    ROW(PTR, "Heap", HEX)
    ROW(PTR, "New", HEX)
    ROW(PTR, "Old", HEX)
    ROW(PTR, "NewSize", DEC)
    ROW(PTR, "OldSize", DEC)
    ROW(U32, "Source", DEC)
};
static const decode_row heap_only[] = {ROW(PTR, "Heap", HEX)};
static const decode_row heap_free[] = {
    ROW(PTR, "Heap", HEX)
    ROW(PTR, "Address", HEX)
    ROW(U32, "Source", DEC)
};
#define HEAP_SPACE(size, address)       \
    ROW(PTR, "Heap", HEX)               \
    ROW(PTR, size, DEC)                 \
    ROW(PTR, address, HEX)              \
    ROW(PTR, "FreeSpace", DEC)          \
    ROW(PTR, "CommittedSpace", DEC)     \
    ROW(PTR, "ReservedSpace", DEC)      \
    ROW(U32, "UCRs", DEC)               \
    ROW(PTR, "AllocatedSpace", DEC)
static const decode_row heap_expand[] = {HEAP_SPACE("CommittedSize", "Address")};
static const decode_row heap_contract[] = {
    HEAP_SPACE("DecommitSize", "DecommitAddress")
};
static const decode_row heap_snapshot[] = {
    ROW(PTR, "Heap", HEX)
    ROW(PTR, "Free", DEC)
    ROW(PTR, "Committed", DEC)
    ROW(PTR, "Reserved", DEC)
    ROW(U32, "Flags", HEX)
    ROW(U32, "Pid", DEC)
    ROW(PTR, "LargeUCR", DEC)
    ROW(U32, "FreeListLength", DEC)
    ROW(U32, "UCRLength", DEC)
    ROW(PTR, "Allocated", DEC)
};
static const decode_form heap_create_forms[] = {FORM(0, 2, heap_create, 0)};
static const decode_form heap_alloc_forms[] = {FORM(0, 2, heap_alloc, 0)};
static const decode_form heap_realloc_forms[] = {FORM(0, 2, heap_realloc, 0)};
static const decode_form heap_only_forms[] = {FORM(0, 2, heap_only, 0)};
static const decode_form heap_free_forms[] = {FORM(0, 2, heap_free, 0)};
static const decode_form heap_expand_forms[] = {FORM(0, 2, heap_expand, 0)};
static const decode_form heap_contract_forms[] = {FORM(0, 2, heap_contract, 0)};
static const decode_form heap_snapshot_forms[] = {FORM(0, 2, heap_snapshot, 0)};

static const decode_opcode heap_opcodes[] = {
    OPCODE(32, "Heap/Create", heap_create_forms, NONE)
    OPCODE(33, "Heap/Alloc", heap_alloc_forms, NONE)
    OPCODE(34, "Heap/Realloc", heap_realloc_forms, NONE)
    OPCODE(35, "Heap/Destroy", heap_only_forms, NONE)
    OPCODE(36, "Heap/Free", heap_free_forms, NONE)
    OPCODE(37, "Heap/Expand", heap_expand_forms, NONE)
    OPCODE(38, "Heap/Snapshot", heap_snapshot_forms, NONE)
    OPCODE(42, "Heap/Contract", heap_contract_forms, NONE)
    OPCODE(43, "Heap/Lock", heap_only_forms, NONE)
    OPCODE(44, "Heap/Unlock", heap_only_forms, NONE)
    OPCODE(45, "Heap/Validate", heap_only_forms, NONE)
    OPCODE(46, "Heap/Walk", heap_only_forms, NONE)
};
CLASS(heap)

/* ---- CritSec, ThreadPool --------------------------------------------------- */

static const decode_row collision[] = {
    ROW(U32, "LockCount", DEC)
    ROW(U32, "SpinCount", DEC)
    ROW(PTR, "OwningThread", DEC)
    ROW(PTR, "Address", HEX)
};
static const decode_row initialize[] = {
    ROW(PTR, "SpinCount", DEC)
    ROW(PTR, "Address", HEX)
};
static const decode_form collision_forms[] = {FORM(0, 2, collision, 0)};
static const decode_form initialize_forms[] = {FORM(0, 2, initialize, 0)};

static const decode_opcode crit_sec_opcodes[] = {
    OPCODE(34, "CritSec/Collision", collision_forms, NONE)
    OPCODE(35, "CritSec/Initialize", initialize_forms, NONE)
};
CLASS(crit_sec)

#define POOL_TASK                   \
    ROW(PTR, "Pool", HEX)           \
    ROW(PTR, "Task", HEX)           \
    ROW(PTR, "Callback", HEX)       \
    ROW(PTR, "Context", HEX)        \
    ROW(PTR, "SubProcessTag", HEX)
static const decode_row pool_task[] = {POOL_TASK};
static const decode_row pool_cancel[] = {POOL_TASK ROW(U32, "Count", DEC)};
static const decode_row pool_only[] = {ROW(PTR, "Pool", HEX)};
static const decode_row pool_threads[] = {
    ROW(PTR, "Pool", HEX)
    ROW(U32, "Threads", DEC)
};
#define POOL_TIMER                  \
    ROW(I64, "DueTime", DEC)        \
    ROW(PTR, "SubQueue", HEX)       \
    ROW(PTR, "Timer", HEX)          \
    ROW(U32, "Period", DEC)         \
    ROW(U32, "Window", DEC)
static const decode_row pool_timer_set[] = {POOL_TIMER ROW(U32, "Absolute", DEC)};
static const decode_row pool_timer_cancel[] = {
    ROW(PTR, "SubQueue", HEX)
    ROW(PTR, "Timer", HEX)
};
static const decode_row pool_timer[] = {POOL_TIMER};
static const decode_form pool_task_forms[] = {FORM(0, 2, pool_task, 0)};
static const decode_form pool_cancel_forms[] = {FORM(0, 2, pool_cancel, 0)};
static const decode_form pool_only_forms[] = {FORM(0, 2, pool_only, 0)};
static const decode_form pool_threads_forms[] = {FORM(0, 2, pool_threads, 0)};
static const decode_form pool_timer_set_forms[] = {FORM(0, 2, pool_timer_set, 0)};
static const decode_form pool_timer_cancel_forms[] = {FORM(0, 2, pool_timer_cancel, 0)};
static const decode_form pool_timer_forms[] = {FORM(0, 2, pool_timer, 0)};

static const decode_opcode thread_pool_opcodes[] = {
    OPCODE(32, "ThreadPool/CallbackEnqueue", pool_task_forms, NONE)
    OPCODE(33, "ThreadPool/CallbackDequeue", pool_task_forms, NONE)
    OPCODE(34, "ThreadPool/CallbackStart", pool_task_forms, NONE)
    OPCODE(35, "ThreadPool/CallbackStop", pool_task_forms, NONE)
    OPCODE(36, "ThreadPool/CallbackCancel", pool_cancel_forms, NONE)
    OPCODE(37, "ThreadPool/PoolCreate", pool_only_forms, NONE)
    OPCODE(38, "ThreadPool/PoolClose", pool_only_forms, NONE)
    OPCODE(39, "ThreadPool/ThreadMinSet", pool_threads_forms, NONE)
    OPCODE(40, "ThreadPool/ThreadMaxSet", pool_threads_forms, NONE)
    OPCODE(42, "ThreadPool/TimerSet", pool_timer_set_forms, NONE)
    OPCODE(43, "ThreadPool/TimerCancelled", pool_timer_cancel_forms, NONE)
    OPCODE(48, "ThreadPool/TimerSetNTTimer", pool_timer_forms, NONE)
};
CLASS(thread_pool)

/* ---- Job, CacheManager ----------------------------------------------------- */

static const decode_row job[] = {
    ROW(GUID, "JobId", DEC)
    ROW(U32, "Handle", HEX)
    ROW(U32, "Flags", HEX)
    ROW(I32, "Status", STATUS)
};
static const decode_row job_assign[] = {
    ROW(GUID, "JobId", DEC)
    ROW(U32, "Handle", HEX)
    ROW(U32, "ProcessId", DEC)
    ROW(I32, "Status", STATUS)
};
static const decode_row job_remove[] = {
    ROW(GUID, "JobId", DEC)
    ROW(U32, "ProcessId", DEC)
    ROW(U32, "Flags", HEX)
    ROW(I32, "ExitStatus", EXIT_STATUS)
};
/* What follows depends on the class of information and is not described. */
static const decode_row job_information[] = {
    ROW(GUID, "JobId", DEC)
    ROW(U32, "Handle", HEX)
    ROW(U32, "InfoClass", DEC)
    REST(BYTES, "Information", HEX)
};
static const decode_row job_notification[] = {
    ROW(GUID, "JobId", DEC)
    ROW(U32, "NotificationId", DEC)
};
static const decode_form job_forms[] = {FORM(0, 2, job, 0)};
static const decode_form job_assign_forms[] = {FORM(0, 2, job_assign, 0)};
static const decode_form job_remove_forms[] = {FORM(0, 2, job_remove, 0)};
static const decode_form job_information_forms[] = {FORM(0, 2, job_information, 0)};
static const decode_form job_notification_forms[] = {FORM(0, 2, job_notification, 0)};

static const decode_opcode job_opcodes[] = {
    OPCODE(32, "Job/Create", job_forms, NONE)
    OPCODE(33, "Job/Terminate", job_forms, NONE)
    OPCODE(34, "Job/Open", job_forms, NONE)
    OPCODE(35, "Job/AssignProcess", job_assign_forms, NONE)
    OPCODE(36, "Job/RemoveProcess", job_remove_forms, NONE)
    OPCODE(37, "Job/SetInformation", job_information_forms, NONE)
    OPCODE(38, "Job/SetInformationFailed", job_information_forms, NONE)
    OPCODE(39, "Job/QueryInformation", job_information_forms, NONE)
    OPCODE(40, "Job/QueryInformationFailed", job_information_forms, NONE)
    OPCODE(42, "Job/Notification", job_notification_forms, NONE)
};
CLASS(job)

static const decode_row work_enqueue[] = {
    ROW(PTR, "WorkItem", HEX)
    ROW(PTR, "FileObject", HEX)
    ROW(U8, "Queue", DEC)
    ROW(U8, "Type", DEC)
    ROW(U8, "Requeue", DEC)
    ROW(U8, "Reserved", DEC)
};
static const decode_row work_item[] = {ROW(PTR, "WorkItem", HEX)};
static const decode_form work_enqueue_forms[] = {FORM(0, 2, work_enqueue, 0)};
static const decode_form work_item_forms[] = {FORM(0, 2, work_item, 0)};

static const decode_opcode cache_manager_opcodes[] = {
    OPCODE(0, "CacheManager/WorkItemEnqueue", work_enqueue_forms, NONE)
    OPCODE(1, "CacheManager/WorkItemDequeue", work_item_forms, NONE)
    OPCODE(2, "CacheManager/WorkItemComplete", work_item_forms, NONE)
};
CLASS(cache_manager)

/* clang-format on */
