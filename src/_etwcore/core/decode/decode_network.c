/* Classes TcpIp and UdpIp: event-decoding, "TcpIp (06) and UdpIp (08)". */
#include "decode_layout.h"

/* Tables are laid out by hand. */
/* clang-format off */

#define NET_PID(SLOT) SLOT(U32, "PID", DEC, network.process_id, 0)
#define NET_SIZE(SLOT) SLOT(U32, "size", DEC, network.size, 0)
#define NET_ENDS(ROW, ip)     \
    ROW(ip, "daddr", DEC)     \
    ROW(ip, "saddr", DEC)     \
    ROW(PORT, "dport", DEC)   \
    ROW(PORT, "sport", DEC)
#define NET_HEAD(ROW, SLOT, ip) NET_PID(SLOT) NET_SIZE(SLOT) NET_ENDS(ROW, ip)
#define NET_TIMES(ROW)          \
    ROW(U32, "startime", DEC)   \
    ROW(U32, "endtime", DEC)
/* Version 1 has the connection first, version 2 the sequence number. */
#define NET_TAIL_1(ROW) ROW(PTR, "connid", HEX) ROW(U32, "seqnum", DEC)
#define NET_TAIL_2(ROW) ROW(U32, "seqnum", DEC) ROW(PTR, "connid", HEX)
#define NET_OPTIONS(ROW)            \
    ROW(U16, "mss", DEC)            \
    ROW(U16, "sackopt", DEC)        \
    ROW(U16, "tsopt", DEC)          \
    ROW(U16, "wsopt", DEC)          \
    ROW(U32, "rcvwin", DEC)         \
    ROW(I16, "rcvwinscale", DEC)    \
    ROW(I16, "sndwinscale", DEC)

/* ---- TCP ------------------------------------------------------------------- */

#define TCP_0(ROW, SLOT, BITS) NET_ENDS(ROW, IP4) NET_SIZE(SLOT) NET_PID(SLOT)
#define SEND_1(ROW, SLOT, BITS) \
    NET_HEAD(ROW, SLOT, IP4) NET_TIMES(ROW) NET_TAIL_1(ROW)
#define SEND_2(ROW, SLOT, BITS) \
    NET_HEAD(ROW, SLOT, IP4) NET_TIMES(ROW) NET_TAIL_2(ROW)
#define SEND6_2(ROW, SLOT, BITS) \
    NET_HEAD(ROW, SLOT, IP6) NET_TIMES(ROW) NET_TAIL_2(ROW)
#define PACKET_1(ROW, SLOT, BITS) NET_HEAD(ROW, SLOT, IP4) NET_TAIL_1(ROW)
#define PACKET_2(ROW, SLOT, BITS) NET_HEAD(ROW, SLOT, IP4) NET_TAIL_2(ROW)
#define PACKET6_2(ROW, SLOT, BITS) NET_HEAD(ROW, SLOT, IP6) NET_TAIL_2(ROW)
#define OPEN_1(ROW, SLOT, BITS) \
    NET_HEAD(ROW, SLOT, IP4) NET_OPTIONS(ROW) NET_TAIL_1(ROW)
#define OPEN_2(ROW, SLOT, BITS) \
    NET_HEAD(ROW, SLOT, IP4) NET_OPTIONS(ROW) NET_TAIL_2(ROW)
#define OPEN6_2(ROW, SLOT, BITS) \
    NET_HEAD(ROW, SLOT, IP6) NET_OPTIONS(ROW) NET_TAIL_2(ROW)

DECODE_FAST(tcp_0, TCP_0, network)
DECODE_FAST(send_1, SEND_1, network)
DECODE_FAST(send_2, SEND_2, network)
DECODE_FAST(send6_2, SEND6_2, network)
DECODE_FAST(packet_1, PACKET_1, network)
DECODE_FAST(packet_2, PACKET_2, network)
DECODE_FAST(packet6_2, PACKET6_2, network)
DECODE_FAST(open_1, OPEN_1, network)
DECODE_FAST(open_2, OPEN_2, network)
DECODE_FAST(open6_2, OPEN6_2, network)

/* Rows up to the process id and size. */
enum { NET_REQUIRED = 2, NET_REQUIRED_0 = 6 };

