"""Which modules Python files import, by reading them; nothing is executed."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from .requirements import top_modules


def imported_modules(paths: Iterable[Path]) -> set[str]:
    """Gives the top-level modules that Python files and folders import, without the standard library.

    What only type checkers import, or what a file can do without (``try: import x; except ImportError``), does not
    count; a file that is no Python imports nothing.
    """
    found: set[str] = set()
    for path in paths:
        for file in path.rglob("*.py") if path.is_dir() else [path] if path.suffix == ".py" else []:
            try:
                tree = ast.parse(file.read_bytes())
            except (SyntaxError, ValueError, OSError):
                continue
            found.update(_imports(tree))
    return top_modules(found)


def _imports(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        yield node.module
    elif isinstance(node, ast.Try) and any(_catches_missing(handler) for handler in node.handlers):
        return
    elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        for other in node.orelse:
            yield from _imports(other)
        return
    for child in ast.iter_child_nodes(node):
        yield from _imports(child)


def _catches_missing(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or any(name in ast.unparse(handler.type) for name in ("ImportError", "ModuleNotFoundError", "Exception"))
