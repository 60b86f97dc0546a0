/*
 * Writes benchmark traces of any size with the core writer.
 *
 *   gen_trace OUT --kind cswitch|large|mixed [--events N | --bytes N]
 *             [--processors N] [--buffer KB] [--record BYTES] [--seed N]
 *             [--compression none|xpress|lznt1|xpress-huff]
 *
 * cswitch: context switches with the 16-byte header, and little else.
 * large:   EVENT_HEADER events of about --record bytes.
 * mixed:   what a kernel session of a busy machine records: switches, ready
 *          threads, samples, interrupts, disk, network, page faults, processes
 *          that come and go with threads and images, and some EVENT_HEADER events
 *          with extended items.
 *
 * Processes and threads are told of by a rundown at the start; the thread that a
 * switch leaves is the one that ran. A processor logs one to a few records before
 * the next one does, so that a reader has to merge. The same arguments give the
 * same file.
 */
#include "etwc_etl_writer.h"
#include "etwc_provider.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    PROCESS_COUNT = 60,
    THREADS_PER_PROCESS = 16,
    THREAD_COUNT = PROCESS_COUNT * THREADS_PER_PROCESS,
    CHILD_SLOTS = 64, /* processes that come and go */
    FREQUENCY = 10000000,
    PAYLOAD_BYTES = 60000
};

typedef enum trace_kind { KIND_CSWITCH, KIND_LARGE, KIND_MIXED } trace_kind;

