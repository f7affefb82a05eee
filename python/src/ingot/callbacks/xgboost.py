"""An XGBoost callback that pushes the best model when training ends.

>>> from ingot.callbacks.xgboost import IngotCallback                                        # doctest: +SKIP
>>> model = XGBClassifier(early_stopping_rounds=5, callbacks=[IngotCallback("churn")])       # doctest: +SKIP
>>> model.fit(X, y, eval_set=[(X_test, y_test)])                                             # doctest: +SKIP
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import xgboost

from ..errors import UsageError
from ..serializers.estimators import last_metrics
from ..version import Version
from .trained import fitting, push_trained

__all__ = ["IngotCallback"]


class IngotCallback(xgboost.callback.TrainingCallback):  # type: ignore[misc, unused-ignore]
    """Pushes what was trained: the estimator of ``fit``, or the Booster of ``xgboost.train``, with its evaluation metrics.

    With early stopping the best round decides: a Booster is cut after it, an estimator answers by it. A push that fails is
    a warning, so that training is not lost; ``error`` holds it.

    :param name: what the model is called in the store.
    :param every: push a checkpoint after each so many rounds, too, tagged ``checkpoint``; default: none.
    :param push_options: what :func:`ingot.push` takes besides: ``X=``, ``alias=``, ``tags=``, ``store=``.
    :raises UsageError: when used with ``xgboost.cv``, which trains several models.
    """

    def __init__(self, name: str, *, every: int | None = None, **push_options: Any) -> None:
        super().__init__()
        #: The version that was pushed at the end, ``None`` before.
        self.version: Version | None = None
        #: Why the last push failed.
        self.error: Exception | None = None
        self._name = name
        self._every = every
        self._options = push_options
        self._evaluated: Mapping[str, Any] = {}

    def after_iteration(self, model: Any, epoch: int, evals_log: Mapping[str, Any]) -> bool:
        """Remembers the metrics; pushes a checkpoint where one is due. Never stops training."""
        if not isinstance(model, xgboost.Booster):
            raise UsageError("xgboost.cv trains several models; push one that xgboost.train or fit gave", code="usage")
        self._evaluated = evals_log
        if self._every and (epoch + 1) % self._every == 0:
            self._push(model, None, {"checkpoint": epoch + 1})
        return False

    def after_training(self, model: Any) -> Any:
        """Pushes the best model."""
        best = model.attr("best_iteration")
        self.version = self._push(model, None if best is None else int(best), {}) or self.version
        return model

    def _push(self, booster: Any, best: int | None, tags: Mapping[str, Any]) -> Version | None:
        metrics = last_metrics(self._evaluated, best)
        estimator = fitting(getattr(xgboost, "XGBModel", ()))
        trained = _as_fitted(estimator, booster, self._evaluated) if estimator is not None else _cut(booster, best)
        version, self.error = push_trained(trained, self._name, metrics, tags, self._options)
        return version


def _cut(booster: Any, best: int | None) -> Any:
    """A Booster asks all its rounds, so those after the best one are left out."""
    return booster if best is None else booster[: best + 1]


def _as_fitted(estimator: Any, booster: Any, evaluated: Mapping[str, Any]) -> Any:
    """``fit`` puts the Booster into the estimator only after its callbacks; the user's own object stays as it is."""
    fitted = copy.copy(estimator)
    fitted._Booster = booster
    fitted.callbacks = None
    if evaluated:
        fitted.evals_result_ = {data: dict(metrics) for data, metrics in evaluated.items()}
    return fitted
