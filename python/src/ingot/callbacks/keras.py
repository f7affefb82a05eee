"""A Keras callback that pushes the model while it trains.

>>> from ingot.callbacks.keras import IngotCallback                                             # doctest: +SKIP
>>> model.fit(X, y, validation_split=0.2, callbacks=[IngotCallback("churn", monitor="val_loss")])  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from ..pushing import push
from ..version import Version
from .monitor import Monitor

__all__ = ["IngotCallback"]


class IngotCallback(keras.callbacks.Callback):  # type: ignore[misc, unused-ignore]
    """Pushes the model when training ends, or at each epoch that is better than all before.

    :param name: what the model is called in the store.
    :param monitor: the metric that says what is better (``"val_loss"``); without it one version is pushed at the end.
    :param mode: ``"min"``, ``"max"``, or ``"auto"``: losses and errors shall fall, everything else rise.
    :param push_options: what :func:`ingot.push` takes besides: ``X=``, ``alias=``, ``tags=``, ``store=``.

    The metrics of the epoch and the settings of the training are kept with the version. ``version`` is the newest one
    that was pushed, ``None`` before.
    """

    def __init__(self, name: str, *, monitor: str | None = None, mode: str = "auto", **push_options: Any) -> None:
        super().__init__()
        self.version: Version | None = None
        self._name = name
        self._monitor = Monitor(monitor, mode)
        self._options = push_options
        self._epochs = 0
        self._logs: dict[str, Any] = {}

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Remembers the epoch's metrics; pushes when it is the best so far and ``monitor`` is given."""
        self._epochs = epoch + 1
        self._logs = dict(logs or {})
        if self._monitor.improves(self._logs):
            self._push()

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Pushes the trained model, unless ``monitor`` decides."""
        if not self._monitor.watches:
            self._push()

    def _push(self) -> None:
        given = dict(self._options)
        metrics = {**{key: float(value) for key, value in self._logs.items()}, **(given.pop("metrics", None) or {})}
        params = {"epochs": self._epochs, **_settings(self.params), **(given.pop("params", None) or {})}
        self.version = push(self.model, self._name, metrics=metrics, params=params, **given)


def _settings(params: Mapping[str, Any] | None) -> dict[str, Any]:
    known = {"steps": "steps_per_epoch", "batch_size": "batch_size"}
    return {name: params[key] for key, name in known.items() if params and params.get(key) is not None}
