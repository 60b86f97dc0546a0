"""Configuration of monitors: plain dataclasses that a monitor checks when it starts."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Self

from etwmon._redact import MODES

_PID_MAX = (1 << 32) - 1
_ROWS_MIN = 16
_SESSION_NAME_MAX = 1023
_BUFFER_KB = (4, 16_384)
# The profile timer of Windows takes intervals of 0.1221 ms to 1 s.
_SAMPLES_PER_SECOND = (1, 8_190)
_FLUSH_S = (1, 3_600)


@dataclass
class MonitorConfig:
    """What every monitor's configuration can do. Mutable; derive from it freely."""

    def faults(self) -> list[str]:
        """Return all that is wrong with the values, one sentence each; empty when all is well."""
        return []

    def check(self) -> None:
        """Check all values at once.

        Raises:
            ValueError: listing every fault.
        """
        faults = self.faults()
        if faults:
            raise ValueError(f"{type(self).__name__}: " + "; ".join(faults))

    def copy(self) -> Self:
        """Return an independent copy."""
        return copy.deepcopy(self)


@dataclass
class ETWMonitorConfig(MonitorConfig):
    """Configuration of an `ETWMonitor`.

    On a recorded source the session settings and the enable_* switches hide nothing: what was
    recorded is counted.

    Attributes:
        session_name: name of the session that a live monitor creates.
        buffer_size_kb: KB of one buffer of the session, 4 to 16384.
        min_buffers: buffers that the session begins with.
        max_buffers: buffers that it may grow to.
        enable_process_events: processes and images.
        enable_thread_events: threads.
        enable_cpu_sampling: profile samples.
        enable_memory_events: page faults.
        enable_disk_io: disk reads and writes.
        enable_context_switch: context switches: exact CPU time.
        cpu_sampling_interval: profile samples per second and processor, 1 to 8190.
        enable_stack_walking: call stacks of events (much overhead).
        target_processes: ids of the processes wanted; None is all.
        target_process_names: their names, such as "python.exe", in any case; None is all.
            With both, a process that meets either is wanted.
        exclude_system_processes: leave out the ids 0 and 4 and the processes named System,
            Idle and Registry, unless they are named as targets. They still count in
            machine totals.
        exclude_processes: ids of processes to leave out, targets or not.
        exclude_process_names: names of processes to leave out, in any case.
        include_children: what a target starts is wanted too, and what that starts, whatever
            its name; what is to be left out stays out. Without targets it changes nothing.
        flush_timer: seconds after which the session hands on buffers that are not full.
        enable_image_events: modules that processes load.
        extra_kernel_flags: further kernel events, such as "EVENT_TRACE_FLAG_REGISTRY".
        command_line: what `to_dict`, `to_json`, pickles, tables and HTML say of command lines:
            "mask" hides secrets and user names in them, "hash" gives equal ones an equal
            digest, "drop" leaves them out, "keep" changes nothing. The attribute
            `ProcessInfo.command_line` is always as recorded; a `repr` never shows it.
        max_processes: most processes that the monitor keeps, 16 or more. When there are as
            many, the one that is dead for the longest leaves for a new one; if that is before
            everybody who collects was told its end, the interval is lossy. The living never
            leave: when there is no dead one, the new one is refused, which is lossy as well.
            What leaves or is refused stays in the sums of the machine.
        max_threads: likewise for threads.
        max_images: likewise for images; one that was unloaded is dead.
    """

    # Session configuration
    session_name: str = "OnnxInferenceMonitor"
    buffer_size_kb: int = 64
    min_buffers: int = 4
    max_buffers: int = 64

    # Kernel providers
    enable_process_events: bool = True
    enable_thread_events: bool = True
    enable_cpu_sampling: bool = True
    enable_memory_events: bool = True
    enable_disk_io: bool = False
    enable_context_switch: bool = True

    # Performance settings
    cpu_sampling_interval: int = 1000  # Samples per second
    enable_stack_walking: bool = False

    # Filtering
    target_processes: set[int] | None = None
    target_process_names: set[str] | None = None
    exclude_system_processes: bool = True

    # Beyond the design document
    exclude_processes: set[int] | None = None
    exclude_process_names: set[str] | None = None
    include_children: bool = False
    flush_timer: int = 1  # Seconds
    enable_image_events: bool = True
    extra_kernel_flags: set[str] | None = None
    command_line: str = "mask"
    max_processes: int = 16_384
    max_threads: int = 131_072
    max_images: int = 262_144

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Self:
        """Make one of a dictionary in the form of the design document's ETW_SESSION_CONFIG.

        What is missing has its default. Flags that have no switch of their own go to
        `extra_kernel_flags`; EVENT_TRACE_FLAG_MEMORY_PAGE, which Windows does not have, means
        page faults. Exclude lists of `process_filter` replace `exclude_system_processes`.

        Raises:
            ValueError: listing every fault: unknown keys, unknown flags, wrong values.
        """
        from etwmon._config_dict import config_from_dict

        return config_from_dict(cls, values)

    def to_dict(self) -> dict[str, object]:
        """Return the configuration in the form that `from_dict` takes: plain, JSON-ready."""
        from etwmon._config_dict import config_to_dict

        return config_to_dict(self)

    def faults(self) -> list[str]:
        """Return all that is wrong with the values, one sentence each; empty when all is well."""
        return [
            *super().faults(),
            *_name_faults(self.session_name),
            *_number_faults("buffer_size_kb", self.buffer_size_kb, *_BUFFER_KB),
            *self._buffer_faults(),
            *_number_faults(
                "cpu_sampling_interval", self.cpu_sampling_interval, *_SAMPLES_PER_SECOND
            ),
            *self._switch_faults(),
            *_number_faults("flush_timer", self.flush_timer, *_FLUSH_S),
            *_pid_faults("target_processes", self.target_processes),
            *_pid_faults("exclude_processes", self.exclude_processes),
            *_names_faults("target_process_names", self.target_process_names),
            *_names_faults("exclude_process_names", self.exclude_process_names),
            *_flag_faults(self.extra_kernel_flags),
            *_mode_faults(self.command_line),
            *_number_faults("max_processes", self.max_processes, _ROWS_MIN, _PID_MAX),
            *_number_faults("max_threads", self.max_threads, _ROWS_MIN, _PID_MAX),
            *_number_faults("max_images", self.max_images, _ROWS_MIN, _PID_MAX),
        ]

    def _buffer_faults(self) -> list[str]:
        faults = [
            *_number_faults("min_buffers", self.min_buffers, 2, _PID_MAX),
            *_number_faults("max_buffers", self.max_buffers, 2, _PID_MAX),
        ]
        if not faults and self.min_buffers > self.max_buffers:
            faults.append(
                f"min_buffers is {self.min_buffers}, more than max_buffers, {self.max_buffers}"
            )
        return faults

    def _switch_faults(self) -> list[str]:
        names = (
            "enable_process_events",
            "enable_thread_events",
            "enable_cpu_sampling",
            "enable_memory_events",
            "enable_disk_io",
            "enable_context_switch",
            "enable_image_events",
            "enable_stack_walking",
            "include_children",
            "exclude_system_processes",
        )
        return [
            f"{name} is {getattr(self, name)!r}, not True or False"
            for name in names
            if not isinstance(getattr(self, name), bool)
        ]


