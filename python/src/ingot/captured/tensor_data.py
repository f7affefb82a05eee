"""Reads what nets are trained on – tensors, datasets, loaders – as numpy arrays, so that it can be described like any data."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..kinds import is_array, loaded

#: Rows that are taken of a dataset whose rows only come one by one.
FIRST_ROWS = 32


@dataclass(frozen=True)
class Arrays:
    """Training data as one array, or as arrays by the name of an input."""

    data: Any
    #: Whether these are only the first rows: then nothing can be said of how all of it is distributed.
    partly: bool = False


def as_arrays(data: Any, model: Any = None) -> Arrays:
    """Gives tensors of torch, a ``Dataset``, the first batch of a ``DataLoader``, or several of them, as arrays.

    Several inputs get the names of ``forward``'s arguments; of batches that hold targets too, the inputs are the leading
    parts, as many as ``forward`` needs. All other data stays as it is. The user's random state does not change.

    >>> as_arrays([[1, 2]]).data
    [[1, 2]]
    """
    if _is(data, "torch.utils.data.dataloader", "DataLoader"):
        return Arrays(_inputs(_first_batch(data), model), partly=True)
    if _is(data, "torch.utils.data.dataset", "TensorDataset"):
        return Arrays(_inputs(data.tensors, model))
    if _is(data, "torch.utils.data.dataset", "Dataset"):
        return Arrays(_inputs(_first_rows(data), model), partly=True)
    if _is_tensor(data):
        return Arrays(_array(data))
    several = list(data.values()) if isinstance(data, Mapping) else data if isinstance(data, tuple) else []
    if several and all(_is_tensor(part) or is_array(part) for part in several):
        return Arrays(_inputs(data, model, every=True))
    return Arrays(data)


def _first_batch(loader: Any) -> Any:
    if getattr(loader, "batch_size", None) and not _is(loader.dataset, "torch.utils.data.dataset", "IterableDataset"):
        # Not by iterating: that starts workers, and draws from the random numbers of the training.
        with _same_chance():
            rows = range(min(len(loader.dataset), loader.batch_size))
            return loader.collate_fn([loader.dataset[index] for index in rows])
    with _same_chance():
        return next(iter(loader))


def _first_rows(dataset: Any) -> Any:
    import itertools

    import torch

    with _same_chance():
        iterable = _is(dataset, "torch.utils.data.dataset", "IterableDataset")
        rows = itertools.islice(dataset, FIRST_ROWS) if iterable else (dataset[index] for index in range(min(len(dataset), FIRST_ROWS)))
        return torch.utils.data.default_collate(list(rows))


@contextlib.contextmanager
def _same_chance() -> Iterator[None]:
    """Puts every generator of random numbers back: those of torch, of numpy and of Python."""
    import random

    import torch

    numpy = loaded("numpy")
    state, of_numpy = random.getstate(), numpy.random.get_state() if numpy is not None else None
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(state)
        if numpy is not None and of_numpy is not None:
            numpy.random.set_state(of_numpy)


def _inputs(batch: Any, model: Any, *, every: bool = False) -> Any:
    """Gives what of a batch goes into the model. ``every``: nothing in it is a target."""
    needed, names = arguments_of(model)
    if isinstance(batch, Mapping):
        known = {str(name): _array(part) for name, part in batch.items() if _is_tensor(part) or is_array(part)}
        meant = {name: part for name, part in known.items() if name in names}
        return known if every or not meant else meant
    if not isinstance(batch, list | tuple):
        return _array(batch)
    parts = list(batch) if every else list(batch)[: max(1, len(needed))]
    if len(parts) == 1:
        return _inputs(parts[0], model, every=every)
    labels = names if len(names) >= len(parts) else [f"x{index}" for index in range(len(parts))]
    return {name: _array(part) for name, part in zip(labels, parts)}  # noqa: B905 - forward may take more


def arguments_of(model: Any) -> tuple[list[str], list[str]]:
    """Names of what ``forward`` needs, and of all it takes."""
    try:
        parameters = inspect.signature(getattr(model, "forward", model)).parameters.values()
    except (TypeError, ValueError):
        return [], []
    named = [item for item in parameters if item.kind is item.POSITIONAL_OR_KEYWORD]
    return [item.name for item in named if item.default is item.empty], [item.name for item in named]


def _array(value: Any) -> Any:
    if not _is_tensor(value):
        return value
    tensor = value.detach().cpu()
    return (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()


def _is_tensor(value: Any) -> bool:
    return _is(value, "torch", "Tensor") or _is(value, "torch._tensor", "Tensor")


def _is(value: Any, module: str, name: str) -> bool:
    return any(base.__module__ == module and base.__name__ == name for base in type(value).__mro__)
