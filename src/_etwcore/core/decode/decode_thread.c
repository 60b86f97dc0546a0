/* Class Thread: event-decoding, "Thread (group 05)". */
#include "decode_layout.h"

/* Tables are laid out by hand. */
/* clang-format off */

/* ---- Life ------------------------------------------------------------------ */

#define THREAD_IDS                                    \
    SLOT(U32, "ProcessId", DEC, thread.process_id, 0) \
    SLOT(U32, "TThreadId", DEC, thread.thread_id, 0)

#define THREAD_STACKS            \
    ROW(PTR, "StackBase", HEX)   \
    ROW(PTR, "StackLimit", HEX)  \
    ROW(PTR, "UserStackBase", HEX) \
    ROW(PTR, "UserStackLimit", HEX)

#define THREAD_START_ADDRESS \
    SLOT(PTR, "Win32StartAddr", HEX, thread.win32_start_address, 0)

#define THREAD_TEB_AND_TAG                      \
    SLOT(PTR, "TebBase", HEX, thread.teb_base, 0) \
    SLOT(U32, "SubProcessTag", HEX, thread.sub_process_tag, ETWC_HAS_TAG)

/* Where version 2 has a start address, version 3 has the affinity. */
#define THREAD_3                                                       \
    THREAD_IDS THREAD_STACKS                                           \
    SLOT(PTR, "Affinity", HEX, thread.affinity, ETWC_HAS_AFFINITY)     \
    THREAD_START_ADDRESS THREAD_TEB_AND_TAG                            \
    SLOT(U8, "BasePriority", DEC, thread.base_priority, ETWC_HAS_PRIORITY) \
    SLOT(U8, "PagePriority", DEC, thread.page_priority, 0)             \
    SLOT(U8, "IoPriority", DEC, thread.io_priority, 0)                 \
    ROW(U8, "ThreadFlags", HEX)

static const decode_row thread_0[] = { /* the ids in reversed order */
    SLOT(U32, "TThreadId", DEC, thread.thread_id, 0)
    SLOT(U32, "ProcessId", DEC, thread.process_id, 0)
};
static const decode_row thread_1[] = {
    THREAD_IDS THREAD_STACKS
    ROW(PTR, "StartAddr", HEX)
    THREAD_START_ADDRESS
    ROW(I8, "WaitMode", WAIT_MODE)
};
static const decode_row thread_end_1[] = {THREAD_IDS};
static const decode_row thread_2[] = {
    THREAD_IDS THREAD_STACKS
    ROW(PTR, "StartAddr", HEX)
    THREAD_START_ADDRESS THREAD_TEB_AND_TAG
};
static const decode_row thread_3[] = {
    THREAD_3
    OPTIONAL_SLOT(WZ, "ThreadName", DEC, thread.name, ETWC_HAS_NAME)
};
static const decode_row thread_4[] = {
    THREAD_3
    SLOT(WZ, "ThreadName", DEC, thread.name, ETWC_HAS_NAME)
};

static const decode_form thread_forms[] = {
    FORM(0, 0, thread_0, 2)
    FORM(1, 1, thread_1, 2)
    FORM(2, 2, thread_2, 2)
    FORM(3, 3, thread_3, 2)
    FORM(4, 4, thread_4, 2)
};
static const decode_form thread_end_forms[] = {
    FORM(0, 0, thread_0, 2)
    FORM(1, 1, thread_end_1, 2)
    FORM(2, 2, thread_2, 2)
    FORM(3, 3, thread_3, 2)
    FORM(4, 4, thread_4, 2)
};

static const decode_row thread_name_2[] = {
    SLOT(U32, "ProcessId", DEC, thread.process_id, 0)
    SLOT(U32, "ThreadId", DEC, thread.thread_id, 0)
    SLOT(WZ, "ThreadName", DEC, thread.name, ETWC_HAS_NAME)
};
static const decode_form thread_name_forms[] = {FORM(2, 2, thread_name_2, 3)};

/* ---- Scheduling ------------------------------------------------------------ */

#define CSWITCH_HEAD(ROW, SLOT)                                  \
    SLOT(U32, "NewThreadId", DEC, cswitch.new_thread_id, 0)      \
    SLOT(U32, "OldThreadId", DEC, cswitch.old_thread_id, 0)      \
    SLOT(I8, "NewThreadPriority", DEC, cswitch.new_priority, 0)  \
    SLOT(I8, "OldThreadPriority", DEC, cswitch.old_priority, 0)

