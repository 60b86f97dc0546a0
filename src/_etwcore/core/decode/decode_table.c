/* From an event to its layout. */
#include "decode_layout.h"

#define DECODE_CLASS_LIST(X)        \
    X(EVENT_TRACE, event_trace)     \
    X(DISK_IO, disk_io)             \
    X(PAGE_FAULT, page_fault)       \
    X(PROCESS, process)             \
    X(FILE_IO, file_io)             \
    X(THREAD, thread)               \
    X(TCP_IP, tcp_ip)               \
    X(JOB, job)                     \
    X(UDP_IP, udp_ip)               \
    X(REGISTRY, registry)           \
    X(DBG_PRINT, dbg_print)         \
    X(SYSTEM_CONFIG, system_config) \
    X(POOL, pool)                   \
    X(PERF_INFO, perf_info)         \
    X(HEAP, heap)                   \
    X(OBJECT, object)               \
    X(POWER, power)                 \
    X(IMAGE, image)                 \
    X(CACHE_MANAGER, cache_manager) \
    X(CRIT_SEC, crit_sec)           \
    X(STACK_WALK, stack_walk)       \
    X(UMS, ums)                     \
    X(ALPC, alpc)                   \
    X(SPLIT_IO, split_io)           \
    X(THREAD_POOL, thread_pool)     \
    X(LOST_EVENT, lost_event)

#define DECODE_MANIFEST_LIST(X)           \
    X(MANIFEST_PROCESS, manifest_process) \
    X(MANIFEST_MEMORY, manifest_memory)   \
    X(MANIFEST_DISK, manifest_disk)       \
    X(MANIFEST_FILE, manifest_file)       \
    X(MANIFEST_NETWORK, manifest_network)

#define DECLARE_CLASS(name, id) extern const decode_class decode_class_##id;
DECODE_CLASS_LIST(DECLARE_CLASS)
DECODE_MANIFEST_LIST(DECLARE_CLASS)
DECLARE_CLASS(, image_id)
DECLARE_CLASS(, system_config_ex)
DECLARE_CLASS(, win_sat)
#undef DECLARE_CLASS

const decode_class *const decode_kernel_classes[DECODE_CLASS_SLOTS] = {
#define CLASS_ENTRY(name, id) [ETWC_CLASS_##name] = &decode_class_##id,
    DECODE_CLASS_LIST(CLASS_ENTRY) DECODE_MANIFEST_LIST(CLASS_ENTRY)
#undef CLASS_ENTRY
};

/* Classes of the records that merging tools add to a file: no kernel classes,
 * but selected by opcode and version in the same way. */
static const struct {
    etwc_guid provider;
    const decode_class *decoded;
} added_classes[] = {
    {{{0xd7, 0x75, 0xe6, 0xb3, 0x54, 0x25, 0x18, 0x4f, 0x83, 0x0b, 0x27, 0x62, 0x73,
       0x25, 0x60, 0xde}},
     &decode_class_image_id},
    {{{0x91, 0xee, 0x79, 0x9b, 0xfd, 0xb5, 0xc0, 0x41, 0xa2, 0x43, 0x42, 0x48, 0xe2,
       0x66, 0xe9, 0xd0}},
     &decode_class_system_config_ex},
    {{{0xf8, 0xdf, 0x54, 0xed, 0x09, 0xc4, 0xf6, 0x4c, 0xbf, 0x83, 0x05, 0xe1, 0xe6,
       0x1a, 0x09, 0xc4}},
     &decode_class_win_sat},
};

const decode_class *
decode_find_added_class(const etwc_guid *provider)
{
    for (size_t i = 0; i < ETWC_ARRAY_SIZE(added_classes); i++) {
        if (etwc_guid_equal(provider, &added_classes[i].provider))
            return added_classes[i].decoded;
    }
    return NULL;
}

const decode_class *
decode_class_at(size_t index, etwc_guid *out)
{
    size_t provider = 0;
    while (etwc_provider_at(provider++, out) != NULL) {
        uint8_t slot = etwc_kernel_class_of(out);
        if (slot == ETWC_CLASS_NONE)
            slot = etwc_manifest_class_of(out);
        if (slot >= DECODE_CLASS_SLOTS || decode_kernel_classes[slot] == NULL)
            continue;
        if (index-- == 0)
            return decode_kernel_classes[slot];
    }
    if (index >= ETWC_ARRAY_SIZE(added_classes))
        return NULL;
    *out = added_classes[index].provider;
    return added_classes[index].decoded;
}
