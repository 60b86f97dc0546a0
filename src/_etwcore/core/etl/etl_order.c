#include "etl_merge.h"
#include "etl_stream.h"
#include "etwc_alloc.h"

/*
 * A key is a stamp above a slot number in one word, so that one comparison
 * orders by time and then by slot, the smaller wins, and the tree is made of
 * plain minimum and maximum. Slots are numbered in the order that breaks ties.
 *
 * The slot numbers leave 48 bits or more for the time from the header event on;
 * stamps beyond that range, which no clock reaches, are ordered as its ends.
 */
typedef uint64_t merge_key;

/* Key of a stream that has ended; no stamp reaches it. */
#define KEY_EXHAUSTED UINT64_MAX

/* The place of a stream in the tree. */
typedef struct merge_slot {
    const etl_ref *next, *end; /* what is left of the window */
    merge_key key_after_next;  /* made early, off the path of the comparisons */
    etl_stream *stream;
} merge_slot;

struct etl_merge {
    etl_stream_set set;
    etl_stream *streams; /* owned */
    uint32_t stream_count;
    merge_slot *slots; /* owned; those in the tree come first */
    merge_key *losers; /* owned; [1 .. leaf_count) */
    merge_key winner;
    unsigned slot_bits;
    uint32_t slot_mask;
    int64_t min_time; /* keys can express times from here */
    uint64_t time_range;
    uint32_t leaf_count; /* a power of two */
    uint32_t live_count; /* slots in the tree that have not ended */
    uint32_t slot_count; /* slots in the tree */
    bool is_started;     /* the header event was delivered */
    uint64_t charged_bytes;
};

/* ---- Slots -------------------------------------------------------------------- */

static inline merge_key
key_of(const etl_merge *m, uint32_t slot, int64_t raw_time)
{
    uint64_t time = (uint64_t)raw_time - (uint64_t)m->min_time;
    if (ETWC_UNLIKELY(time > m->time_range))
        time = raw_time < m->min_time ? 0 : m->time_range;
    return time << m->slot_bits | slot;
}

static inline uint32_t
slot_of(const etl_merge *m, merge_key key)
{
    return (uint32_t)key & m->slot_mask;
}

static merge_key
slot_key(const etl_merge *m, uint32_t slot)
{
    const merge_slot *s = &m->slots[slot];
    int64_t raw_time;
    if (s->next != s->end)
        return key_of(m, slot, s->next->raw_time);
    return etl_stream_due(s->stream, &raw_time) ? key_of(m, slot, raw_time)
                                                : KEY_EXHAUSTED;
}

/* Half the range of times that keys can express lies before the header event. */
static void
init_keys(etl_merge *m, uint32_t slot_count)
{
    int64_t base = m->set.etl->header.header_raw_time;
    m->slot_bits = 0;
    while ((UINT64_C(1) << m->slot_bits) < slot_count)
        m->slot_bits++;
    m->slot_mask = (uint32_t)((UINT64_C(1) << m->slot_bits) - 1);
    /* One less than what fits, for KEY_EXHAUSTED. */
    m->time_range = (UINT64_MAX >> m->slot_bits) - 1;
    int64_t half = (int64_t)(m->time_range / 2);
    m->min_time = base < INT64_MIN + half ? INT64_MIN : base - half;
}

static etwc_status
slot_refill(etl_merge *m, uint32_t slot_index, etwc_error *err)
{
    merge_slot *slot = &m->slots[slot_index];
    slot->next = slot->end = NULL;
    etwc_status st = etl_stream_refill(&m->set, slot->stream, err);
    if (st != ETWC_OK || slot->stream->count == 0)
        return st;
    slot->next = slot->stream->refs;
    slot->end = slot->next + slot->stream->count;
    slot->key_after_next = key_of(m, slot_index, slot->next[1].raw_time);
    return ETWC_OK;
}

/* ---- The tree of losers --------------------------------------------------------- */

/* Plays a slot's new key from its leaf to the root. No branch depends on who
 * wins: between busy processors that cannot be predicted. */