#define CSWITCH_REASON(SLOT) \
    SLOT(I8, "OldThreadWaitReason", WAIT_REASON, cswitch.old_wait_reason, 0)
#define CSWITCH_STATE(SLOT) \
    SLOT(I8, "OldThreadState", THREAD_STATE, cswitch.old_state, 0)

#define CSWITCH_1(ROW, SLOT, BITS)                                       \
    CSWITCH_HEAD(ROW, SLOT)                                              \
    ROW(I8, "NewThreadQuantum", DEC)                                     \
    ROW(I8, "OldThreadQuantum", DEC)                                     \
    CSWITCH_REASON(SLOT)                                                 \
    SLOT(I8, "OldThreadWaitMode", WAIT_MODE, cswitch.old_wait_mode, 0)   \
    CSWITCH_STATE(SLOT)                                                  \
    ROW(I8, "OldThreadIdealProcessor", DEC)

#define CSWITCH_2(ROW, SLOT, BITS)                                       \
    CSWITCH_HEAD(ROW, SLOT)                                              \
    SLOT(U8, "PreviousCState", DEC, cswitch.previous_c_state, 0)         \
    ROW(I8, "SpareByte", DEC)                                            \
    CSWITCH_REASON(SLOT)                                                 \
    SLOT(I8, "OldThreadWaitMode", WAIT_MODE, cswitch.old_wait_mode, 0)   \
    CSWITCH_STATE(SLOT)                                                  \
    ROW(I8, "OldThreadIdealProcessor", DEC)                              \
    SLOT(U32, "NewThreadWaitTime", DEC, cswitch.new_wait_ticks, 0)       \
    ROW(I32, "OldThreadRemainingQuantum", DEC)

/* From version 3 on bit 0 of the flags is the wait mode. */
#define CSWITCH_3(ROW, SLOT, BITS)                                       \
    CSWITCH_HEAD(ROW, SLOT)                                              \
    SLOT(U8, "PreviousCState", DEC, cswitch.previous_c_state, 0)         \
    ROW(I8, "SpareByte", DEC)                                            \
    CSWITCH_REASON(SLOT)                                                 \
    SLOT(U8, "ThreadFlags", HEX, cswitch.old_wait_mode, 0)               \
    CSWITCH_STATE(SLOT)                                                  \
    ROW(I8, "OldThreadWaitIdealProcessor", DEC)                          \
    SLOT(U32, "NewThreadWaitTime", DEC, cswitch.new_wait_ticks, 0)       \
    ROW(I32, "Reserved", DEC)

DECODE_FAST(cswitch_1, CSWITCH_1, cswitch)
DECODE_FAST(cswitch_2, CSWITCH_2, cswitch)
DECODE_FAST(cswitch_3, CSWITCH_3, cswitch)

/* A cut switch has no state for the thread that left: of no use. */
enum { CSWITCH_REQUIRED = 9 };
static const decode_form cswitch_forms[] = {
    FORM_FAST(1, 1, cswitch_1, CSWITCH_REQUIRED)
    FORM_FAST(2, 2, cswitch_2, CSWITCH_REQUIRED)
    FORM_FAST(3, 4, cswitch_3, CSWITCH_REQUIRED)
};

static const decode_row cswitch_batch_2[] = {
    SLOT(TIME, "FirstTimeStamp", DEC, cswitch_batch.first_raw_time, 0)
    FIXED_SLOT(U32, "TidTable", 16, cswitch_batch.thread_ids, 0)
    FIXED_SLOT(I8, "BasePriority", 16, cswitch_batch.base_priorities, 0)
    REST_SLOT(PACKETS, "Packets", PACKET_TYPE, cswitch_batch.packets)
};
static const decode_form cswitch_batch_forms[] = {FORM(2, 2, cswitch_batch_2, 3)};

#define READY_2(ROW, SLOT, BITS)                                     \
    SLOT(U32, "TThreadId", DEC, ready.thread_id, 0)                  \
    SLOT(I8, "AdjustReason", ADJUST_REASON, ready.adjust_reason, 0)  \
    SLOT(I8, "AdjustIncrement", DEC, ready.adjust_increment, 0)      \
    SLOT(I8, "Flag", READY_FLAGS, ready.flag, 0)                     \
    ROW(I8, "Reserved", DEC)
