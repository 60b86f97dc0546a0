#include <stdlib.h>

#include "etl_format.h"
#include "etl_merge.h"
#include "etwc_alloc.h"

/* Records per window: small enough that the windows of many processors stay in
 * the first-level cache, large enough to pay for the change of loops. */
enum { WINDOW_RECORDS = 256, RETIRED_MIN = 16 };

/* How far records may be out of order around a buffer's edge before a time range
 * misses one: 1 / SLACK_DIVISOR of a second. */
enum { SLACK_DIVISOR = 10 };

typedef struct merge_stream {
    const etl_index_stream *index;
    size_t next_entry, end_entry; /* buffers that are still to be loaded */
    etl_ref *refs;                /* owned window; NULL before the first buffer */
    const etl_ref *next, *end;    /* what is left of the window */
    etl_records records;          /* walk through the loaded buffer */
    etl_buffer buffer;
    uint32_t running_thread;
} merge_stream;

/* A leaf's key in the tree. Streams are numbered in the order that breaks ties,
 * so (time, stream) is a total order. */
typedef struct tree_node {
    int64_t key;
    uint32_t stream;
} tree_node;

/* Keys: a real stamp is clamped below EXHAUSTED so that the two never tie. */
#define KEY_FIRST INT64_MIN
#define KEY_EXHAUSTED INT64_MAX

struct etl_merge {
    etwc_etl *etl;
    merge_stream *streams; /* owned */
    uint32_t stream_count;
    uint32_t leaf_count; /* a power of two */
    tree_node *losers;   /* owned; [1 .. leaf_count) */
    tree_node winner;
    etl_scratch scratch;
    etwc_block **retired; /* owned references */
    size_t retired_count, retired_capacity;
    etwc_damage damage;
    uint64_t position;
    uint64_t charged_bytes;
    bool is_started; /* the first record was delivered */
};

/* ---- Streams ------------------------------------------------------------------ */

static int64_t
key_of_time(int64_t raw_time)
{
    return raw_time == KEY_EXHAUSTED ? KEY_EXHAUSTED - 1 : raw_time;
}

static int64_t
key_of_stream(const merge_stream *s)
{
    if (ETWC_LIKELY(s->next != s->end))
        return key_of_time(s->next->raw_time);
    /* More of the same buffer: due no earlier than what came before it. */
    if (s->buffer.block != NULL && s->records.position < s->records.end)
        return key_of_time(s->records.last_raw_time);
    if (s->next_entry == s->end_entry)
        return KEY_EXHAUSTED;
    return key_of_time(s->index->entries[s->next_entry].first_raw_time);
}

static etwc_status
retire_block(etl_merge *m, merge_stream *s, etwc_error *err)
{
    if (s->buffer.block == NULL)
        return ETWC_OK;
    void *retired = m->retired;
    bool ok = etwc_grow(&retired, &m->retired_capacity, m->retired_count + 1,
                        sizeof(etwc_block *));
    m->retired = retired;
    if (!ok)
        return etwc_fail(err, ETWC_E_NOMEM, "etl.merge");
    m->retired[m->retired_count++] = s->buffer.block;
    s->buffer.block = NULL;
    return ETWC_OK;
}

static etwc_status
reserve_window(etl_merge *m, merge_stream *s, etwc_error *err)
{
    uint64_t bytes = WINDOW_RECORDS * sizeof(etl_ref);
    if (s->refs != NULL)
        return ETWC_OK;
    etwc_status st = etwc_pool_charge(m->etl->pool, bytes, err);
    if (st != ETWC_OK)
        return st;
    s->refs = etwc_malloc((size_t)bytes);
    if (s->refs == NULL) {
        etwc_pool_discharge(m->etl->pool, bytes);
        return etwc_fail(err, ETWC_E_NOMEM, "etl.merge");
    }
    m->charged_bytes += bytes;
    return ETWC_OK;
}

/* Makes the next records of a stream available: the rest of its buffer, or the
 * next buffer that has any. Leaves an empty window when the stream has ended. */
static etwc_status
refill(etl_merge *m, merge_stream *s, etwc_error *err)
{
    for (;;) {
        size_t n = 0;
        if (s->buffer.block != NULL)
            n = etl_records_scan(&s->records, s->refs, WINDOW_RECORDS, &m->damage);
        s->next = s->refs;
        s->end = s->refs + n;
        if (n != 0)
            return ETWC_OK;
        etwc_status st = retire_block(m, s, err);
        if (st != ETWC_OK || s->next_entry == s->end_entry)
            return st;
        st = reserve_window(m, s, err);
        if (st != ETWC_OK)
            return st;
        const etl_entry *entry = &s->index->entries[s->next_entry];
        s->next = s->end = s->refs;
        st = etl_buffer_load(m->etl, entry, &m->scratch, &s->buffer, &s->records,
                             &m->damage, err);
        if (st != ETWC_OK)
            return st;
        m->position += entry->read_bytes;
        s->next_entry++;
    }
}

