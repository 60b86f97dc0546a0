#include "etwc_selection.h"

#include <stdlib.h>

#include "etwc_alloc.h"

/* Sorted, so that a question is a binary search; lists of one or two, the usual
 * case, are answered by the first comparisons. */
typedef struct id_set {
    uint32_t *values; /* owned */
    size_t count;
    bool is_any;
} id_set;

struct etwc_matcher {
    etwc_guid *providers; /* owned */
    size_t provider_count;
    bool first_bytes[256]; /* of their GUIDs: rules out most others at once */
    id_set ids;
    id_set process_ids;
    id_set owner_ids;
    id_set thread_ids;
    id_set processors;
    bool opcodes[256];
    bool has_opcodes;
    bool has_max_level;
    uint8_t max_level;
    uint64_t any_keyword;
    bool has_start, has_end;
    int64_t start_filetime, end_filetime;
    etwc_owner_fn owner_of;
    void *owner_context;
    bool is_empty;
};

static int
compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static bool
id_set_init(id_set *set, const uint32_t *values, size_t count)
{
    set->is_any = values == NULL;
    set->count = count;
    if (set->is_any || count == 0)
        return true;
    size_t bytes;
    if (!etwc_mul_size(count, sizeof *values, &bytes))
        return false;
    set->values = etwc_malloc(bytes);
    if (set->values == NULL)
        return false;
    memcpy(set->values, values, bytes);
    qsort(set->values, count, sizeof *values, compare_u32);
    return true;
}

static bool
id_set_init_u16(id_set *set, const uint16_t *values, size_t count)
{
    if (values == NULL)
        return id_set_init(set, NULL, 0);
    size_t bytes;
    if (!etwc_mul_size(count + 1, sizeof *set->values, &bytes))
        return false;
    uint32_t *wide = etwc_malloc(bytes);
    if (wide == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        wide[i] = values[i];
    bool ok = id_set_init(set, wide, count);
    etwc_free(wide);
    return ok;
}

static bool
id_set_has(const id_set *set, uint32_t value)
{
    size_t low = 0;
    size_t high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (set->values[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low < set->count && set->values[low] == value;
}

static bool
allows(const id_set *set, uint32_t value)
{
    return set->is_any || id_set_has(set, value);
}

static bool
copy_providers(etwc_matcher *matcher, const etwc_selection *selection)
{
    if (selection->providers == NULL)
        return true;
    size_t bytes;
    if (!etwc_mul_size(selection->provider_count, sizeof(etwc_guid), &bytes))
        return false;
    matcher->providers = etwc_malloc(bytes);
    if (matcher->providers == NULL)
        return false;
    if (bytes != 0)
        memcpy(matcher->providers, selection->providers, bytes);
    matcher->provider_count = selection->provider_count;
    for (size_t i = 0; i < matcher->provider_count; i++)
        matcher->first_bytes[matcher->providers[i].bytes[0]] = true;
    return true;
}

static bool
copy_lists(etwc_matcher *matcher, const etwc_selection *s)
{
    matcher->has_opcodes = s->opcodes != NULL;
    for (size_t i = 0; i < s->opcode_count; i++)
        matcher->opcodes[s->opcodes[i]] = true;
    return copy_providers(matcher, s) &&
           id_set_init_u16(&matcher->ids, s->ids, s->id_count) &&
           id_set_init(&matcher->process_ids, s->process_ids, s->process_id_count) &&
           id_set_init(&matcher->owner_ids, s->owner_ids, s->owner_id_count) &&
           id_set_init(&matcher->thread_ids, s->thread_ids, s->thread_id_count) &&
           id_set_init(&matcher->processors, s->processors, s->processor_count);
}

etwc_matcher *
etwc_matcher_new(const etwc_selection *selection)
{
    static const etwc_selection everything;
    if (selection == NULL)
        selection = &everything;
    etwc_matcher *m = etwc_calloc(1, sizeof *m);
    if (m == NULL)
        return NULL;
    if (!copy_lists(m, selection)) {
        etwc_matcher_free(m);
        return NULL;
    }
    m->has_max_level = selection->has_max_level;
    m->max_level = selection->max_level;
    m->any_keyword = selection->any_keyword;
    m->has_start = selection->has_start;
    m->has_end = selection->has_end;
    m->start_filetime = selection->start_filetime;
    m->end_filetime = selection->end_filetime;
    m->owner_of = selection->owner_of;
    m->owner_context = selection->owner_context;
    m->is_empty = m->providers == NULL && m->ids.is_any && !m->has_opcodes &&
                  m->process_ids.is_any && m->owner_ids.is_any &&
                  m->thread_ids.is_any && m->processors.is_any && !m->has_max_level &&
                  m->any_keyword == 0 && !m->has_start && !m->has_end;
    return m;
}

void
etwc_matcher_free(etwc_matcher *matcher)
{
    if (matcher == NULL)
        return;
    etwc_free(matcher->providers);
    etwc_free(matcher->ids.values);
    etwc_free(matcher->process_ids.values);
    etwc_free(matcher->owner_ids.values);
    etwc_free(matcher->thread_ids.values);
    etwc_free(matcher->processors.values);
    etwc_free(matcher);
}

bool
etwc_matcher_is_empty(const etwc_matcher *matcher)
{
    return matcher->is_empty;
}

bool
etwc_matcher_allows_provider(const etwc_matcher *matcher, const uint8_t guid[16])
{
    if (matcher->providers == NULL)
        return true;
    if (!matcher->first_bytes[guid[0]])
        return false;
    for (size_t i = 0; i < matcher->provider_count; i++)
        if (memcmp(matcher->providers[i].bytes, guid, 16) == 0)
            return true;
    return false;
}

bool
etwc_matcher_allows_processor(const etwc_matcher *matcher, uint32_t processor)
{
    return allows(&matcher->processors, processor);
}

bool
etwc_matcher_matches(const etwc_matcher *m, const etwc_event *event)
{
    if (m->is_empty)
        return true;
    if (!etwc_matcher_allows_provider(m, event->provider_id.bytes) ||
        !allows(&m->ids, event->id) || (m->has_opcodes && !m->opcodes[event->opcode]) ||
        (m->has_max_level && event->level > m->max_level) ||
        (m->any_keyword != 0 && (event->keyword & m->any_keyword) == 0))
        return false;
    if (!allows(&m->process_ids, event->process_id) ||
        !allows(&m->thread_ids, event->thread_id) ||
        !allows(&m->processors, event->processor))
        return false;
    if ((m->has_start && event->filetime < m->start_filetime) ||
        (m->has_end && event->filetime >= m->end_filetime))
        return false;
    return m->owner_ids.is_any ||
           id_set_has(&m->owner_ids, m->owner_of(m->owner_context, event));
}
