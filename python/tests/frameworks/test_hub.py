"""What must hold for Hugging Face beside the matrix: adapters find their base again; callbacks push while they train."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers")
pytest.importorskip("peft")

import cases_hub  # noqa: E402
import numpy as np  # noqa: E402

import ingot  # noqa: E402

pytestmark = [pytest.mark.engine, pytest.mark.filterwarnings("ignore")]
ASKED = {"input_ids": np.array(cases_hub.IDS)}


def adapter_of(base: Any) -> Any:
    import peft
    import torch

    model = peft.get_peft_model(base, peft.LoraConfig(task_type="SEQ_CLS", r=2, target_modules=["query"]))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    return model.eval()


def test_an_adapter_of_a_loaded_version_names_it_as_parent_and_finds_it_again(store: Path) -> None:
    import torch

    ingot.push(cases_hub.bare_model()[0], "base")
    adapted = adapter_of(ingot.load("base").native)
    version = ingot.push(adapted, "adapted")
    assert (version.lineage or {}).get("parents") == ["base:1"]
    assert not any(file.path.startswith("base/") for file in version.files)
    wanted = adapted(**{name: torch.from_numpy(value) for name, value in ASKED.items()}).logits
    found = ingot.load("adapted").predict(ASKED)
    found = found["logits"] if isinstance(found, dict) else found
    assert np.allclose(np.asarray(found), wanted.detach().numpy(), atol=1e-6)


def test_an_adapter_whose_base_is_nowhere_says_how_to_bring_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ingot._worker import flavors

    adapter_of(cases_hub.bare_model()[0]).save_pretrained(str(tmp_path / "adapter"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    description = {"artifact": "adapter", "base": {"name": "nobody/has-this"}}
    with pytest.raises(flavors.InvalidPackage, match="nobody/has-this.*INGOT_BASE_MODELS"):
        flavors.load(tmp_path, "peft", description)
    cases_hub.bare_model()[0].save_pretrained(str(tmp_path / "models" / "has-this"))
    monkeypatch.setenv("INGOT_BASE_MODELS", os.fspath(tmp_path / "models"))
    assert type(flavors.load(tmp_path, "peft", description)).__name__ == "PeftModelForSequenceClassification"


def test_a_lightning_callback_pushes_the_trained_module(store: Path) -> None:
    lightning = pytest.importorskip("lightning")
    import torch
    from torch_models_for_tests import lightning_line

    from ingot.callbacks.lightning import IngotCallback

    callback = IngotCallback("line", tags={"by": "callback"})
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.rand(8, 4), torch.rand(8, 1)), 4)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    lightning.Trainer(max_epochs=1, accelerator="cpu", callbacks=[callback], **quiet).fit(lightning_line()(width=5), data)
    assert callback.version is not None
    assert callback.version.params["width"] == 5
    assert "loss" in callback.version.metrics


def test_a_trainer_callback_pushes_the_model_with_its_tokenizer(store: Path, tmp_path: Path) -> None:
    from transformers import Trainer, TrainingArguments

    from ingot.callbacks.transformers import IngotCallback

    tokenizer = cases_hub.tokenizer()
    rows = [{**tokenizer(text, padding="max_length", max_length=6), "labels": index % 3} for index, text in enumerate(cases_hub.TEXTS * 2)]
    for row in rows:
        row.pop("token_type_ids", None)
    callback = IngotCallback("intents")
    arguments = TrainingArguments(str(tmp_path), num_train_epochs=1, report_to=[], use_cpu=True, disable_tqdm=True, save_strategy="no")
    Trainer(cases_hub.bare_model()[0], arguments, train_dataset=rows, processing_class=tokenizer, callbacks=[callback]).train()
    assert callback.version is not None
    assert {"label", "score"} <= set(ingot.load(callback.version.ref).predict(["good film"])[0])


def test_finds_in_a_text_are_a_list_also_where_each_text_has_one() -> None:
    from ingot._worker import flavors

    def found(texts: Any) -> Any:
        return [[{"word": "Bern"}] for _ in texts]

    asked = flavors.predictor(cases_hub.named_entities()[0], "transformers", {"task": "token-classification"})
    asked._pipeline = type("Pipeline", (), {"__call__": staticmethod(found), "model": asked._pipeline.model})()
    assert asked.predict(["Bern", "Basel"]) == [[{"word": "Bern"}], [{"word": "Bern"}]]
