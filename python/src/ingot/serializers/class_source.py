"""Extracts the source of the user's own classes, with what they refer to, as a module that stands on its own."""

from __future__ import annotations

from collections.abc import Iterable
from types import CodeType

from .source import Source, _code, _define, _instructions, _join, _methods, _NotPlainError, _Parts


def extract_classes(kinds: Iterable[type]) -> Source | None:
    """Gives one module that defines the classes, None where source text does not tell all.

    Followed is what :func:`ingot.serializers.source.extract_source` follows.
    """
    listed = list(kinds)
    if not listed:
        return None
    parts = _Parts(home=listed[0].__module__, meant={kind.__name__: kind for kind in listed})
    try:
        for kind in listed:
            _define(kind, kind.__name__, parts)
    except _NotPlainError:
        return None
    text = _join(parts)
    if not all(_is_what_runs(kind, text) for kind in listed):
        return None
    return Source(listed[0].__name__, text, frozenset(parts.modules))


def _is_what_runs(kind: type, text: str) -> bool:
    """A file may have been edited since it was imported: then its text is not the class that was trained."""
    try:
        module = compile(text, "<classes>", "exec", dont_inherit=True)
    except SyntaxError:
        return False
    bodies = [item for item in module.co_consts if isinstance(item, CodeType) and item.co_name == kind.__name__]
    written = {item.co_name: _instructions(item) for body in bodies for item in body.co_consts if isinstance(item, CodeType)}
    own = [_code(method) for method in _methods(kind)]
    return all(written.get(code.co_name) == _instructions(code) for code in own if code.co_firstlineno and _is_written(code))


def _is_written(code: CodeType) -> bool:
    """Methods that a dataclass makes stand in no file."""
    return not code.co_filename.startswith("<string>")
