"""Hooks into the functions that fit a model, of frameworks that are imported already or will be."""

from __future__ import annotations

import functools
import importlib.abc
import importlib.machinery
import importlib.util
import math
import operator
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FunctionType, MethodType, ModuleType
from typing import Any, cast

from .quietly import quietly

#: Frameworks that can be hooked into, and the modules whose import is waited for.
FRAMEWORKS: Mapping[str, tuple[str, ...]] = {
    "sklearn": ("sklearn.base",),
    "xgboost": ("xgboost",),
    "lightgbm": ("lightgbm",),
    "catboost": ("catboost",),
    "keras": ("keras",),
    "lightning": ("lightning.pytorch", "pytorch_lightning"),
}

#: Libraries whose own calls of fit() are parts of something larger: of a search, an ensemble, a cross-validation.
_CALLERS = frozenset({"sklearn", "imblearn", "xgboost", "lightgbm", "catboost", "skopt", "dask_ml", "mlxtend", "keras"})

#: Methods of a library that fit the very object they are called on.
_THROUGH = frozenset({"fit_predict", "fit_transform"})

#: A model is asked for its score on what it was fitted on up to so many rows.
SCORED_ROWS = 10_000

Around = Callable[[Callable[[], Any], "Callable[[Any], Fitted | None]"], Any]


@dataclass(frozen=True)
class Fitted:
    """A model that was fitted, and what the fit told."""

    model: Any
    framework: str
    X: Any = None
    y: Any = None
    params: Mapping[str, Any] = field(default_factory=dict)
    #: Numbers that the framework counted while it fitted.
    told: Mapping[str, Any] = field(default_factory=dict)

    def metrics(self, score: bool) -> dict[str, float]:
        """Gives finite numbers only: what the framework told, and the score on the training data where that is quick."""
        found = {**(self._score() if score else {}), **self.told}
        return {name: number for name, value in found.items() if (number := _number(value)) is not None}

    def _score(self) -> dict[str, Any]:
        if self.X is None or self.y is None or _rows(self.X) > SCORED_ROWS:
            return {}
        try:
            kind = _kind_of(self.model)
            with quietly():
                return {} if kind is None else {kind: self.model.score(self.X, self.y)}
        except Exception:  # noqa: BLE001 - a score that cannot be had is left out
            return {}


