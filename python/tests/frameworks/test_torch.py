"""What must hold for PyTorch beside the matrix: nothing of the user's object changes, weights are stored once, bad trees are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from torch_models_for_tests import TiedWords  # noqa: E402

from ingot._worker import flavors  # noqa: E402
from ingot.errors import InvalidPackage  # noqa: E402
from ingot.serializers import choose  # noqa: E402
from ingot.serializers.tensor_file import write_tensors  # noqa: E402


def saved(model: Any, directory: Path, **more: Any) -> tuple[Any, dict[str, Any]]:
    found = choose(model).save(model, directory, **more)
    return found, {"artifact": ".", **found.description}


def back(directory: Path, description: dict[str, Any]) -> Any:
    return flavors.load(directory, "torch", description)


def test_tied_weights_are_stored_once_and_come_back_tied(tmp_path: Path) -> None:
    _, description = saved(TiedWords(20, 8), tmp_path)
    found = back(tmp_path, description)
    assert found.out.weight is found.embedding.weight
    assert (tmp_path / "model.safetensors").stat().st_size < 2 * 20 * 8 * 4


def test_a_module_that_is_trained_goes_on_being_trained(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout())
    model[1].eval()
    _, description = saved(model, tmp_path)
    flavors.predictor(model, "torch", description).predict([[1.0, 2.0]])
    assert [model.training, model[0].training, model[1].training] == [True, True, False]


def test_a_loaded_module_evaluates(tmp_path: Path) -> None:
    _, description = saved(torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout()), tmp_path)
    assert not any(part.training for part in back(tmp_path, description).modules())


def test_a_sequential_of_many_keeps_its_order(tmp_path: Path) -> None:
    model = torch.nn.Sequential(*(torch.nn.Linear(3, 3) for _ in range(12)))
    _, description = saved(model, tmp_path)
    rows = torch.randn(4, 3)
    assert torch.equal(back(tmp_path, description)(rows), model(rows))


def test_modules_of_installed_packages_execute_nothing(tmp_path: Path) -> None:
    found, _ = saved(torch.nn.Linear(2, 2), tmp_path)
    assert (found.executes_code, sorted(file.name for file in tmp_path.iterdir())) == (False, ["model.safetensors", "module.json"])


def test_a_module_with_hooks_is_a_pickle_and_says_why(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 2)
    model.register_forward_hook(lambda module, given, answer: answer * 2)
    found, _ = saved(model, tmp_path)
    assert found.executes_code
    assert any("hooks" in notice for notice in found.notices)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16, torch.int8, torch.uint8, torch.bool, torch.complex64])
def test_tensors_are_written_as_safetensors_reads_them(dtype: Any, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    tensors = {"turned": torch.arange(6).reshape(2, 3).to(dtype).t(), "none": torch.zeros(0, 3, dtype=dtype), "one": torch.ones((), dtype=dtype)}
    write_tensors(tensors, tmp_path / "x.safetensors", {"format": "pt"})
    found = load_file(tmp_path / "x.safetensors")
    assert all(torch.equal(found[name], tensor) and found[name].dtype == dtype for name, tensor in tensors.items())


def test_a_state_dict_keeps_its_order_and_its_shared_names(tmp_path: Path) -> None:
    weights = TiedWords(6, 4).state_dict()
    _, description = saved(weights, tmp_path)
    found = back(tmp_path, description)
    assert list(found) == list(weights)
    assert all(torch.equal(found[name], weights[name]) for name in weights)


def test_a_checkpoint_with_an_object_in_it_is_refused(tmp_path: Path) -> None:
    checkpoint = {"model": {"w": torch.zeros(2)}, "settings": Path("here")}
    with pytest.raises(InvalidPackage, match="more than tensors"):
        saved(checkpoint, tmp_path)


@pytest.mark.parametrize(
    "node",
    [
        {"class": "os:system"},
        {"class": "subprocess:Popen"},
        {"class": "torch.nn.modules.linear:Linear", "attributes": {"forward": {"reference": "torch:tanh"}}},
        {"class": "torch.nn.modules.linear:Linear", "attributes": {"activation": {"reference": "torch:load"}}},
        {"class": "torch.nn.modules.linear:Linear", "attributes": {"activation": {"reference": "os:system"}}},
        {"class": "torch.nn.modules.linear:Linear", "attributes": {"run": {"partial": "subprocess:Popen", "positional": [], "named": {"dict": []}}}},
        {"class": "torch.nn.modules.linear:Linear", "attributes": {"_forward_hooks": {"dict": []}}},
        {"class": "torch.nn.modules.linear:Linear", "attributes": {"later": {"unheard-of": 1}}},
    ],
)
def test_a_tree_names_nothing_but_modules_and_functions_that_compute(node: dict[str, Any], tmp_path: Path) -> None:
    write_tensors({"w": torch.zeros(1)}, tmp_path / "model.safetensors")
    (tmp_path / "module.json").write_text(json.dumps(node))
    with pytest.raises(flavors.InvalidPackage, match="does not describe the module"):
        back(tmp_path, {"kind": "module", "artifact": "model.safetensors", "structure": "module.json"})


def test_bare_files_of_torch_are_loaded_by_what_is_in_them(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 2).eval()
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    torch.jit.save(torch.jit.script(model), str(tmp_path / "script.pt"))
    torch.export.save(torch.export.export(model, (torch.zeros(1, 2),)), str(tmp_path / "program.pt2"))
    kinds = [type(back(tmp_path, {"artifact": name})).__name__ for name in ("weights.pt", "script.pt", "program.pt2")]
    assert kinds == ["OrderedDict", "RecursiveScriptModule", "ExportedProgram"]


def test_weights_alone_say_that_they_cannot_answer(tmp_path: Path) -> None:
    _, description = saved({"w": torch.zeros(2)}, tmp_path)
    with pytest.raises(flavors.InvalidPackage, match="no architecture"):
        flavors.predictor(back(tmp_path, description), "torch", description).predict([[1.0]])


def three_zeros() -> Any:
    from ingot._worker.frames import Tensor

    return Tensor("x", "FP32", [1, 3], bytes(12))


@pytest.mark.parametrize("kind", ["module", "script"])
def test_tensors_of_another_shape_and_texts_are_the_callers_mistake(kind: str) -> None:
    from ingot._worker.predicting import Model, RequestFailed

    net = torch.nn.Sequential(torch.nn.Linear(4, 3))
    model = Model(net if kind == "module" else torch.jit.script(net), "torch", None, {"input": "tensors"})
    with pytest.raises(RequestFailed, match=r"shape \[1, 3\]: .*mat1 and mat2 shapes") as failed:
        model.predict([three_zeros()], "predict")
    assert failed.value.code == "invalid-request"
    with pytest.raises(flavors.WrongInput, match="takes numbers, not texts"):
        flavors.predictor(net, "torch", {}).predict(np.array(["a"]))


def test_a_failure_inside_of_a_module_is_not_the_callers() -> None:
    from ingot._worker.predicting import Model, RequestFailed

    class Broken(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            raise RuntimeError("the weights are gone")

    with pytest.raises(RequestFailed, match="the weights are gone") as failed:
        Model(Broken(), "torch", None, {"input": "tensors"}).predict([three_zeros()], "predict")
    assert failed.value.code == "model-failed"


def test_weights_alone_say_why_they_cannot_be_served() -> None:
    from ingot._worker.predicting import Model

    weights = torch.nn.Linear(4, 3).state_dict()
    assert "weights.pth holds weights and no architecture" in (Model(weights, "torch", None, {"artifact": "weights.pth"}).unanswering or "")
    assert Model(torch.nn.Linear(4, 3), "torch", None, {}).unanswering is None


def test_whole_numbers_come_to_a_net_that_takes_fractions_and_stay_whole_for_one_that_looks_up() -> None:
    net, words = torch.nn.Sequential(torch.nn.Linear(4, 3)), torch.nn.EmbeddingBag(9, 2)
    given = np.array([[1, 2, 3, 4]])
    for module, wanted in ((net, net(torch.from_numpy(given).float())), (words, words(torch.from_numpy(given)))):
        found = flavors.predictor(module, "torch", {"input": "tensors"}).predict(given)
        assert np.array_equal(found, wanted.detach().numpy())


def test_a_module_without_values_is_not_pickled_either(tmp_path: Path) -> None:
    with pytest.raises(InvalidPackage, match="weight is on the meta device"):
        choose(None, "torch-pickle").save(torch.nn.Linear(4, 3, device="meta"), tmp_path)
