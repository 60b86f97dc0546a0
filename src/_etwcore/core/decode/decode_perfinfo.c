/* Class PerfInfo: event-decoding, "PerfInfo (group 0F)". */
#include "decode_layout.h"

/* Tables are laid out by hand. */
/* clang-format off */

static const decode_row mark_0[] = {ROW(AZ, "Message", DEC)};
static const decode_form mark_forms[] = {FORM(0, 0, mark_0, 0)};

/* ---- Samples --------------------------------------------------------------- */

#define SAMPLE_1(ROW, SLOT, BITS)                                        \
    SLOT(PTR, "InstructionPointer", HEX, sample.instruction_pointer, 0)  \
    SLOT(U32, "ThreadId", DEC, sample.thread_id, 0)                      \
    SLOT(U16, "Count", DEC, sample.count, 0)
#define SAMPLE_2(ROW, SLOT, BITS)                       \
    SAMPLE_1(ROW, SLOT, BITS)                           \
    SLOT(U8, NULL, DEC, sample.flags, ETWC_HAS_FLAGS)   \
    BITS("ExecutingDPC", DEC, 0, 1)                     \
    BITS("ExecutingISR", DEC, 1, 1)                     \
    BITS("Priority", DEC, 3, 5)                         \
    ROW(U8, "Rank", DEC)
DECODE_FAST(sample_1, SAMPLE_1, sample)
DECODE_FAST(sample_2, SAMPLE_2, sample)
static const decode_form sample_forms[] = {
    FORM_FAST(1, 1, sample_1, 3)
    FORM_FAST(2, 2, sample_2, 3)
};

static const decode_row sample_cache_2[] = {
    ROW(U32, "Entries", DEC)
    STRUCTS("Samples", sample_2_rows, 0)
};
static const decode_form sample_cache_forms[] = {FORM(2, 2, sample_cache_2, 0)};

static const decode_row pmc_sample_2[] = {
    ROW(PTR, "InstructionPointer", HEX)
    SLOT(U32, "ThreadId", DEC, subject.thread_id, 0)
    ROW(U16, "ProfileSource", DEC)
    ROW(U16, "Reserved", DEC)
};
static const decode_form pmc_sample_forms[] = {FORM(2, 2, pmc_sample_2, 2)};

static const decode_row pmc_config_2[] = {
    ROW(U32, "CounterCount", DEC)
    COUNTED(WZ, "CounterName", DEC, 0)
};
static const decode_form pmc_config_forms[] = {FORM(2, 2, pmc_config_2, 0)};

static const decode_row pmc_status[] = {
    ROW(U32, "ProfileSource", DEC)
    ROW(U64, "LastKnownGoodTimeStamp", DEC)
};
static const decode_row pmc_corruption_2[] = {
    ROW(U32, "ProcessorNumber", DEC)
    ROW(U32, "CounterCount", DEC)
    STRUCTS("CounterStatus", pmc_status, 1)
};
static const decode_form pmc_corruption_forms[] = {FORM(2, 2, pmc_corruption_2, 0)};

#define INTERVAL_2                                                    \
    SLOT(U32, "Source", DEC, sample_interval.source, 0)               \
    SLOT(U32, "NewInterval", DEC, sample_interval.new_interval, 0)    \
    SLOT(U32, "OldInterval", DEC, sample_interval.old_interval, 0)
static const decode_row interval_2[] = {INTERVAL_2};
static const decode_row interval_3[] = {INTERVAL_2 ROW(WZ, "SourceName", DEC)};
static const decode_form interval_changed_forms[] = {FORM(2, 2, interval_2, 2)};
static const decode_form interval_forms[] = {
    FORM(2, 2, interval_2, 2)
    FORM(3, 3, interval_3, 2)
};

/* ---- Interrupts, system calls ---------------------------------------------- */

#define DPC_1(ROW, SLOT, BITS)                                         \
    SLOT(TIME, "InitialTime", DEC, interrupt.initial_raw_time, 0)      \
    SLOT(PTR, "Routine", HEX, interrupt.routine, 0)
#define ISR_1(ROW, SLOT, BITS) \
    DPC_1(ROW, SLOT, BITS)     \
    ROW(U32, "ReturnValue", DEC)
#define ISR_2(ROW, SLOT, BITS)  \
    DPC_1(ROW, SLOT, BITS)      \
    ROW(U8, "ReturnValue", DEC) \
    ROW(U16, "Vector", DEC)     \
    ROW(U8, "Reserved", DEC)
#define MSI_2(ROW, SLOT, BITS) \
    ISR_2(ROW, SLOT, BITS)     \
    ROW(U32, "MessageNumber", DEC)
