"""Decides during a training which state is the best so far, by one metric that the framework logs."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from typing import Any

from ..errors import UsageError
from ..metrics import lower_is_better

__all__ = ["Monitor"]


class Monitor:
    """Watches one metric of a training.

    :param metric: the name under which it is logged (``"val_loss"``); None watches nothing.
    :param mode: ``"min"``, ``"max"``, or ``"auto"`` (default): losses and errors shall fall, everything else rise.
    :raises UsageError: for another mode.

    >>> monitor = Monitor("auc")
    >>> monitor.improves({"auc": 0.8}), monitor.improves({"auc": 0.7}), monitor.improves({"auc": 0.9})
    (True, False, True)
    """

    def __init__(self, metric: str | None, mode: str = "auto") -> None:
        if mode not in ("auto", "min", "max"):
            raise UsageError(f'mode is "auto", "min" or "max", not {mode!r}', code="usage", hint='mode="max" for an accuracy')
        self._metric = metric
        self._sign = 1.0 if mode == "min" or (mode == "auto" and lower_is_better(metric or "")) else -1.0
        self._best = math.inf

    @property
    def watches(self) -> bool:
        """Whether there is a metric that decides."""
        return self._metric is not None

    def improves(self, logged: Mapping[str, Any]) -> bool:
        """Says whether this state is better than all before; never when nothing is watched, nor for what is no number.

        :raises UsageError: when the metric is not among those that are logged, with the nearest name.
        """
        if self._metric is None:
            return False
        if self._metric not in logged:
            known = [str(name) for name in logged]
            nearest = difflib.get_close_matches(self._metric, known, n=1)
            raise UsageError(
                f'there is no metric "{self._metric}"; logged are {", ".join(known) or "none"}',
                code="usage",
                nearest=nearest[0] if nearest else None,
            )
        distance = self._sign * float(logged[self._metric])
        if not distance < self._best:
            return False
        self._best = distance
        return True
