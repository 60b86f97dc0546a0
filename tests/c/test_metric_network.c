/* Traffic and connections of the process that the payload names. */
#include "scene.h"

enum { SEND = 10, RECEIVE, CONNECT, DISCONNECT, RETRANSMIT, ACCEPT, RECONNECT, FAIL };
enum { IPV6 = 16 }; /* added to an opcode */

static void
packet(uint8_t kernel_class, unsigned opcode, uint32_t pid, uint32_t size)
{
    unsigned kind = opcode >= SEND + IPV6 ? opcode - IPV6 : opcode;
    put p = {0};
    put_u32(&p, pid);
    put_u32(&p, size);
    for (int i = 0; i < (opcode == kind ? 2 : 8); i++)
        put_u32(&p, 0x0100007F);
    put_u32(&p, 0x50001234); /* ports */
    if (kernel_class == ETWC_CLASS_TCP_IP && kind == SEND)
        put_u64(&p, 0);
    if (kind == CONNECT || kind == ACCEPT) {
        put_u64(&p, 0);
        put_u64(&p, 0);
    }
    put_u32(&p, 1); /* sequence number, connection */
    put_u64(&p, 2);
    etwc_event event = event_of(kernel_class, opcode, 2, 0, 100, p);
    feed(&event);
}

static void
fail(uint8_t kernel_class)
{
    put p = {0};
    put_u16(&p, 2);
    put_u16(&p, 1);
    etwc_event event = event_of(kernel_class, FAIL, 2, 0, 100, p);
    feed(&event);
}

TEST(traffic_is_counted_by_protocol_and_direction)
{
    begin(1);
    two_processes();
    packet(ETWC_CLASS_TCP_IP, SEND, A, 1);
    packet(ETWC_CLASS_TCP_IP, SEND + IPV6, A, 10);
    packet(ETWC_CLASS_TCP_IP, RECEIVE, A, 100);
    packet(ETWC_CLASS_TCP_IP, RECEIVE + IPV6, B, 1000);
    packet(ETWC_CLASS_UDP_IP, SEND, A, 2);
    packet(ETWC_CLASS_UDP_IP, RECEIVE, A, 20);
    packet(ETWC_CLASS_UDP_IP, RECEIVE + IPV6, A, 200);
    etwc_snapshot *s = look(100);
    const etwc_row_counters *a = &row_of(s, A, 0)->counters;
    CHECK_EQ_U64(a->tcp_send_bytes, 11);
    CHECK_EQ_U64(a->tcp_send_ops, 2);
    CHECK_EQ_U64(a->tcp_recv_bytes, 100);
    CHECK_EQ_U64(a->tcp_recv_ops, 1);
    CHECK_EQ_U64(a->udp_send_bytes, 2);
    CHECK_EQ_U64(a->udp_send_ops, 1);
    CHECK_EQ_U64(a->udp_recv_bytes, 220);
    CHECK_EQ_U64(a->udp_recv_ops, 2);
    CHECK_EQ_U64(row_of(s, B, 0)->counters.tcp_recv_bytes, 1000);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->partial, 0);
    finish(s);
}

TEST(connections_are_no_traffic)
{
    begin(1);
    two_processes();
    for (unsigned family = 0; family <= IPV6; family += IPV6) {
        packet(ETWC_CLASS_TCP_IP, CONNECT + family, A, 0);
        packet(ETWC_CLASS_TCP_IP, ACCEPT + family, B, 0);
        packet(ETWC_CLASS_TCP_IP, ACCEPT + family, B, 0);
        packet(ETWC_CLASS_TCP_IP, DISCONNECT + family, A, 0);
        packet(ETWC_CLASS_TCP_IP, RETRANSMIT + family, A, 1460);
        packet(ETWC_CLASS_TCP_IP, RETRANSMIT + family, A, 1460);
        packet(ETWC_CLASS_TCP_IP, RETRANSMIT + family, A, 1460);
    }
    etwc_snapshot *s = look(100);
    const etwc_row_counters *a = &row_of(s, A, 0)->counters;
    CHECK_EQ_U64(a->tcp_connects, 2);
    CHECK_EQ_U64(a->tcp_accepts, 0);
    CHECK_EQ_U64(a->tcp_disconnects, 2);
    CHECK_EQ_U64(a->tcp_retransmits, 6);
    CHECK_EQ_U64(a->tcp_send_bytes + a->tcp_recv_bytes, 0);
    CHECK_EQ_U64(row_of(s, B, 0)->counters.tcp_accepts, 4);
    finish(s);
}

TEST(failures_belong_to_the_machine)
{
    begin(1);
    two_processes();
    fail(ETWC_CLASS_TCP_IP);
    fail(ETWC_CLASS_TCP_IP);
    fail(ETWC_CLASS_UDP_IP);
    etwc_snapshot *s = look(100);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->tcp_fails, 2);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->udp_fails, 1);
    finish(s);
}

HARNESS_MAIN
