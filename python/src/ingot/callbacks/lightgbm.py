"""A LightGBM callback that pushes the best model when training ends.

>>> from ingot.callbacks.lightgbm import IngotCallback                                             # doctest: +SKIP
>>> model.fit(X, y, eval_set=[(X_test, y_test)], callbacks=[early_stopping(5), IngotCallback("churn")])  # doctest: +SKIP
"""

from __future__ import annotations

import copy
from typing import Any

import lightgbm

from ..errors import UsageError
from ..version import Version
from .trained import fitting, push_trained

__all__ = ["IngotCallback"]


class IngotCallback:
    """Pushes what was trained: the estimator of ``fit``, or the Booster of ``lightgbm.train``, with its evaluation metrics.

    With early stopping the metrics are those of the best round, by which the model answers. A push that fails is a warning,
    so that training is not lost; ``error`` holds it.

    :param name: what the model is called in the store.
    :param every: push a checkpoint after each so many rounds, too, tagged ``checkpoint``; default: none.
    :param push_options: what :func:`ingot.push` takes besides: ``X=``, ``alias=``, ``tags=``, ``store=``.
    :raises UsageError: when used with ``lightgbm.cv``, which trains several models, or ``keep_training_booster=True``, by
        which LightGBM does not tell the end of training.
    """

    #: Before early stopping (30), which ends the round for whoever comes after it.
    order = 20
    before_iteration = False

    def __init__(self, name: str, *, every: int | None = None, **push_options: Any) -> None:
        #: The version that was pushed at the end, ``None`` before.
        self.version: Version | None = None
        #: Why the last push failed.
        self.error: Exception | None = None
        self._name = name
        self._every = every
        self._options = push_options
        self._watched: Any = None

    def __call__(self, env: Any) -> None:
        """Is called by LightGBM after each round."""
        if not isinstance(env.model, lightgbm.Booster):
            raise UsageError("lightgbm.cv trains several models; push one that lightgbm.train or fit gave", code="usage")
        if self._watched is not env.model:
            self._watch(env.model)
        if self._every and (env.iteration + 1) % self._every == 0:
            metrics = {f"{each[0]}-{each[1]}": float(each[2]) for each in env.evaluation_result_list or ()}
            _, self.error = push_trained(_snapshot(env.model), self._name, metrics, {"checkpoint": env.iteration + 1}, self._options)

    def _watch(self, booster: Any) -> None:
        """LightGBM calls nobody when training ends, but its last act is to let the Booster's data go."""
        if _keeps_data():
            raise UsageError(
                "with keep_training_booster=True the end of training cannot be seen", code="usage", hint="ingot.push(booster, …) after it"
            )
        self._watched = booster
        estimator = fitting(getattr(lightgbm, "LGBMModel", ()))
        free = booster.free_dataset

        def freed() -> Any:
            del booster.free_dataset
            self._watched = None
            result = free()
            self._finish(booster, estimator)
            return result

        booster.free_dataset = freed

    def _finish(self, booster: Any, estimator: Any) -> None:
        trained = booster if estimator is None else _as_fitted(estimator, booster)
        scores = {f"{data}-{name}": float(value) for data, found in booster.best_score.items() for name, value in found.items()}
        version, self.error = push_trained(trained, self._name, scores, {}, self._options)
        self.version = version or self.version


def _keeps_data() -> bool:
    import sys

    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "train" and frame.f_globals.get("__name__") == "lightgbm.engine":
            return bool(frame.f_locals.get("keep_training_booster"))
        frame = frame.f_back  # type: ignore[assignment]
    return False


def _snapshot(booster: Any) -> Any:
    """A copy of the Booster as it is now, without its data."""
    copied = lightgbm.Booster(model_str=booster.model_to_string(num_iteration=-1))
    copied.pandas_categorical = booster.pandas_categorical
    return copied


def _as_fitted(estimator: Any, booster: Any) -> Any:
    """``fit`` fills the estimator only after its callbacks; the user's own object stays as it is."""
    fitted = copy.copy(estimator)
    fitted._Booster = booster
    fitted._n_features = fitted._n_features_in = booster.num_feature()
    fitted._fitted_with_feature_names = not all(name.startswith("Column_") for name in booster.feature_name())
    fitted._best_iteration = booster.best_iteration
    fitted._best_score = booster.best_score
    fitted.fitted_ = True
    return fitted
