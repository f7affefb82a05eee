"""Finds the classes of a package's source in this process, where they were pushed from: then a model is one of *them*."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ast


def live_classes(text: str, name: str) -> SimpleNamespace | None:
    """Gives the classes that a source defines, as the module of the class ``name`` (``__main__.Net``) has them here.

    None where that module is not loaded, or anything in it that the source tells is another by now: a method, a constant,
    a function that they use. Nothing is imported or run.
    """
    home = sys.modules.get(name.rpartition(".")[0])
    if home is None:
        return None
    import ast

    from .serializers.class_source import extract_classes

    written = ast.parse(text).body
    names = [node.name for node in written if isinstance(node, ast.ClassDef)]
    kinds = [vars(home).get(each) for each in names]
    here = [kind for kind in kinds if isinstance(kind, type)]
    if not here or len(here) < len(kinds):
        return None
    source = extract_classes(here)
    if source is None or _in_any_order(ast.parse(source.text).body) != _in_any_order(written):
        return None
    return SimpleNamespace(**{kind.__name__: kind for kind in here})


def _in_any_order(nodes: list[ast.stmt]) -> list[str]:
    import ast

    return sorted(ast.dump(node) for node in nodes)
