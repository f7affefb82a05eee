"""What X may be for a net: tensors, several of them, datasets and loaders; and what is told of them."""

from __future__ import annotations

import random
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset  # noqa: E402
from torch_models_for_tests import TakesDict, TiedWords, TwoInputs  # noqa: E402

from ingot._worker import flavors  # noqa: E402
from ingot.captured.document import capture_example, capture_signature  # noqa: E402
from ingot.captured.tensor_data import as_arrays  # noqa: E402
from ingot.errors import InvalidPackage  # noqa: E402
from ingot.live_classes import live_classes  # noqa: E402
from ingot.serializers import choose  # noqa: E402

ROWS = torch.randn(20, 4)
LABELS = torch.zeros(20)


class Pairs(Dataset[Any]):
    """Draws random numbers for every row, as transforms of images do."""

    def __len__(self) -> int:
        return 50

    def __getitem__(self, index: int) -> Any:
        return torch.randn(4), random.randrange(index + 1)


class Stream(IterableDataset[Any]):
    """Has no length."""

    def __iter__(self) -> Any:
        return iter([(torch.randn(4), 0)] * 9)


def told(model: Any, data: Any, directory: Path) -> tuple[list[Any], list[Any], Any]:
    rows = as_arrays(data, model).data
    saved = choose(model).save(model, directory, data=rows)
    signature = capture_signature(model, saved, rows)
    assert signature is not None
    example = capture_example(model, saved, signature, rows, None)
    return [[item.name, item.dtype, item.shape] for item in signature.inputs], [[item.name, item.dtype, item.shape] for item in signature.outputs], example


@pytest.mark.parametrize(
    "data",
    [
        ROWS,
        ROWS.numpy(),
        ROWS.double(),
        TensorDataset(ROWS, LABELS),
        DataLoader(TensorDataset(ROWS, LABELS), batch_size=8, shuffle=True),
        DataLoader(Pairs(), batch_size=8),
        DataLoader(Stream(), batch_size=4),
        Pairs(),
        Stream(),
    ],
    ids=["tensor", "array", "float64", "TensorDataset", "DataLoader", "DataLoader of a dataset", "DataLoader of a stream", "Dataset", "IterableDataset"],
)
def test_a_net_takes_one_tensor_and_has_a_traced_example(data: Any, tmp_path: Path) -> None:
    inputs, outputs, example = told(torch.nn.Linear(4, 3).eval(), data, tmp_path)
    assert (inputs, outputs) == ([["x", "FP32", (-1, 4)]], [["prediction", "FP32", (-1, 3)]])
    assert len(example["inputs"][0]["x"]) == 4
    assert len(example["predictions"][0]) == 3


@pytest.mark.parametrize("kind", ["dict", "tuple", "TensorDataset"])
def test_several_inputs_are_tensors_by_the_names_of_arguments(kind: str, tmp_path: Path) -> None:
    numbers, words = torch.randn(6, 3), torch.randint(0, 10, (6, 5))
    data: Any = {"dict": {"numbers": numbers, "words": words}, "tuple": (numbers, words), "TensorDataset": TensorDataset(numbers, words, torch.ones(6))}[kind]
    inputs, outputs, example = told(TwoInputs().eval(), data, tmp_path)
    assert inputs == [["numbers", "FP32", (-1, 3)], ["words", "INT64", (-1, -1)]]
    assert outputs == [["score", "FP32", (-1,)], ["kind", "FP32", (-1, 3)]]
    assert set(example["predictions"][0]) == {"score", "kind"}


def test_a_net_that_takes_a_dict_gets_one(tmp_path: Path) -> None:
    model = TakesDict().eval()
    data = as_arrays({"numbers": torch.randn(5, 3)}, model).data
    saved = choose(model).save(model, tmp_path, data=data)
    native = flavors.load(tmp_path, "torch", saved.description)
    asked = flavors.predictor(native, "torch", saved.description)
    assert (asked.predict(data) == asked.predict(data["numbers"])).all()


def test_describing_data_leaves_the_random_numbers_of_the_training_alone() -> None:
    model, state, other = torch.nn.Linear(4, 1), torch.random.get_rng_state(), random.getstate()
    for data in (DataLoader(Pairs(), batch_size=8, shuffle=True), DataLoader(Stream(), batch_size=4), Pairs()):
        as_arrays(data, model)
    assert torch.equal(state, torch.random.get_rng_state())
    assert random.getstate() == other


def test_only_whole_data_is_said_to_be_all_of_it() -> None:
    assert [as_arrays(data).partly for data in (ROWS, TensorDataset(ROWS), Pairs(), DataLoader(Pairs()))] == [False, False, True, True]


def test_a_state_dict_comes_back_as_the_kind_of_dict_it_was(tmp_path: Path) -> None:
    state = torch.nn.Linear(2, 2).state_dict()
    assert type(state) is OrderedDict
    saved = choose(state).save(state, tmp_path)
    assert type(flavors.load(tmp_path, "torch", saved.description)) is OrderedDict


def test_answers_as_long_as_a_sequence_are_of_any_length_too(tmp_path: Path) -> None:
    inputs, outputs, _ = told(TiedWords(20, 8).eval(), torch.randint(0, 20, (6, 5)), tmp_path)
    assert (inputs, outputs) == ([["x", "INT64", (-1, -1)]], [["prediction", "FP32", (-1, -1, 20)]])


@pytest.mark.parametrize("same", [True, False])
def test_a_class_that_is_here_unchanged_is_the_one_that_comes_back(same: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch_models_for_tests

    model = TiedWords(20, 8).eval()
    saved = choose(model).save(model, tmp_path)
    monkeypatch.setattr(flavors, "live_classes", live_classes)
    if not same:
        monkeypatch.setattr(torch_models_for_tests, "SCALE", 3.0)
    found = flavors.load(tmp_path, "torch", saved.description)
    assert isinstance(found, TiedWords) is same
    assert type(found).__qualname__ == "TiedWords"
    monkeypatch.setattr(torch_models_for_tests, "SCALE", 2.0)
    assert torch.equal(found(torch.tensor([[1, 2]])), model(torch.tensor([[1, 2]])))


def test_a_model_without_values_is_refused(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2, device="meta"))
    for each in (model, model.state_dict()):
        with pytest.raises(InvalidPackage, match=r"1\.weight is on the meta device"):
            choose(each).save(each, tmp_path)
