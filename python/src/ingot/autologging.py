"""Pushes what is fitted, without a line of code at each fit: ``ingot.autolog("churn")``, off again with ``ingot.autolog(False)``.

Frameworks are hooked into when they are imported, or at once where they are already; none is imported for it. Only what
the user fits is pushed: not the parts of a pipeline or a search, not the folds of a cross-validation, not a bare
transformer. Whatever fails in here is a warning, and the training goes on as if nobody watched.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

from .checks import aliases, flag, mapping, store_or_none, text, wrong
from .errors import UsageError
from .hooks import FRAMEWORKS, Fitted, Hooks
from .telling import warn
from .version import Store, Version

_state = threading.local()
_lock = threading.Lock()
_active: Autolog | None = None


class Autolog:
    """What :func:`autolog` switched on: lists what it pushed, and ends it. Usable in a ``with`` block."""

    def __init__(self, name: str | None, push: Callable[[Fitted, str], Version], quiet: bool) -> None:
        #: Versions that were pushed, oldest first.
        self.versions: list[Version] = []
        self._name = name
        self._push = push
        self._quiet = quiet
        self._hooks = Hooks(self._around)

    def start(self, frameworks: Iterable[str]) -> None:
        """Hooks into frameworks."""
        self._hooks.install(frameworks)

    def stop(self) -> None:
        """Takes all hooks away; fits are what they were."""
        global _active
        self._hooks.remove()
        if _active is self:
            _active = None

    def __enter__(self) -> Autolog:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = "on" if _active is self else "off"
        return f"<Autolog {state}: {', '.join(version.ref for version in self.versions) or 'nothing pushed yet'}>"

    def _around(self, fit: Callable[[], Any], fitted: Callable[[Any], Fitted | None]) -> Any:
        """Runs a fit; when it was nobody else's part, what came out is pushed."""
        if getattr(_state, "inside", False):
            return fit()
        _state.inside = True
        try:
            result = fit()
            self._log(fitted, result)
            return result
        finally:
            _state.inside = False

    def _log(self, fitted: Callable[[Any], Fitted | None], result: Any) -> None:
        try:
            found = fitted(result)
            if found is None:
                return
            version = self._push(found, self._name or name_of(found.model))
            self.versions.append(version)
            if not self._quiet:
                print(f"autolog: {version.ref}", file=sys.stderr)
        except Exception as error:  # noqa: BLE001 - the user's training must not end here
            kind = type(error).__name__
            warn(f"autolog could not push a {type(result).__name__}: {kind}: {error}")


def autolog(
    name: str | bool | None = None,
    *,
    alias: str | Iterable[str] | None = None,
    tags: dict[str, Any] | None = None,
    frameworks: Iterable[str] | None = None,
    data: bool = True,
    store: Store = None,
    quiet: bool = False,
) -> Autolog | None:
    """Pushes every model that is fitted from now on, with its hyperparameters and the metrics that the fit itself told.

    The outermost fit counts: a search is pushed once, as its best estimator with its scores; the parts of a pipeline, an
    ensemble or a cross-validation are not pushed. A push that fails is a warning. Calling it again replaces what was set.

    :param name: the model's name; without one each class has its own, ``random-forest-classifier``. ``False`` ends it.
    :param alias: aliases to point at every version.
    :param tags: tags for every version, beside ``autolog`` with the framework's name.
    :param frameworks: some of ``sklearn``, ``xgboost``, ``lightgbm``, ``catboost``, ``keras``, ``lightning``; default: all.
    :param data: whether what the model was fitted on is read for the signature, and for the score on it. Rows are never kept.
    :param store: where models live; default: ``INGOT_REGISTRY``, else ``~/.ingot/store``.
    :param quiet: says nothing on stderr about what was pushed.
    :returns: what was switched on, which lists its ``versions``; None for ``autolog(False)``.
    :raises UsageError: for a framework that is not known.

    >>> with ingot.autolog("churn") as logged:  # doctest: +SKIP
    ...     RandomForestClassifier().fit(X, y)
    >>> logged.versions  # doctest: +SKIP
    [<Version churn:1 training_accuracy=0.99 sha256:…>]
    """
    global _active
    model_name = _name_or_none(name)
    chosen = _frameworks(frameworks)
    named, where = aliases(alias), store_or_none(store)
    given = dict(mapping("tags", tags, 'tags={"team": "growth"}'))
    with_data = flag("data", data)
    flag("quiet", quiet)

    def publish(fitted: Fitted, called: str) -> Version:
        from .pushing import push

        return push(
            fitted.model,
            called,
            X=fitted.X if with_data else None,
            y=fitted.y if with_data else None,
            metrics=fitted.metrics(with_data),
            params=fitted.params,
            tags={**given, "autolog": fitted.framework},
            alias=named,
            store=where,
        )

    with _lock:
        if _active is not None:
            _active.stop()
        if name is False:
            return None
        _active = Autolog(model_name, publish, quiet)
        _active.start(chosen)
        return _active


def _name_or_none(name: object) -> str | None:
    if name is None or isinstance(name, bool):
        return None
    if not isinstance(name, str):
        raise wrong("name", name, "a name, or False", 'ingot.autolog("churn")')
    return text("name", name, 'ingot.autolog("churn")')


def _frameworks(given: Iterable[str] | None) -> list[str]:
    if given is None:
        return list(FRAMEWORKS)
    listed = [given] if isinstance(given, str) else given if isinstance(given, Iterable) else None
    if listed is None:
        raise wrong("frameworks", given, "a list of names", 'frameworks=["sklearn"]')
    chosen = list(listed)
    unknown = next((each for each in chosen if each not in FRAMEWORKS), None)
    if unknown is not None:
        raise UsageError(f"frameworks has {unknown!r}; there are {', '.join(FRAMEWORKS)}", code="usage", hint='frameworks=["sklearn"]')
    return chosen


def name_of(model: Any) -> str:
    """Gives a model a name by its class; a pipeline and a search are called by what they end in.

    >>> class GradientBoosterXL: ...
    >>> name_of(GradientBoosterXL())
    'gradient-booster-xl'
    """
    while True:
        inner = getattr(model, "estimator", None) if type(model).__name__.endswith("SearchCV") else None
        steps = getattr(model, "steps", None)
        if isinstance(steps, list) and steps:
            inner = steps[-1][1]
        if inner is None or isinstance(inner, str | type):
            break
        model = inner
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", type(model).__name__).lower()
    return words.strip("_-") or "model"
