"""A callback of transformers' Trainer that pushes the model while it trains.

>>> from ingot.callbacks.transformers import IngotCallback                                        # doctest: +SKIP
>>> trainer = Trainer(model, arguments, train_dataset=rows, callbacks=[IngotCallback("intents")])  # doctest: +SKIP
"""

from __future__ import annotations

import math
from typing import Any

from transformers import TrainerCallback

from ..pushing import push
from ..version import Version
from .monitor import Monitor

__all__ = ["IngotCallback"]


class IngotCallback(TrainerCallback):  # type: ignore[misc, unused-ignore]
    """Pushes the model when training ends, or at each evaluation that is better than all before.

    :param name: what the model is called in the store.
    :param monitor: the metric that says what is better (``"eval_loss"``); without it one version is pushed at the end.
    :param mode: ``"min"``, ``"max"``, or ``"auto"`` (default): losses and errors shall fall, everything else rise.
    :param push_options: what :func:`ingot.push` takes besides: ``X=``, ``alias=``, ``tags=``, ``store=``.

    The trainer's tokenizer (or processor) is stored with the model, so that the version answers texts. The last logged
    metrics and the settings of the training are kept. With several processes the first one pushes. ``version`` is the
    newest one that was pushed, ``None`` before.
    """

    def __init__(self, name: str, *, monitor: str | None = None, mode: str = "auto", **push_options: Any) -> None:
        super().__init__()
        self.version: Version | None = None
        self._name = name
        self._monitor = Monitor(monitor, mode)
        self._options = push_options
        self._logged: dict[str, float] = {}

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Remembers the newest value of each metric."""
        numbers = {str(name): value for name, value in (logs or {}).items() if isinstance(value, int | float)}
        self._logged.update({name: float(value) for name, value in numbers.items() if math.isfinite(value)})

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **kwargs: Any) -> None:
        """Pushes when the monitored metric is the best so far."""
        found = dict(metrics or {})
        if self._monitor.improves(found):
            self._logged.update({name: float(value) for name, value in found.items() if isinstance(value, int | float)})
            self._push(args, state, kwargs)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Pushes the trained model, unless ``monitor`` decides."""
        if not self._monitor.watches:
            self._push(args, state, kwargs)

    def _push(self, args: Any, state: Any, given: dict[str, Any]) -> None:
        if not state.is_world_process_zero:
            return
        options = dict(self._options)
        prepares = given.get("processing_class") or given.get("tokenizer")
        model = given["model"]
        settings = {name: getattr(args, name, None) for name in ("learning_rate", "per_device_train_batch_size", "num_train_epochs", "weight_decay", "seed")}
        params = {**{name: value for name, value in settings.items() if value is not None}, "global_step": state.global_step}
        metrics = {**self._logged, **(options.pop("metrics", None) or {})}
        params.update(options.pop("params", None) or {})
        self.version = push(model if prepares is None else (model, prepares), self._name, metrics=metrics, params=params, **options)
