#include "etwc_strings.h"

#include "etwc_alloc.h"
#include "etwc_atomic.h"
#include "etwc_text.h"

#define STRINGS_CHUNK_BYTES ((size_t)64 * 1024)
#define STRINGS_FIRST_SLOTS ((size_t)256)

typedef struct strings_chunk {
    struct strings_chunk *next;
    size_t used, size;
    max_align_t bytes[];
} strings_chunk;

struct etwc_strings {
    etwc_atomic_size references;
    strings_chunk *chunks; /* the one that is being filled comes first */
    const etwc_text_entry **slots;
    size_t slot_count; /* a power of two */
    size_t count;
    size_t bytes;
    char *scratch; /* for conversion */
    size_t scratch_size;
};

etwc_strings *
etwc_strings_new(void)
{
    etwc_strings *strings = etwc_calloc(1, sizeof *strings);
    if (strings == NULL)
        return NULL;
    etwc_atomic_init(&strings->references, 1);
    strings->slot_count = STRINGS_FIRST_SLOTS;
    strings->slots = etwc_calloc(strings->slot_count, sizeof *strings->slots);
    if (strings->slots == NULL) {
        etwc_strings_release(strings);
        return NULL;
    }
    return strings;
}

void
etwc_strings_retain(etwc_strings *strings)
{
    (void)etwc_atomic_add_relaxed(&strings->references, 1);
}

void
etwc_strings_release(etwc_strings *strings)
{
    if (strings == NULL || etwc_atomic_sub_acq_rel(&strings->references, 1) != 1)
        return;
    while (strings->chunks != NULL) {
        strings_chunk *next = strings->chunks->next;
        etwc_free(strings->chunks);
        strings->chunks = next;
    }
    etwc_free(strings->slots);
    etwc_free(strings->scratch);
    etwc_free(strings);
}

size_t
etwc_strings_size(const etwc_strings *strings)
{
    return strings->bytes + strings->slot_count * sizeof *strings->slots;
}

/* Eight bytes at a time: most texts are long paths that are there already. */
static uint32_t
strings_hash(const char *bytes, size_t length)
{
    const uint64_t factor = UINT64_C(0x9E3779B97F4A7C15);
    const uint8_t *p = (const uint8_t *)bytes;
    uint64_t h = length * factor;
    for (; length >= 8; length -= 8, p += 8) {
        h = (h ^ etwc_load_u64(p)) * factor;
        h ^= h >> 32;
    }
    for (; length != 0; length--, p++)
        h = (h ^ *p) * factor;
    return (uint32_t)(h ^ (h >> 32));
}

static const etwc_text_entry **
strings_slot(const etwc_text_entry **slots, size_t slot_count, uint32_t hash,
             const char *bytes, size_t length)
{
    size_t i = hash & (slot_count - 1);
    while (slots[i] != NULL && (slots[i]->hash != hash || slots[i]->length != length ||
                                memcmp(slots[i]->bytes, bytes, length) != 0))
        i = (i + 1) & (slot_count - 1);
    return &slots[i];
}

static bool
strings_rehash(etwc_strings *strings)
{
    size_t wider_count;
    if (!etwc_mul_size(strings->slot_count, 2, &wider_count))
        return false;
    const etwc_text_entry **wider = etwc_calloc(wider_count, sizeof *wider);
    if (wider == NULL)
        return false;
    for (size_t i = 0; i < strings->slot_count; i++) {
        const etwc_text_entry *entry = strings->slots[i];
        if (entry != NULL)
            *strings_slot(wider, wider_count, entry->hash, entry->bytes,
                          entry->length) = entry;
    }
    etwc_free(strings->slots);
    strings->slots = wider;
    strings->slot_count = wider_count;
    return true;
}

/* Room for one entry. A long text gets a chunk of its own, behind the one that
 * is being filled. */
static void *
strings_take(etwc_strings *strings, size_t size)
{
    size = etwc_align8(size);
    strings_chunk *first = strings->chunks;
    if (first == NULL || first->size - first->used < size) {
        size_t room = size > STRINGS_CHUNK_BYTES / 4 ? size : STRINGS_CHUNK_BYTES;
        strings_chunk *chunk = etwc_malloc(sizeof *chunk + room);
        if (chunk == NULL)
            return NULL;
        strings->bytes += sizeof *chunk + room;
        chunk->used = 0;
        chunk->size = room;
        if (first != NULL && room == size) {
            chunk->next = first->next;
            first->next = chunk;
        } else {
            chunk->next = first;
            strings->chunks = chunk;
        }
        first = chunk;
    }
    void *place = (char *)first->bytes + first->used;
    first->used += size;
    return place;
}

const etwc_text_entry *
etwc_strings_add(etwc_strings *strings, const char *bytes, size_t length)
{
    if (length > UINT32_MAX / 2)
        return NULL;
    uint32_t hash = strings_hash(bytes, length);
    const etwc_text_entry **slot =
        strings_slot(strings->slots, strings->slot_count, hash, bytes, length);
    if (*slot != NULL)
        return *slot;
    if (strings->count >= strings->slot_count / 2) {
        if (!strings_rehash(strings))
            return NULL;
        slot = strings_slot(strings->slots, strings->slot_count, hash, bytes, length);
    }
    etwc_text_entry *entry = strings_take(strings, sizeof *entry + length + 1);
    if (entry == NULL)
        return NULL;
    entry->length = (uint32_t)length;
    entry->hash = hash;
    if (length != 0)
        memcpy(entry->bytes, bytes, length);
    entry->bytes[length] = '\0';
    *slot = entry;
    strings->count++;
    return entry;
}

static char *
strings_scratch(etwc_strings *strings, size_t size)
{
    if (size > strings->scratch_size) {
        char *grown = etwc_realloc(strings->scratch, size);
        if (grown == NULL)
            return NULL;
        strings->scratch = grown;
        strings->scratch_size = size;
    }
    return strings->scratch;
}

const etwc_text_entry *
etwc_strings_add_utf16(etwc_strings *strings, etwc_span text)
{
    char *utf8 = strings_scratch(strings, ETWC_TEXT_UTF8_MAX(text.len) + 1);
    if (utf8 == NULL)
        return NULL;
    return etwc_strings_add(strings, utf8, etwc_text_from_utf16(text, utf8));
}

const etwc_text_entry *
etwc_strings_add_latin1(etwc_strings *strings, etwc_span text)
{
    char *utf8 = strings_scratch(strings, text.len * 2 + 1);
    if (utf8 == NULL)
        return NULL;
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c < 0x80) {
            utf8[n++] = (char)c;
        } else {
            utf8[n++] = (char)(0xC0 | (c >> 6));
            utf8[n++] = (char)(0x80 | (c & 0x3F));
        }
    }
    return etwc_strings_add(strings, utf8, n);
}
