"""Looks into a model for what should not travel with it: training data, and arrays that lie on a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..environments.requirements import split_modules, top_modules
from ..errors import InvalidPackage
from ..kinds import comes_from

_MAX_DEPTH = 8
_MAX_PARTS = 20_000
_MAX_TOLD = 5

#: Attributes under which estimators keep rows they were fitted on, whole or in part.
_TRAINING = frozenset({
    "_fit_X", "X_train_", "X_fit_", "support_vectors_", "X_transformed_fit_", "_raw_data", "_training_data", "tree_", "X_",
})  # fmt: skip


def check_holdings(model: Any) -> tuple[str, ...]:
    """Gives a notice for each part that holds training data, with its size.

    :raises InvalidPackage: for a tensor on a GPU: it would load only where there is one.
    """
    told: dict[tuple[str, str], list[str]] = {}
    for path, name, part, owner in _parts(model):
        _refuse_gpu(path, part)
        notice = _notice(path, name, part, owner)
        if notice is not None:
            told.setdefault((name or path, type(owner).__name__), []).append(notice)
    notices = [f"{alike[0]}; {len(alike) - 1} more like it" if len(alike) > 1 else alike[0] for alike in told.values()]
    more = len(notices) - _MAX_TOLD
    return tuple(notices[:_MAX_TOLD]) + ((f"{more} more parts of the model hold training data",) if more > 0 else ())


def _notice(path: str, name: str, part: Any, owner: Any) -> str | None:
    rows = _frame_rows(part) if comes_from(part, "pandas") or comes_from(part, "polars") else None
    if rows is not None:
        held = f"{path} holds a DataFrame of {rows:,} rows ({_size(part)})"
        if _is_own(owner) or _is_stray(owner, name):
            return f"{held}; set it to None if predict() does not need it"
        # What a framework keeps it may need: without it, it may stop predicting.
        return f"{held}, as a {type(owner).__name__} keeps it; it is stored with the model"
    count = _row_count(part) if name in _TRAINING else 0
    if not count:
        return None
    what = "support vectors" if name == "support_vectors_" else "rows"
    kind = type(owner).__name__
    return f"{path} holds {count:,} {what} of the training data ({_size(part)}), as a {kind} needs; they are stored with it"


def _is_own(owner: Any) -> bool:
    """Says whether an object is of a class of the user's, which comes with no distribution; so are containers nobody holds."""
    top = type(owner).__module__.partition(".")[0]
    return owner is None or top in {"__main__", "__mp_main__"} or bool(split_modules(top_modules([top]))[1])


def _is_stray(owner: Any, name: str) -> bool:
    """Says whether somebody hung an attribute on an estimator: its own are parameters, or have an underscore."""
    if not name or name.startswith("_") or name.endswith("_") or not hasattr(owner, "get_params"):
        return False
    return name not in owner.get_params(deep=False)


def _parts(model: Any) -> Iterator[tuple[str, str, Any, Any]]:
    """Gives every part that can be reached by attributes and containers: path, attribute's name, part, whose it is."""
    waiting: list[tuple[str, str, Any, Any, int]] = [("model", "", model, None, 0)]
    seen: set[int] = set()
    while waiting and len(seen) < _MAX_PARTS:
        path, name, part, owner, depth = waiting.pop(0)
        if id(part) in seen:
            continue
        seen.add(id(part))
        yield path, name, part, owner
        if depth < _MAX_DEPTH:
            # What is in a container belongs to whoever holds the container.
            whose = owner if isinstance(part, dict | list | tuple) else part
            waiting += [(path + suffix, key, child, whose, depth + 1) for suffix, key, child in _children(part)]


def _children(part: Any) -> Iterator[tuple[str, str, Any]]:
    if isinstance(part, dict):
        yield from ((f"[{key!r}]", "", value) for key, value in part.items() if _may_hold(value))
    elif isinstance(part, list | tuple):
        # Long lists are data of one kind (the trees of a forest): the first ones tell.
        yield from ((f"[{index}]", "", value) for index, value in enumerate(part[:100]) if _may_hold(value))
    elif not comes_from(part, "pandas") and not comes_from(part, "numpy"):
        state = getattr(part, "__dict__", None)
        if isinstance(state, dict) and not isinstance(part, type):
            yield from ((f".{key}", key, value) for key, value in state.items() if _may_hold(value))


def _may_hold(value: Any) -> bool:
    return value is not None and not isinstance(value, bool | int | float | complex | str | bytes | type)


def _refuse_gpu(path: str, part: Any) -> None:
    device = _device(part)
    if device is None:
        return
    raise InvalidPackage(
        f"{path} lies on {device}, so the pickle would load only on a machine that has it",
        code="invalid-package",
        hint="bring the model to the CPU first: model.cpu() or model.to('cpu'); predict() may move it back",
    )


def _device(part: Any) -> str | None:
    """Gives the name of the GPU that a tensor lies on, None for all else."""
    if comes_from(part, "cupy") and hasattr(part, "device"):
        return f"GPU {getattr(part.device, 'id', 0)}"
    if not comes_from(part, "torch"):
        return None
    kind = getattr(getattr(part, "device", None), "type", "cpu")
    return None if kind in {"cpu", "meta"} else str(part.device)


def _frame_rows(part: Any) -> int | None:
    if type(part).__name__ != "DataFrame" or not hasattr(part, "shape"):
        return None
    return int(part.shape[0]) or None


def _row_count(part: Any) -> int:
    if hasattr(part, "get_arrays"):  # a KDTree or BallTree keeps the rows it searches
        part = part.get_arrays()[0]
    shape: tuple[int, ...] = getattr(part, "shape", ())
    return int(shape[0]) if len(shape) > 1 else 0


def _size(part: Any) -> str:
    if hasattr(part, "memory_usage"):
        return human(int(part.memory_usage(index=True).sum()))
    if hasattr(part, "estimated_size"):
        return human(int(part.estimated_size()))
    if hasattr(part, "get_arrays"):
        return human(sum(int(array.nbytes) for array in part.get_arrays()))
    dense = getattr(part, "nbytes", 0)
    return human(int(dense or getattr(getattr(part, "data", None), "nbytes", 0)))


def human(count: float) -> str:
    """Gives a number of bytes as people read it: ``4.8 kB``."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"
