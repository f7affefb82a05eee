"""Imports modules before a package is known: those of the environment that an earlier version of a model used.

Nothing of a package is imported here, only what lies in the interpreter's own ``site-packages``.
"""

from __future__ import annotations

import importlib
import os
import sys
import sysconfig
import time
from collections.abc import Callable, Sequence

__all__ = ["environment_modules", "preload"]


def environment_modules() -> list[str]:
    """Names of the loaded modules that lie in the interpreter's ``site-packages``, in the order of their import."""
    roots = tuple({os.path.realpath(sysconfig.get_path(kind)) + os.sep for kind in ("purelib", "platlib")})
    names = []
    for name, module in list(sys.modules.items()):
        origin = getattr(getattr(module, "__spec__", None), "origin", None)
        # A module that another one put there under a second name cannot be imported by it.
        if isinstance(origin, str) and module.__spec__.name == name and os.path.realpath(origin).startswith(roots):
            names.append(name)
    return names


def preload(names: Sequence[str], is_wanted: Callable[[], bool]) -> None:
    """Imports ``names`` until ``is_wanted`` says that there is something better to do.

    Rests as long as it worked, so that half a processor stays with the workers that answer: a process that lowers its
    priority instead could not raise it again without privileges.
    """
    for name in names:
        if is_wanted():
            return
        if name in sys.modules:
            continue
        began = time.monotonic()
        try:
            importlib.import_module(name)
        except Exception:  # noqa: BLE001, S112 - the model's own import of it will say what is wrong
            continue
        spent = time.monotonic() - began
        if spent > 0.002 and not is_wanted():
            time.sleep(min(spent, 0.2))
