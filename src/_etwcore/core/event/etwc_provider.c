#include "etwc_provider.h"

#include "etwc_text.h"

typedef struct known_provider {
    etwc_guid guid;
    const char *name;
} known_provider;

/* GUIDs as they lie in memory: the tables below are checked against the text
 * form of the list by tests/c/test_provider.c. */
#define GUID(a, b, c, d0, d1, d2, d3, d4, d5, d6, d7)                                 \
    {                                                                                 \
        {                                                                             \
            (a) & 0xFF, ((a) >> 8) & 0xFF, ((a) >> 16) & 0xFF, ((a) >> 24) & 0xFF,    \
                (b)&0xFF, ((b) >> 8) & 0xFF, (c)&0xFF, ((c) >> 8) & 0xFF, d0, d1, d2, \
                d3, d4, d5, d6, d7                                                    \
        }                                                                             \
    }

const etwc_kernel_group etwc_kernel_groups[] = {
    [ETWC_CLASS_EVENT_TRACE] = {GUID(0x68fdd900u, 0x4a3e, 0x11d1, 0x84, 0xf4, 0x00,
                                     0x00, 0xf8, 0x04, 0x64, 0xe3),
                                ETWC_CLASS_EVENT_TRACE, "EventTrace"},
    [ETWC_CLASS_DISK_IO] = {GUID(0x3d6fa8d4u, 0xfe05, 0x11d0, 0x9d, 0xda, 0x00, 0xc0,
                                 0x4f, 0xd7, 0xba, 0x7c),
                            ETWC_CLASS_DISK_IO, "DiskIo"},
    [ETWC_CLASS_PAGE_FAULT] = {GUID(0x3d6fa8d3u, 0xfe05, 0x11d0, 0x9d, 0xda, 0x00, 0xc0,
                                    0x4f, 0xd7, 0xba, 0x7c),
                               ETWC_CLASS_PAGE_FAULT, "PageFault"},
    [ETWC_CLASS_PROCESS] = {GUID(0x3d6fa8d0u, 0xfe05, 0x11d0, 0x9d, 0xda, 0x00, 0xc0,
                                 0x4f, 0xd7, 0xba, 0x7c),
                            ETWC_CLASS_PROCESS, "Process"},
    [ETWC_CLASS_FILE_IO] = {GUID(0x90cbdc39u, 0x4a3e, 0x11d1, 0x84, 0xf4, 0x00, 0x00,
                                 0xf8, 0x04, 0x64, 0xe3),
                            ETWC_CLASS_FILE_IO, "FileIo"},
    [ETWC_CLASS_THREAD] = {GUID(0x3d6fa8d1u, 0xfe05, 0x11d0, 0x9d, 0xda, 0x00, 0xc0,
                                0x4f, 0xd7, 0xba, 0x7c),
                           ETWC_CLASS_THREAD, "Thread"},
    [ETWC_CLASS_TCP_IP] = {GUID(0x9a280ac0u, 0xc8e0, 0x11d1, 0x84, 0xe2, 0x00, 0xc0,
                                0x4f, 0xb9, 0x98, 0xa2),
                           ETWC_CLASS_TCP_IP, "TcpIp"},
    [ETWC_CLASS_JOB] = {GUID(0x3282fc76u, 0xfeed, 0x498e, 0x8a, 0xa7, 0xe7, 0x0f, 0x45,
                             0x9d, 0x43, 0x0e),
                        ETWC_CLASS_JOB, "Job"},
    [ETWC_CLASS_UDP_IP] = {GUID(0xbf3a50c5u, 0xa9c9, 0x4988, 0xa0, 0x05, 0x2d, 0xf0,
                                0xb7, 0xc8, 0x0f, 0x80),
                           ETWC_CLASS_UDP_IP, "UdpIp"},
    [ETWC_CLASS_REGISTRY] = {GUID(0xae53722eu, 0xc863, 0x11d2, 0x86, 0x59, 0x00, 0xc0,
                                  0x4f, 0xa3, 0x21, 0xa1),
                             ETWC_CLASS_REGISTRY, "Registry"},
    [ETWC_CLASS_DBG_PRINT] = {GUID(0x13976d09u, 0xa327, 0x438c, 0x95, 0x0b, 0x7f, 0x03,
                                   0x19, 0x28, 0x15, 0xc7),
                              ETWC_CLASS_DBG_PRINT, "DbgPrint"},
    [ETWC_CLASS_SYSTEM_CONFIG] = {GUID(0x01853a65u, 0x418f, 0x4f36, 0xae, 0xfc, 0xdc,
                                       0x0f, 0x1d, 0x2f, 0xd2, 0x35),
                                  ETWC_CLASS_SYSTEM_CONFIG, "SystemConfig"},
    [ETWC_CLASS_SPARE1] = {GUID(0x99134383u, 0x5248, 0x43fc, 0x83, 0x4b, 0x52, 0x94,
                                0x54, 0xe7, 0x5d, 0xf3),
                           ETWC_CLASS_SPARE1, "LastBranchRecord"},
    [ETWC_CLASS_WNF] = {GUID(0x42695762u, 0xea50, 0x497a, 0x90, 0x68, 0x5c, 0xbb, 0xb3,
                             0x5e, 0x0b, 0x95),
                        ETWC_CLASS_WNF, "Wnf"},
    [ETWC_CLASS_POOL] = {GUID(0x0268a8b6u, 0x74fd, 0x4302, 0x9d, 0xd0, 0x6e, 0x8f, 0x17,
                              0x95, 0xc0, 0xcf),
                         ETWC_CLASS_POOL, "Pool"},
    [ETWC_CLASS_PERF_INFO] = {GUID(0xce1dbfb4u, 0x137e, 0x4da6, 0x87, 0xb0, 0x3f, 0x59,
                                   0xaa, 0x10, 0x2c, 0xbc),
                              ETWC_CLASS_PERF_INFO, "PerfInfo"},
    [ETWC_CLASS_HEAP] = {GUID(0x222962abu, 0x6180, 0x4b88, 0xa8, 0x25, 0x34, 0x6b, 0x75,
                              0xf2, 0xa2, 0x4a),
                         ETWC_CLASS_HEAP, "Heap"},
    [ETWC_CLASS_OBJECT] = {GUID(0x89497f50u, 0xeffe, 0x4440, 0x8c, 0xf2, 0xce, 0x6b,
                                0x1c, 0xdc, 0xac, 0xa7),
                           ETWC_CLASS_OBJECT, "Object"},
    [ETWC_CLASS_POWER] = {GUID(0xe43445e0u, 0x0903, 0x48c3, 0xb8, 0x78, 0xff, 0x0f,
                               0xcc, 0xeb, 0xdd, 0x04),
                          ETWC_CLASS_POWER, "Power"},
    [ETWC_CLASS_MOD_BOUND] = {GUID(0xa9152f00u, 0x3f58, 0x4bee, 0x92, 0xa1, 0x70, 0xc7,
                                   0xd0, 0x79, 0xd5, 0xdd),
                              ETWC_CLASS_MOD_BOUND, "ModBound"},
    [ETWC_CLASS_IMAGE] = {GUID(0x2cb15d1du, 0x5fc1, 0x11d2, 0xab, 0xe1, 0x00, 0xa0,
                               0xc9, 0x11, 0xf5, 0x18),
                          ETWC_CLASS_IMAGE, "Image"},
    [ETWC_CLASS_DPC] = {GUID(0xb2d14872u, 0x7c5b, 0x463d, 0x84, 0x19, 0xee, 0x9b, 0xf7,
                             0xd2, 0x3e, 0x04),
                        ETWC_CLASS_DPC, "Dpc"},
    [ETWC_CLASS_CACHE_MANAGER] = {GUID(0x7687a439u, 0xf752, 0x45b8, 0xb7, 0x41, 0x32,
                                       0x1a, 0xec, 0x0f, 0x8d, 0xf9),
                                  ETWC_CLASS_CACHE_MANAGER, "CacheManager"},
    [ETWC_CLASS_CRIT_SEC] = {GUID(0x3ac66736u, 0xcc59, 0x4cff, 0x81, 0x15, 0x8d, 0xf5,
                                  0x0e, 0x39, 0x81, 0x6b),
                             ETWC_CLASS_CRIT_SEC, "CritSec"},
    [ETWC_CLASS_STACK_WALK] = {GUID(0xdef2fe46u, 0x7bd6, 0x4b80, 0xbd, 0x94, 0xf5, 0x7f,
                                    0xe2, 0x0d, 0x0c, 0xe3),
                               ETWC_CLASS_STACK_WALK, "StackWalk"},
    [ETWC_CLASS_UMS] = {GUID(0x9aec974bu, 0x5b8e, 0x4118, 0x9b, 0x92, 0x31, 0x86, 0xd8,
                             0x00, 0x2c, 0xe5),
                        ETWC_CLASS_UMS, "UMS"},
    [ETWC_CLASS_ALPC] = {GUID(0x45d8cccdu, 0x539f, 0x4b72, 0xa8, 0xb7, 0x5c, 0x68, 0x31,
                              0x42, 0x60, 0x9a),
                         ETWC_CLASS_ALPC, "ALPC"},
    [ETWC_CLASS_SPLIT_IO] = {GUID(0xd837ca92u, 0x12b9, 0x44a5, 0xad, 0x6a, 0x3a, 0x65,
                                  0xb3, 0x57, 0x8a, 0xa8),
                             ETWC_CLASS_SPLIT_IO, "SplitIo"},
    [ETWC_CLASS_THREAD_POOL] = {GUID(0xc861d0e2u, 0xa2c1, 0x4d36, 0x9f, 0x9c, 0x97,
                                     0x0b, 0xab, 0x94, 0x3a, 0x12),
                                ETWC_CLASS_THREAD_POOL, "ThreadPool"},
    [ETWC_CLASS_HYPERVISOR] = {GUID(0x7f2a405cu, 0x69b5, 0x4bf9, 0xa1, 0xf5, 0x30, 0xe8,
                                    0xf1, 0xaf, 0xab, 0x5e),
                               ETWC_CLASS_HYPERVISOR, "Hypervisor"},
    [ETWC_CLASS_HYPERVISOR_X] = {GUID(0x2ce9a149u, 0xeffe, 0x42f0, 0xa6, 0x35, 0xa1,
                                      0xd3, 0x9e, 0x26, 0xc8, 0xf2),
                                 ETWC_CLASS_HYPERVISOR_X, "HypervisorX"},
    [ETWC_KERNEL_GROUP_COUNT] = {.kernel_class = ETWC_CLASS_NONE},
};