class Hooks:
    """Functions that were replaced, to be put back."""

    def __init__(self, around: Around) -> None:
        self._around = around
        self._undo: list[Callable[[], None]] = []
        self._finder: _Finder | None = None

    def install(self, frameworks: Iterable[str]) -> None:
        """Hooks into frameworks: now where they are imported, else as soon as they are."""
        waiting: dict[str, Callable[[ModuleType], None]] = {}
        for name in frameworks:
            hook: Callable[[ModuleType], None] = getattr(self, f"_hook_{name}")
            for module in FRAMEWORKS[name]:
                if module in sys.modules:
                    hook(sys.modules[module])
                else:
                    waiting[module] = hook
        if waiting:
            self._finder = _Finder(waiting)
            sys.meta_path.insert(0, self._finder)

    def remove(self) -> None:
        """Puts everything back, in the opposite order."""
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)
        while self._undo:
            self._undo.pop()()

    def _replace(self, owner: Any, name: str, value: Any) -> None:
        before = vars(owner).get(name, _MISSING)
        setattr(owner, name, value)
        self._undo.append(lambda: delattr(owner, name) if before is _MISSING else setattr(owner, name, before))

    def _hook_sklearn(self, module: ModuleType) -> None:
        base: Any = module.BaseEstimator
        for kind in {*_subclasses(base)}:
            self._hook_class(kind, "sklearn")

        def init_subclass(cls: type, /, **options: Any) -> None:
            inherited: Any = super(base, cast(Any, cls))
            inherited.__init_subclass__(**options)
            self._hook_class(cls, "sklearn")

        own = vars(base).get("__init_subclass__")
        if own is None:
            self._replace(base, "__init_subclass__", classmethod(init_subclass))

    def _hook_class(self, kind: type, framework: str) -> None:
        original = vars(kind).get("fit")
        if isinstance(original, FunctionType):
            self._replace(kind, "fit", self._method(original, framework, _is_installed(kind)))

    def _method(self, original: FunctionType, framework: str, is_library: bool) -> Any:
        def call(model: Any, args: Sequence[Any], options: Mapping[str, Any]) -> Any:
            def fit() -> Any:
                return original(model, *args, **options)

            if is_part(model, sys._getframe(2)):
                return fit()
            return self._around(fit, lambda result: _fitted(model, framework, args, options, result))

        if not is_library:
            return _Method(original, call)

        @functools.wraps(original)
        def fit(self: Any, *args: Any, **options: Any) -> Any:
            return call(self, args, options)

        return fit

    def _hook_xgboost(self, module: ModuleType) -> None:
        self._hook_train(module, "xgboost", "evals_result")

    def _hook_lightgbm(self, module: ModuleType) -> None:
        self._hook_train(module, "lightgbm", None)

    def _hook_train(self, module: ModuleType, framework: str, results: str | None) -> None:
        original: Any = module.train

        @functools.wraps(original)
        def train(params: Any, *args: Any, **options: Any) -> Any:
            def fitted(booster: Any) -> Fitted:
                told = options.get(results) if results is not None else getattr(booster, "best_score", None)
                known = dict(params) if isinstance(params, Mapping) else {}
                return Fitted(booster, framework, params=known, told=_flat(told or {}))

            return self._around(lambda: original(params, *args, **options), fitted)

        self._replace(module, "train", train)

    def _hook_catboost(self, module: ModuleType) -> None:
        base: type = module.CatBoost
        for kind in [base, *_subclasses(base)]:
            self._hook_class(kind, "catboost")

    def _hook_keras(self, module: ModuleType) -> None:
        kind: Any = module.Model
        original = kind.fit

        @functools.wraps(original)
        def fit(self_: Any, *args: Any, **options: Any) -> Any:
            def fitted(history: Any) -> Fitted:
                told = {name: values[-1] for name, values in getattr(history, "history", {}).items() if values}
                data = args[0] if args else options.get("x")
                params = {key: value for key, value in (getattr(history, "params", None) or {}).items() if key != "verbose"}
                return Fitted(self_, "keras", X=data if hasattr(data, "shape") else None, params=params, told=told)

            return self._around(lambda: original(self_, *args, **options), fitted)

        self._replace(kind, "fit", fit)

    def _hook_lightning(self, module: ModuleType) -> None:
        kind: Any = module.Trainer
        original = kind.fit

        @functools.wraps(original)
        def fit(trainer: Any, model: Any, *args: Any, **options: Any) -> Any:
            def fitted(_: Any) -> Fitted:
                return Fitted(model, "lightning", params=dict(getattr(model, "hparams", {})), told=dict(trainer.callback_metrics))

            return self._around(lambda: original(trainer, model, *args, **options), fitted)

        self._replace(kind, "fit", fit)


class _Missing:
    """Stands for an attribute that an object only inherits."""


_MISSING = _Missing()


class _Method:
    """Replaces the fit of a user's own class. In a pickle it is the function it replaced, so that a model stored with its class stays clean."""

    def __init__(self, original: FunctionType, call: Callable[[Any, Sequence[Any], Mapping[str, Any]], Any]) -> None:
        functools.update_wrapper(self, original)
        self._original = original
        self._call = call

    def __get__(self, model: Any, kind: type | None = None) -> Any:
        return self if model is None else MethodType(self, model)

    def __call__(self, model: Any, *args: Any, **options: Any) -> Any:
        return self._call(model, args, options)

    def __reduce__(self) -> tuple[Any, ...]:
        return operator.itemgetter(0), ((self._original,),)


class _Finder(importlib.abc.MetaPathFinder):
    """Waits for modules: finds them as the others do, and has a look when they have been imported."""

    def __init__(self, waiting: dict[str, Callable[[ModuleType], None]]) -> None:
        self._waiting = waiting

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        hook = self._waiting.pop(name, None)
        if hook is None:
            return None
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, hook)
        return spec


