"""The hand-written stub of the extension against the live module: names, signatures, docstrings."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from types import BuiltinFunctionType, GetSetDescriptorType, MemberDescriptorType

import pytest

import etwmon
import etwmon._etwcore as live

STUB = Path(str(etwmon.__file__)).parent / "_etwcore.pyi"
Node = ast.FunctionDef | ast.ClassDef | ast.AnnAssign
TYPING_ONLY = {"Protocol", "TypedDict", "NamedTuple"}
# Special methods that a user meets as syntax: the stub must know them.
SPOKEN = {
    "__enter__", "__exit__", "__iter__", "__next__", "__len__", "__getitem__", "__contains__",
    "__call__", "__eq__", "__reduce__", "_repr_html_",
}  # fmt: skip
OF_EVERY_STRUCT = {"n_fields", "n_sequence_fields", "n_unnamed_fields", "__reduce__"}
# What Python 3.11 does not show although the type exports buffers.
BUFFER = {"__buffer__", "__release_buffer__"}


def names_in(body: list[ast.stmt]) -> dict[str, list[Node]]:
    """Name to its definitions; overloads give several."""
    found: dict[str, list[Node]] = {}
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.setdefault(node.name, []).append(node)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.setdefault(node.target.id, []).append(node)
    return found


def is_for_typing_alone(node: Node) -> bool:
    if isinstance(node, ast.ClassDef):
        return bool({ast.unparse(base).partition("[")[0] for base in node.bases} & TYPING_ONLY)
    return isinstance(node, ast.AnnAssign) and "TypeAlias" in ast.unparse(node.annotation)


STUB_NAMES = {
    name: nodes
    for name, nodes in names_in(ast.parse(STUB.read_text()).body).items()
    if not is_for_typing_alone(nodes[0])
}
CLASSES = [name for name in STUB_NAMES if isinstance(STUB_NAMES[name][0], ast.ClassDef)]


def members_of(name: str) -> dict[str, list[Node]]:
    (node,) = STUB_NAMES[name]
    assert isinstance(node, ast.ClassDef)
    return names_in(node.body)


def live_names(thing: object) -> set[str]:
    """Public names, and the special methods that are spoken."""
    own = set(vars(thing)) - OF_EVERY_STRUCT
    return {name for name in own if not name.startswith("_")} | (own & SPOKEN)


def parameters_of(node: ast.FunctionDef) -> list[tuple[str, str, str | None]]:
    """(name, kind, default) of each, as the stub has them; without self and cls."""
    args = node.args
    positional = [*args.posonlyargs, *args.args]
    defaults = [None] * (len(positional) - len(args.defaults)) + list(args.defaults)
    kinds = ["POSITIONAL_ONLY"] * len(args.posonlyargs)
    kinds += ["POSITIONAL_OR_KEYWORD"] * len(args.args)
    rows = list(zip(positional, kinds, defaults, strict=True))
    rows += [(args.vararg, "VAR_POSITIONAL", None)] if args.vararg else []
    rows += [(a, "KEYWORD_ONLY", d) for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True)]
    rows += [(args.kwarg, "VAR_KEYWORD", None)] if args.kwarg else []
    return [
        (arg.arg, kind, ast.unparse(default) if default else None)
        for arg, kind, default in rows
        if arg.arg not in {"self", "cls"}
    ]


def live_parameters(function: object) -> list[tuple[str, str, str | None]]:
    signature = inspect.signature(function)  # type: ignore[arg-type]
    return [
        (p.name, p.kind.name, None if p.default is p.empty else repr(p.default))
        for p in signature.parameters.values()
        if p.name not in {"self", "$self", "cls"}
    ]


def differences(where: str, nodes: list[Node], function: object) -> list[str]:
    """How one function of the stub differs from the live one; overloads are not compared."""
    if len(nodes) > 1 or not isinstance(nodes[0], ast.FunctionDef):
        return []
    if getattr(function, "__text_signature__", None) is None:
        return [f"{where}: the live one has no text signature"]
    stub, real = parameters_of(nodes[0]), live_parameters(function)
    # "..." in a stub stands for any default
    shown = [
        (name, kind, other[2] if default == "..." and other[2] is not None else default)
        for (name, kind, default), other in zip(stub, real, strict=False)
    ]
    same = len(stub) == len(real) and shown == real
    return [] if same else [f"{where}: stub {stub}, live {real}"]


def is_property(nodes: list[Node]) -> bool:
    node = nodes[0]
    if isinstance(node, ast.AnnAssign):
        return True
    return isinstance(node, ast.FunctionDef) and any(
        ast.unparse(decorator) == "property" for decorator in node.decorator_list
    )


def test_stub_and_module_have_the_same_names() -> None:
    assert live_names(live) == set(STUB_NAMES)


def test_functions_have_the_same_signatures() -> None:
    faults: list[str] = []
    for name, nodes in STUB_NAMES.items():
        if isinstance(nodes[0], ast.FunctionDef):
            faults += differences(name, nodes, getattr(live, name))
    assert faults == []


@pytest.mark.parametrize("name", CLASSES)
def test_class_has_the_same_members(name: str) -> None:
    stub = {member for member in members_of(name) if member not in {"__new__", "__init__"}}
    special = {member for member in stub if member.startswith("_")}
    real = getattr(live, name)
    assert stub - special == {n for n in live_names(real) if not n.startswith("_")}
    assert {member for member in special if not hasattr(real, member)} - BUFFER == set()
    assert live_names(real) & SPOKEN - special - {"__eq__"} == set()


@pytest.mark.parametrize("name", CLASSES)
def test_methods_have_the_same_signatures(name: str) -> None:
    faults: list[str] = []
    for member, nodes in members_of(name).items():
        real = getattr(getattr(live, name), member, None)
        if is_property(nodes):
            if not isinstance(real, GetSetDescriptorType | MemberDescriptorType):
                faults.append(f"{name}.{member}: a property in the stub alone")
        elif member in {"__new__", "__init__"}:
            faults += differences(f"{name}()", nodes, getattr(live, name))
        elif not member.startswith("_"):
            faults += differences(f"{name}.{member}", nodes, real)
    assert faults == []


@pytest.mark.parametrize("name", CLASSES)
def test_what_cannot_be_made_says_so(name: str) -> None:
    """A class without a constructor in the stub refuses to be called."""
    real = getattr(live, name)
    if {"__new__", "__init__"} & set(members_of(name)) or issubclass(real, tuple):
        return
    with pytest.raises(TypeError, match="cannot create"):
        real()


def test_everything_has_a_docstring() -> None:
    things: dict[str, object] = {}
    for name in STUB_NAMES:
        real = getattr(live, name)
        if isinstance(real, type):
            things[name] = real
            things |= {f"{name}.{n}": getattr(real, n) for n in live_names(real) - SPOKEN}
        elif isinstance(real, BuiltinFunctionType):
            things[name] = real
    assert [name for name, thing in things.items() if not inspect.getdoc(thing)] == []