static const decode_form send_forms[] = {
    FORM_FAST(0, 0, tcp_0, NET_REQUIRED_0)
    FORM_FAST(1, 1, send_1, NET_REQUIRED)
    FORM_FAST(2, 2, send_2, NET_REQUIRED)
};
static const decode_form packet_forms[] = {
    FORM_FAST(0, 0, tcp_0, NET_REQUIRED_0)
    FORM_FAST(1, 1, packet_1, NET_REQUIRED)
    FORM_FAST(2, 2, packet_2, NET_REQUIRED)
};
static const decode_form later_packet_forms[] = { /* 16, 18: not in version 0 */
    FORM_FAST(1, 1, packet_1, NET_REQUIRED)
    FORM_FAST(2, 2, packet_2, NET_REQUIRED)
};
static const decode_form open_forms[] = {
    FORM_FAST(0, 0, tcp_0, NET_REQUIRED_0)
    FORM_FAST(1, 1, open_1, NET_REQUIRED)
    FORM_FAST(2, 2, open_2, NET_REQUIRED)
};
static const decode_form send6_forms[] = {FORM_FAST(2, 2, send6_2, NET_REQUIRED)};
static const decode_form packet6_forms[] = {FORM_FAST(2, 2, packet6_2, NET_REQUIRED)};
static const decode_form open6_forms[] = {FORM_FAST(2, 2, open6_2, NET_REQUIRED)};

static const decode_row fail_1[] = {ROW(U32, "Proto", DEC)};
static const decode_row fail_2[] = {
    ROW(U16, "Proto", DEC)
    ROW(U16, "FailureCode", DEC)
};
static const decode_form tcp_fail_forms[] = {
    FORM(1, 1, fail_1, 0)
    FORM(2, 2, fail_2, 0)
};
static const decode_form udp_fail_forms[] = {FORM(2, 2, fail_2, 0)};

static const decode_opcode tcp_ip_opcodes[] = {
    OPCODE(10, "TcpIp/Send", send_forms, NETWORK)
    OPCODE(11, "TcpIp/Recv", packet_forms, NETWORK)
    OPCODE(12, "TcpIp/Connect", open_forms, NETWORK)
    OPCODE(13, "TcpIp/Disconnect", packet_forms, NETWORK)
    OPCODE(14, "TcpIp/Retransmit", packet_forms, NETWORK)
    OPCODE(15, "TcpIp/Accept", open_forms, NETWORK)
    OPCODE(16, "TcpIp/Reconnect", later_packet_forms, NETWORK)
    OPCODE(17, "TcpIp/Fail", tcp_fail_forms, NETWORK_FAIL)
    OPCODE(18, "TcpIp/TCPCopy", later_packet_forms, NETWORK)
    OPCODE(26, "TcpIp/SendIPV6", send6_forms, NETWORK)
    OPCODE(27, "TcpIp/RecvIPV6", packet6_forms, NETWORK)
    OPCODE(28, "TcpIp/ConnectIPV6", open6_forms, NETWORK)
    OPCODE(29, "TcpIp/DisconnectIPV6", packet6_forms, NETWORK)
    OPCODE(30, "TcpIp/RetransmitIPV6", packet6_forms, NETWORK)
    OPCODE(31, "TcpIp/AcceptIPV6", open6_forms, NETWORK)
    OPCODE(32, "TcpIp/ReconnectIPV6", packet6_forms, NETWORK)
    OPCODE(34, "TcpIp/TCPCopyIPV6", packet6_forms, NETWORK)
};
CLASS(tcp_ip)

/* ---- UDP ------------------------------------------------------------------- */

/* Version 0 does not say whose datagram it is. */
static const decode_row udp_0[] = {
    ROW(PTR, "context", HEX)
    ROW(IP4, "saddr", DEC)
    ROW(PORT, "sport", DEC)
    ROW(U16, "size", DEC)
    ROW(IP4, "daddr", DEC)
    ROW(PORT, "dport", DEC)
    ROW(U16, "dsize", DEC)
};
#define UDP_1(ROW, SLOT, BITS) NET_HEAD(ROW, SLOT, IP4)
DECODE_FAST(udp_1, UDP_1, network)

static const decode_form udp_forms[] = {
    FORM(0, 0, udp_0, DECODE_NEVER)
    FORM_FAST(1, 1, udp_1, NET_REQUIRED)
    FORM_FAST(2, 2, packet_2, NET_REQUIRED)
};