typedef struct settings {
    const char *path;
    trace_kind kind;
    uint64_t events, bytes; /* whichever is reached first; 0: no limit */
    uint32_t processors;
    uint32_t buffer_kb;
    uint32_t record_bytes;
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
    uint32_t waiting[THREAD_COUNT]; /* threads that run nowhere */
    uint32_t waiting_count;
    uint32_t *running; /* thread by processor; 0 is idle */
    child children[CHILD_SLOTS];
    uint32_t next_id, next_child;
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
process_of(uint32_t thread_id)
{
    /* Ids of the rundown: 1000 + 4 * n for threads, 100 + 4 * n for processes. */
    return 100 + (thread_id - 1000) / 4 / THREADS_PER_PROCESS * 4;
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
    return 1000 + 4 * below(g, THREAD_COUNT);
}

static void
record_disk(generator *g)
{
    uint32_t thread_id = any_thread(g);
    uint64_t irp = UINT64_C(0xFFFFA00200000000) + below(g, 4096) * 0x240ull;
    bool is_write = (next_random(g) & 3) == 0;
    if ((next_random(g) & 1) != 0) {
        uint8_t *p = put_u32(put_u64(g->payload, irp), thread_id);
        emit_system(g, process_of(thread_id), thread_id, ETWC_CLASS_DISK_IO,
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
    uint8_t *p = put_u32(g->payload, 100 + 4 * below(g, PROCESS_COUNT));
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
        g->next_id = g->next_id >= 900000 ? 100000 : g->next_id + 8;
        c->number = PROCESS_COUNT + (uint32_t)(g->written & 0xFFFFFFF);
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
    e->process_id = process_of(thread_id);
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

/* ---- The trace ------------------------------------------------------------------------ */

static void
advance(generator *g)
{
    g->time += 1 + below(g, 12);
    if ((next_random(g) & 1) != 0)
        g->processor = below(g, g->set.processors);
}

static void
record_mixed(generator *g)
{
    uint32_t dice = below(g, 1000);
    if (dice < 400)
        record_switch(g);
    else if (dice < 600)
        record_ready(g);
    else if (dice < 750)
        record_sample(g);
    else if (dice < 830)
        record_interrupt(g);
    else if (dice < 880)
        record_disk(g);
    else if (dice < 930)
        record_network(g);
    else if (dice < 960)
        record_fault(g);
    else if (dice < 980)
        record_churn(g);
    else
        record_event(g, 4);
}

static void
record_rundown(generator *g)
{
    uint8_t *p = put_u32(put_u32(put_u32(g->payload, 0), 10000), 10000);
    emit_system(g, 100, 1000, ETWC_CLASS_PERF_INFO, 73, 3, put_wide(p, "Timer"));
    for (uint32_t i = 0; i < PROCESS_COUNT; i++) {
        uint32_t process_id = 100 + 4 * i;
        p = put_process(g, process_id, i, 259);
        emit_perfinfo(g, ETWC_CLASS_PROCESS, 3, 4, p);
        for (uint32_t k = 0; k < THREADS_PER_PROCESS; k++) {
            uint32_t thread_id = 1000 + 4 * (i * THREADS_PER_PROCESS + k);
            p = put_thread(g, process_id, thread_id);
            g->waiting[g->waiting_count++] = thread_id;
            emit_system(g, process_id, thread_id, ETWC_CLASS_THREAD, 3, 3, p);
        }
        for (uint32_t k = 0; k < 8; k++)
            emit_perfinfo(g, ETWC_CLASS_IMAGE, 3, 3, put_image(g, process_id, k));
        g->time += 20;
    }
}

static void
make_extended(generator *g)
{
    static const uint8_t metadata[] = "\x16\0\0BenchEvent\0number\0\x08";
    uint8_t stack[8 * 9];
    size_t last = SIZE_MAX;
    uint8_t *p = put_u64(stack, 0);
    for (uint32_t i = 0; i < 8; i++)
        p = put_u64(p, UINT64_C(0x7FFA00001000) + i * 0x1234ull);
    g->extended_size =
        etwc_extended_append(g->extended, sizeof g->extended, 0, &last,
                             ETWC_EXT_STACK_TRACE64, (etwc_span){stack, sizeof stack});
    g->extended_size = etwc_extended_append(
        g->extended, sizeof g->extended, g->extended_size, &last,
        ETWC_EXT_EVENT_SCHEMA_TL, (etwc_span){metadata, sizeof metadata - 1});
    if (g->extended_size == 0)
        stop(g, "extended items");
}

static void
open_trace(generator *g)
{
    static const etwc_guid provider = {{0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x47, 0x88,
                                        0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xF0,
                                        0x01}};
    etwc_etl_writer_options options;
    etwc_etl_writer_defaults(&options);
    options.processors = g->set.processors;
    options.buffer_size = g->set.buffer_kb * 1024;
    options.compression = g->set.compression;
    options.perf_frequency = FREQUENCY;
    g->event.pointer_size = 8;
    g->event.provider_id = provider;
    g->event.payload = g->payload;
    g->event.extended = g->extended;
    g->time = options.start_raw_time + 1;
    for (size_t i = 0; i < sizeof g->payload; i++)
        g->payload[i] = (uint8_t)(i * 7 + (i >> 5)); /* compresses somewhat */
    if (etwc_etl_writer_open(g->set.path, &options, &g->writer, &g->error) != ETWC_OK)
        stop(g, g->set.path);
}

static bool
is_enough(generator *g)
{
    if (g->set.events != 0 && g->written >= g->set.events)
        return true;
    if (g->set.bytes == 0 || (g->written & 1023) != 0)
        return false;
    etwc_etl_writer_progress progress;
    etwc_etl_writer_get_progress(g->writer, &progress);
    return progress.file_bytes >= g->set.bytes;
}

static void
write_trace(generator *g)
{
    open_trace(g);
    make_extended(g);
    record_rundown(g);
    while (!is_enough(g)) {
        advance(g);
        if (g->set.kind == KIND_CSWITCH)
            record_switch(g);
        else if (g->set.kind == KIND_LARGE)
            record_event(g, g->set.record_bytes / 2 + below(g, g->set.record_bytes));
        else
            record_mixed(g);
    }
    etwc_etl_writer_progress progress;
    etwc_etl_writer_get_progress(g->writer, &progress);
    if (etwc_etl_writer_close(g->writer, ETWC_WRITER_END_AT_LAST_EVENT, &g->error) !=
        ETWC_OK)
        stop(g, "close");
    printf("%llu events, %u processors, %s\n", (unsigned long long)progress.events,
           g->set.processors, g->set.path);
}

/* ---- Arguments -------------------------------------------------------------------------- */

static void
usage(void)
{
    fprintf(stderr,
            "usage: gen_trace OUT --kind cswitch|large|mixed [--events N | --bytes N]\n"
            "       [--processors 1..4096] [--buffer KB] [--record BYTES] [--seed N]\n"
            "       [--compression none|xpress|lznt1|xpress-huff]\n");
    exit(2);
}

static uint64_t
parse_number(const char *text, uint64_t low, uint64_t high)
{
    char *end;
    unsigned long long v = strtoull(text, &end, 10);
    if (end == text || *end != 0 || v < low || v > high)
        usage();
    return v;
}

static uint32_t
parse_choice(const char *text, const char *const *names, const uint32_t *values,
             size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(text, names[i]) == 0)
            return values[i];
    usage();
    return 0;
}

static void
parse_option(settings *set, const char *name, const char *value)
{
    static const char *const kinds[] = {"cswitch", "large", "mixed"};
    static const uint32_t kind_values[] = {KIND_CSWITCH, KIND_LARGE, KIND_MIXED};
    static const char *const formats[] = {"none", "xpress", "lznt1", "xpress-huff"};
    static const uint32_t format_values[] = {
        ETWC_COMPRESSION_NONE, ETWC_COMPRESSION_XPRESS, ETWC_COMPRESSION_LZNT1,
        ETWC_COMPRESSION_XPRESS_HUFF};
    if (strcmp(name, "--kind") == 0)
        set->kind = (trace_kind)parse_choice(value, kinds, kind_values, 3);
    else if (strcmp(name, "--compression") == 0)
        set->compression = parse_choice(value, formats, format_values, 4);
    else if (strcmp(name, "--events") == 0)
        set->events = parse_number(value, 1, UINT64_MAX);
    else if (strcmp(name, "--bytes") == 0)
        set->bytes = parse_number(value, 1, UINT64_MAX);
    else if (strcmp(name, "--processors") == 0)
        set->processors = (uint32_t)parse_number(value, 1, 4096);
    else if (strcmp(name, "--buffer") == 0)
        set->buffer_kb = (uint32_t)parse_number(value, 4, 16384);
    else if (strcmp(name, "--record") == 0)
        set->record_bytes = (uint32_t)parse_number(value, 8, PAYLOAD_BYTES / 2);
    else if (strcmp(name, "--seed") == 0)
        set->seed = parse_number(value, 1, UINT64_MAX);
    else
        usage();
}

int
main(int argc, char **argv)
{
    if (argc < 2 || argv[1][0] == '-' || (argc & 1) != 0)
        usage();
    generator *g = calloc(1, sizeof *g);
    if (g == NULL)
        return 1;
    g->set = (settings){.path = argv[1],
                        .kind = KIND_MIXED,
                        .processors = 8,
                        .buffer_kb = 64,
                        .record_bytes = 4096,
                        .seed = 1};
    for (int i = 2; i + 1 < argc; i += 2)
        parse_option(&g->set, argv[i], argv[i + 1]);
    if (g->set.events == 0 && g->set.bytes == 0)
        g->set.events = 1000000;
    g->random = g->set.seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
    g->next_id = 100000;
    g->running = calloc(g->set.processors, sizeof *g->running);
    if (g->running == NULL)
        return 1;
    write_trace(g);
    free(g->running);
    free(g);
    return 0;
}
