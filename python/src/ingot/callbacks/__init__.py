"""Callbacks that push a model from inside the training loop of its framework, in at most three lines.

One module a framework, imported when it is first asked for, so that ``import ingot`` imports no framework::

    from ingot.callbacks.xgboost import IngotCallback
    model.fit(X, y, callbacks=[IngotCallback("churn")])

``ingot.callbacks.xgboost`` is there after ``import ingot``, too. Modules: ``xgboost``, ``lightgbm``, ``keras``,
``lightning``, ``transformers``.
"""

from __future__ import annotations

import importlib
from types import ModuleType

#: The frameworks that have a callback; each is a module of this package.
FRAMEWORKS = ("keras", "lightgbm", "lightning", "transformers", "xgboost")

__all__ = ["FRAMEWORKS"]


def __getattr__(name: str) -> ModuleType:
    if name in FRAMEWORKS:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"ingot.callbacks has no {name!r}; there are {', '.join(FRAMEWORKS)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *FRAMEWORKS])