class _Loader(importlib.abc.Loader):
    def __init__(self, inner: Any, hook: Callable[[ModuleType], None]) -> None:
        self._inner = inner
        self._hook = hook

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self._inner.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        # From here on the module has the loader that it would have had.
        module.__loader__ = self._inner
        if module.__spec__ is not None:
            module.__spec__.loader = self._inner
        self._inner.exec_module(module)
        try:
            self._hook(module)
        except Exception as error:  # noqa: BLE001 - the import of a framework must not end here
            warnings.warn(f"autolog does not fit this {module.__name__}: {type(error).__name__}: {error}", stacklevel=2)


def is_part(model: Any, frame: Any) -> bool:
    """Says whether a fit was called by a library, and so is a part of something larger."""
    while frame is not None and _is_through(model, frame):
        frame = frame.f_back
    name = str(frame.f_globals.get("__name__", "")) if frame is not None else ""
    return name.partition(".")[0] in _CALLERS


def _is_through(model: Any, frame: Any) -> bool:
    if frame.f_globals.get("__name__") == __name__:
        return True
    in_library = str(frame.f_globals.get("__name__", "")).partition(".")[0] in _CALLERS
    wraps = frame.f_code.co_name in _THROUGH and frame.f_locals.get("self") is model
    return in_library and (wraps or frame.f_code.co_name == "wrapped")


def _fitted(model: Any, framework: str, args: Sequence[Any], options: Mapping[str, Any], result: Any) -> Fitted | None:
    if not callable(getattr(model, "predict", None)) or getattr(model, "_estimator_type", "") == "transformer":
        return None
    data = args[0] if args else options.get("X")
    target = args[1] if len(args) > 1 else options.get("y")
    module = next((base.__module__.partition(".")[0] for base in type(model).__mro__ if base.__module__.partition(".")[0] in FRAMEWORKS), framework)
    return Fitted(model, module, data, target, told=_told(model))


def _told(model: Any) -> dict[str, Any]:
    """What boosters counted on the sets that they watched: XGBoost, LightGBM, CatBoost."""
    for name in ("evals_result_", "best_score_"):
        found = getattr(model, name, None)
        if isinstance(found, Mapping):
            return _flat(found)
    return {}


def _flat(told: Mapping[str, Any]) -> dict[str, Any]:
    """Gives the last values of what was watched: ``{"valid": {"auc": [0.8, 0.9]}}`` is ``{"valid-auc": 0.9}``.

    >>> _flat({"valid": {"auc": [0.8, 0.9]}, "loss": 0.5})
    {'valid-auc': 0.9, 'loss': 0.5}
    """
    flat: dict[str, Any] = {}
    for name, value in told.items():
        if isinstance(value, Mapping):
            flat.update({f"{name}-{inner}": number for inner, number in _flat(value).items()})
        else:
            flat[str(name)] = value[-1] if isinstance(value, list | tuple) and value else value
    return flat


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _kind_of(model: Any) -> str | None:
    """Gives the name of what ``score`` counts: that of a classifier or a regressor; None for the rest."""
    base = sys.modules.get("sklearn.base")
    if base is None:
        return None
    if hasattr(model, "best_estimator_") and getattr(model, "scoring", None) is not None:
        return "training_score"
    return "training_accuracy" if base.is_classifier(model) else "training_r2" if base.is_regressor(model) else None


def _rows(data: Any) -> int:
    try:
        return int(data.shape[0]) if hasattr(data, "shape") else len(data)
    except (TypeError, IndexError):
        return SCORED_ROWS + 1


def _subclasses(kind: type) -> Iterator[type]:
    below: list[type] = type.__subclasses__(kind)
    for each in below:
        yield each
        yield from _subclasses(each)


def _is_installed(kind: type) -> bool:
    """Says whether a class comes from an installed package; others are stored with the model, with all that is on them."""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None) or ""
    return "site-packages" in file or "dist-packages" in file
