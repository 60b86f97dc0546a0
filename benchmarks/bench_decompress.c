/*
 * Throughput of the decoders (and encoders) of trace buffers, in MB of output per
 * second (10^6 bytes), the best of several rounds.
 *
 *     cc -std=c11 -O2 -Isrc/_etwcore/core/base -Isrc/_etwcore/core/etl \
 *        benchmarks/bench_decompress.c src/_etwcore/core/etl/etl_*compress_*.c \
 *        -o bench_decompress
 *     ./bench_decompress [trace.etl ...]
 *
 * Without arguments: synthetic buffers like those of a kernel trace, packed by our
 * own encoders. With traces: their XPRESS buffers as they are, and their content
 * packed again for the other formats.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "etl_compress.h"
#include "etl_decompress.h"

enum {
    ROUNDS = 9,
    BUFFER_HEADER = 72,
    BUFFER_SIZE = 65536,
    SYNTHETIC_BUFFERS = 256,
    FLAG_COMPRESSED = 0x40,
};

typedef etwc_status decode_function(etwc_span in, uint8_t *dst, size_t capacity,
                                    size_t *out_size);
typedef etwc_status encode_function(etwc_span in, uint8_t *dst, size_t capacity,
                                    etl_compress_work *work, size_t *out_size);

static const struct {
    const char *name;
    decode_function *decode;
    encode_function *encode;
} FORMATS[] = {
    {"xpress", etl_decompress_xpress, etl_compress_xpress},
    {"lznt1", etl_decompress_lznt1, etl_compress_lznt1},
    {"xpress-huff", etl_decompress_xpress_huff, etl_compress_xpress_huff},
};

/* Buffers one after the other: a u32 for the size of each, then its bytes. */
typedef struct buffer_list {
    uint8_t *bytes;
    size_t size;
    size_t count;
    size_t capacity;
} buffer_list;

static _Noreturn void
stop(const char *why)
{
    fprintf(stderr, "bench_decompress: %s\n", why);
    exit(1);
}

/* Room for one more buffer of at most `size` bytes. */
static uint8_t *
list_reserve(buffer_list *list, size_t size)
{
    if (list->capacity - list->size < size + 4) {
        list->capacity = 2 * list->capacity + size + 4;
        list->bytes = realloc(list->bytes, list->capacity);
        if (list->bytes == NULL)
            stop("out of memory");
    }
    return list->bytes + list->size + 4;
}

static void
list_commit(buffer_list *list, size_t size)
{
    etwc_store_u32(list->bytes + list->size, (uint32_t)size);
    list->size += size + 4;
    list->count++;
}

static uint32_t
next_random(uint32_t *state)
{
    *state = *state * 1664525U + 1013904223U;
    return *state >> 8;
}

/* Context switches, page faults and file names in about the shares and with about
 * the repetition of a kernel trace. */
static void
make_buffer(uint8_t *p, size_t size, uint32_t *random, uint64_t *time)
{
    memset(p, 0, size);
    for (size_t at = 0; size - at >= 176;) {
        uint32_t kind = next_random(random) % 16;
        size_t record = kind == 0 ? 176 : kind < 6 ? 48 : 40;
        *time += next_random(random) % 3000;
        etwc_store_u32(p + at, 0xC0110002U);
        etwc_store_u32(p + at + 4, (uint32_t)record | (kind == 0 ? 0x4A0U : 0x524U)
                                                          << 16);
        etwc_store_u64(p + at + 8, *time);
        etwc_store_u32(p + at + 16, next_random(random) % 60 * 4);
        etwc_store_u32(p + at + 20, next_random(random) % 60 * 4);
        etwc_store_u32(p + at + 24, 0x0008080AU + (next_random(random) % 4 << 24));
        etwc_store_u32(p + at + 28, kind < 6 ? 0xFFFFF802U : 0x05020000U);
        etwc_store_u32(p + at + 32, next_random(random) % 4096);
        for (size_t i = 40; kind == 0 && i < 160; i += 2)
            p[at + i] =
                (uint8_t) "\\Device\\HarddiskVolume3\\Windows\\System32\\driver00.sys"
                    [(i - 40) / 2 % 52];
        at += record;
    }
}

static void
make_synthetic(buffer_list *raw)
{
    uint32_t random = 1;
    uint64_t time = 0x12345678;
    for (size_t i = 0; i < SYNTHETIC_BUFFERS; i++) {
        size_t size = BUFFER_SIZE - BUFFER_HEADER;
        make_buffer(list_reserve(raw, size), size, &random, &time);
        list_commit(raw, size);
    }
}

