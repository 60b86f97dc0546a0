"""A simulated machine that writes traces whose truth is known.

Used by the demo, the tests and the benchmarks. It knows nothing of the reader, the
decoders and the metrics: payloads are packed by `struct` from the documented layouts, and
the ledgers are counted from the machine's own books (`physical`) and from the facts that
were recorded (`Rule`).

Everything is deterministic by the seed. Nothing here is thread-safe; use one machine on
one thread.
"""

from __future__ import annotations

from .facts import ALL_FLAGS, Fact
from .ledger import Physical, ProcessLife, ProcessorTime, Rule, ThreadLife, ns, physical
from .machine import Machine
from .manifest import ALL_KEYWORDS
from .objects import ImageSpec, ProcessSpec
from .session import Recording, SessionOptions, Sink, random_loss, record

__all__ = [
    "ALL_FLAGS",
    "ALL_KEYWORDS",
    "Fact",
    "ImageSpec",
    "Machine",
    "Physical",
    "ProcessLife",
    "ProcessSpec",
    "ProcessorTime",
    "Recording",
    "Rule",
    "SessionOptions",
    "Sink",
    "ThreadLife",
    "ns",
    "physical",
    "random_loss",
    "record",
]