DECODE_FAST(dpc_1, DPC_1, interrupt)
DECODE_FAST(isr_1, ISR_1, interrupt)
DECODE_FAST(isr_2, ISR_2, interrupt)
DECODE_FAST(msi_2, MSI_2, interrupt)
static const decode_form dpc_forms[] = {FORM_FAST(1, 2, dpc_1, 1)};
static const decode_form isr_forms[] = {
    FORM_FAST(1, 1, isr_1, 1)
    FORM_FAST(2, 2, isr_2, 1)
};
static const decode_form msi_forms[] = {FORM_FAST(2, 2, msi_2, 1)};

/* Their records have no members: time and processor say it all. */
#define SYSCALL_ENTER_2(ROW, SLOT, BITS) ROW(PTR, "SysCallAddress", HEX)
#define SYSCALL_EXIT_2(ROW, SLOT, BITS) ROW(U32, "SysCallNtStatus", STATUS)
DECODE_FAST(syscall_enter_2, SYSCALL_ENTER_2, sample)
DECODE_FAST(syscall_exit_2, SYSCALL_EXIT_2, sample)
static const decode_form syscall_enter_forms[] = {FORM_FAST(2, 2, syscall_enter_2, 0)};
static const decode_form syscall_exit_forms[] = {FORM_FAST(2, 2, syscall_exit_2, 0)};

static const decode_row clock_interrupt_2[] = {
    ROW(U64, "InterruptTime", DEC)
    ROW(I16, "Flags", HEX)
};
static const decode_form clock_interrupt_forms[] = {FORM(2, 2, clock_interrupt_2, 0)};

static const decode_row unexpected_interrupt_2[] = {ROW(U16, "Vector", DEC)};
static const decode_form unexpected_interrupt_forms[] = {
    FORM(2, 2, unexpected_interrupt_2, 0)
};

static const decode_row routine_2[] = {ROW(PTR, "Routine", HEX)};
static const decode_form routine_forms[] = {FORM(2, 2, routine_2, 0)};

static const decode_row dpc_queued_2[] = {
    ROW(PTR, "Key", HEX)
    ROW(I32, "QueueDepth", DEC)
    ROW(U32, "DpcCount", DEC)
    ROW(U32, "TargetProcessor", DEC)
    ROW(U8, "Importance", DEC)
    FIXED(U8, "Reserved", DEC, 3)
};
static const decode_form dpc_queued_forms[] = {FORM(2, 2, dpc_queued_2, 0)};

static const decode_row dpc_executed_2[] = {
    ROW(PTR, "Routine", HEX)
    ROW(PTR, "Key", HEX)
};
static const decode_form dpc_executed_forms[] = {FORM(2, 2, dpc_executed_2, 0)};

/* ---- Locks, timers, hypervisor --------------------------------------------- */

static const decode_form empty_forms[] = {FORM_EMPTY(2, 2)};

#define SPIN_CONFIG_2                   \
    ROW(U32, "SpinThreshold", DEC)      \
    ROW(U32, "ContentionSampleRate", DEC) \
    ROW(U32, "AcquireSampleRate", DEC)
static const decode_row spin_config_2[] = {SPIN_CONFIG_2};
static const decode_row spin_config_3[] = {
    SPIN_CONFIG_2
    ROW(U32, "HoldThreshold", DEC)
};
static const decode_form spin_config_forms[] = {
    FORM(2, 2, spin_config_2, 0)
    FORM(3, 3, spin_config_3, 0)
};

static const decode_row resource_config_2[] = {
    ROW(U32, "ReleaseSampleRate", DEC)
    ROW(U32, "ContentionSampleRate", DEC)
    ROW(U32, "NumberOfExcessiveTimeouts", DEC)
};
static const decode_form resource_config_forms[] = {FORM(2, 2, resource_config_2, 0)};

static const decode_row io_timer_2[] = {
    ROW(PTR, "DeviceObject", HEX)
    ROW(PTR, "TimerRoutine", HEX)
};
static const decode_form io_timer_forms[] = {FORM(2, 2, io_timer_2, 0)};

static const decode_row timer_set_2[] = {
    ROW(U64, "DueTime", DEC)
    ROW(U64, "MaximumDueTime", DEC)
    ROW(U64, "Period", DEC)
    ROW(PTR, "Timer", HEX)
    ROW(PTR, "Callback", HEX)
    ROW(PTR, "Context", HEX)
    ROW(U8, "Flags", HEX)
};
static const decode_form timer_set_forms[] = {FORM(2, 2, timer_set_2, 0)};

static const decode_row timer_cancel_2[] = {ROW(PTR, "Timer", HEX)};
static const decode_form timer_cancel_forms[] = {FORM(2, 2, timer_cancel_2, 0)};

#define TIMER_FINALIZE_2            \
    ROW(PTR, "Timer", HEX)          \
    ROW(PTR, "DisableCallback", HEX) \
    ROW(PTR, "DisableContext", HEX)
