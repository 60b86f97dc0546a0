/*
 * Writes benchmark traces of any size with the core writer.
 *
 *   gen_trace OUT --kind cswitch|large|mixed [--events N | --bytes N]
 *             [--processors N] [--processes N] [--threads N]
 *             [--buffer KB] [--record BYTES] [--seed N] [--rate EVENTS/S]
 *             [--compression none|xpress|lznt1|xpress-huff]
 *
 * cswitch: context switches with the 16-byte header, and little else.
 * large:   EVENT_HEADER events of about --record bytes.
 * mixed:   what a kernel session of a busy machine records: switches, ready
 *          threads, samples, interrupts, disk, network, page faults, file calls,
 *          handles, lists of working sets, processes that come and go with threads
 *          and images, and some EVENT_HEADER events with extended items.
 *
 * Processes and threads are told of by a rundown at the start; the thread that a
 * switch leaves is the one that ran. A processor logs one to a few records before
 * the next one does, so that a reader has to merge. The same arguments give the
 * same file.
 */
#include "gen_records.h"

/* ---- The trace ------------------------------------------------------------------------ */

static void
advance(generator *g)
{
    g->time += 1 + below(g, g->set.most_ticks);
    if ((next_random(g) & 1) != 0)
        g->processor = below(g, g->set.processors);
}

static void
record_mixed(generator *g)
{
    uint32_t dice = below(g, 20000);
    if (dice < 7600)
        record_switch(g);
    else if (dice < 11000)
        record_ready(g);
    else if (dice < 13800)
        record_sample(g);
    else if (dice < 15400)
        record_interrupt(g);
    else if (dice < 16400)
        record_disk(g);
    else if (dice < 17400)
        record_network(g);
    else if (dice < 18000)
        record_fault(g);
    else if (dice < 18900)
        record_file(g);
    else if (dice < 19200)
        record_handle(g);
    else if (dice < 19600)
        record_churn(g);
    else if (dice < 19999)
        record_event(g, 4);
    else
        record_working_sets(g);
}

static void
record_rundown(generator *g)
{
    uint8_t *p = put_u32(put_u32(put_u32(g->payload, 0), 10000), 10000);
    emit_system(g, 100, 1000, ETWC_CLASS_PERF_INFO, 73, 3, put_wide(p, "Timer"));
    for (uint32_t i = 0; i < g->set.processes; i++) {
        uint32_t process_id = 100 + 4 * i;
        p = put_process(g, process_id, i, 259);
        emit_perfinfo(g, ETWC_CLASS_PROCESS, 3, 4, p);
        for (uint32_t k = 0; k < 8; k++)
            emit_perfinfo(g, ETWC_CLASS_IMAGE, 3, 3, put_image(g, process_id, k));
        g->time += 20;
    }
    for (uint32_t i = 0; i < g->set.threads; i++) {
        uint32_t thread_id = 1000 + 4 * i;
        uint32_t process_id = process_of(g, thread_id);
        p = put_thread(g, process_id, thread_id);
        g->waiting[g->waiting_count++] = thread_id;
        emit_system(g, process_id, thread_id, ETWC_CLASS_THREAD, 3, 3, p);
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
    fprintf(
        stderr,
        "usage: gen_trace OUT --kind cswitch|large|mixed [--events N | --bytes N]\n"
        "       [--processors 1..4096] [--processes 1..100000] [--threads 1..1000000]\n"
        "       [--buffer KB] [--record BYTES] [--seed N] [--rate 1..1000000]\n"
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
    else if (strcmp(name, "--processes") == 0)
        set->processes = (uint32_t)parse_number(value, 1, 100000);
    else if (strcmp(name, "--threads") == 0)
        set->threads = (uint32_t)parse_number(value, 1, 1000000);
    else if (strcmp(name, "--buffer") == 0)
        set->buffer_kb = (uint32_t)parse_number(value, 4, 16384);
    else if (strcmp(name, "--record") == 0)
        set->record_bytes = (uint32_t)parse_number(value, 8, PAYLOAD_BYTES / 2);
    else if (strcmp(name, "--seed") == 0)
        set->seed = parse_number(value, 1, UINT64_MAX);
    else if (strcmp(name, "--rate") == 0)
        set->most_ticks = (uint32_t)(20000000 / parse_number(value, 1, 1000000)) - 1;
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
                        .processes = 60,
                        .threads = 960,
                        .buffer_kb = 64,
                        .record_bytes = 4096,
                        .most_ticks = 12,
                        .seed = 1};
    for (int i = 2; i + 1 < argc; i += 2)
        parse_option(&g->set, argv[i], argv[i + 1]);
    if (g->set.events == 0 && g->set.bytes == 0)
        g->set.events = 1000000;
    g->random = g->set.seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
    g->next_id = FIRST_CHILD_ID;
    g->running = calloc(g->set.processors, sizeof *g->running);
    g->waiting = calloc(g->set.threads, sizeof *g->waiting);
    if (g->running == NULL || g->waiting == NULL)
        return 1;
    write_trace(g);
    free(g->running);
    free(g->waiting);
    free(g);
    return 0;
}