static inline merge_key
replay(merge_key *losers, uint32_t leaf_count, uint32_t slot, merge_key key)
{
    for (uint32_t i = (slot + leaf_count) >> 1; i != 0; i >>= 1) {
        merge_key other = losers[i];
        losers[i] = other > key ? other : key;
        key = other < key ? other : key;
    }
    return key;
}

/* The winner goes on winning with keys below this one. */
static inline merge_key
winning_limit(const etl_merge *m, uint32_t slot)
{
    merge_key limit = KEY_EXHAUSTED;
    for (uint32_t i = (slot + m->leaf_count) >> 1; i != 0; i >>= 1)
        limit = m->losers[i] < limit ? m->losers[i] : limit;
    return limit;
}

/* Winner of the subtree at `node`; losers are left behind on the way. */
static merge_key
build_subtree(etl_merge *m, uint32_t node)
{
    if (node >= m->leaf_count) {
        uint32_t slot = node - m->leaf_count;
        return slot < m->slot_count ? slot_key(m, slot) : KEY_EXHAUSTED;
    }
    merge_key left = build_subtree(m, 2 * node);
    merge_key right = build_subtree(m, 2 * node + 1);
    m->losers[node] = left > right ? left : right;
    return left < right ? left : right;
}

/* (Re)builds the tree of the streams that have not ended. */
static merge_key
build(etl_merge *m)
{
    uint32_t live = 0;
    for (uint32_t i = 0; i < m->slot_count; i++)
        if (slot_key(m, i) != KEY_EXHAUSTED)
            m->slots[live++] = m->slots[i];
    m->slot_count = m->live_count = live;
    m->leaf_count = 1;
    while (m->leaf_count < live)
        m->leaf_count *= 2;
    for (uint32_t i = 0; i < live; i++)
        if (m->slots[i].next != m->slots[i].end)
            m->slots[i].key_after_next = key_of(m, i, m->slots[i].next[1].raw_time);
    return build_subtree(m, 1);
}

/* A stream has ended. Small trees are fast, so it is left out once that halves
 * the tree. */
static merge_key
drop(etl_merge *m, uint32_t slot)
{
    m->live_count--;
    if (m->leaf_count > 1 && m->live_count <= m->leaf_count / 2)
        return build(m);
    return replay(m->losers, m->leaf_count, slot, KEY_EXHAUSTED);
}

/* Takes `length` records from the winner's window; the next winner. */
static inline merge_key
advance(etl_merge *m, uint32_t slot_index, size_t length)
{
    merge_slot *slot = &m->slots[slot_index];
    merge_key key = slot->key_after_next;
    slot->next += length;
    if (ETWC_UNLIKELY(slot->next == slot->end)) {
        key = slot_key(m, slot_index);
        if (key == KEY_EXHAUSTED)
            return drop(m, slot_index);
    } else {
        if (length != 1)
            key = key_of(m, slot_index, slot->next->raw_time);
        slot->key_after_next = key_of(m, slot_index, slot->next[1].raw_time);
    }
    return replay(m->losers, m->leaf_count, slot_index, key);
}

/* The winner's window is empty, but its next record may be due. *winner is the
 * next winner then. */
static etwc_status
refill(etl_merge *m, merge_key *winner, etwc_error *err)
{
    uint32_t slot = slot_of(m, *winner);
    etwc_status st = slot_refill(m, slot, err);
    if (st != ETWC_OK)
        return st;
    merge_key key = slot_key(m, slot);
    *winner = key == KEY_EXHAUSTED ? drop(m, slot)
                                   : replay(m->losers, m->leaf_count, slot, key);
    return ETWC_OK;
}

/* ---- Life ----------------------------------------------------------------------- */

/* Used-up buffers may hold this part of the pool, 1 / HOLDING_SHARE, and as much as
 * the buffers in use when that is less; few of them are worth no early return. */
enum { HOLDING_SHARE = 8, HOLDING_FREE_BYTES = 256 << 10 };

