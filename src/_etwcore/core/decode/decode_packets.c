/* Packets of batched context switches: event-decoding 3.3.1. */
#include "decode_walk.h"

enum { TYPE_BITS = 2 };
enum { PACKET_IDLE_SHORT, PACKET_IDLE, PACKET_LITE, PACKET_FULL };

static uint32_t
bits(uint64_t packet, unsigned shift, unsigned width)
{
    return (uint32_t)(packet >> shift & ((UINT64_C(1) << width) - 1));
}

bool
decode_packet_take(etwc_span *packets, decode_packet *out)
{
    static const uint8_t sizes[] = {2, 4, 4, 8};
    etwc_span bytes;
    if (packets->len == 0)
        return false;
    uint8_t type = packets->ptr[0] & ((1 << TYPE_BITS) - 1);
    if (!etwc_span_take(packets, sizes[type], &bytes))
        return false;
    uint64_t packet = decode_load(bytes.ptr, bytes.len);
    *out = (decode_packet){.type = type};
    switch (type) {
    case PACKET_IDLE_SHORT:
        out->delta = bits(packet, 2, 14);
        break;
    case PACKET_IDLE:
        out->delta = bits(packet, 2, 30);
        break;
    case PACKET_LITE:
        out->tid_index = (uint8_t)bits(packet, 2, 4);
        out->priority = (uint8_t)bits(packet, 6, 3);
        out->state_reason = (uint8_t)bits(packet, 9, 6);
        out->delta = bits(packet, 15, 17);
        break;
    default:
        out->delta = bits(packet, 2, 30);
        out->tid_index = (uint8_t)bits(packet, 32, 4);
        out->state_reason = (uint8_t)bits(packet, 36, 6);
        out->priority = (uint8_t)bits(packet, 42, 5);
        out->wait_ticks = bits(packet, 47, 17);
        break;
    }
    return true;
}

bool
etwc_kernel_batch_next(etwc_kernel_cswitch_batch *batch, etwc_kernel_packed_switch *out)
{
    decode_packet packet;
    if (!decode_packet_take(&batch->packets, &packet))
        return false;
    batch->first_raw_time = (int64_t)((uint64_t)batch->first_raw_time + packet.delta);
    *out = (etwc_kernel_packed_switch){.raw_time = batch->first_raw_time};
    size_t at = packet.tid_index * sizeof(uint32_t);
    bool is_idle = packet.type == PACKET_IDLE_SHORT || packet.type == PACKET_IDLE;
    if (!is_idle && at + sizeof(uint32_t) <= batch->thread_ids.len)
        out->old_thread_id = etwc_load_u32(batch->thread_ids.ptr + at);
    return true;
}