/* The class that has no group. */
static const etwc_kernel_group lost_event = {
    GUID(0x6a399ae0u, 0x4bc6, 0x4de9, 0x87, 0x0b, 0x36, 0x57, 0xf8, 0x94, 0x7e, 0x7e),
    ETWC_CLASS_LOST_EVENT, "LostEvent"};

/* Manifest providers with process data (the first five in the order of
 * their classes), and the records that merging adds; event-decoding.md, chapters 10
 * and 12. */
static const known_provider known_providers[] = {
    {GUID(0x22fb2cd6u, 0x0e7b, 0x422b, 0xa0, 0xc7, 0x2f, 0xad, 0x1f, 0xd0, 0xe7, 0x16),
     "Microsoft-Windows-Kernel-Process"},
    {GUID(0xd1d93ef7u, 0xe1f2, 0x4f45, 0x99, 0x43, 0x03, 0xd2, 0x45, 0xfe, 0x6c, 0x00),
     "Microsoft-Windows-Kernel-Memory"},
    {GUID(0xc7bde69au, 0xe1e0, 0x4177, 0xb6, 0xef, 0x28, 0x3a, 0xd1, 0x52, 0x52, 0x71),
     "Microsoft-Windows-Kernel-Disk"},
    {GUID(0xedd08927u, 0x9cc4, 0x4e65, 0xb9, 0x70, 0xc2, 0x56, 0x0f, 0xb5, 0xc2, 0x89),
     "Microsoft-Windows-Kernel-File"},
    {GUID(0x7dd42a49u, 0x5329, 0x4832, 0x8d, 0xfd, 0x43, 0xd9, 0x79, 0x15, 0x3a, 0x88),
     "Microsoft-Windows-Kernel-Network"},
    {GUID(0x8c416c79u, 0xd49b, 0x4f01, 0xa4, 0x67, 0xe5, 0x6d, 0x3a, 0xa8, 0x23, 0x4c),
     "Microsoft-Windows-Win32k"},
    {GUID(0xe13c0d23u, 0xccbc, 0x4e12, 0x93, 0x1b, 0xd9, 0xcc, 0x2e, 0xee, 0x27, 0xe4),
     "Microsoft-Windows-DotNETRuntime"},
    {GUID(0xa669021cu, 0xc450, 0x4609, 0xa0, 0x35, 0x5a, 0xf5, 0x9a, 0xf4, 0xdf, 0x18),
     "Microsoft-Windows-DotNETRuntimeRundown"},
    {GUID(0xbbccf6c1u, 0x6cd1, 0x48c4, 0x80, 0xff, 0x83, 0x94, 0x82, 0xe3, 0x76, 0x71),
     "KernelTraceControl"},
    {GUID(0xb3e675d7u, 0x2554, 0x4f18, 0x83, 0x0b, 0x27, 0x62, 0x73, 0x25, 0x60, 0xde),
     "KernelTraceControl/ImageID"},
    {GUID(0x9b79ee91u, 0xb5fd, 0x41c0, 0xa2, 0x43, 0x42, 0x48, 0xe2, 0x66, 0xe9, 0xd0),
     "KernelTraceControl/SystemConfigEx"},
    {GUID(0xed54dff8u, 0xc409, 0x4cf6, 0xbf, 0x83, 0x05, 0xe1, 0xe6, 0x1a, 0x09, 0xc4),
     "KernelTraceControl/WinSat"},
    {GUID(0x9e814aadu, 0x3204, 0x11d2, 0x9a, 0x82, 0x00, 0x60, 0x08, 0xa8, 0x69, 0x39),
     "SystemTraceProvider"},
};

