/*
 * Known providers: the kernel's classes with their group numbers, and the
 * manifest providers that the product itself decodes, by GUID and by name.
 */
#ifndef ETWC_PROVIDER_H
#define ETWC_PROVIDER_H

#include "etwc_event.h"

/* Value of a kernel class = its group number in kernel records. */
#define ETWC_KERNEL_CLASS_LIST(X)                                                  \
    X(EVENT_TRACE, 0x00, "EventTrace", "68fdd900-4a3e-11d1-84f4-0000f80464e3")     \
    X(DISK_IO, 0x01, "DiskIo", "3d6fa8d4-fe05-11d0-9dda-00c04fd7ba7c")             \
    X(PAGE_FAULT, 0x02, "PageFault", "3d6fa8d3-fe05-11d0-9dda-00c04fd7ba7c")       \
    X(PROCESS, 0x03, "Process", "3d6fa8d0-fe05-11d0-9dda-00c04fd7ba7c")            \
    X(FILE_IO, 0x04, "FileIo", "90cbdc39-4a3e-11d1-84f4-0000f80464e3")             \
    X(THREAD, 0x05, "Thread", "3d6fa8d1-fe05-11d0-9dda-00c04fd7ba7c")              \
    X(TCP_IP, 0x06, "TcpIp", "9a280ac0-c8e0-11d1-84e2-00c04fb998a2")               \
    X(JOB, 0x07, "Job", "3282fc76-feed-498e-8aa7-e70f459d430e")                    \
    X(UDP_IP, 0x08, "UdpIp", "bf3a50c5-a9c9-4988-a005-2df0b7c80f80")               \
    X(REGISTRY, 0x09, "Registry", "ae53722e-c863-11d2-8659-00c04fa321a1")          \
    X(DBG_PRINT, 0x0A, "DbgPrint", "13976d09-a327-438c-950b-7f03192815c7")         \
    X(SYSTEM_CONFIG, 0x0B, "SystemConfig", "01853a65-418f-4f36-aefc-dc0f1d2fd235") \
    X(SPARE1, 0x0C, "LastBranchRecord", "99134383-5248-43fc-834b-529454e75df3")    \
    X(WNF, 0x0D, "Wnf", "42695762-ea50-497a-9068-5cbbb35e0b95")                    \
    X(POOL, 0x0E, "Pool", "0268a8b6-74fd-4302-9dd0-6e8f1795c0cf")                  \
    X(PERF_INFO, 0x0F, "PerfInfo", "ce1dbfb4-137e-4da6-87b0-3f59aa102cbc")         \
    X(HEAP, 0x10, "Heap", "222962ab-6180-4b88-a825-346b75f2a24a")                  \
    X(OBJECT, 0x11, "Object", "89497f50-effe-4440-8cf2-ce6b1cdcaca7")              \
    X(POWER, 0x12, "Power", "e43445e0-0903-48c3-b878-ff0fccebdd04")                \
    X(MOD_BOUND, 0x13, "ModBound", "a9152f00-3f58-4bee-92a1-70c7d079d5dd")         \
    X(IMAGE, 0x14, "Image", "2cb15d1d-5fc1-11d2-abe1-00a0c911f518")                \
    X(DPC, 0x15, "Dpc", "b2d14872-7c5b-463d-8419-ee9bf7d23e04")                    \
    X(CACHE_MANAGER, 0x16, "CacheManager", "7687a439-f752-45b8-b741-321aec0f8df9") \
    X(CRIT_SEC, 0x17, "CritSec", "3ac66736-cc59-4cff-8115-8df50e39816b")           \
    X(STACK_WALK, 0x18, "StackWalk", "def2fe46-7bd6-4b80-bd94-f57fe20d0ce3")       \
    X(UMS, 0x19, "UMS", "9aec974b-5b8e-4118-9b92-3186d8002ce5")                    \
    X(ALPC, 0x1A, "ALPC", "45d8cccd-539f-4b72-a8b7-5c683142609a")                  \
    X(SPLIT_IO, 0x1B, "SplitIo", "d837ca92-12b9-44a5-ad6a-3a65b3578aa8")           \
    X(THREAD_POOL, 0x1C, "ThreadPool", "c861d0e2-a2c1-4d36-9f9c-970bab943a12")     \
    X(HYPERVISOR, 0x1D, "Hypervisor", "7f2a405c-69b5-4bf9-a1f5-30e8f1afab5e")      \
    X(HYPERVISOR_X, 0x1E, "HypervisorX", "2ce9a149-effe-42f0-a635-a1d39e26c8f2")   \
    /* Classes without a group of their own. */                                    \
    X(LOST_EVENT, 0x40, "LostEvent", "6a399ae0-4bc6-4de9-870b-3657f8947e7e")

