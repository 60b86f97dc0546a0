"""Configuration: the names, order and defaults of the design document; all faults at once."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import pytest

from etwmon import ETWMonitorConfig, MonitorConfig
from etwmon._flags import KERNEL_FLAGS, kernel_flag, kernel_flag_names, kernel_flags

# The dataclass of the design document, as it is printed there.
DOCUMENT = [
    ("session_name", "OnnxInferenceMonitor"),
    ("buffer_size_kb", 64),
    ("min_buffers", 4),
    ("max_buffers", 64),
    ("enable_process_events", True),
    ("enable_thread_events", True),
    ("enable_cpu_sampling", True),
    ("enable_memory_events", True),
    ("enable_disk_io", False),
    ("enable_context_switch", True),
    ("cpu_sampling_interval", 1000),
    ("enable_stack_walking", False),
    ("target_processes", None),
    ("target_process_names", None),
    ("exclude_system_processes", True),
]
# Those of its ETW_SESSION_CONFIG.
DOCUMENT_FLAGS = [
    "EVENT_TRACE_FLAG_PROCESS",
    "EVENT_TRACE_FLAG_THREAD",
    "EVENT_TRACE_FLAG_IMAGE_LOAD",
    "EVENT_TRACE_FLAG_DISK_IO",
    "EVENT_TRACE_FLAG_MEMORY_PAGE",
    "EVENT_TRACE_FLAG_PROFILE",
    "EVENT_TRACE_FLAG_CSWITCH",
]


def test_fields_and_defaults_are_those_of_the_document() -> None:
    config = ETWMonitorConfig()
    fields = [(one.name, getattr(config, one.name)) for one in dataclasses.fields(config)]
    assert fields[: len(DOCUMENT)] == DOCUMENT
    assert isinstance(config, MonitorConfig)


def test_values_can_be_given_by_position() -> None:
    config = ETWMonitorConfig("Mine", 128, 8, 32)
    assert (config.session_name, config.buffer_size_kb) == ("Mine", 128)
    assert (config.min_buffers, config.max_buffers) == (8, 32)


def test_users_can_derive_from_it() -> None:
    @dataclasses.dataclass
    class Mine(ETWMonitorConfig):
        label: str = "x"

        def faults(self) -> list[str]:
            return [*super().faults(), *(["label is empty"] if not self.label else [])]

    Mine(label="a").check()
    with pytest.raises(ValueError, match="label is empty"):
        Mine(label="").check()


def test_all_faults_are_listed_at_once() -> None:
    config: Any = ETWMonitorConfig(
        session_name="",
        buffer_size_kb=3,
        min_buffers=10,
        max_buffers=5,
        enable_disk_io=1,  # type: ignore[arg-type]
        cpu_sampling_interval=0,
        target_processes={-1},
        target_process_names="python.exe",  # type: ignore[arg-type]
    )
    with pytest.raises(ValueError, match=r"^ETWMonitorConfig: ") as raised:
        config.check()
    for name in (
        "session_name",
        "buffer_size_kb",
        "min_buffers",
        "enable_disk_io",
        "cpu_sampling_interval",
        "target_processes",
        "target_process_names",
    ):
        assert name in str(raised.value)
    assert len(config.faults()) == 7


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("session_name", "x" * 1024),
        ("session_name", "a\0b"),
        ("session_name", None),
        ("buffer_size_kb", 16_385),
        ("buffer_size_kb", True),
        ("buffer_size_kb", 64.0),
        ("min_buffers", 1),
        ("cpu_sampling_interval", 8_191),
        ("target_processes", [4]),
        ("target_processes", {1 << 32}),
        ("target_processes", {"4"}),
        ("target_process_names", {""}),
        ("target_process_names", {4}),
        ("exclude_system_processes", None),
        ("enable_stack_walking", "yes"),
    ],
)
def test_a_wrong_value_is_found(name: str, value: object) -> None:
    config = ETWMonitorConfig()
    setattr(config, name, value)
    (fault,) = config.faults()
    assert fault.startswith(name)


def test_a_configuration_pickles_and_copies() -> None:
    config = ETWMonitorConfig(target_processes={1, 2})
    assert pickle.loads(pickle.dumps(config)) == config
    twin = config.copy()
    assert twin == config
    twin.target_processes = {3}
    assert config.target_processes == {1, 2}


def test_the_documents_flags_are_known() -> None:
    bits = kernel_flags(DOCUMENT_FLAGS)
    # PROCESS, THREAD, IMAGE_LOAD, CSWITCH, DISK_IO, MEMORY_PAGE_FAULTS, PROFILE
    assert bits == 0x1 | 0x2 | 0x4 | 0x10 | 0x100 | 0x1000 | 0x1000000


def test_flag_names_and_bits_agree() -> None:
    assert kernel_flag("cswitch") == kernel_flag("EVENT_TRACE_FLAG_CSWITCH") == 0x10
    for name, bit in KERNEL_FLAGS.items():
        assert bit.bit_count() == 1
        assert kernel_flag_names(bit) == [name]


def test_an_unknown_flag_is_refused() -> None:
    with pytest.raises(ValueError, match="there are: PROCESS"):
        kernel_flag("EVENT_TRACE_FLAG_NOTHING")
