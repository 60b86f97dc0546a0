"""A configuration from and to the form of the design document's ETW_SESSION_CONFIG."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields
from difflib import get_close_matches
from typing import TypeVar

from etwmon._config import ETWMonitorConfig
from etwmon._flags import full_name, is_kernel_flag

ConfigT = TypeVar("ConfigT", bound=ETWMonitorConfig)


# Key of the dictionary to field, where the value goes over as it is.
_PLAIN = {
    "session_name": "session_name",
    "buffer_size": "buffer_size_kb",
    "min_buffers": "min_buffers",
    "max_buffers": "max_buffers",
    "flush_timer": "flush_timer",
    "cpu_sampling_interval": "cpu_sampling_interval",
    "stack_walk_enabled": "enable_stack_walking",
    "command_line": "command_line",
    "max_processes": "max_processes",
    "max_threads": "max_threads",
    "max_images": "max_images",
}
_BEYOND = ("command_line", "max_processes", "max_threads", "max_images")
# Flag to switch, in the order of the document.
_SWITCHES = {
    "EVENT_TRACE_FLAG_PROCESS": "enable_process_events",
    "EVENT_TRACE_FLAG_THREAD": "enable_thread_events",
    "EVENT_TRACE_FLAG_IMAGE_LOAD": "enable_image_events",
    "EVENT_TRACE_FLAG_DISK_IO": "enable_disk_io",
    "EVENT_TRACE_FLAG_MEMORY_PAGE": "enable_memory_events",
    "EVENT_TRACE_FLAG_PROFILE": "enable_cpu_sampling",
    "EVENT_TRACE_FLAG_CSWITCH": "enable_context_switch",
}
# Names as Windows has them; hard faults are memory events as well.
_SWITCH_OF = {full_name(flag): switch for flag, switch in _SWITCHES.items()} | {
    "EVENT_TRACE_FLAG_MEMORY_HARD_FAULTS": "enable_memory_events"
}
_LISTS = {
    "include_pids": "target_processes",
    "exclude_pids": "exclude_processes",
    "include_names": "target_process_names",
    "exclude_names": "exclude_process_names",
}
_FILTER_SWITCHES = ("exclude_system_processes", "include_children")
_KEY_OF_FIELD = (
    {field: key for key, field in _PLAIN.items()}
    | {field: f"process_filter.{key}" for key, field in _LISTS.items()}
    | {field: f"process_filter.{field}" for field in _FILTER_SWITCHES}
)


def config_from_dict(cls: type[ConfigT], values: Mapping[str, object]) -> ConfigT:
    if not isinstance(values, Mapping):
        raise TypeError(f"from_dict() takes a dictionary, not {type(values).__name__}")
    own = _fields_of_subclass(cls)
    known = [*_PLAIN, "kernel_flags", "process_filter", *own]
    faults = _unknown_faults("", values, known)
    arguments = {_PLAIN.get(key, key): value for key, value in values.items() if key in _PLAIN}
    arguments |= {key: values[key] for key in own if key in values}
    if "kernel_flags" in values:
        arguments |= _switches(values["kernel_flags"], faults)
    if "process_filter" in values:
        arguments |= _filters(values["process_filter"], faults)
    make: Callable[..., ConfigT] = cls  # values of any type: faults() looks at them
    config = make(**arguments)
    faults += [_by_key(fault) for fault in config.faults()]
    if faults:
        raise ValueError(f"{cls.__name__}.from_dict: " + "; ".join(faults))
    return config


def _fields_of_subclass(cls: type[ETWMonitorConfig]) -> list[str]:
    ours = {one.name for one in fields(ETWMonitorConfig)}
    return [one.name for one in fields(cls) if one.init and one.name not in ours]


def _unknown_faults(where: str, values: Mapping[str, object], known: Iterable[str]) -> list[str]:
    names = list(known)
    faults = []
    for key in values:
        if key in names:
            continue
        close = get_close_matches(str(key), names, 1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        faults.append(f"there is no key {where}{key!r}{hint}")
    return faults


def _items(name: str, value: object, faults: list[str]) -> list[object]:
    """Return what a list holds; anything list-like will do, but no text."""
    if isinstance(value, (list, tuple, AbstractSet)):
        return list(value)
    faults.append(f"{name} is {value!r}, not a list")
    return []


def _switches(value: object, faults: list[str]) -> dict[str, object]:
    flags = _items("kernel_flags", value, faults)
    switches: dict[str, object] = dict.fromkeys(_SWITCHES.values(), False)
    extra = set()
    for flag in flags:
        if not (isinstance(flag, str) and is_kernel_flag(flag)):
            faults.append(f"kernel_flags has {flag!r}, which is no kernel flag")
            continue
        switch = _SWITCH_OF.get(full_name(flag))
        if switch is None:
            extra.add(full_name(flag))
        else:
            switches[switch] = True
    return {**switches, "extra_kernel_flags": extra or None}


def _filters(value: object, faults: list[str]) -> dict[str, object]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        faults.append(f"process_filter is {value!r}, not a dictionary")
        return {}
    faults += _unknown_faults("process_filter.", value, [*_LISTS, *_FILTER_SWITCHES])
    found: dict[str, object] = {}
    for key, field in _LISTS.items():
        if value.get(key) is not None:
            items = _items(f"process_filter.{key}", value[key], faults)
            found[field] = set(_hashable(f"process_filter.{key}", items, faults))
    # Whoever lists what to leave out means these, and no others.
    if "exclude_pids" in value or "exclude_names" in value:
        found["exclude_system_processes"] = False
    return found | {key: value[key] for key in _FILTER_SWITCHES if key in value}


def _hashable(name: str, items: list[object], faults: list[str]) -> list[object]:
    good: list[object] = [one for one in items if isinstance(one, (int, str))]
    faults += [
        f"{name} has a {type(one).__name__}" for one in items if not isinstance(one, (int, str))
    ]
    return good


def _by_key(fault: str) -> str:
    """Return a fault of a field with the key that the dictionary has for it."""
    name, space, rest = fault.partition(" ")
    return _KEY_OF_FIELD.get(name, name) + space + rest


# ---- Back ---------------------------------------------------------------------------------


def config_to_dict(config: ETWMonitorConfig) -> dict[str, object]:
    plain: dict[str, object] = {key: getattr(config, field) for key, field in _PLAIN.items()}
    for name in _BEYOND:  # the document does not have these: only where they are not as usual
        if plain[name] == getattr(ETWMonitorConfig, name):
            del plain[name]
    flags = [flag for flag, switch in _SWITCHES.items() if getattr(config, switch)]
    flags += sorted(map(full_name, config.extra_kernel_flags or ()))
    filters: dict[str, object] = {
        key: _listed(getattr(config, field)) for key, field in _LISTS.items()
    }
    if config.exclude_system_processes:
        filters["exclude_system_processes"] = True
    if config.include_children:
        filters["include_children"] = True
    own = {name: getattr(config, name) for name in _fields_of_subclass(type(config))}
    return {**plain, "kernel_flags": flags, "process_filter": filters, **own}


def _listed(values: set[int] | set[str] | None) -> list[int | str] | None:
    return None if values is None else sorted(values)
