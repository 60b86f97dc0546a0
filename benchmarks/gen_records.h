/* What each kind of record looks like; the layouts are those of docs/events.md. */
#ifndef GEN_RECORDS_H
#define GEN_RECORDS_H

#include "etwc_etl_writer.h"
#include "etwc_provider.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    CHILD_SLOTS = 64, /* processes that come and go */
    FIRST_CHILD_ID = 1 << 24,
    LAST_CHILD_ID = 1 << 25,
    CALL_SLOTS = 512,       /* file calls under way */
    WORKING_SETS_MAX = 500, /* processes of one record */
    FREQUENCY = 10000000,
    PAYLOAD_BYTES = 60000
};

typedef enum trace_kind { KIND_CSWITCH, KIND_LARGE, KIND_MIXED } trace_kind;

typedef struct settings {
    const char *path;
    trace_kind kind;
    uint64_t events, bytes; /* whichever is reached first; 0: no limit */
    uint32_t processors;
    uint32_t processes, threads; /* that are there all the time; of all processes */
    uint32_t buffer_kb;
    uint32_t record_bytes;
    uint32_t most_ticks; /* between two events: 100 ns each */
    uint32_t compression;
    uint64_t seed;
} settings;

/* A process that lives for a while; step 0 is not started. */
typedef struct child {
    uint32_t process_id, thread_id, step, number;
} child;

typedef struct generator {
    etwc_etl_writer *writer;
    etwc_event event; /* what all records share stays filled in */
    etwc_error error;
    settings set;
    uint64_t random;
    uint64_t written;
    int64_t time;
    uint32_t processor;
    uint32_t *waiting; /* threads that run nowhere */
    uint32_t waiting_count;
    uint32_t *running; /* thread by processor; 0 is idle */
    child children[CHILD_SLOTS];
    uint32_t next_id, next_child;
    uint32_t calls[CALL_SLOTS]; /* bytes of a file call, by the number of its packet */
    size_t extended_size;
    uint8_t extended[512];
    uint8_t payload[PAYLOAD_BYTES];
} generator;

static void
stop(const generator *g, const char *what)
{
    fprintf(stderr, "gen_trace: %s: %s\n", what, g->error.detail);
    exit(1);
}

/* xorshift64* */
static uint32_t
next_random(generator *g)
{
    g->random ^= g->random >> 12;
    g->random ^= g->random << 25;
    g->random ^= g->random >> 27;
    return (uint32_t)((g->random * UINT64_C(2685821657736338717)) >> 32);
}

static uint32_t
below(generator *g, uint32_t bound)
{
    return (uint32_t)(((uint64_t)next_random(g) * bound) >> 32);
}

/* ---- Payloads ---------------------------------------------------------------------- */

static uint8_t *
put_u16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    return p + 2;
}

static uint8_t *
put_u32(uint8_t *p, uint32_t v)
{
    return put_u16(put_u16(p, v), v >> 16);
}

static uint8_t *
put_u64(uint8_t *p, uint64_t v)
{
    return put_u32(put_u32(p, (uint32_t)v), (uint32_t)(v >> 32));
}

static uint8_t *
put_narrow(uint8_t *p, const char *text)
{
    size_t n = strlen(text) + 1;
    memcpy(p, text, n);
    return p + n;
}

static uint8_t *
put_wide(uint8_t *p, const char *text)
{
    do
        p = put_u16(p, (uint8_t)*text);
    while (*text++ != 0);
    return p;
}

/* Writes the record whose payload ends at `end`. */
static void
emit(generator *g, etwc_event_kind kind, uint8_t class_, uint8_t opcode,
     uint8_t version, const uint8_t *end)
{
    etwc_event *e = &g->event;
    e->kind = (uint8_t)kind;
    /* Image loads have the group of their old class. */
    e->kernel_group =
        class_ == ETWC_CLASS_IMAGE && opcode == 10 ? ETWC_CLASS_PROCESS : class_;
    e->opcode = opcode;
    e->version = version;
    e->raw_time = g->time;
    e->processor = g->processor;
    e->payload_size = (uint32_t)(end - g->payload);
    if (etwc_etl_writer_write(g->writer, e, &g->error) != ETWC_OK)
        stop(g, "write");
    g->written++;
}

static void
emit_perfinfo(generator *g, uint8_t class_, uint8_t opcode, uint8_t version,
              const uint8_t *end)
{
    emit(g, ETWC_KIND_PERFINFO, class_, opcode, version, end);
}

/* With the ids of a thread in the header. */
static void
emit_system(generator *g, uint32_t process_id, uint32_t thread_id, uint8_t class_,
            uint8_t opcode, uint8_t version, const uint8_t *end)
{
    g->event.process_id = process_id;
    g->event.thread_id = thread_id;
    g->event.kernel_ticks = (uint32_t)(g->time >> 20);
    g->event.user_ticks = (uint32_t)(g->time >> 19);
    emit(g, ETWC_KIND_SYSTEM, class_, opcode, version, end);
}