/* ---- The tree of losers --------------------------------------------------------- */

static bool
is_before(tree_node a, tree_node b)
{
    return (a.key < b.key) | ((a.key == b.key) & (a.stream < b.stream));
}

/* Plays the stream's new key from its leaf to the root. */
static inline tree_node
replay(const etl_merge *m, uint32_t stream, int64_t key)
{
    tree_node *losers = m->losers;
    tree_node winner = {key, stream};
    for (uint32_t i = (stream + m->leaf_count) >> 1; i != 0; i >>= 1) {
        tree_node other = losers[i];
        bool is_beaten = is_before(other, winner);
        losers[i].key = is_beaten ? winner.key : other.key;
        losers[i].stream = is_beaten ? winner.stream : other.stream;
        winner.key = is_beaten ? other.key : winner.key;
        winner.stream = is_beaten ? other.stream : winner.stream;
    }
    return winner;
}

/* The best of all streams but the winner: the best loser on its path. */
static inline tree_node
runner_up(const etl_merge *m, uint32_t stream)
{
    tree_node best = {KEY_EXHAUSTED, UINT32_MAX};
    for (uint32_t i = (stream + m->leaf_count) >> 1; i != 0; i >>= 1)
        if (is_before(m->losers[i], best))
            best = m->losers[i];
    return best;
}

/* Winner of the subtree at `node`; losers are left behind on the way. */
static tree_node
build(etl_merge *m, uint32_t node)
{
    if (node >= m->leaf_count) {
        uint32_t stream = node - m->leaf_count;
        int64_t key = stream < m->stream_count ? key_of_stream(&m->streams[stream])
                                               : KEY_EXHAUSTED;
        /* The header event comes first, whatever its stamp. */
        if (stream == 0 && key != KEY_EXHAUSTED)
            key = KEY_FIRST;
        return (tree_node){key, stream};
    }
    tree_node left = build(m, 2 * node);
    tree_node right = build(m, 2 * node + 1);
    bool is_left = is_before(left, right);
    m->losers[node] = is_left ? right : left;
    return is_left ? left : right;
}

/* ---- Life ----------------------------------------------------------------------- */

/* Leaves out the buffers whose records are all outside the range. A buffer ends
 * where the next one of its stream begins. */
static void
trim(const etwc_etl *etl, merge_stream *s, int64_t start_raw, int64_t end_raw)
{
    int64_t slack = etl->clock.frequency_hz / SLACK_DIVISOR;
    const etl_entry *entries = s->index->entries;
    if (!s->index->is_time_ordered)
        return;
    if (start_raw > INT64_MIN + slack)
        while (s->next_entry + 1 < s->end_entry &&
               entries[s->next_entry + 1].first_raw_time < start_raw - slack)
            s->next_entry++;
    if (end_raw < INT64_MAX - slack)
        while (s->end_entry > s->next_entry &&
               entries[s->end_entry - 1].first_raw_time >= end_raw + slack)
            s->end_entry--;
}

static void
init_streams(etl_merge *m, const etwc_matcher *matcher, int64_t start_raw,
             int64_t end_raw)
{
    for (uint32_t i = 0; i < m->stream_count; i++) {
        merge_stream *s = &m->streams[i];
        s->index = &m->etl->index.streams[i];
        s->end_entry = s->index->count;
        s->running_thread = ETWC_NO_ID;
        s->records.last_raw_time = INT64_MIN;
        if (!etwc_matcher_allows_processor(matcher, s->index->processor))
            s->next_entry = s->end_entry;
        trim(m->etl, s, start_raw, end_raw);
    }
}

etwc_status
etl_merge_new(etwc_etl *etl, const etwc_matcher *matcher, int64_t start_raw,
              int64_t end_raw, etl_merge **out, etwc_error *err)
{
    etl_merge *m = etwc_calloc(1, sizeof *m);
    if (m == NULL)
        return etwc_fail(err, ETWC_E_NOMEM, "etl.merge");
    m->etl = etl;
    m->stream_count = (uint32_t)etl->index.count;
    m->leaf_count = 1;
    while (m->leaf_count < m->stream_count)
        m->leaf_count *= 2;
    uint64_t bytes = (uint64_t)m->stream_count * sizeof *m->streams +
                     (uint64_t)m->leaf_count * sizeof *m->losers;
    etwc_status st = etwc_pool_charge(etl->pool, bytes, err);
    if (st != ETWC_OK) {
        etwc_free(m);
        return st;
    }
    m->charged_bytes = bytes;
    m->streams = etwc_calloc(m->stream_count, sizeof *m->streams);
    m->losers = etwc_calloc(m->leaf_count, sizeof *m->losers);
    if (m->streams == NULL || m->losers == NULL) {
        etl_merge_free(m);
        return etwc_fail(err, ETWC_E_NOMEM, "etl.merge");
    }
    init_streams(m, matcher, start_raw, end_raw);
    m->winner = build(m, 1);
    *out = m;
    return ETWC_OK;
}