# Values may be anything: a dataclass does not check them, so these do.


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number_faults(name: str, value: object, lowest: int, highest: int) -> list[str]:
    if not isinstance(value, int) or isinstance(value, bool):
        return [f"{name} is {value!r}, not an int"]
    if not lowest <= value <= highest:
        return [f"{name} is {value}, not between {lowest} and {highest}"]
    return []


def _name_faults(value: object) -> list[str]:
    if not isinstance(value, str):
        return [f"session_name is {value!r}, not a str"]
    if not 0 < len(value) <= _SESSION_NAME_MAX or "\0" in value:
        return [f"session_name has {len(value)} characters; 1 to {_SESSION_NAME_MAX} are wanted"]
    return []


def _pid_faults(name: str, value: object) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, AbstractSet):
        return [f"{name} is {value!r}, not a set of process ids or None"]
    bad = [one for one in value if not (_is_int(one) and 0 <= one <= _PID_MAX)]
    return [f"{name} has {one!r}, which is no process id" for one in bad]


def _names_faults(name: str, value: object) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, AbstractSet):
        return [f"{name} is {value!r}, not a set of names or None"]
    bad = [one for one in value if not (isinstance(one, str) and one)]
    return [f"{name} has {one!r}, which is no name" for one in bad]


def _flag_faults(value: object) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, AbstractSet):
        return [f"extra_kernel_flags is {value!r}, not a set of names of kernel flags or None"]
    from etwmon._flags import is_kernel_flag

    return [
        f"extra_kernel_flags has {one!r}, which is no kernel flag"
        for one in value
        if not (isinstance(one, str) and is_kernel_flag(one))
    ]


def _mode_faults(value: object) -> list[str]:
    if isinstance(value, str) and value in MODES:
        return []
    return [f"command_line is {value!r}, not one of {', '.join(MODES)}"]
