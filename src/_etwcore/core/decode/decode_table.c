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

#define DECLARE_CLASS(name, id) extern const decode_class decode_class_##id;
DECODE_CLASS_LIST(DECLARE_CLASS)
DECLARE_CLASS(, image_id)
DECLARE_CLASS(, system_config_ex)
DECLARE_CLASS(, win_sat)
#undef DECLARE_CLASS

static const decode_class *const kernel_classes[] = {
#define CLASS_ENTRY(name, id) [ETWC_CLASS_##name] = &decode_class_##id,
    DECODE_CLASS_LIST(CLASS_ENTRY)
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

static const decode_class *
find_class(const etwc_event *event)
{
    if (event->kernel_class < ETWC_ARRAY_SIZE(kernel_classes))
        return kernel_classes[event->kernel_class];
    for (size_t i = 0; i < ETWC_ARRAY_SIZE(added_classes); i++) {
        if (etwc_guid_equal(&event->provider_id, &added_classes[i].provider))
            return added_classes[i].decoded;
    }
    return NULL;
}

const decode_opcode *
decode_find_opcode(const etwc_event *event)
{
    const decode_class *found = find_class(event);
    if (found == NULL || event->opcode >= found->count)
        return NULL;
    const decode_opcode *opcode = &found->opcodes[event->opcode];
    return opcode->name != NULL ? opcode : NULL;
}

const decode_form *
decode_find_form(const decode_opcode *opcode, const etwc_event *event, bool *is_newer)
{
    for (size_t i = opcode->form_count; i-- > 0;) {
        const decode_form *form = &opcode->forms[i];
        if (event->version < form->low)
            continue;
        /* Between two known layouts is no version that Windows has used. */
        *is_newer = event->version > form->high;
        if (*is_newer && i + 1 < opcode->form_count)
            return NULL;
        return opcode->choose != NULL ? opcode->choose(event, form) : form;
    }
    return NULL;
}

const decode_class *
decode_class_at(size_t index, etwc_guid *out)
{
    for (size_t group = 0; group < ETWC_ARRAY_SIZE(kernel_classes); group++) {
        if (kernel_classes[group] == NULL || index-- != 0)
            continue;
        *out = *etwc_kernel_group_guid((uint8_t)group);
        return kernel_classes[group];
    }
    if (index >= ETWC_ARRAY_SIZE(added_classes))
        return NULL;
    *out = added_classes[index].provider;
    return added_classes[index].decoded;
}