void
etl_merge_free(etl_merge *m)
{
    if (m == NULL)
        return;
    etl_merge_release_retired(m);
    for (uint32_t i = 0; m->streams != NULL && i < m->stream_count; i++) {
        etwc_block_release(m->streams[i].buffer.block);
        etwc_free(m->streams[i].refs);
    }
    etl_scratch_reset(m->etl, &m->scratch);
    etwc_pool_discharge(m->etl->pool, m->charged_bytes);
    etwc_free(m->retired);
    etwc_free(m->streams);
    etwc_free(m->losers);
    etwc_free(m);
}

void
etl_merge_release_retired(etl_merge *m)
{
    for (size_t i = 0; i < m->retired_count; i++)
        etwc_block_release(m->retired[i]);
    m->retired_count = 0;
}

/* ---- Delivery --------------------------------------------------------------------- */

/* Refills the winner's empty window and plays its new key. */
static etwc_status
refill_winner(etl_merge *m, etwc_error *err)
{
    uint32_t stream = m->winner.stream;
    merge_stream *s = &m->streams[stream];
    etwc_status st = refill(m, s, err);
    if (st != ETWC_OK)
        return st;
    bool is_header_event = stream == 0 && !m->is_started && s->next != s->end;
    int64_t key = is_header_event ? KEY_FIRST : key_of_stream(s);
    m->winner = replay(m, stream, key);
    return ETWC_OK;
}

/* How many records of the winner's window come before every other stream. */
static size_t
run_length(const etl_merge *m, const merge_stream *s)
{
    tree_node other = runner_up(m, m->winner.stream);
    const etl_ref *next = s->next + 1;
    while (next != s->end &&
           is_before((tree_node){key_of_time(next->raw_time), m->winner.stream}, other))
        next++;
    return (size_t)(next - s->next);
}

etwc_status
etl_merge_next(etl_merge *m, etl_run *runs, size_t capacity, size_t *out_count,
               etwc_error *err)
{
    size_t count = 0;
    uint32_t last_stream = UINT32_MAX;
    while (count < capacity) {
        if (m->winner.key == KEY_EXHAUSTED)
            break;
        uint32_t stream = m->winner.stream;
        merge_stream *s = &m->streams[stream];
        if (s->next == s->end) {
            /* Refilling would overwrite the window that runs still point to. */
            if (count != 0)
                break;
            etwc_status st = refill_winner(m, err);
            if (st != ETWC_OK)
                return st;
            continue;
        }
        /* Looking for a long run costs a walk over the tree, which pays only
         * when the stream has won twice in a row. */
        size_t length = stream == last_stream ? run_length(m, s) : 1;
        last_stream = stream;
        runs[count++] = (etl_run){s->next,
                                  etwc_block_bytes(s->buffer.block),
                                  s->buffer.block,
                                  length,
                                  stream,
                                  s->index->processor,
                                  s->buffer.logger_id};
        s->next += length;
        m->is_started = true;
        m->winner = replay(m, stream, key_of_stream(s));
    }
    *out_count = count;
    return count == 0 ? ETWC_END : ETWC_OK;
}

etwc_status
etl_merge_count(etl_merge *m, uint64_t limit, uint64_t *out_count, etwc_error *err)
{
    uint64_t count = 0;
    uint32_t last_stream = UINT32_MAX;
    etwc_status st = ETWC_OK;
    while (count < limit) {
        uint32_t stream = m->winner.stream;
        if (m->winner.key == KEY_EXHAUSTED) {
            st = ETWC_END;
            break;
        }
        merge_stream *s = &m->streams[stream];
        if (s->next == s->end) {
            etl_merge_release_retired(m);
            st = refill_winner(m, err);
            if (st != ETWC_OK)
                break;
            continue;
        }
        size_t length = stream == last_stream ? run_length(m, s) : 1;
        last_stream = stream;
        count += length;
        s->next += length;
        m->is_started = true;
        m->winner = replay(m, stream, key_of_stream(s));
    }
    *out_count += count;
    return st;
}

/* ---- Small answers ------------------------------------------------------------------ */

uint32_t
etl_merge_running_thread(const etl_merge *m, uint32_t stream)
{
    return m->streams[stream].running_thread;
}

void
etl_merge_set_running_thread(etl_merge *m, uint32_t stream, uint32_t thread)
{
    m->streams[stream].running_thread = thread;
}

const etwc_damage *
etl_merge_damage(const etl_merge *m)
{
    return &m->damage;
}

uint64_t
etl_merge_position(const etl_merge *m)
{
    return m->position;
}