static uint32_t
process_of(const generator *g, uint32_t thread_id)
{
    /* Ids of the rundown: 1000 + 4 * n for threads, 100 + 4 * n for processes. */
    uint32_t number = (thread_id - 1000) / 4;
    return 100 + (uint32_t)((uint64_t)number * g->set.processes / g->set.threads) * 4;
}

static uint8_t *
put_process(generator *g, uint32_t process_id, uint32_t number, uint32_t status)
{
    char name[32], command[64];
    snprintf(name, sizeof name, "program%u.exe", number % 97);
    snprintf(command, sizeof command, "program%u.exe --work item-%u", number % 97,
             number);
    uint8_t *p = put_u64(g->payload, UINT64_C(0xFFFFA00000000080) + number * 0xB40ull);
    p = put_u32(p, process_id);
    p = put_u32(p, 100);
    p = put_u32(p, 1);
    p = put_u32(p, status);
    p = put_u64(p, 0x1AD000);
    p = put_u32(p, 0);
    p = put_u64(p, UINT64_C(0xFFFFA000012349A0)); /* TOKEN_USER, then S-1-5-18 */
    p = put_u64(p, 0);
    static const uint8_t sid[12] = {1, 1, 0, 0, 0, 0, 0, 5, 18};
    memcpy(p, sid, sizeof sid);
    p = put_narrow(p + sizeof sid, name);
    return put_wide(put_wide(put_wide(p, command), ""), "");
}

static uint8_t *
put_thread(generator *g, uint32_t process_id, uint32_t thread_id)
{
    uint8_t *p = put_u32(put_u32(g->payload, process_id), thread_id);
    p = put_u64(p, UINT64_C(0xFFFFA00100007000));
    p = put_u64(p, UINT64_C(0xFFFFA00100001000));
    p = put_u64(put_u64(p, 0x500000), 0x4F0000);
    p = put_u64(put_u64(p, 0xFF), UINT64_C(0x7FF6000012A0));
    p = put_u32(put_u64(p, 0x7FFD0000), 0);
    p = put_u32(p, 0x00020508); /* base 8, page 5, I/O 2 */
    return put_wide(p, "");
}

static uint8_t *
put_image(generator *g, uint32_t process_id, uint32_t number)
{
    char path[96];
    snprintf(path, sizeof path,
             "\\Device\\HarddiskVolume3\\Windows\\System32\\library%u.dll", number);
    uint64_t base = UINT64_C(0x7FFA00000000) + number * 0x200000ull;
    uint8_t *p = put_u64(put_u64(g->payload, base), 0x1F0000);
    p = put_u32(put_u32(put_u32(p, process_id), number * 77), 0x5F000000 + number);
    p = put_u64(put_u32(p, 0x0000010C), base);
    p = put_u64(put_u64(p, 0), 0);
    return put_wide(p, path);
}

/* ---- Records ------------------------------------------------------------------------- */

static void
record_switch(generator *g)
{
    uint32_t old = g->running[g->processor];
    uint32_t pick = below(g, g->waiting_count);
    uint32_t new_id = g->waiting[pick];
    if (old != 0 && (next_random(g) & 1) != 0) {
        g->waiting[g->waiting_count++] = old;
        new_id = 0;
    } else if (old != 0) {
        g->waiting[pick] = old;
    } else {
        g->waiting[pick] = g->waiting[--g->waiting_count];
    }
    g->running[g->processor] = new_id;
    uint8_t *p = put_u32(put_u32(g->payload, new_id), old);
    p = put_u32(p, 0x00000808 & (new_id ? ~0u : ~0xFFu)); /* priorities, C-state */
    p = put_u32(p, old == 0 ? 0x00020000 : 0x00050106);   /* reason, mode, state */
    p = put_u32(put_u32(p, below(g, 8)), 4096);
    emit_perfinfo(g, ETWC_CLASS_THREAD, 36, 4, p);
}

static void
record_ready(generator *g)
{
    uint32_t thread_id = g->waiting[below(g, g->waiting_count)];
    uint8_t *p = put_u32(put_u32(g->payload, thread_id), 0x00010001);
    emit_perfinfo(g, ETWC_CLASS_THREAD, 50, 2, p);
}

static void
record_sample(generator *g)
{
    uint64_t address =
        (next_random(g) & 1) ? UINT64_C(0x7FFA00001000) : UINT64_C(0xFFFFF80000201000);
    uint8_t *p = put_u64(g->payload, address + below(g, 1u << 20));
    p = put_u32(put_u32(p, g->running[g->processor]), 0x00400001);
    emit_perfinfo(g, ETWC_CLASS_PERF_INFO, 46, 2, p);
}

