"""What must hold for Hugging Face beside the matrix: adapters find their base again; callbacks push while they train."""

from __future__ import annotations

import json
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


def saved_adapter(place: Path, base: Any) -> Path:
    """An adapter's folder whose configuration names a base, as any tool writes it."""
    adapter_of(cases_hub.bare_model()[0]).save_pretrained(str(place))
    file = place / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), "base_model_name_or_path": base}), encoding="utf-8")
    return place


@pytest.mark.parametrize("how", ["described as a path", "described as a name", "of its own configuration", "as a base path"])
@pytest.mark.parametrize("base", ["{base}", "../private", "private", "{base}/../private/."])
def test_an_adapter_does_not_make_its_reader_read_folders_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, base: str
) -> None:
    from ingot._worker import flavors

    private = tmp_path / "private"
    cases_hub.bare_model()[0].save_pretrained(str(private))
    monkeypatch.chdir(tmp_path)
    named = base.format(base=private)
    package = tmp_path / "package"
    saved_adapter(package / "adapter", named)
    said: dict[str, Any] = {"described as a path": {"path": named}, "described as a name": {"name": named}}.get(how, {})
    description = {"artifact": "adapter", **({"base": said} if said else {}), **({"basePath": named} if how == "as a base path" else {})}
    with pytest.raises(flavors.InvalidPackage, match="private.*does not get to read here.*INGOT_BASE_MODELS=FOLDER"):
        flavors.load(package, "peft", description)
    monkeypatch.setenv("INGOT_BASE_MODELS", os.fspath(private))
    assert type(flavors.load(package, "peft", description)).__name__ == "PeftModelForSequenceClassification"


def test_a_folder_beside_an_allowed_one_is_not_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ingot._worker import flavors

    cases_hub.bare_model()[0].save_pretrained(str(tmp_path / "private"))
    (tmp_path / "models").mkdir()
    saved_adapter(tmp_path / "package", "x")
    monkeypatch.setenv("INGOT_BASE_MODELS", os.fspath(tmp_path / "models"))
    for named in (tmp_path / "private", tmp_path / "models" / ".." / "private", "models/../../private", "../private"):
        with pytest.raises(flavors.InvalidPackage, match="does not get to read here"):
            flavors.load(tmp_path / "package", "peft", {"artifact": ".", "base": {"path": str(named)}})


@pytest.mark.parametrize("said", [{"peft_type": "XLORA", "adapters": {"0": "/srv/other"}}, {"megatron_config": {"a": 1}}])
def test_an_adapter_made_of_more_than_its_base_is_refused(tmp_path: Path, said: dict[str, Any]) -> None:
    from ingot._worker import flavors

    file = saved_adapter(tmp_path, "org/bert") / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), **said}), encoding="utf-8")
    with pytest.raises(flavors.InvalidPackage, match="from elsewhere.*merge_and_unload"):
        flavors.load(tmp_path, "peft", {"artifact": "."})


def test_an_adapter_inside_of_a_sentence_transformer_reads_no_folder_of_the_machine(tmp_path: Path) -> None:
    from ingot._worker import flavors

    cases_hub.sentence_embeddings()[0].save(str(tmp_path / "package"))
    cases_hub.bare_model()[0].save_pretrained(str(tmp_path / "private"))
    saved_adapter(tmp_path / "package", str(tmp_path / "private"))
    with pytest.raises(flavors.InvalidPackage, match="adapter_config.json names the base model .*private"):
        flavors.load(tmp_path / "package", "sentence-transformers", {"artifact": "."})


def test_the_base_of_an_adapter_that_is_a_folder_is_stored_with_it(store: Path, tmp_path: Path) -> None:
    import shutil

    import transformers

    cases_hub.bare_model()[0].save_pretrained(str(tmp_path / "mine"))
    adapted = adapter_of(transformers.AutoModelForSequenceClassification.from_pretrained(str(tmp_path / "mine")))
    version = ingot.push(adapted, "of-a-folder")
    shutil.rmtree(tmp_path / "mine")
    wanted = adapted(**_tensors()).logits.detach().numpy()
    found = ingot.load("of-a-folder").predict(ASKED)
    assert np.allclose(np.asarray(found["logits"] if isinstance(found, dict) else found), wanted, atol=1e-6)
    package = Path(os.environ["INGOT_CACHE"]) / "packages" / version.digest.removeprefix("sha256:") / "files"
    written = "".join(file.read_text("utf-8") for file in package.rglob("*config.json"))
    assert '"base_model_name_or_path": "base"' in written
    assert str(tmp_path / "mine") not in written


def test_a_part_that_is_an_adapter_with_its_tokenizer_brings_its_base(store: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import torch

    ingot.push(cases_hub.bare_model()[0], "base")
    adapted = adapter_of(ingot.load("base").native)
    version = ingot.push({"threshold": 0.4, "text": (adapted, cases_hub.tokenizer())}, "both")
    assert (version.lineage or {}).get("parents") == ["base:1"]
    assert not any(file.path.endswith(".pkl") for file in version.files)
    monkeypatch.setenv("INGOT_CACHE", str(tmp_path / "cold"))
    loaded = ingot.load("both")
    given = cases_hub.tokenizer()(["good film"], return_tensors="pt")
    given.pop("token_type_ids", None)
    with torch.inference_mode():
        wanted = adapted(**given).logits.softmax(-1).max()
    assert abs(loaded.predict(["good film"])[0]["score"] - float(wanted)) < 1e-6
    assert type(loaded.native["text"][0]).__name__ == "PeftModelForSequenceClassification"


def _tensors() -> dict[str, Any]:
    import torch

    return {name: torch.from_numpy(value) for name, value in ASKED.items()}


def test_what_a_pipeline_cannot_take_is_the_callers_mistake() -> None:
    from ingot._worker import flavors

    asked = flavors.predictor(cases_hub.text_classification()[0], "transformers", {"task": "text-classification"})
    with pytest.raises(flavors.WrongInput, match="text-classification takes texts, not float"):
        asked.predict([1.5])
    with pytest.raises(flavors.WrongInput, match="as long or large as it is.*402"):
        asked.predict(["good " * 400])
    images = flavors.predictor(cases_hub.images()[0].model, "transformers", {"kind": "model"})
    for given in (np.zeros((1, 40, 40, 3)), np.zeros((1, 4))):
        with pytest.raises(flavors.WrongInput, match="does not take tensors of the shape"):
            images.predict({"pixel_values": given})


def test_a_cross_encoder_takes_pairs_however_they_are_written_and_nothing_else() -> None:
    from ingot._worker import flavors

    asked = flavors.predictor(cases_hub.cross_encoder()[0], "sentence-transformers", {})
    wanted = asked.predict([{"text": "good", "other": "bad film"}])
    for given in (["good", "bad film"], ("good", "bad film"), {"inputs": ["good", "bad film"]}):
        assert np.array_equal(asked.predict([given]), wanted)
    for given in ({"text": "good"}, "good", {"inputs": "good"}, ["a", "b", "c"], {"text": "a", "other": 1}):
        with pytest.raises(flavors.WrongInput, match="pairs of two texts"):
            asked.predict([given])