static const decode_opcode udp_ip_opcodes[] = {
    OPCODE(10, "UdpIp/Send", udp_forms, NETWORK)
    OPCODE(11, "UdpIp/Recv", udp_forms, NETWORK)
    OPCODE(17, "UdpIp/Fail", udp_fail_forms, NETWORK_FAIL)
    OPCODE(26, "UdpIp/SendIPV6", packet6_forms, NETWORK)
    OPCODE(27, "UdpIp/RecvIPV6", packet6_forms, NETWORK)
};
CLASS(udp_ip)

/* ---- Microsoft-Windows-Kernel-Network -------------------------------------- */

/* Its payloads are those of version 2; ids of TCP are the opcodes. */
#define NAME(event) "Microsoft-Windows-Kernel-Network/" event

static const decode_form manifest_send_forms[] = {FORM_FAST(0, 0, send_2, NET_REQUIRED)};
static const decode_form manifest_send6_forms[] = {
    FORM_FAST(0, 0, send6_2, NET_REQUIRED)
};
static const decode_form manifest_packet_forms[] = {
    FORM_FAST(0, 0, packet_2, NET_REQUIRED)
};
static const decode_form manifest_packet6_forms[] = {
    FORM_FAST(0, 0, packet6_2, NET_REQUIRED)
};
static const decode_form manifest_open_forms[] = {FORM_FAST(0, 0, open_2, NET_REQUIRED)};
static const decode_form manifest_open6_forms[] = {
    FORM_FAST(0, 0, open6_2, NET_REQUIRED)
};
static const decode_form manifest_fail_forms[] = {FORM(0, 0, fail_2, 0)};

static const decode_opcode manifest_network_opcodes[] = {
    EVENT(10, NAME("TcpIpSend"), manifest_send_forms, NETWORK, 10)
    EVENT(11, NAME("TcpIpRecv"), manifest_packet_forms, NETWORK, 11)
    EVENT(12, NAME("TcpIpConnect"), manifest_open_forms, NETWORK, 12)
    EVENT(13, NAME("TcpIpDisconnect"), manifest_packet_forms, NETWORK, 13)
    EVENT(14, NAME("TcpIpRetransmit"), manifest_packet_forms, NETWORK, 14)
    EVENT(15, NAME("TcpIpAccept"), manifest_open_forms, NETWORK, 15)
    EVENT(16, NAME("TcpIpReconnect"), manifest_packet_forms, NETWORK, 16)
    EVENT(17, NAME("TcpIpFail"), manifest_fail_forms, NETWORK_FAIL, 17)
    EVENT(18, NAME("TcpIpTCPCopy"), manifest_packet_forms, NETWORK, 18)
    EVENT(26, NAME("TcpIpSendIPV6"), manifest_send6_forms, NETWORK, 26)
    EVENT(27, NAME("TcpIpRecvIPV6"), manifest_packet6_forms, NETWORK, 27)
    EVENT(28, NAME("TcpIpConnectIPV6"), manifest_open6_forms, NETWORK, 28)
    EVENT(29, NAME("TcpIpDisconnectIPV6"), manifest_packet6_forms, NETWORK, 29)
    EVENT(30, NAME("TcpIpRetransmitIPV6"), manifest_packet6_forms, NETWORK, 30)
    EVENT(31, NAME("TcpIpAcceptIPV6"), manifest_open6_forms, NETWORK, 31)
    EVENT(32, NAME("TcpIpReconnectIPV6"), manifest_packet6_forms, NETWORK, 32)
    EVENT(34, NAME("TcpIpTCPCopyIPV6"), manifest_packet6_forms, NETWORK, 34)
    EVENT(42, NAME("UdpIpSend"), manifest_packet_forms, NETWORK, 10)
    EVENT(43, NAME("UdpIpRecv"), manifest_packet_forms, NETWORK, 11)
    EVENT(49, NAME("UdpIpFail"), manifest_fail_forms, NETWORK_FAIL, 17)
    EVENT(58, NAME("UdpIpSendIPV6"), manifest_packet6_forms, NETWORK, 26)
    EVENT(59, NAME("UdpIpRecvIPV6"), manifest_packet6_forms, NETWORK, 27)
};
CLASS(manifest_network)

/* clang-format on */
