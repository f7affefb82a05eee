"""Extracts a function's source together with what it refers to, as a module that stands on its own.

Followed are functions and classes of the same module, imports, and constants that can be written as literals. Anything
else (a fitted model in a global, a closure, a lambda) makes the answer None.
"""

from __future__ import annotations

import ast
import builtins
import dis
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

from ..environments.requirements import split_modules, top_modules

_LOADS_GLOBAL = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}
#: A constant whose text is longer is data, not code.
MAX_LITERAL = 20_000


@dataclass(frozen=True)
class Source:
    """A module that defines ``name``."""

    name: str
    text: str
    #: Every module that it imports.
    modules: frozenset[str]


@dataclass
class _Parts:
    home: str
    imports: dict[str, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    definitions: dict[str, str] = field(default_factory=dict)
    modules: set[str] = field(default_factory=set)
    #: What each name stands for: two modules may mean different things by one name.
    meant: dict[str, Any] = field(default_factory=dict)


class _NotPlainError(Exception):
    """The function refers to something that source text cannot say."""


def extract_source(function: FunctionType) -> Source | None:
    """Gives the function as a module of its own, or None where its source does not tell all.

    >>> extract_source(lambda rows: rows) is None
    True
    """
    parts = _Parts(home=function.__module__, meant={function.__name__: function})
    try:
        _define(function, function.__name__, parts)
    except _NotPlainError:
        return None
    text = _join(parts)
    if not _same_code(function, text):
        return None
    return Source(function.__name__, text, frozenset(parts.modules))


def _define(thing: FunctionType | type, name: str, parts: _Parts) -> None:
    """Adds a function or class and, before it, everything it refers to."""
    if name in parts.definitions:
        return
    if thing.__name__ != name or getattr(inspect.unwrap(thing), "__closure__", None):
        raise _NotPlainError
    node, text = _parse(thing)
    if hasattr(thing, "__wrapped__") and not node.decorator_list:
        raise _NotPlainError
    parts.definitions[name] = ""
    scope = _globals_of(thing)
    for used in _names_used(node, thing):
        if used != name and used in scope:
            _refer(used, scope[used], parts)
        elif used not in scope and not hasattr(builtins, used) and used in _free_names(thing):
            raise _NotPlainError
    parts.modules.update(_imports_inside(node))
    del parts.definitions[name]
    parts.definitions[name] = text


def _refer(name: str, value: Any, parts: _Parts) -> None:
    if parts.meant.setdefault(name, value) is not value:
        raise _NotPlainError
    if isinstance(value, ModuleType):
        _import(name, f"import {value.__name__} as {name}", value.__name__, parts)
    elif isinstance(value, FunctionType | type) and _is_local(value, parts.home):
        _define(value, name, parts)
    elif isinstance(value, FunctionType | BuiltinFunctionType | type) and _importable(value):
        _import(name, f"from {value.__module__} import {value.__name__} as {name}", value.__module__, parts)
    else:
        parts.constants[name] = f"{name} = {_literal(value)}"


def _is_local(value: FunctionType | type, home: str) -> bool:
    """Says whether a definition stands in the function's own module, or in a file of the user's beside it."""
    return value.__module__ == home or bool(split_modules(top_modules([value.__module__]))[1])


def _import(name: str, line: str, module: str, parts: _Parts) -> None:
    if module == "__main__" or split_modules(top_modules([module]))[1]:
        raise _NotPlainError  # a module that only exists here: its code has to travel by value
    simple = line.removesuffix(f" as {name}") if line.split()[-3] == name else line
    parts.imports[name] = simple
    parts.modules.add(module)


def _importable(value: Any) -> bool:
    module, name = getattr(value, "__module__", None), value.__qualname__
    return isinstance(module, str) and module != "builtins" and "." not in name and "<" not in name


def _literal(value: Any) -> str:
    text = repr(value)
    try:
        same = len(text) <= MAX_LITERAL and bool(ast.literal_eval(text) == value) and _is_plain(value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        same = False
    if not same:
        raise _NotPlainError
    return text


def _is_plain(value: Any) -> bool:
    if type(value) in (dict, list, tuple, set, frozenset):
        inner = [*value.keys(), *value.values()] if isinstance(value, dict) else list(value)
        return all(_is_plain(item) for item in inner)
    return value is None or type(value) in (bool, int, float, complex, str, bytes)


def _parse(thing: FunctionType | type) -> tuple[ast.FunctionDef | ast.ClassDef, str]:
    try:
        text = textwrap.dedent(inspect.getsource(thing))
        body = ast.parse(text).body
    except (OSError, TypeError, SyntaxError) as error:
        raise _NotPlainError from error
    if len(body) != 1 or not isinstance(body[0], ast.FunctionDef | ast.ClassDef):
        raise _NotPlainError
    return body[0], text.rstrip()


def _names_used(node: ast.AST, thing: FunctionType | type) -> list[str]:
    """Names a definition loads, in order. A function's local variables only count where its code loads them as global."""
    free = _free_names(thing)
    outside = set(_outer_names(node))
    loads = (inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load))
    return [name for name in dict.fromkeys(loads) if name in free or name in outside]


def _outer_names(node: ast.AST) -> Iterator[str]:
    """Names that are evaluated where the definition stands: decorators, defaults, base classes."""
    outer: list[ast.AST] = []
    for inner in ast.walk(node):
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            outer += inner.decorator_list
        if isinstance(inner, ast.ClassDef):
            outer += [*inner.bases, *(keyword.value for keyword in inner.keywords)]
            outer += [item for item in inner.body if not isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)]
        if isinstance(inner, ast.arguments):
            outer += [*inner.defaults, *(item for item in inner.kw_defaults if item is not None)]
    for item in outer:
        yield from (name.id for name in ast.walk(item) if isinstance(name, ast.Name))