static void
pack(const buffer_list *raw, encode_function *encode, buffer_list *packed)
{
    etl_compress_work *work = malloc(sizeof *work);
    if (work == NULL)
        stop("out of memory");
    for (size_t at = 0; at < raw->size;) {
        etwc_span in = {raw->bytes + at + 4, etwc_load_u32(raw->bytes + at)};
        size_t room = in.len + in.len / 8 + 1024;
        size_t size;
        if (encode(in, list_reserve(packed, room), room, work, &size) != ETWC_OK)
            stop("a buffer could not be packed");
        list_commit(packed, size);
        at += in.len + 4;
    }
    free(work);
}

static double
now(void)
{
    struct timespec t;
    (void)timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Decodes all buffers and compares the last round with `raw`; seconds of the best. */
static double
time_decode(const buffer_list *packed, const buffer_list *raw, decode_function *decode)
{
    double best = 1e9;
    uint8_t *dst = malloc(raw->size);
    if (dst == NULL)
        stop("out of memory");
    for (unsigned round = 0; round < ROUNDS; round++) {
        double start = now();
        size_t raw_at = 0;
        for (size_t at = 0; at < packed->size;) {
            etwc_span in = {packed->bytes + at + 4, etwc_load_u32(packed->bytes + at)};
            size_t wanted = etwc_load_u32(raw->bytes + raw_at);
            size_t size;
            if (decode(in, dst, wanted, &size) != ETWC_OK || size != wanted)
                stop("a buffer could not be decoded");
            if (round == 0 && memcmp(dst, raw->bytes + raw_at + 4, wanted) != 0)
                stop("a buffer decodes to something else");
            at += in.len + 4;
            raw_at += wanted + 4;
        }
        double seconds = now() - start;
        best = seconds < best ? seconds : best;
    }
    free(dst);
    return best;
}

static void
report(const char *name, const char *source, const buffer_list *packed,
       const buffer_list *raw, decode_function *decode, double encode_seconds)
{
    double megabytes = (double)(raw->size - 4 * raw->count) / 1e6;
    double seconds = time_decode(packed, raw, decode);
    printf("%-12s %-10s %6zu buffers %8.1f MB to %5.1f %%  decode %8.1f MB/s", name,
           source, raw->count, megabytes,
           100 * (double)packed->size / (double)raw->size, megabytes / seconds);
    if (encode_seconds > 0)
        printf("  encode %7.1f MB/s", megabytes / encode_seconds);
    putchar('\n');
}

static void
bench_formats(const char *source, const buffer_list *raw)
{
    for (size_t i = 0; i < ETWC_ARRAY_SIZE(FORMATS); i++) {
        buffer_list packed = {NULL, 0, 0, 0};
        double start = now();
        pack(raw, FORMATS[i].encode, &packed);
        double seconds = now() - start;
        report(FORMATS[i].name, source, &packed, raw, FORMATS[i].decode, seconds);
        free(packed.bytes);
    }
}

/* Adds the compressed buffers of a trace, as they are and decoded. */
static void
load_trace(const char *path, buffer_list *packed, buffer_list *raw)
{
    uint8_t header[BUFFER_HEADER];
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        stop(path);
    while (fread(header, 1, sizeof header, file) == sizeof header) {
        uint32_t size = etwc_load_u32(header);
        uint32_t end = etwc_load_u32(header + 0x30);
        if (size < BUFFER_HEADER || end < BUFFER_HEADER || end > ETL_COMPRESS_MAX_INPUT)
            break;
        size -= BUFFER_HEADER;
        uint8_t *in = list_reserve(packed, size);
        if (fread(in, 1, size, file) != size)
            break;
        if ((etwc_load_u16(header + 0x34) & FLAG_COMPRESSED) == 0)
            continue;
        size_t got;
        uint8_t *dst = list_reserve(raw, end - BUFFER_HEADER);
        if (etl_decompress_xpress((etwc_span){in, size}, dst, end - BUFFER_HEADER,
                                  &got) != ETWC_OK ||
            got != end - BUFFER_HEADER)
            stop("a recorded buffer could not be decoded");
        list_commit(packed, size);
        list_commit(raw, got);
    }
    (void)fclose(file);
}

int
main(int argc, char **argv)
{
    buffer_list packed = {NULL, 0, 0, 0};
    buffer_list raw = {NULL, 0, 0, 0};
    if (argc < 2) {
        make_synthetic(&raw);
        bench_formats("synthetic", &raw);
    } else {
        for (int i = 1; i < argc; i++)
            load_trace(argv[i], &packed, &raw);
        if (raw.count == 0)
            stop("no compressed buffers");
        report("xpress", "recorded", &packed, &raw, etl_decompress_xpress, 0);
        bench_formats("repacked", &raw);
    }
    free(packed.bytes);
    free(raw.bytes);
    return 0;
}
