"""Configuration: the names, order and defaults of the design document; all faults at once."""

from __future__ import annotations

import dataclasses
import json
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


# ---- As a dictionary -----------------------------------------------------------------------

# The design document's ETW_SESSION_CONFIG, as it is printed there.
ETW_SESSION_CONFIG: dict[str, object] = {
    "session_name": "OnnxInferenceMonitor",
    "buffer_size": 64,
    "min_buffers": 4,
    "max_buffers": 64,
    "flush_timer": 1,
    "kernel_flags": DOCUMENT_FLAGS,
    "cpu_sampling_interval": 1000,
    "stack_walk_enabled": False,
    "process_filter": {
        "include_pids": None,
        "exclude_pids": [0, 4],
        "include_names": None,
        "exclude_names": ["System", "Idle", "Registry"],
    },
}


def test_the_dictionary_of_the_document_is_taken_as_it_stands() -> None:
    config = ETWMonitorConfig.from_dict(ETW_SESSION_CONFIG)
    assert config == ETWMonitorConfig(
        enable_disk_io=True,
        exclude_system_processes=False,
        exclude_processes={0, 4},
        exclude_process_names={"System", "Idle", "Registry"},
    )
    back = config.to_dict()
    filters = back["process_filter"]
    assert isinstance(filters, dict)
    filters["exclude_names"] = ["System", "Idle", "Registry"]  # sets have no order
    assert back == ETW_SESSION_CONFIG


@pytest.mark.parametrize(
    "config",
    [
        ETWMonitorConfig(),
        ETWMonitorConfig(target_processes=set(), target_process_names={"a.exe"}),
        ETWMonitorConfig(
            "S",
            128,
            enable_process_events=False,
            enable_image_events=False,
            extra_kernel_flags={"EVENT_TRACE_FLAG_REGISTRY"},
            include_children=True,
            exclude_system_processes=False,
            command_line="hash",
            flush_timer=7,
            enable_stack_walking=True,
        ),
    ],
)
def test_a_dictionary_holds_all_of_a_configuration(config: ETWMonitorConfig) -> None:
    plain = json.loads(json.dumps(config.to_dict()))
    assert ETWMonitorConfig.from_dict(plain) == config


def test_flags_become_switches() -> None:
    config = ETWMonitorConfig.from_dict({"kernel_flags": ["process", "MEMORY_HARD_FAULTS", "JOB"]})
    assert config.enable_process_events
    assert config.enable_memory_events
    assert not config.enable_thread_events
    assert not config.enable_context_switch
    assert config.extra_kernel_flags == {"EVENT_TRACE_FLAG_JOB"}
    assert ETWMonitorConfig.from_dict({}) == ETWMonitorConfig()


def test_all_faults_of_a_dictionary_are_told_at_once() -> None:
    with pytest.raises(ValueError, match="from_dict") as raised:
        ETWMonitorConfig.from_dict(
            {
                "buffer_sise": 64,
                "buffer_size": 1,
                "kernel_flags": ["EVENT_TRACE_FLAG_NONSENSE"],
                "process_filter": {"include_pids": [-1], "exclude_names": "x", "exclude": []},
                "command_line": "blur",
            }
        )
    text = str(raised.value)
    for part in (
        "'buffer_sise' (did you mean 'buffer_size'?)",
        "buffer_size is 1",
        "'EVENT_TRACE_FLAG_NONSENSE', which is no kernel flag",
        "process_filter.include_pids has -1",
        "process_filter.exclude_names is 'x', not a list",
        "process_filter.'exclude'",
        "command_line is 'blur'",
    ):
        assert part in text
    for wrong in (
        {"kernel_flags": "PROCESS"},
        {"process_filter": []},
        {"process_filter": {"include_pids": [1.5]}},
    ):
        with pytest.raises(ValueError, match="from_dict"):
            ETWMonitorConfig.from_dict(wrong)


def test_a_derived_configuration_keeps_its_fields_in_the_dictionary() -> None:
    config = _Labelled.from_dict({"label": "y", "buffer_size": 128})
    assert (config.label, config.buffer_size_kb) == ("y", 128)
    assert _Labelled.from_dict(config.to_dict()) == config


@dataclasses.dataclass
class _Labelled(ETWMonitorConfig):
    label: str = "x"