/* The kernel classes by position: those with a group, then the one without. */
enum { CLASS_COUNT = ETWC_KERNEL_GROUP_COUNT + 1 };

static const etwc_kernel_group *
class_at(size_t index)
{
    return index < ETWC_KERNEL_GROUP_COUNT ? &etwc_kernel_groups[index] : &lost_event;
}

uint8_t
etwc_kernel_class_of(const etwc_guid *provider)
{
    for (size_t i = 0; i < CLASS_COUNT; i++)
        if (etwc_guid_equal(&class_at(i)->guid, provider))
            return class_at(i)->kernel_class;
    return ETWC_CLASS_NONE;
}

const etwc_guid *
etwc_manifest_guid(uint8_t kernel_class)
{
    return &known_providers[kernel_class - ETWC_CLASS_MANIFEST_PROCESS].guid;
}

/* The first part of a GUID is enough to tell the few from all others; asked for
 * every event that is no kernel record. */
uint8_t
etwc_manifest_class_of(const etwc_guid *provider)
{
    uint8_t found;
    switch (etwc_load_u32(provider->bytes)) {
    case 0x22fb2cd6u:
        found = ETWC_CLASS_MANIFEST_PROCESS;
        break;
    case 0xd1d93ef7u:
        found = ETWC_CLASS_MANIFEST_MEMORY;
        break;
    case 0xc7bde69au:
        found = ETWC_CLASS_MANIFEST_DISK;
        break;
    case 0xedd08927u:
        found = ETWC_CLASS_MANIFEST_FILE;
        break;
    case 0x7dd42a49u:
        found = ETWC_CLASS_MANIFEST_NETWORK;
        break;
    default:
        return ETWC_CLASS_NONE;
    }
    return etwc_guid_equal(etwc_manifest_guid(found), provider) ? found
                                                                : ETWC_CLASS_NONE;
}