DECODE_FAST(ready_2, READY_2, ready)
static const decode_form ready_forms[] = {FORM_FAST(2, 2, ready_2, 1)};

#define PRIORITY_3(ROW, SLOT, BITS)                        \
    SLOT(U32, "ThreadId", DEC, priority.thread_id, 0)      \
    SLOT(U8, "OldPriority", DEC, priority.old_priority, 0) \
    SLOT(U8, "NewPriority", DEC, priority.new_priority, 0) \
    ROW(U16, "Reserved", DEC)
DECODE_FAST(priority_3, PRIORITY_3, priority)
static const decode_form priority_forms[] = {FORM_FAST(3, 3, priority_3, 3)};

static const decode_row affinity_2[] = {
    SLOT(PTR, "Affinity", HEX, affinity.affinity, 0)
    SLOT(U32, "ThreadId", DEC, affinity.thread_id, 0)
    SLOT(U16, "Group", DEC, affinity.group, 0)
    ROW(U16, "Reserved", DEC)
};
static const decode_form affinity_forms[] = {FORM(2, 2, affinity_2, 3)};

static const decode_row anti_starvation_2[] = {
    ROW(U32, "ThreadId", DEC)
    ROW(U16, "ProcessorIndex", DEC)
    ROW(U8, "Priority", DEC)
    ROW(U8, "Reserved", DEC)
};
static const decode_form anti_starvation_forms[] = {FORM(2, 2, anti_starvation_2, 0)};

static const decode_row migration_2[] = {
    ROW(U32, "ThreadId", DEC)
    ROW(U16, "SourceProcessor", DEC)
    ROW(U16, "TargetProcessor", DEC)
    ROW(U8, "Priority", DEC)
    ROW(U8, "IdealProcessorAdjust", DEC)
    ROW(U16, "OldIdealProcessor", DEC)
};
static const decode_form migration_forms[] = {FORM(2, 2, migration_2, 0)};

/* ---- Locks, queues, workers ------------------------------------------------ */

static const decode_row spin_lock_2[] = {
    ROW(PTR, "SpinLockAddress", HEX)
    ROW(PTR, "CallerAddress", HEX)
    ROW(U64, "AcquireTime", DEC)
    ROW(U64, "ReleaseTime", DEC)
    ROW(U32, "WaitTimeInCycles", DEC)
    ROW(U32, "SpinCount", DEC)
    ROW(U32, "ThreadId", DEC)
    ROW(U32, "InterruptCount", DEC)
    ROW(U8, "Irql", DEC)
    ROW(U8, "AcquireDepth", DEC)
    ROW(U8, "Flag", HEX)
    FIXED(U8, "Reserved", DEC, 5)
};
static const decode_form spin_lock_forms[] = {FORM(2, 2, spin_lock_2, 0)};

static const decode_row queue_wait_2[] = {
    ROW(PTR, "Queue", HEX)
    ROW(U32, "ThreadId", DEC)
    ROW(U8, "Action", DEC)
};
static const decode_form queue_wait_forms[] = {FORM(2, 2, queue_wait_2, 0)};

static const decode_row resource_2[] = {
    ROW(U64, "AcquireTime", DEC)
    ROW(U64, "HoldTime", DEC)
    ROW(U64, "WaitTime", DEC)
    ROW(U32, "MaxRecursionDepth", DEC)
    ROW(U32, "ThreadId", DEC)
    ROW(PTR, "Resource", HEX)
    ROW(U32, "Action", DEC)
    ROW(U32, "ContentionDelta", DEC)
};
static const decode_form resource_forms[] = {FORM(2, 2, resource_2, 0)};

static const decode_row worker_item_1[] = {
    ROW(U32, "TThreadId", DEC)
    ROW(U64, "StartTime", DEC)
    ROW(PTR, "ThreadRoutine", HEX)
};
static const decode_form worker_item_forms[] = {FORM(1, 2, worker_item_1, 0)};

static const decode_row queue_insert_2[] = {
    ROW(PTR, "Entry", HEX)
    ROW(U32, "ThreadId", DEC)
};
static const decode_form queue_insert_forms[] = {FORM(2, 2, queue_insert_2, 0)};

