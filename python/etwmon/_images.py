"""Addresses as images and offsets."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from etwmon._selection import Selection
    from etwmon._trace import Trace

_SAMPLE_OPCODE = 46


class ImageOffset(NamedTuple):
    r"""An address in an image; as text "ntdll.dll+0x1a2b".

    Attributes:
        image: file of the image, in the device form of the kernel
            (\Device\HarddiskVolume2\...).
        offset: bytes from where the image begins in memory.
    """

    image: str
    offset: int

    @property
    def name(self) -> str:
        """The image without its folders."""
        return self.image.rpartition("\\")[2] or self.image

    def __str__(self) -> str:
        return f"{self.name}+{self.offset:#x}"


def samples_by_image(
    trace: Trace, selection: Selection
) -> dict[tuple[int | None, str | None], int]:
    chosen: Selection = {**selection, "provider": "PerfInfo", "opcode": _SAMPLE_OPCODE}
    found: Counter[tuple[int | None, str | None]] = Counter()
    for event in trace.events(**chosen):
        address, pid = event.fields().get("InstructionPointer"), event.process
        if not isinstance(address, int):
            continue  # too short to be read; `Trace.decoding` counts it
        place = trace.resolve(address, 0 if pid is None else pid, event.filetime)
        found[pid, None if place is None else place.image] += 1
    return dict(found.most_common())
