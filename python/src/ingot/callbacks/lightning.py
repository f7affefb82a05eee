"""A Lightning callback that pushes the module while it trains.

>>> from ingot.callbacks.lightning import IngotCallback                                  # doctest: +SKIP
>>> trainer = Trainer(callbacks=[IngotCallback("churn", monitor="val_loss")])            # doctest: +SKIP
"""

from __future__ import annotations

import importlib
import importlib.util
import math
from typing import Any

from ..pushing import push
from ..version import Version
from .monitor import Monitor

__all__ = ["IngotCallback"]


_NAME = "lightning.pytorch.callbacks" if importlib.util.find_spec("lightning") is not None else "pytorch_lightning.callbacks"
_Callback: Any = importlib.import_module(_NAME).Callback


class IngotCallback(_Callback):  # type: ignore[misc, unused-ignore]
    """Pushes the module when training ends, or after each validation that is better than all before.

    :param name: what the model is called in the store.
    :param monitor: the logged metric that says what is better (``"val_loss"``); without it one version is pushed at the end.
    :param mode: ``"min"``, ``"max"``, or ``"auto"`` (default): losses and errors shall fall, everything else rise.
    :param push_options: what :func:`ingot.push` takes besides: ``X=``, ``alias=``, ``tags=``, ``store=``.

    The logged metrics, the epoch and the module's hyperparameters are kept with the version. With several processes the
    first one pushes. ``version`` is the newest one that was pushed, ``None`` before.
    """

    def __init__(self, name: str, *, monitor: str | None = None, mode: str = "auto", **push_options: Any) -> None:
        super().__init__()
        self.version: Version | None = None
        self._name = name
        self._monitor = Monitor(monitor, mode)
        self._options = push_options

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Pushes when the monitored metric is the best so far; the check before training does not count."""
        if not trainer.sanity_checking and self._monitor.improves(trainer.callback_metrics):
            self._push(trainer, pl_module)

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        """Pushes the trained module, unless ``monitor`` decides."""
        if not self._monitor.watches:
            self._push(trainer, pl_module)

    def _push(self, trainer: Any, module: Any) -> None:
        if not trainer.is_global_zero:
            return
        given = dict(self._options)
        logged = {str(name): float(value) for name, value in trainer.callback_metrics.items() if math.isfinite(float(value))}
        metrics = {**logged, **(given.pop("metrics", None) or {})}
        params = {"epoch": trainer.current_epoch, "global_step": trainer.global_step, **(given.pop("params", None) or {})}
        self.version = push(module, self._name, metrics=metrics, params=params, **given)
