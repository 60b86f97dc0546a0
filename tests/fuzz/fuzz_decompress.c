/*
 * Fuzz target: the three decoders and encoders of trace buffers.
 *
 * The first byte chooses the format and whether the rest is decoded or is packed
 * and unpacked again; when it is decoded, the next two bytes are the capacity.
 */
#include <stdlib.h>

#include "etl_compress.h"
#include "etl_decompress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef etwc_status decode_function(etwc_span in, uint8_t *dst, size_t capacity,
                                    size_t *out_size);
typedef etwc_status encode_function(etwc_span in, uint8_t *dst, size_t capacity,
                                    etl_compress_work *work, size_t *out_size);

static decode_function *const DECODERS[] = {
    etl_decompress_xpress,
    etl_decompress_lznt1,
    etl_decompress_xpress_huff,
};
static encode_function *const ENCODERS[] = {
    etl_compress_xpress,
    etl_compress_lznt1,
    etl_compress_xpress_huff,
};

static void
require(bool condition)
{
    if (!condition)
        abort();
}

static void *
block(size_t n)
{
    void *p = malloc(n > 0 ? n : 1);
    require(p != NULL);
    return p;
}

/* Decodes into a block of exactly `capacity` bytes, so that a sanitizer sees each
 * byte too far. A cut stream must give a prefix of what the whole one gives. */
static void
fuzz_decoder(decode_function *decode, etwc_span in, size_t capacity)
{
    uint8_t *whole = block(capacity);
    uint8_t *part = block(capacity);
    size_t whole_size = SIZE_MAX;
    size_t part_size = SIZE_MAX;
    etwc_status st = decode(in, whole, capacity, &whole_size);
    require(st == ETWC_OK || st == ETWC_E_NEED_MORE || st == ETWC_E_CORRUPT);
    require(whole_size <= capacity);
    size_t cut = in.len / 2;
    uint8_t *copy = block(cut);
    if (cut > 0)
        memcpy(copy, in.ptr, cut);
    st = decode((etwc_span){copy, cut}, part, capacity, &part_size);
    require(st == ETWC_OK || st == ETWC_E_NEED_MORE || st == ETWC_E_CORRUPT);
    require(part_size <= whole_size && memcmp(part, whole, part_size) == 0);
    free(copy);
    free(part);
    free(whole);
}

static void
fuzz_round_trip(unsigned format, etwc_span in, etl_compress_work *work)
{
    size_t capacity = in.len + in.len / 8 + 1024;
    uint8_t *packed = block(capacity);
    uint8_t *again = block(in.len);
    size_t packed_size = 0;
    size_t again_size = 0;
    require(ENCODERS[format](in, packed, capacity, work, &packed_size) == ETWC_OK);
    packed = realloc(packed, packed_size > 0 ? packed_size : 1);
    require(packed != NULL);
    etwc_span middle = {packed, packed_size};
    require(DECODERS[format](middle, again, in.len, &again_size) == ETWC_OK);
    require(again_size == in.len);
    require(in.len == 0 || memcmp(again, in.ptr, in.len) == 0);
    free(again);
    free(packed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static etl_compress_work work;
    uint8_t choice;
    uint16_t capacity;
    etwc_span in = {data, size};
    if (!etwc_span_u8(&in, &choice))
        return 0;
    unsigned format = choice % ETWC_ARRAY_SIZE(DECODERS);
    if ((choice & 0x80) != 0)
        fuzz_round_trip(format, in, &work);
    else if (etwc_span_u16(&in, &capacity))
        fuzz_decoder(DECODERS[format], in, capacity);
    return 0;
}
