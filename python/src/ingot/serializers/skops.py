"""Saves scikit-learn estimators with skops: an archive that is read by an allow-list of types instead of unpickled."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..environments.requirements import top_modules
from ..errors import InvalidPackage
from .base import Saved
from .sklearn import best_estimator, cannot_answer, check_fitted, marked, what_it_takes


class SkopsSerializer:
    """``push(…, serializer="skops")``. Loading runs nothing but types that are trusted.

    skops trusts the types of scikit-learn, numpy and scipy that it knows to be harmless. Whatever else the object holds
    has to be allowed where it is loaded, by ``INGOT_TRUSTED_TYPES``; the package has no say in it.
    """

    name = "skops"
    unsafe = False

    def can_handle(self, model: Any) -> bool:
        """Never chosen by itself: pickle is exact for every estimator, skops for those whose types it knows."""
        return False

    def save(self, model: Any, directory: Path, *, data: Any = None, code: Iterable[Path] = ()) -> Saved:
        """Writes ``model.skops``; says which types are to be trusted by whoever loads it, none at best.

        :raises InvalidPackage: for an object that skops cannot carry, or where it is not installed.
        """
        best = best_estimator(model)
        check_fitted(best)
        takes = what_it_takes(best, data)
        path = directory / "model.skops"
        untrusted = _write(marked(best, takes), path)
        modules = frozenset(top_modules(["sklearn", "skops", *untrusted, type(best).__module__]))
        return Saved(flavor="sklearn", modules=modules, takes=takes, model=best, notices=(_verdict(untrusted), *cannot_answer(best)))

    def pip_names(self, model: Any) -> list[str]:
        """scikit-learn and skops."""
        return ["scikit-learn", "skops"]


def _write(model: Any, path: Path) -> list[str]:
    try:
        from skops import io
    except ImportError as error:
        raise InvalidPackage("skops is not installed", code="invalid-package", hint="pip install skops") from error
    try:
        io.dump(model, path)
        return [str(name) for name in io.get_untrusted_types(file=path)]
    except Exception as error:  # noqa: BLE001 - skops raises what the types it does not know raise
        raise InvalidPackage(
            f"skops cannot carry this {type(model).__name__}: {type(error).__name__}: {error}",
            code="invalid-package",
            hint='ingot.push(model, …) without serializer="skops" stores a pickle',
        ) from error


def _verdict(untrusted: list[str]) -> str:
    if not untrusted:
        return "skops holds it with types it trusts by itself: it loads anywhere without running code of the package"
    return f"to load it, these types have to be trusted there: INGOT_TRUSTED_TYPES={','.join(untrusted)}"
