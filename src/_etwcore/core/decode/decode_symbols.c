/* Names of numbers: enumerations and flags of the kernel's payloads. */
#include "decode_symbols.h"

#include "etwc_decode.h"

#define SYMBOLS(id, text, flags)                                                     \
    const etwc_symbols decode_##id = {text, id##_items, ETWC_ARRAY_SIZE(id##_items), \
                                      flags};

static const etwc_symbol process_flags_items[] = {
    {0x1, "PackageId"},
    {0x2, "Wow64"},
    {0x4, "Protected"},
    {0x8, "Packaged"},
};
SYMBOLS(process_flags, "ProcessFlags", true)

static const etwc_symbol exit_statuses_items[] = {
    {0x00000000, "STATUS_SUCCESS"},
    {0x00000103, "STILL_ACTIVE"},
    {0x40010004, "DBG_TERMINATE_PROCESS"},
    {0x80000003, "STATUS_BREAKPOINT"},
    {0xC0000005, "STATUS_ACCESS_VIOLATION"},
    {0xC0000017, "STATUS_NO_MEMORY"},
    {0xC000001D, "STATUS_ILLEGAL_INSTRUCTION"},
    {0xC0000094, "STATUS_INTEGER_DIVIDE_BY_ZERO"},
    {0xC00000FD, "STATUS_STACK_OVERFLOW"},
    {0xC0000135, "STATUS_DLL_NOT_FOUND"},
    {0xC0000139, "STATUS_ENTRYPOINT_NOT_FOUND"},
    {0xC000013A, "STATUS_CONTROL_C_EXIT"},
    {0xC0000142, "STATUS_DLL_INIT_FAILED"},
    {0xC0000374, "STATUS_HEAP_CORRUPTION"},
    {0xC0000409, "STATUS_STACK_BUFFER_OVERRUN"},
};
SYMBOLS(exit_statuses, "ExitStatus", false)

static const etwc_symbol thread_states_items[] = {
    {0, "Initialized"}, {1, "Ready"},
    {2, "Running"},     {3, "Standby"},
    {4, "Terminated"},  {5, "Waiting"},
    {6, "Transition"},  {7, "DeferredReady"},
    {8, "GateWait"},    {9, "WaitingForProcessInSwap"},
};
SYMBOLS(thread_states, "ThreadState", false)

static const etwc_symbol wait_reasons_items[] = {
    {0, "Executive"},
    {1, "FreePage"},
    {2, "PageIn"},
    {3, "PoolAllocation"},
    {4, "DelayExecution"},
    {5, "Suspended"},
    {6, "UserRequest"},
    {7, "WrExecutive"},
    {8, "WrFreePage"},
    {9, "WrPageIn"},
    {10, "WrPoolAllocation"},
    {11, "WrDelayExecution"},
    {12, "WrSuspended"},
    {13, "WrUserRequest"},
    {14, "WrEventPair"},
    {15, "WrQueue"},
    {16, "WrLpcReceive"},
    {17, "WrLpcReply"},
    {18, "WrVirtualMemory"},
    {19, "WrPageOut"},
    {20, "WrRendezvous"},
    {21, "WrKeyedEvent"},
    {22, "WrTerminated"},
    {23, "WrProcessInSwap"},
    {24, "WrCpuRateControl"},
    {25, "WrCalloutStack"},
    {26, "WrKernel"},
    {27, "WrResource"},
    {28, "WrPushLock"},
    {29, "WrMutex"},
    {30, "WrQuantumEnd"},
    {31, "WrDispatchInt"},
    {32, "WrPreempted"},
    {33, "WrYieldExecution"},
    {34, "WrFastMutex"},
    {35, "WrGuardedMutex"},
    {36, "WrRundown"},
    {37, "WrAlertByThreadId"},
    {38, "WrDeferredPreempt"},
    {39, "WrPhysicalFault"},
    {40, "WrIoRing"},
    {41, "WrMdlCache"},
    {42, "WrRcu"},
};
SYMBOLS(wait_reasons, "WaitReason", false)

static const etwc_symbol wait_modes_items[] = {{0, "KernelMode"}, {1, "UserMode"}};
SYMBOLS(wait_modes, "WaitMode", false)

static const etwc_symbol packet_types_items[] = {
    {0, "IdleShort"},
    {1, "Idle"},
    {2, "Lite"},
    {3, "Full"},
};
SYMBOLS(packet_types, "PacketType", false)

static const etwc_symbol adjust_reasons_items[] = {
    {0, "None"},
    {1, "Unwait"},
    {2, "Boost"},
};
SYMBOLS(adjust_reasons, "AdjustReason", false)

static const etwc_symbol ready_flags_items[] = {
    {0x1, "InDpc"},
    {0x2, "KernelStackSwappedOut"},
    {0x4, "ProcessSwappedOut"},
    {0x8, "DirectSwitch"},
};
SYMBOLS(ready_flags, "ReadyFlags", true)

static const etwc_symbol irp_flags_items[] = {
    {0x001, "NoCache"},        {0x002, "PagingIo"},
    {0x004, "SynchronousApi"}, {0x040, "SynchronousPagingIo"},
    {0x080, "Create"},         {0x100, "Read"},
    {0x200, "Write"},          {0x400, "Close"},
};
SYMBOLS(irp_flags, "IrpFlags", true)

static const etwc_symbol allocation_flags_items[] = {
    {0x1000, "Commit"},
    {0x2000, "Reserve"},
    {0x4000, "Decommit"},
    {0x8000, "Release"},
};
SYMBOLS(allocation_flags, "AllocationFlags", true)

static const etwc_symbol reset_modes_items[] = {
    {0, "Reset"},
    {1, "Undo"},
    {2, "UndoFailed"},
};
SYMBOLS(reset_modes, "ResetMode", false)

static const etwc_symbol elevation_types_items[] = {
    {1, "Default"},
    {2, "Full"},
    {3, "Limited"},
};
SYMBOLS(elevation_types, "TokenElevationType", false)

static const etwc_symbol pool_types_items[] = {{0x10000000, "BigPages"}};
SYMBOLS(pool_types, "PoolType", true)

static const etwc_symbol architectures_items[] = {
    {0, "x86"}, {5, "ARM"}, {6, "IA64"}, {9, "x64"}, {12, "ARM64"},
};
SYMBOLS(architectures, "ProcessorArchitecture", false)

const char *
etwc_thread_state_name(uint32_t state)
{
    return etwc_symbols_find(&decode_thread_states, state);
}

const char *
etwc_wait_reason_name(uint32_t reason)
{
    return etwc_symbols_find(&decode_wait_reasons, reason);
}