static const decode_row queue_remove_2[] = {
    ROW(U32, "ThreadId", DEC)
    ROW(U32, "EntryCount", DEC)
    COUNTED(PTR, "Entries", HEX, 1)
};
static const decode_form queue_remove_forms[] = {FORM(2, 2, queue_remove_2, 0)};

static const decode_row worker_2[] = {ROW(PTR, "CallbackRoutine", HEX)};
static const decode_form worker_forms[] = {FORM(2, 2, worker_2, 0)};

static const decode_row boost_set_2[] = {
    ROW(PTR, "Lock", HEX)
    ROW(U32, "ThreadId", DEC)
    ROW(U8, "NewCpuPriorityFloor", DEC)
    ROW(U8, "OldCpuPriority", DEC)
    ROW(U8, "IoPriorities", HEX)
    ROW(U8, "BoostFlags", HEX)
};
static const decode_form boost_set_forms[] = {FORM(2, 2, boost_set_2, 0)};

static const decode_row boost_clear_2[] = {
    ROW(PTR, "Lock", HEX)
    ROW(U32, "ThreadId", DEC)
    ROW(U32, "BoostBitmap", HEX)
};
static const decode_form boost_clear_forms[] = {FORM(2, 2, boost_clear_2, 0)};

static const decode_row boost_exhausted_2[] = {
    ROW(PTR, "Lock", HEX)
    ROW(U32, "ThreadId", DEC)
};
static const decode_form boost_exhausted_forms[] = {FORM(2, 2, boost_exhausted_2, 0)};

static const decode_row tag_changed_2[] = {
    ROW(U32, "OldTag", DEC)
    ROW(U32, "NewTag", DEC)
};
static const decode_form tag_changed_forms[] = {FORM(2, 2, tag_changed_2, 0)};

static const decode_opcode thread_opcodes[] = {
    OPCODE(1, "Thread/Start", thread_forms, THREAD_START)
    OPCODE(2, "Thread/End", thread_end_forms, THREAD_END)
    OPCODE(3, "Thread/DCStart", thread_forms, THREAD_RUNDOWN_START)
    OPCODE(4, "Thread/DCEnd", thread_forms, THREAD_RUNDOWN_END)
    OPCODE(36, "Thread/CSwitch", cswitch_forms, CSWITCH)
    OPCODE(37, "Thread/CSwitchBatch", cswitch_batch_forms, CSWITCH_BATCH)
    OPCODE(41, "Thread/SpinLock", spin_lock_forms, NONE)
    OPCODE(42, "Thread/QueueWait", queue_wait_forms, NONE)
    OPCODE(43, "Thread/Resource", resource_forms, NONE)
    OPCODE(48, "Thread/SetPriority", priority_forms, THREAD_PRIORITY)
    OPCODE(49, "Thread/SetBasePriority", priority_forms, THREAD_PRIORITY)
    OPCODE(50, "Thread/ReadyThread", ready_forms, READY_THREAD)
    OPCODE(51, "Thread/SetPagePriority", priority_forms, THREAD_PRIORITY)
    OPCODE(52, "Thread/SetIoPriority", priority_forms, THREAD_PRIORITY)
    OPCODE(53, "Thread/SetAffinity", affinity_forms, THREAD_AFFINITY)
    OPCODE(57, "Thread/WorkerItem", worker_item_forms, NONE)
    OPCODE(60, "Thread/AntiStarvationBoost", anti_starvation_forms, NONE)
    OPCODE(61, "Thread/Migration", migration_forms, NONE)
    OPCODE(62, "Thread/QueueInsert", queue_insert_forms, NONE)
    OPCODE(63, "Thread/QueueRemove", queue_remove_forms, NONE)
    OPCODE(64, "Thread/WorkerStart", worker_forms, NONE)
    OPCODE(65, "Thread/WorkerStop", worker_forms, NONE)
    OPCODE(66, "Thread/AutoBoostSet", boost_set_forms, NONE)
    OPCODE(67, "Thread/AutoBoostClear", boost_clear_forms, NONE)
    OPCODE(68, "Thread/AutoBoostExhausted", boost_exhausted_forms, NONE)
    OPCODE(69, "Thread/SubProcessTagChanged", tag_changed_forms, NONE)
    OPCODE(72, "Thread/SetName", thread_name_forms, THREAD_NAME)
};

CLASS(thread)

/* clang-format on */