static void
init_streams(etl_merge *m, const etwc_matcher *matcher, int64_t start_raw,
             int64_t end_raw)
{
    const etl_index *index = &m->set.etl->index;
    for (; m->stream_count < index->count; m->stream_count++) {
        const etl_index_stream *of = &index->streams[m->stream_count];
        etl_stream *stream = &m->streams[m->stream_count];
        etl_stream_init(stream, m->set.etl, of, start_raw, end_raw);
        /* The header's stream may hold header buffers of other runs too. */
        bool is_header = m->stream_count == 0;
        if (is_header || etwc_matcher_allows_processor(matcher, of->processor))
            m->slots[m->slot_count++] = (merge_slot){.stream = stream};
    }
    init_keys(m, m->slot_count);
}

etwc_status
etl_merge_new(etwc_etl *etl, const etwc_matcher *matcher, int64_t start_raw,
              int64_t end_raw, etl_merge **out, etwc_error *err)
{
    etl_merge *m = etwc_calloc(1, sizeof *m);
    if (m == NULL)
        return etwc_fail(err, ETWC_E_NOMEM, "etl.merge");
    m->set.etl = etl;
    size_t count = etl->index.count;
    size_t leaves = 1;
    while (leaves < count)
        leaves *= 2;
    uint64_t bytes =
        count * (sizeof *m->streams + sizeof *m->slots) + leaves * sizeof *m->losers;
    etwc_status st = etwc_pool_charge(etl->pool, bytes, err);
    if (st == ETWC_OK) {
        m->charged_bytes = bytes;
        m->streams = etwc_calloc(count, sizeof *m->streams);
        m->slots = etwc_calloc(count, sizeof *m->slots);
        m->losers = etwc_calloc(leaves, sizeof *m->losers);
        if (m->streams == NULL || m->slots == NULL || m->losers == NULL)
            st = etwc_fail(err, ETWC_E_NOMEM, "etl.merge");
    }
    if (st != ETWC_OK) {
        etl_merge_free(m);
        return st;
    }
    init_streams(m, matcher, start_raw, end_raw);
    *out = m;
    return ETWC_OK;
}

void
etl_merge_free(etl_merge *m)
{
    if (m == NULL)
        return;
    etwc_pool_discharge(m->set.etl->pool, m->charged_bytes);
    for (uint32_t i = 0; i < m->stream_count; i++)
        etl_stream_reset(&m->streams[i]);
    etl_stream_set_reset(&m->set);
    etwc_free(m->streams);
    etwc_free(m->slots);
    etwc_free(m->losers);
    etwc_free(m);
}

void
etl_merge_release_retired(etl_merge *m)
{
    etl_stream_set_release_retired(&m->set);
}

bool
etl_merge_is_holding_much(const etl_merge *m)
{
    uint64_t in_use = (uint64_t)m->stream_count * m->set.etl->step_bytes;
    uint64_t share = etwc_pool_limit(m->set.etl->pool) / HOLDING_SHARE;
    uint64_t most = in_use > HOLDING_FREE_BYTES ? in_use : HOLDING_FREE_BYTES;
    return m->set.retired_bytes > (most < share ? most : share);
}

/* ---- Delivery --------------------------------------------------------------------- */

/* The header event comes first, whatever its stamp; the tree is built behind it.
 * *has_item is false when the header's buffer cannot be used. */
static etwc_status
start(etl_merge *m, etl_item *item, bool *has_item, etwc_error *err)
{
    merge_slot *slot = &m->slots[0];
    etwc_status st = slot_refill(m, 0, err);
    if (st != ETWC_OK)
        return st;
    *has_item = slot->next != slot->end;
    if (*has_item)
        *item = (etl_item){slot->next++, slot->stream};
    m->is_started = true;
    m->winner = build(m);
    return ETWC_OK;
}

/* How many records of the winner's window come before every other stream. */
static size_t
run_length(const etl_merge *m, uint32_t slot)
{
    merge_key limit = winning_limit(m, slot);
    const etl_ref *next = m->slots[slot].next + 1;
    while (next != m->slots[slot].end && key_of(m, slot, next->raw_time) < limit)
        next++;
    return (size_t)(next - m->slots[slot].next);
}

/* Looking for a long run costs a walk over the tree: it pays only for a stream
 * that keeps winning. */
