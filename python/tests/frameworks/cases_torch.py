"""PyTorch and what stands on it: Lightning, skorch, fastai."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matrix import Case


def _numbers(*shape: int) -> Any:
    import numpy as np

    return np.random.default_rng(5).normal(size=shape).astype("float32")


def _by_hand(model: Any, data: Any) -> Any:
    """Asks a module as everybody does: eval, no gradients, tensors."""
    import torch

    was = getattr(model, "training", False)
    if was:
        model.eval()
    with torch.inference_mode():
        given = {name: torch.from_numpy(value) for name, value in data.items()} if isinstance(data, dict) else torch.from_numpy(data)
        answer = model(**given) if isinstance(given, dict) else model(given)
    if was:
        model.train()
    return answer.float() if isinstance(answer, torch.Tensor) else answer


def _by_program(program: Any, data: Any) -> Any:
    import torch

    with torch.inference_mode():
        return program.module()(torch.from_numpy(data))


def _sums(weights: Any, _: Any) -> list[float]:
    return [float(tensor.double().sum()) for tensor in weights.values()]


def _code(name: str) -> dict[str, Any]:
    """The file of a class of the user's, stored with the model."""
    return {"code": [Path(__file__).parent / f"{name}.py"]}


def sequential() -> tuple[Any, Any]:
    import torch
    from torch import nn

    torch.manual_seed(1)
    layers = [nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.5), *(nn.Linear(16, 16) for _ in range(8)), nn.Linear(16, 3)]
    return nn.Sequential(*layers), _numbers(12, 4)


def own_class() -> tuple[Any, Any]:
    import numpy as np
    import torch
    from torch import nn
    from torch_models_for_tests import TiedWords

    torch.manual_seed(2)
    return nn.Sequential(TiedWords(20, 8)), np.random.default_rng(1).integers(0, 20, (6, 5))


def two_inputs() -> tuple[Any, Any]:
    import numpy as np
    import torch
    from torch_models_for_tests import TwoInputs

    torch.manual_seed(3)
    return TwoInputs(), {"numbers": _numbers(6, 3), "words": np.random.default_rng(1).integers(0, 10, (6, 4))}


def recurrent() -> tuple[Any, Any]:
    import torch

    torch.manual_seed(4)
    return torch.nn.LSTM(3, 5, num_layers=2, batch_first=True, bidirectional=True), _numbers(6, 7, 3)


def transformer() -> tuple[Any, Any]:
    import torch

    torch.manual_seed(5)
    return torch.nn.TransformerEncoder(torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2), _numbers(4, 5, 8)


def resnet() -> tuple[Any, Any]:
    import torch
    import torchvision

    torch.manual_seed(6)
    return torchvision.models.resnet18(num_classes=4), _numbers(2, 3, 32, 32)


def bfloat16() -> tuple[Any, Any]:
    import torch

    model, data = sequential()
    return model.to(torch.bfloat16), data


def scripted() -> tuple[Any, Any]:
    import torch

    model, data = sequential()
    return torch.jit.script(model.eval()), data


def exported() -> tuple[Any, Any]:
    import torch

    model, data = sequential()
    rows = torch.export.Dim("rows", min=2, max=512)
    return torch.export.export(model.eval(), (torch.from_numpy(data),), dynamic_shapes=({0: rows},)), data


def weights() -> tuple[Any, Any]:
    return sequential()[0].state_dict(), None


def lightning_module() -> tuple[Any, Any]:
    import lightning
    import torch
    from torch_models_for_tests import lightning_line

    lightning.seed_everything(7, verbose=False)
    model = lightning_line()(width=6)
    data = torch.utils.data.TensorDataset(torch.from_numpy(_numbers(32, 4)), torch.from_numpy(_numbers(32, 1)))
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    lightning.Trainer(max_epochs=1, accelerator="cpu", **quiet).fit(model, torch.utils.data.DataLoader(data, 8))
    return model, _numbers(5, 4)


def skorch_classifier() -> tuple[Any, Any]:
    import numpy as np
    import skorch
    import torch
    from torch_models_for_tests import Probabilities

    torch.manual_seed(8)
    data = _numbers(40, 4)
    net = skorch.NeuralNetClassifier(Probabilities, module__width=6, max_epochs=2, verbose=0)
    return net.fit(data, (data.sum(1) > 0).astype(np.int64)), data[:8]


def skorch_regressor() -> tuple[Any, Any]:
    import skorch
    import torch

    torch.manual_seed(9)
    data = _numbers(40, 4)
    net = skorch.NeuralNetRegressor(torch.nn.Linear, module__in_features=4, module__out_features=1, max_epochs=2, verbose=0)
    return net.fit(data, data[:, :1] * 2), data[:8]


def fastai_tabular() -> tuple[Any, Any]:
    import numpy as np
    import pandas as pd
    import torch
    from fastai.tabular.all import Categorify, Normalize, TabularDataLoaders, tabular_learner

    torch.manual_seed(10)
    random = np.random.default_rng(10)
    table = pd.DataFrame({"age": random.normal(size=64), "plan": random.choice(["free", "pro"], 64), "churn": random.choice(["no", "yes"], 64)})
    loaders = TabularDataLoaders.from_df(table, y_names="churn", cat_names=["plan"], cont_names=["age"], procs=[Categorify, Normalize], bs=16)
    learner = tabular_learner(loaders, layers=[8])
    with learner.no_bar(), learner.no_logging():
        learner.fit(1)
    return learner, table[["age", "plan"]].head(6)


def _fastai_labels(learner: Any, table: Any) -> Any:
    import numpy as np

    with learner.no_bar(), learner.no_logging():
        found, _ = learner.get_preds(dl=learner.dls.test_dl(table))
    return np.asarray(list(learner.dls.vocab))[found.numpy().argmax(-1)]


CASES = [
    Case("torch", "Sequential", sequential, 1e-6, _by_hand),
    Case("torch", "class of the user's, tied weights", own_class, 1e-6, _by_hand),
    Case("torch", "two inputs, two outputs", two_inputs, 1e-6, _by_hand, push=_code("torch_models_for_tests")),
    Case("torch", "LSTM", recurrent, 1e-6, lambda model, data: _by_hand(model, data)[0]),
    Case("torch", "TransformerEncoder", transformer, 1e-5, _by_hand),
    Case("torch", "torchvision ResNet", resnet, 1e-4, _by_hand, modules=("torchvision",)),
    Case("torch", "bfloat16", bfloat16, 1e-2),
    Case("torch", "TorchScript", scripted, 1e-6, _by_hand),
    Case("torch", "torch.export", exported, 1e-6, _by_program),
    Case("torch", "whole module (torch-pickle)", sequential, 1e-6, _by_hand, push={"serializer": "torch-pickle"}),
    Case("torch", "state_dict", weights, 0.0, _sums, not_served="weights without an architecture cannot answer"),
    Case("lightning", "LightningModule", lightning_module, 1e-6, _by_hand, push=_code("lightning_models_for_tests")),
    Case("skorch", "NeuralNetClassifier", skorch_classifier, 1e-6),
    Case("skorch", "NeuralNetRegressor", skorch_regressor, 1e-6),
    Case("fastai", "tabular_learner", fastai_tabular, 0.0, _fastai_labels),
]