const char *
etwc_provider_at(size_t index, etwc_guid *out)
{
    if (index < CLASS_COUNT) {
        *out = class_at(index)->guid;
        return class_at(index)->name;
    }
    index -= CLASS_COUNT;
    if (index >= ETWC_ARRAY_SIZE(known_providers))
        return NULL;
    *out = known_providers[index].guid;
    return known_providers[index].name;
}

bool
etwc_kernel_group_find(const etwc_guid *provider, uint8_t opcode, uint8_t *out)
{
    /* Image loads moved to a class of their own, but kept their old group. */
    enum { OPCODE_IMAGE_LOAD = 10 };
    uint8_t found = etwc_kernel_class_of(provider);
    if (!etwc_kernel_class_is_group(found))
        return false;
    *out = found == ETWC_CLASS_IMAGE && opcode == OPCODE_IMAGE_LOAD ? ETWC_CLASS_PROCESS
                                                                    : found;
    return true;
}

const char *
etwc_provider_name(const etwc_guid *provider)
{
    etwc_guid guid;
    const char *name;
    for (size_t i = 0; (name = etwc_provider_at(i, &guid)) != NULL; i++)
        if (etwc_guid_equal(&guid, provider))
            return name;
    return NULL;
}

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool
equal_ignoring_case(const char *a, const char *b)
{
    while (*a != '\0' && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return *a == *b;
}

bool
etwc_provider_find(const char *name, etwc_guid *out)
{
    etwc_guid guid;
    const char *known;
    for (size_t i = 0; (known = etwc_provider_at(i, &guid)) != NULL; i++) {
        if (equal_ignoring_case(known, name)) {
            *out = guid;
            return true;
        }
    }
    return false;
}