def _free_names(thing: FunctionType | type) -> set[str]:
    codes = [_code(thing)] if isinstance(thing, FunctionType) else [_code(item) for item in _methods(thing)]
    names: set[str] = set()
    while codes:
        code = codes.pop()
        names.update(item.argval for item in dis.get_instructions(code) if item.opname in _LOADS_GLOBAL)
        codes.extend(item for item in code.co_consts if isinstance(item, CodeType))
    return names


def _methods(kind: type) -> list[FunctionType]:
    raw = (getattr(item, "__func__", getattr(item, "fget", item)) for item in vars(kind).values())
    return [item for item in raw if isinstance(item, FunctionType)]


def _code(function: Any) -> CodeType:
    code: CodeType = inspect.unwrap(function).__code__
    return code


def _globals_of(thing: FunctionType | type) -> dict[str, Any]:
    if isinstance(thing, FunctionType):
        scope: dict[str, Any] = inspect.unwrap(thing).__globals__
        return scope
    for method in _methods(thing):
        return method.__globals__
    module = inspect.getmodule(thing)
    return vars(module) if module is not None else {}


def _imports_inside(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Import):
            yield from (alias.name for alias in inner.names)
        elif isinstance(inner, ast.ImportFrom) and inner.module and inner.level == 0:
            yield inner.module


def _join(parts: _Parts) -> str:
    blocks = ["from __future__ import annotations"]
    if parts.imports:
        blocks.append("\n".join(sorted(parts.imports.values())))
    if parts.constants:
        blocks.append("\n".join(parts.constants.values()))
    return "\n\n".join(blocks) + "\n\n\n" + "\n\n\n".join(parts.definitions.values()) + "\n"


def _same_code(function: FunctionType, text: str) -> bool:
    """Says whether the text still is what runs: a file may have been edited since it was imported."""
    try:
        module = compile(text, "<function>", "exec", dont_inherit=True)
    except SyntaxError:
        return False
    named = [item for item in module.co_consts if isinstance(item, CodeType) and item.co_name == function.__name__]
    running = _instructions(_code(function))
    return any(_instructions(code) == running for code in named)


def _instructions(code: CodeType) -> tuple[Any, ...]:
    """What a piece of code does, without where it stands: its operations, names and constants, nested code included."""
    return code.co_code, code.co_names, [_constant(item) for item in code.co_consts]


def _constant(value: Any) -> Any:
    if isinstance(value, CodeType):
        return _instructions(value)
    return sorted(map(repr, value)) if isinstance(value, frozenset) else repr(value)
