"""Asks a module of torch with arrays: to its device and type, without gradients, and back."""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

from . import WrongInput

__all__ = ["Asked", "fitting", "to_arrays", "without_gradients"]

#: How torch, and what is built on it, says that tensors do not fit a model: by their sizes, or by numbers of rows to look up.
_DOES_NOT_FIT = re.compile(
    r"shapes cannot be multiplied|must match the (?:existing )?size|size mismatch|[Ss]izes of tensors must match|"
    r"[Ee]xpected \d-?D|expected input.* to have \d+ channels|channel dimension of the pixel|[Ii]nput image size|"
    r"not enough values to unpack|too many values to unpack|is invalid for input of size|Dimension out of range|"
    r"index out of range in self|must have the same number of dimensions|Kernel size can't be greater|"
    r"normalized_shape|input\.size\(-1\) must be equal|[Ii]nput must have \d+ dimensions"
)
#: How torch says that it got whole numbers where it computes.
_OF_TYPES = re.compile(r"must have the same dtype|expected scalar type|[Ii]nput type .* should be the same|not implemented for '(?:Long|Int)")


class Asked:
    """Answers with a module: ``predict`` takes an array, rows of numbers, or a dict of arrays by argument's name.

    Where ``dict`` of the description lists names, ``forward`` takes one dict of arrays by these names.

    Numbers come to the module in the type it was pushed with (``dtype`` of the description: one name, or one an
    argument), else in the type of its first weights.
    """

    def __init__(self, module: Any, description: Mapping[str, Any]) -> None:
        #: ``array`` or ``tensors``.
        self.ingot_input = str(description.get("input") or "tensors")
        self._module = module
        self._dtype = description.get("dtype")
        #: What numbers that came as FP64 are declared as: callers need not send more than the weights take.
        self.ingot_floats = _floats(_first_weights(module))
        needed, every = _arguments(module)
        self._arguments = list(description.get("arguments") or every)
        self._takes_one = len(description.get("arguments") or needed) <= 1
        self._keys = [str(name) for name in description.get("dict") or ()]

    def predict(self, data: Any) -> Any:
        """Gives an array, or a dict of arrays where the module gives several."""
        values, named = self._tensors(data)
        first = next(iter((*values, *named.values())), None)
        rows = len(first) if first is not None and first.dim() > 0 else None
        shapes = ", ".join(str(list(value.shape)) for value in (*values, *named.values()))
        with without_gradients(self._module), fitting(f"tensors of the shape {shapes}"):
            return to_arrays(self._answer(values, named), rows)

    def _answer(self, values: list[Any], named: dict[str, Any]) -> Any:
        """Asks the module; whole numbers, of which only the module knows whether it computes with them, as they are first."""
        try:
            return self._module(named) if self._keys else self._module(*values, **named)
        except RuntimeError as problem:
            weights = _first_weights(self._module)
            whole = any(_is_whole(value) for value in (*values, *named.values()))
            if not whole or weights is None or not weights.is_floating_point() or _OF_TYPES.search(str(problem)) is None:
                raise
        computed = [value.to(weights.dtype) if _is_whole(value) else value for value in values]
        by_name = {name: value.to(weights.dtype) if _is_whole(value) else value for name, value in named.items()}
        return self._module(by_name) if self._keys else self._module(*computed, **by_name)

    def _tensors(self, data: Any) -> tuple[list[Any], dict[str, Any]]:
        if self._keys:
            by_name = data if isinstance(data, Mapping) else {self._keys[0]: data}
            return [], {str(name): self._tensor(value, str(name)) for name, value in by_name.items()}
        if isinstance(data, Mapping) and self._takes_one and not set(data) & set(self._arguments):
            import numpy as np  # noqa: PLC0415

            columns = [np.asarray(column) for column in data.values()]
            data = columns[0] if len(columns) == 1 else np.column_stack(columns)
        if isinstance(data, Mapping):
            tensors = {str(name): self._tensor(value, str(name)) for name, value in data.items()}
            if set(tensors) <= set(self._arguments):
                return [], tensors
            return list(tensors.values()), {}
        if isinstance(data, tuple):
            return [self._tensor(value, str(index)) for index, value in enumerate(data)], {}
        return [self._tensor(data, self._arguments[0] if self._arguments else "")], {}

    def _tensor(self, value: Any, name: str) -> Any:
        import torch  # noqa: PLC0415

        weights = _first_weights(self._module)
        tensor = _as_tensor(value)
        wanted = self._dtype.get(name) if isinstance(self._dtype, dict) else self._dtype
        if wanted is not None and tensor.dtype != torch.bool:
            tensor = tensor.to(getattr(torch, wanted))
        elif weights is not None and tensor.is_floating_point() and weights.is_floating_point():
            tensor = tensor.to(weights.dtype)
        return tensor if weights is None else tensor.to(weights.device)