static void
record_interrupt(generator *g)
{
    int64_t begin = g->time;
    bool is_isr = (next_random(g) & 3) == 0;
    g->time += 5 + below(g, 200);
    uint8_t *p = put_u64(g->payload, (uint64_t)begin);
    p = put_u64(p, UINT64_C(0xFFFFF80000010000) + below(g, 16) * 0x400);
    if (is_isr)
        p = put_u32(p, 0x00009101);
    emit_perfinfo(g, ETWC_CLASS_PERF_INFO, is_isr ? 67 : 68, 2, p);
}

static uint32_t
any_thread(generator *g)
{
    return 1000 + 4 * below(g, g->set.threads);
}

static void
record_disk(generator *g)
{
    uint32_t thread_id = any_thread(g);
    uint64_t irp = UINT64_C(0xFFFFA00200000000) + below(g, 4096) * 0x240ull;
    bool is_write = (next_random(g) & 3) == 0;
    if ((next_random(g) & 1) != 0) {
        uint8_t *p = put_u32(put_u64(g->payload, irp), thread_id);
        emit_system(g, process_of(g, thread_id), thread_id, ETWC_CLASS_DISK_IO,
                    is_write ? 13 : 12, 3, p);
        return;
    }
    uint8_t *p = put_u32(put_u32(g->payload, 0), 0x60043);
    p = put_u32(put_u32(p, 4096u << below(g, 6)), 0);
    p = put_u64(put_u64(p, (uint64_t)below(g, 1u << 30) << 12), irp ^ 0x9000);
    p = put_u32(put_u64(put_u64(p, irp), 900 + below(g, 60000)), thread_id);
    emit_perfinfo(g, ETWC_CLASS_DISK_IO, is_write ? 11 : 10, 3, p);
}

static void
record_network(generator *g)
{
    bool is_udp = (next_random(g) & 3) == 0, is_send = (next_random(g) & 1) != 0;
    uint8_t *p = put_u32(g->payload, 100 + 4 * below(g, g->set.processes));
    p = put_u32(p, 40 + below(g, 1420));
    p = put_u32(put_u32(p, 0x0A7100CB), 0x1100000A);
    p = put_u32(p, 0x39C0BB01);
    if (!is_udp && is_send)
        p = put_u32(put_u32(p, (uint32_t)g->time), (uint32_t)g->time);
    p = put_u64(put_u32(p, 0), 0x2A00 + below(g, 500));
    emit_perfinfo(g, is_udp ? ETWC_CLASS_UDP_IP : ETWC_CLASS_TCP_IP, is_send ? 10 : 11,
                  2, p);
}

static void
record_fault(generator *g)
{
    uint64_t address = UINT64_C(0x20000000) + below(g, 1u << 16) * 0x1000ull;
    if ((next_random(g) & 7) != 0) {
        uint8_t *p = put_u64(put_u64(g->payload, address), UINT64_C(0x7FFA00001000));
        emit_perfinfo(g, ETWC_CLASS_PAGE_FAULT, (uint8_t)(10 + below(g, 3)), 2, p);
        return;
    }
    uint8_t *p = put_u64(g->payload, (uint64_t)(g->time - 400 - below(g, 20000)));
    p = put_u64(put_u64(p, below(g, 1u << 20) * 0x1000ull), address);
    p = put_u32(put_u64(p, UINT64_C(0xFFFFA00000009000)), any_thread(g));
    emit_perfinfo(g, ETWC_CLASS_PAGE_FAULT, 32, 2, put_u32(p, 32768));
}

/* A file call that begins, or the end of one that has begun. */
static void
record_file(generator *g)
{
    uint32_t slot = below(g, CALL_SLOTS);
    uint32_t thread_id = any_thread(g);
    uint64_t irp = UINT64_C(0xFFFFA00300000000) + slot * 0x1C0ull;
    uint64_t object = UINT64_C(0xFFFFA00400000000) + below(g, 2000) * 0xD0ull;
    if (g->calls[slot] != 0) {
        uint8_t *p = put_u64(put_u64(g->payload, irp), g->calls[slot]);
        g->calls[slot] = 0;
        emit_system(g, process_of(g, thread_id), thread_id, ETWC_CLASS_FILE_IO, 76, 3,
                    put_u32(p, 0));
        return;
    }
    g->calls[slot] = 512u << below(g, 8);
    bool is_transfer = (next_random(g) & 3) != 0;
    uint8_t *p = g->payload;
    if (is_transfer)
        p = put_u64(p, below(g, 1u << 20) * 0x200ull);
    p = put_u64(put_u64(put_u64(p, irp), object), object ^ 0x70000);
    if (is_transfer) {
        p = put_u32(put_u32(put_u32(p, thread_id), g->calls[slot]), 0x60900);
        emit_system(g, process_of(g, thread_id), thread_id, ETWC_CLASS_FILE_IO,
                    (uint8_t)(67 + below(g, 2)), 3, p);
        return;
    }
    p = put_u32(put_u32(put_u64(p, 0), thread_id), 5);
    emit_system(g, process_of(g, thread_id), thread_id, ETWC_CLASS_FILE_IO, 74, 3, p);
}