static const decode_row timer_disable_2[] = {TIMER_FINALIZE_2 ROW(U8, "Flags", HEX)};
static const decode_row timer_finalize_2[] = {TIMER_FINALIZE_2};
static const decode_form timer_disable_forms[] = {FORM(2, 2, timer_disable_2, 0)};
static const decode_form timer_finalize_forms[] = {FORM(2, 2, timer_finalize_2, 0)};

static const decode_row should_yield_2[] = {
    ROW(U32, "YieldReason", DEC)
    ROW(U32, "WatchdogCount", DEC)
    ROW(U32, "DpcTimeCount", DEC)
};
static const decode_form should_yield_forms[] = {FORM(2, 2, should_yield_2, 0)};

static const decode_row hypercall_2[] = {
    ROW(U32, "CallCode", DEC)
    ROW(U8, "IsFast", DEC)
    ROW(U8, "IsNested", DEC)
};
static const decode_form hypercall_forms[] = {FORM(2, 2, hypercall_2, 0)};

static const decode_opcode perf_info_opcodes[] = {
    OPCODE(34, "PerfInfo/Mark", mark_forms, NONE)
    OPCODE(46, "PerfInfo/SampledProfile", sample_forms, SAMPLE)
    OPCODE(47, "PerfInfo/PmcSample", pmc_sample_forms, OF_THREAD)
    OPCODE(48, "PerfInfo/PmcConfig", pmc_config_forms, NONE)
    OPCODE(49, "PerfInfo/PmcCorruption", pmc_corruption_forms, NONE)
    OPCODE(50, "PerfInfo/MessageISR", msi_forms, INTERRUPT)
    OPCODE(51, "PerfInfo/SysCallEnter", syscall_enter_forms, SYSCALL_ENTER)
    OPCODE(52, "PerfInfo/SysCallExit", syscall_exit_forms, SYSCALL_EXIT)
    OPCODE(55, "PerfInfo/SampleCache", sample_cache_forms, NONE)
    OPCODE(58, "PerfInfo/DebuggerEnabled", empty_forms, NONE)
    OPCODE(66, "PerfInfo/ThreadedDPC", dpc_forms, INTERRUPT)
    OPCODE(67, "PerfInfo/ISR", isr_forms, INTERRUPT)
    OPCODE(68, "PerfInfo/DPC", dpc_forms, INTERRUPT)
    OPCODE(69, "PerfInfo/TimerDPC", dpc_forms, INTERRUPT)
    OPCODE(70, "PerfInfo/IoTimer", dpc_forms, INTERRUPT)
    OPCODE(72, "PerfInfo/SetInterval", interval_changed_forms, SAMPLE_INTERVAL)
    OPCODE(73, "PerfInfo/CollectionStart", interval_forms, SAMPLE_INTERVAL)
    OPCODE(74, "PerfInfo/CollectionEnd", interval_forms, SAMPLE_INTERVAL)
    OPCODE(75, "PerfInfo/SpinLockConfigStart", spin_config_forms, NONE)
    OPCODE(76, "PerfInfo/SpinLockConfigEnd", spin_config_forms, NONE)
    OPCODE(77, "PerfInfo/ResourceConfigStart", resource_config_forms, NONE)
    OPCODE(78, "PerfInfo/ResourceConfigEnd", resource_config_forms, NONE)
    OPCODE(79, "PerfInfo/ClockInterrupt", clock_interrupt_forms, NONE)
    OPCODE(92, "PerfInfo/UnexpectedInterrupt", unexpected_interrupt_forms, NONE)
    OPCODE(93, "PerfInfo/IoTimerStart", io_timer_forms, NONE)
    OPCODE(94, "PerfInfo/IoTimerStop", io_timer_forms, NONE)
    OPCODE(95, "PerfInfo/PassiveISR", isr_forms, INTERRUPT)
    OPCODE(96, "PerfInfo/WdfISR", routine_forms, NONE)
    OPCODE(97, "PerfInfo/WdfPassiveISR", routine_forms, NONE)
    OPCODE(98, "PerfInfo/WdfDPC", routine_forms, NONE)
    OPCODE(100, "PerfInfo/DpcQueued", dpc_queued_forms, NONE)
    OPCODE(101, "PerfInfo/DpcExecuted", dpc_executed_forms, NONE)
    OPCODE(103, "PerfInfo/WdfWorkItem", routine_forms, NONE)
    OPCODE(104, "PerfInfo/TimerSet", timer_set_forms, NONE)
    OPCODE(105, "PerfInfo/TimerExpire", timer_set_forms, NONE)
    OPCODE(106, "PerfInfo/TimerCancel", timer_cancel_forms, NONE)
    OPCODE(107, "PerfInfo/TimerDisable", timer_disable_forms, NONE)
    OPCODE(108, "PerfInfo/TimerFinalize", timer_finalize_forms, NONE)
    OPCODE(109, "PerfInfo/ShouldYield", should_yield_forms, NONE)
    OPCODE(114, "PerfInfo/Hypercall", hypercall_forms, NONE)
};

CLASS(perf_info)

/* clang-format on */
