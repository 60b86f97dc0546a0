"""The network of the simulated machine: connections, and packets with their owners."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import facts as f
from .objects import BLOCK, RUN, TERMINATED, USER_MODE, WR_QUEUE, Op, Process, Processor, Thread
from .scheduler import Scheduler

Connection = tuple[str, str, int, int, int]  # remote and local address and port, id


class Network(Scheduler):
    """Sends in the caller's context, receives in DPCs wherever the card interrupts."""

    _connection = 0x2A00

    def connect(
        self, thread: Thread | None = None, *, is_v6: bool = False, accepts: bool = False
    ) -> Connection:
        """Return a new connection; with a thread it is one of TCP, and logged."""
        self._connection += 1
        rng = self.rng
        remote, local = f"203.0.113.{rng.randrange(1, 255)}", "10.0.0.17"
        if is_v6:
            remote, local = f"2001:db8::{rng.randrange(1, 255):x}", "2001:db8:1::17"
        ends = (remote, local, 443, 49152 + rng.randrange(16000), self._connection)
        if thread is not None and not is_v6:
            options = (1460, 1, 0, 1, 65535, 8, 8, 0, ends[4])
            hook = f.TCP_ACCEPT if accepts else f.TCP_CONNECT
            self.note(hook, thread.process.pid, 0, *ends[:4], *options)
            self.happened.append((self.now, thread.process, f.CONNECTION_KINDS[hook], 1))
        return ends

    def disconnect(self, thread: Thread, connection: Connection) -> None:
        """Close a connection of TCP."""
        self.note(f.TCP_DISCONNECT, thread.process.pid, 0, *connection[:4], 0, connection[4])
        self.happened.append((self.now, thread.process, "tcp_disconnects", 1))

    def send(
        self, thread: Thread, connection: Connection, size: int, *, is_udp: bool = False
    ) -> None:
        """Send data; the record is written in the caller's context.

        One segment of TCP in twelve is lost on its way and sent again, from a DPC.
        """
        process = thread.process
        remote, local, remote_port, port, key = connection
        ends = (process.pid, size, remote, local, remote_port, port)
        is_v6 = ":" in remote
        if is_udp:
            self.note(f.UDP_SEND_6 if is_v6 else f.UDP_SEND, *ends, 0, key)
        else:
            clock = self.now // self.clock_tick & 0xFFFFFFFF
            self.note(f.TCP_SEND_6 if is_v6 else f.TCP_SEND, *ends, clock, clock, 0, key)
            if not is_v6 and self.rng.random() < 0.08:
                self.at(self.now + self.ticks(700), self._retransmit, (process, *ends[1:], 0, key))
        self._happened_packet(process, "udp_sent" if is_udp else "tcp_sent", size)

    def _retransmit(self, now: int, arg: tuple[Any, ...], _: Any) -> None:
        process = arg[0]
        if process.end is None:
            self.note(f.TCP_RETRANSMIT, process.pid, *arg[1:], cpu=self.cpus[0])
            self.happened.append((now, process, "tcp_retransmits", 1))

    def _happened_packet(self, process: Process, kind: str, size: int) -> None:
        self.happened.append((self.now, process, kind + "_packets", 1))
        self.happened.append((self.now, process, kind + "_bytes", size))

    def receive(
        self, thread: Thread, connection: Connection, size: int, us: float, *, is_udp: bool = False
    ) -> Iterator[Op]:
        """Wait for data that arrives after a time (`yield from`)."""
        arg = (thread, connection, size, is_udp)
        self.at(self.now + self.ticks(us), self._packet, arg)
        yield (BLOCK, WR_QUEUE, USER_MODE)
        yield (RUN, 8)

    def _packet(self, now: int, arg: Any, _: Any) -> None:
        cpu = self.cpus[self.rng.randrange(min(2, len(self.cpus)))]
        self.interrupt(cpu, self.ticks(1), self.ticks(12), self._packet_dpc, arg)

    def _packet_dpc(self, now: int, cpu: Processor, arg: Any) -> None:
        thread, connection, size, is_udp = arg
        remote, local, remote_port, port, key = connection
        process = thread.process
        if process.end is not None or thread.state == TERMINATED:
            return  # nobody listens any more
        ends = (remote, local, remote_port, port)
        if is_udp:  # source and destination of the packet
            ends = (local, remote, port, remote_port)
        hook = f.UDP_RECEIVE if is_udp else f.TCP_RECEIVE
        if ":" in remote:
            hook = f.UDP_RECEIVE_6 if is_udp else f.TCP_RECEIVE_6
        self.note(hook, process.pid, size, *ends, 0, key, cpu=cpu)
        self._happened_packet(process, "udp_received" if is_udp else "tcp_received", size)
        self.wake(thread, cpu)
