"""The rule of transfers: disks, file calls, network (14.6)."""

from __future__ import annotations

from . import facts as f
from .books import Books, Concept, Cut, Handler
from .facts import Fact
from .lives import Counters, add


class DiskRule(Concept):
    """What reached a disk, with latencies and priorities."""

    def handlers(self) -> dict[int, Handler]:
        return {
            f.DISK_READ: self._transfer,
            f.DISK_WRITE: self._transfer,
            f.DISK_FLUSH: self._flush,
        }

    def _latency(self, tid: int, position: int, kind: str, ticks: int) -> None:
        process = self.books.lives.owner(self.books.lives.thread(tid, position), position)
        if process is not None:
            process.latencies.setdefault(kind, []).append(ticks)

    def _transfer(self, position: int, fact: Fact) -> None:
        data = fact[4]
        row = self.books.counters_of(data[8], position)
        kind = "read" if fact[2] == f.DISK_READ else "write"
        add(row, f"disk_{kind}_operations", 1)
        add(row, f"disk_{kind}_bytes", data[2])
        add(row, f"disk_{kind}_ticks", data[7])
        add(row, f"disk_priority.{data[1] >> 17 & 7}", 1)
        self._latency(data[8], position, kind, data[7])

    def _flush(self, position: int, fact: Fact) -> None:
        data = fact[4]
        row = self.books.counters_of(data[4], position)
        add(row, "disk_flushes", 1)
        add(row, "disk_flush_ticks", data[2])
        self._latency(data[4], position, "flush", data[2])

    def cut(self, cut: Cut, position: int) -> None:
        for life in self.books.lives.processes:
            cut.latencies.append({kind: len(all_) for kind, all_ in life.latencies.items()})


class FileRule(Concept):
    """File calls. The end of a read or write, found by its packet, tells the bytes.

    In a session that does not record the ends, what was asked for counts at the begin.
    """

    def __init__(self, books: Books) -> None:
        super().__init__(books)
        options = books.recording.options
        flags = options.flags if options.has_kernel_logger else frozenset()
        is_manifest = "file" in options.keywords and "FILE_IO_INIT" not in flags
        self._has_ends = is_manifest or "FILE_IO" in flags
        self._pending: dict[int, tuple[Counters, str]] = {}

    def handlers(self) -> dict[int, Handler]:
        return {
            f.FILE_READ: self._transfer,
            f.FILE_WRITE: self._transfer,
            f.FILE_CREATE: self._create,
            **dict.fromkeys((f.FILE_DIRECTORY, f.FILE_NOTIFY), self._simple),
            **dict.fromkeys((f.FILE_CLEANUP, f.FILE_CLOSE, f.FILE_FLUSH), self._simple),
            **dict.fromkeys(
                (f.FILE_SET_INFO, f.FILE_DELETE, f.FILE_RENAME, f.FILE_QUERY_INFO, f.FILE_CONTROL),
                self._info,
            ),
            f.FILE_END: self._end,
        }

    def _transfer(self, position: int, fact: Fact) -> None:
        _, irp, _, _, tid, size, _ = fact[4]
        row = self.books.counters_of_call(fact, tid, position)
        kind = "file_read" if fact[2] == f.FILE_READ else "file_write"
        add(row, kind + "_operations", 1)
        if self._has_ends:
            self._pending[irp] = (row, kind + "_bytes")
        else:
            add(row, kind + "_bytes", size)

    def _create(self, position: int, fact: Fact) -> None:
        self._other(position, fact, fact[4][2])

    def _simple(self, position: int, fact: Fact) -> None:
        self._other(position, fact, fact[4][3])

    def _info(self, position: int, fact: Fact) -> None:
        self._other(position, fact, fact[4][4])

    def _other(self, position: int, fact: Fact, tid: int) -> None:
        self._pending.pop(fact[4][0], None)  # it was given back, so that call has ended
        if fact[2] in f.FILE_OTHER_HOOKS:
            row = self.books.counters_of_call(fact, tid, position)
            add(row, "file_other_operations", 1)

    def _end(self, position: int, fact: Fact) -> None:
        begun = self._pending.pop(fact[4][0], None)
        if begun is not None:
            row, name = begun
            add(row, name, fact[4][1])


class NetworkRule(Concept):
    """Packets by protocol and direction, and connections."""

    def handlers(self) -> dict[int, Handler]:
        return {
            **dict.fromkeys(f.PACKET_KINDS, self._packet),
            **dict.fromkeys(f.CONNECTION_KINDS, self._connection),
        }

    def _packet(self, position: int, fact: Fact) -> None:
        row = self.books.counters_of_process(fact[4][0], position)
        kind = f.PACKET_KINDS[fact[2]]
        add(row, kind + "_packets", 1)
        add(row, kind + "_bytes", fact[4][1])

    def _connection(self, position: int, fact: Fact) -> None:
        row = self.books.counters_of_process(fact[4][0], position)
        add(row, f.CONNECTION_KINDS[fact[2]], 1)