enum { WINS_BEFORE_RUN = 3 };

/* Refills without a record before the caller may look for signals. */
enum { IDLE_REFILLS_MAX = 64 };

typedef struct win_streak {
    uint32_t slot;
    unsigned wins;
} win_streak;

static inline size_t
next_length(const etl_merge *m, uint32_t slot, win_streak *streak)
{
    streak->wins = (streak->wins + 1) & (0U - (unsigned)(slot == streak->slot));
    streak->slot = slot;
    return ETWC_UNLIKELY(streak->wins >= WINS_BEFORE_RUN) ? run_length(m, slot) : 1;
}

etwc_status
etl_merge_next(etl_merge *m, etl_item *items, size_t capacity, size_t *out_count,
               etwc_error *err)
{
    size_t count = 0;
    int idle = 0;
    uint64_t loaded_end = m->set.loaded_bytes + ETL_CALL_BYTES_MAX;
    win_streak streak = {UINT32_MAX, 0};
    etwc_status st = ETWC_OK;
    if (!m->is_started) {
        bool has_item = false;
        st = start(m, items, &has_item, err);
        count = has_item;
    }
    merge_key winner = m->winner;
    while (st == ETWC_OK && count < capacity && winner != KEY_EXHAUSTED) {
        uint32_t index = slot_of(m, winner);
        merge_slot *slot = &m->slots[index];
        if (ETWC_UNLIKELY(slot->next == slot->end)) {
            /* A refill overwrites the window that items may still point to. */
            if (count != 0 || idle == IDLE_REFILLS_MAX ||
                m->set.loaded_bytes > loaded_end)
                break;
            const etl_stream *stream = slot->stream;
            st = refill(m, &winner, err);
            idle += stream->count == 0;
            continue;
        }
        size_t length = next_length(m, index, &streak);
        if (length > capacity - count)
            length = capacity - count;
        const etl_ref *ref = slot->next;
        etl_stream *stream = slot->stream;
        winner = advance(m, index, length);
        do
            items[count++] = (etl_item){ref++, stream};
        while (--length != 0);
    }
    m->winner = winner;
    *out_count = count;
    if (st == ETWC_OK && count == 0 && winner == KEY_EXHAUSTED)
        return ETWC_END;
    return st;
}

etwc_status
etl_merge_count(etl_merge *m, uint64_t limit, uint64_t *out_count, etwc_error *err)
{
    uint64_t count = 0;
    int idle = 0;
    uint64_t loaded_end = m->set.loaded_bytes + ETL_CALL_BYTES_MAX;
    win_streak streak = {UINT32_MAX, 0};
    etwc_status st = ETWC_OK;
    if (!m->is_started) {
        etl_item item;
        bool has_item = false;
        st = start(m, &item, &has_item, err);
        count = has_item;
    }
    merge_key winner = m->winner;
    while (st == ETWC_OK && count < limit && idle < IDLE_REFILLS_MAX &&
           winner != KEY_EXHAUSTED) {
        uint32_t index = slot_of(m, winner);
        merge_slot *slot = &m->slots[index];
        if (ETWC_UNLIKELY(slot->next == slot->end)) {
            const etl_stream *stream = slot->stream;
            if (m->set.loaded_bytes > loaded_end)
                break;
            etl_merge_release_retired(m);
            st = refill(m, &winner, err);
            idle += stream->count == 0;
            continue;
        }
        size_t length = next_length(m, index, &streak);
        count += length;
        winner = advance(m, index, length);
    }
    m->winner = winner;
    *out_count += count;
    if (st == ETWC_OK && winner == KEY_EXHAUSTED)
        return ETWC_END;
    return st;
}

const etwc_damage *
etl_merge_damage(const etl_merge *m)
{
    return &m->set.damage;
}

const etl_gap_list *
etl_merge_gaps(const etl_merge *m)
{
    return &m->set.gaps;
}

uint64_t
etl_merge_position(const etl_merge *m)
{
    return m->set.position;
}

uint64_t
etl_merge_loaded(const etl_merge *m)
{
    return m->set.loaded_bytes;
}
