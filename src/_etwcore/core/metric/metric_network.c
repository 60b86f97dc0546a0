/* Bytes and packets by protocol and direction, and what becomes of connections. */
#include "metric_io.h"

/* Opcodes of IPv4, which the records keep in `which`. */
enum {
    NETWORK_SEND = 10,
    NETWORK_RECEIVE = 11,
    NETWORK_CONNECT = 12,
    NETWORK_DISCONNECT = 13,
    NETWORK_RETRANSMIT = 14,
    NETWORK_ACCEPT = 15
};

static void
count_udp(etwc_row_counters *c, const etwc_kernel_network *record)
{
    switch (record->which) {
    case NETWORK_SEND:
        c->udp_send_ops++;
        c->udp_send_bytes += record->size;
        break;
    case NETWORK_RECEIVE:
        c->udp_recv_ops++;
        c->udp_recv_bytes += record->size;
        break;
    default:
        break;
    }
}

void
metric_count_network(etwc_row_counters *c, const etwc_kernel_network *record)
{
    if (record->is_udp) {
        count_udp(c, record);
        return;
    }
    switch (record->which) {
    case NETWORK_SEND:
        c->tcp_send_ops++;
        c->tcp_send_bytes += record->size;
        break;
    case NETWORK_RECEIVE:
        c->tcp_recv_ops++;
        c->tcp_recv_bytes += record->size;
        break;
    case NETWORK_CONNECT:
        c->tcp_connects++;
        break;
    case NETWORK_DISCONNECT:
        c->tcp_disconnects++;
        break;
    case NETWORK_RETRANSMIT: /* of bytes that were counted when they were sent */
        c->tcp_retransmits++;
        break;
    case NETWORK_ACCEPT:
        c->tcp_accepts++;
        break;
    default:
        break;
    }
}