def _as_tensor(value: Any) -> Any:
    import numpy as np  # noqa: PLC0415
    import torch  # noqa: PLC0415

    if isinstance(value, torch.Tensor):
        return value
    array = np.asarray(value.to_numpy() if hasattr(value, "to_numpy") else value)
    if array.dtype.kind in "OSU":
        array = _numbers(array)
    return torch.from_numpy(array if array.flags.writeable and array.flags.c_contiguous else array.copy())


def _is_whole(tensor: Any) -> bool:
    return not tensor.is_floating_point() and not tensor.is_complex() and str(tensor.dtype) != "torch.bool"


def _numbers(array: Any) -> Any:
    try:
        return array.astype("float64")
    except (TypeError, ValueError) as problem:
        raise WrongInput(f"the model takes numbers, not texts: {problem}") from problem


@contextlib.contextmanager
def fitting(what: str) -> Iterator[None]:
    """Turns what a model says of sizes that do not fit into WrongInput, which names what was given."""
    try:
        yield
    except (RuntimeError, ValueError, IndexError) as problem:
        # TorchScript puts the reason last.
        said = next((line.strip() for line in reversed(str(problem).splitlines()) if _DOES_NOT_FIT.search(line)), None)
        if said is None:
            raise
        raise WrongInput(f"the model does not take {what}: {said.removeprefix('RuntimeError: ')}") from problem


def _first_weights(module: Any) -> Any:
    if not callable(getattr(module, "parameters", None)):
        return None
    found = list(module.parameters())
    return next((item for item in found if item.is_floating_point()), found[0] if found else None)


def _floats(weights: Any) -> str | None:
    as_float = weights is not None and weights.is_floating_point()
    return "FP32" if as_float and weights.element_size() <= 4 else None


def _arguments(module: Any) -> tuple[list[str], list[str]]:
    """Names of what ``forward`` needs, and of all it takes."""
    try:
        parameters = inspect.signature(getattr(module, "forward", module)).parameters.values()
    except (TypeError, ValueError):
        return [], []
    named = [item for item in parameters if item.kind is item.POSITIONAL_OR_KEYWORD]
    return [item.name for item in named if item.default is item.empty], [item.name for item in named]


@contextlib.contextmanager
def without_gradients(module: Any) -> Iterator[None]:
    """Evaluates: no gradients, no dropout. A module that was being trained goes on as it was afterwards."""
    import torch  # noqa: PLC0415

    trained = [part for part in module.modules() if part.training] if _can_switch(module) else []
    for part in trained:
        part.training = False
    try:
        with torch.inference_mode():
            yield
    finally:
        for part in trained:
            part.training = True


def _can_switch(module: Any) -> bool:
    """Exported programs are fixed; all other modules have a mode."""
    return callable(getattr(module, "modules", None)) and bool(getattr(module, "training", False))


def to_arrays(answer: Any, rows: int | None = None) -> Any:
    """Brings tensors to arrays: a tensor, a dict of them, or several as ``output_0``, ``output_1``, …

    Of several those that have one entry a row (of ``rows``) are the answer, where there are such: the states of a
    recurrent net, and a loss, are not.
    """
    found = _numbered(_arrays(answer))
    if rows is not None and isinstance(found, dict):
        by_row = {name: item for name, item in found.items() if getattr(item, "shape", ()) and len(item) == rows}
        found = by_row or found
    if isinstance(found, dict) and list(found) == ["output_0"]:
        return found["output_0"]
    return found


def _arrays(answer: Any) -> Any:
    import torch  # noqa: PLC0415

    if isinstance(answer, torch.Tensor):
        answer = answer.detach().cpu()
        as_float = answer.dtype == torch.bfloat16 or str(answer.dtype).startswith("torch.float8")
        return (answer.float() if as_float else answer).numpy()
    if isinstance(answer, Mapping):
        return {str(name): _arrays(item) for name, item in answer.items() if item is not None}
    if hasattr(answer, "_asdict"):
        return _arrays(answer._asdict())
    if isinstance(answer, (list, tuple)):
        return [_arrays(item) for item in answer if item is not None]
    return answer


def _numbered(answer: Any) -> Any:
    """Several answers by name; those that are nested stand side by side."""
    if isinstance(answer, dict):
        flat: dict[str, Any] = {}
        for name, item in answer.items():
            inner = _numbered(item)
            flat.update({f"{name}_{key}": part for key, part in inner.items()} if isinstance(inner, dict) else {name: inner})
        return flat
    if not isinstance(answer, list) or not answer or not all(hasattr(item, "shape") or isinstance(item, list) for item in answer):
        return answer
    return {f"output_{index}": item for index, item in enumerate(_flat(answer))}


def _flat(items: list[Any]) -> Iterator[Any]:
    for item in items:
        if isinstance(item, list):
            yield from _flat(item)
        else:
            yield item