/* A handle is opened, closed, or given to another process. */
static void
record_handle(generator *g)
{
    uint32_t thread_id = any_thread(g);
    uint32_t handle = 4 + 4 * below(g, 1000);
    uint8_t *p = put_u64(g->payload, UINT64_C(0xFFFFA00500000000) + handle * 0x60ull);
    uint32_t dice = below(g, 20);
    p = put_u32(p, handle);
    if (dice == 0) {
        p = put_u32(put_u32(p, handle + 4), 100 + 4 * below(g, g->set.processes));
        p = put_u32(put_u16(p, 7), process_of(g, thread_id));
    } else {
        p = put_u16(p, 1 + handle % 40);
    }
    emit_system(g, process_of(g, thread_id), thread_id, ETWC_CLASS_OBJECT,
                dice == 0   ? 34
                : dice < 10 ? 32
                            : 33,
                2, p);
}

/* Memory of the processes, as the kernel tells it now and then. */
static void
record_working_sets(generator *g)
{
    uint32_t count =
        g->set.processes < WORKING_SETS_MAX ? g->set.processes : WORKING_SETS_MAX;
    uint8_t *p = put_u32(g->payload, count);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t pages = 1000 + below(g, 100000);
        p = put_u64(put_u64(put_u32(p, 100 + 4 * i), pages), pages * 2);
        p = put_u64(put_u64(p, pages * 40), pages / 2);
    }
    emit_perfinfo(g, ETWC_CLASS_PAGE_FAULT, 125, 1, p);
}

/* The next event in the life of one of the processes that come and go. */
static void
record_churn(generator *g)
{
    child *c = &g->children[g->next_child++ % CHILD_SLOTS];
    uint32_t parent = 100, parent_thread = 1000;
    uint8_t *p;
    if (c->step == 0) {
        c->process_id = g->next_id;
        c->thread_id = g->next_id + 4;
        g->next_id = g->next_id >= LAST_CHILD_ID ? FIRST_CHILD_ID : g->next_id + 8;
        c->number = g->set.processes + (uint32_t)(g->written & 0xFFFFFFF);
        p = put_process(g, c->process_id, c->number, 259);
        emit_system(g, parent, parent_thread, ETWC_CLASS_PROCESS, 1, 4, p);
    } else if (c->step == 1) {
        p = put_thread(g, c->process_id, c->thread_id);
        emit_system(g, parent, parent_thread, ETWC_CLASS_THREAD, 1, 3, p);
    } else if (c->step < 14) {
        uint8_t opcode = c->step < 8 ? 10 : 2; /* six loads, six unloads */
        p = put_image(g, c->process_id, c->step < 8 ? c->step : 15 - c->step);
        emit_system(g, c->process_id, c->thread_id, ETWC_CLASS_IMAGE, opcode, 3, p);
    } else if (c->step == 14) {
        p = put_thread(g, c->process_id, c->thread_id);
        emit_system(g, c->process_id, c->thread_id, ETWC_CLASS_THREAD, 2, 3, p);
    } else {
        p = put_process(g, c->process_id, c->number, 0);
        emit_system(g, c->process_id, c->thread_id, ETWC_CLASS_PROCESS, 2, 4, p);
    }
    c->step = (c->step + 1) % 16;
}

static void
record_event(generator *g, uint32_t payload_bytes)
{
    etwc_event *e = &g->event;
    uint32_t thread_id = any_thread(g);
    e->process_id = process_of(g, thread_id);
    e->thread_id = thread_id;
    e->extended = g->extended;
    e->extended_size = (uint32_t)g->extended_size;
    e->extended_form = ETWC_EXTENDED_ITEMS;
    e->flags = ETWC_FLAG_EXTENDED_INFO;
    e->channel = 11;
    e->level = 4;
    e->keyword = UINT64_C(1) << below(g, 40);
    put_u32(g->payload, (uint32_t)g->written);
    emit(g, ETWC_KIND_EVENT, ETWC_CLASS_NONE, 0, 0, g->payload + payload_bytes);
    e->extended_size = 0;
    e->extended_form = ETWC_EXTENDED_NONE;
    e->flags = 0;
}

#endif
