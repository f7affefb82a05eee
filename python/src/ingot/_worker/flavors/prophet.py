"""Prophet models: the JSON that Prophet itself writes.

``flavor.json``: ``artifact`` (the JSON file). Asked with a column ``ds`` (moments), the model's regressors, and ``cap`` and
``floor`` where growth is logistic; answers ``yhat``, ``yhat_lower`` and ``yhat_upper``. The interval is sampled: with the
same seed each time, so that equal questions have equal answers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import existing

__all__ = ["load", "predictor"]

_ANSWERS = ("yhat", "yhat_lower", "yhat_upper")


def load(root: Path, description: dict[str, Any]) -> Any:
    """Gives the fitted ``Prophet``."""
    from prophet.serialize import model_from_json  # noqa: PLC0415

    return model_from_json(existing(root, description["artifact"]).read_text("utf-8"))


def predictor(native: Any, description: dict[str, Any]) -> Any:
    """Gives what answers tables with ``ds``."""
    return _Asked(native)


class _Asked:
    ingot_input = "dataframe"

    def __init__(self, native: Any) -> None:
        self._native = native
        inputs = [{"name": "ds", "type": "datetime"}]
        if native.growth == "logistic":
            inputs.append({"name": "cap", "type": "float"})
            if native.logistic_floor:
                inputs.append({"name": "floor", "type": "float"})
        inputs += [{"name": str(name), "type": "float"} for name in native.extra_regressors]
        for season in native.seasonalities.values():
            if season.get("condition_name"):
                inputs.append({"name": str(season["condition_name"]), "type": "boolean"})
        outputs = [{"name": name, "type": "float"} for name in self._outputs()]
        self.ingot_signature = {"inputs": inputs, "outputs": outputs, "origin": "captured"}

    def predict(self, data: Any) -> Any:
        """A DataFrame of ``yhat`` and its interval, one row a moment, in the order asked."""
        import numpy as np  # noqa: PLC0415
        import pandas as pd  # noqa: PLC0415

        # Rows count by place: a column that is made of them must not be put back by another index.
        table = (data if hasattr(data, "columns") else pd.DataFrame(data)).reset_index(drop=True)
        table = table.assign(ds=pd.to_datetime(table["ds"]))
        # Prophet answers by time; who asked wants them as asked.
        order = np.argsort(table["ds"].to_numpy(), kind="stable")
        before = np.random.get_state()
        np.random.seed(0)
        try:
            found = self._native.predict(table.iloc[order])
        finally:
            np.random.set_state(before)
        back = np.empty(len(order), dtype=int)
        back[order] = np.arange(len(order))
        return found.loc[:, self._outputs()].iloc[back].reset_index(drop=True)

    def _outputs(self) -> list[str]:
        return list(_ANSWERS if self._native.uncertainty_samples else _ANSWERS[:1])