/* Manifest providers of the kernel, which tell by event id what the classes tell by
 * opcode. Values beyond those of the classes. */
#define ETWC_MANIFEST_CLASS_LIST(X)                                                   \
    X(MANIFEST_PROCESS, 0x41, "Kernel-Process",                                       \
      "22fb2cd6-0e7b-422b-a0c7-2fad1fd0e716")                                         \
    X(MANIFEST_MEMORY, 0x42, "Kernel-Memory", "d1d93ef7-e1f2-4f45-9943-03d245fe6c00") \
    X(MANIFEST_DISK, 0x43, "Kernel-Disk", "c7bde69a-e1e0-4177-b6ef-283ad1525271")     \
    X(MANIFEST_FILE, 0x44, "Kernel-File", "edd08927-9cc4-4e65-b970-c2560fb5c289")     \
    X(MANIFEST_NETWORK, 0x45, "Kernel-Network", "7dd42a49-5329-4832-8dfd-43d979153a88")

typedef enum etwc_kernel_class {
#define ETWC_KERNEL_CLASS_ENUM(name, group, text, guid) ETWC_CLASS_##name = group,
    ETWC_KERNEL_CLASS_LIST(ETWC_KERNEL_CLASS_ENUM)
        ETWC_MANIFEST_CLASS_LIST(ETWC_KERNEL_CLASS_ENUM)
#undef ETWC_KERNEL_CLASS_ENUM
            ETWC_CLASS_COUNT,
    ETWC_CLASS_NONE = 0xFF
} etwc_kernel_class;

/* What records of a kernel group are delivered as. */
typedef struct etwc_kernel_group {
    etwc_guid guid;
    uint8_t kernel_class; /* etwc_kernel_class, or ETWC_CLASS_NONE */
    const char *name;
} etwc_kernel_group;

/* By group number; the last one, all zero, stands for every unknown group. */
enum { ETWC_KERNEL_GROUP_COUNT = 0x1F };
extern const etwc_kernel_group etwc_kernel_groups[ETWC_KERNEL_GROUP_COUNT + 1];

/* True when a kernel class has that group number. */
static inline bool
etwc_kernel_class_is_group(uint8_t group)
{
    return group < ETWC_KERNEL_GROUP_COUNT;
}

static inline const etwc_kernel_group *
etwc_kernel_group_of(uint8_t group)
{
    return &etwc_kernel_groups[etwc_kernel_class_is_group(group)
                                   ? group
                                   : ETWC_KERNEL_GROUP_COUNT];
}

/* GUID that the API delivers for a kernel group; all zero for unknown ones. */
static inline const etwc_guid *
etwc_kernel_group_guid(uint8_t group)
{
    return &etwc_kernel_group_of(group)->guid;
}

/* The group of kernel records that are delivered with that GUID and opcode; false
 * when there is none. */
ETWC_NODISCARD bool etwc_kernel_group_find(const etwc_guid *provider, uint8_t opcode,
                                           uint8_t *out);
/* The class of a provider GUID, ETWC_CLASS_NONE when it is not a kernel class. */
uint8_t etwc_kernel_class_of(const etwc_guid *provider);
/* The GUID of a manifest provider by its class, which must be one. */
const etwc_guid *etwc_manifest_guid(uint8_t kernel_class);
/* The same as above for the manifest providers. */
uint8_t etwc_manifest_class_of(const etwc_guid *provider);

/* True when events of that class are told apart by their id. */
static inline bool
etwc_class_is_manifest(uint8_t kernel_class)
{
    return kernel_class > ETWC_CLASS_LOST_EVENT && kernel_class < ETWC_CLASS_COUNT;
}

/* Name of a known provider (kernel class or manifest provider), else NULL. */
const char *etwc_provider_name(const etwc_guid *provider);
/* Looks a known provider up by its name, ignoring case. */
ETWC_NODISCARD bool etwc_provider_find(const char *name, etwc_guid *out);
/* Known providers by position, for listings; NULL past the last. */
const char *etwc_provider_at(size_t index, etwc_guid *out);

#endif
