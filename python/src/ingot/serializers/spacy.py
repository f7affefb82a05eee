"""Saves spaCy pipelines as the folder that spaCy itself writes."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..environments.requirements import split_modules
from ..errors import InvalidPackage
from ..kinds import comes_from
from .base import Saved


class SpacySerializer:
    """Data only, unless components are the user's own code, which ``code=[…]`` brings along."""

    name = "spacy"
    unsafe = False

    def can_handle(self, model: Any) -> bool:
        """A ``Language``: what ``spacy.load`` or ``spacy.blank`` gave."""
        return comes_from(model, "spacy") and hasattr(model, "pipe_names") and hasattr(model, "to_disk")

    def save(self, model: Any, directory: Path, *, data: Any = None, code: Iterable[Path] = ()) -> Saved:
        """Writes the folder ``model``.

        :raises InvalidPackage: for components whose code is neither installed nor among ``code``.
        """
        beside = {part.resolve().stem if part.is_file() else part.resolve().name for part in code}
        sources = component_modules(model)
        installed, local = split_modules(sources.values())
        for component, module in sources.items():
            if module in local and module not in beside:
                raise _unknown_code(component, module)
        model.to_disk(directory / "model")
        imports = sorted(local)
        description: dict[str, Any] = {"artifact": "model", **({"imports": imports} if imports else {})}
        return Saved(
            flavor="spacy",
            modules=frozenset({"spacy", *installed}),
            executes_code=bool(imports),
            reason=f"its components are code: {', '.join(imports)}" if imports else None,
            takes="texts",
            description=description,
            params={"language": model.lang, "pipeline": ", ".join(model.pipe_names)},
            metrics=_scores(model),
        )

    def pip_names(self, model: Any) -> list[str]:
        """None beyond what is imported."""
        return []


def component_modules(model: Any) -> dict[str, str]:
    """Gives the top-level module that registered each component, by the component's name; spaCy's own are left out."""
    from spacy.util import registry

    found: dict[str, str] = {}
    for name in model.component_names:
        factory = registry.factories.get(model.get_pipe_meta(name).factory)
        module = _module_of(model.get_pipe(name)) if _module_of(factory) == "spacy" else _module_of(factory)
        if module not in {"spacy", "thinc"}:
            found[name] = module
    return found


def _module_of(made: Any) -> str:
    """The module that defined a function or an object's class; of a factory that spaCy made around a function, spaCy's."""
    named = made if inspect.isfunction(made) or inspect.isclass(made) else type(made)
    return str(getattr(made if inspect.isfunction(made) else named, "__module__", "spacy")).partition(".")[0]


def _unknown_code(component: str, module: str) -> InvalidPackage:
    in_notebook = module in {"__main__", "__mp_main__"}
    where = "this notebook or script" if in_notebook else f"{module}.py"
    return InvalidPackage(
        f'the component "{component}" is code of {where}, which the pipeline does not hold, so it would not load elsewhere',
        code="invalid-package",
        hint=f"{'move it to a file, import it from there, and push with' if in_notebook else 'push with'} "
        f'code=["{"components" if in_notebook else module}.py"]',
    )


def _scores(model: Any) -> dict[str, float]:
    """What training wrote into the pipeline's ``performance``."""
    told = model.meta.get("performance") or {}
    return {name: float(value) for name, value in told.items() if isinstance(value, int | float) and not isinstance(value, bool)}
