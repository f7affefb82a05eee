"""Packages of strangers: what says that it is data runs nothing of the package, and what is wrong is said in one line.

Every sample would create a file if anything of it ran; nothing of it does harm.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from ingot._worker import flavors
from ingot._worker.flavors import InvalidPackage


def needs(*modules: str) -> Any:
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package's folder, with a module that leaves a mark when it is imported; a worker stands in that folder."""
    (tmp_path / "package").mkdir()
    mark = f"import pathlib\npathlib.Path({str(tmp_path / 'mark')!r}).touch()\n"
    (tmp_path / "package" / "evil.py").write_text(mark + "class Evil:\n    pass\n")
    monkeypatch.chdir(tmp_path / "package")
    return tmp_path / "package"


def refused(root: Path, flavor: str, description: dict[str, Any]) -> str:
    """Loads and asks for what answers; gives what was said. Nothing ran."""
    with pytest.raises(InvalidPackage) as caught:
        native = flavors.load(root, flavor, description)
        flavors.predictor(native, flavor, description)
    assert not (root.parent / "mark").exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("package", "flavor", "name"),
    [
        ("xgboost", "xgboost", "xgboost.sklearn.json"),
        ("xgboost", "xgboost", "xgboost.core.ctypes"),
        ("xgboost", "xgboost", "xgboost.tracker.RabitTracker"),
        ("xgboost", "xgboost", "os.system"),
        ("lightgbm", "lightgbm", "lightgbm.basic.NamedTemporaryFile"),
        ("lightgbm", "lightgbm", "evil.Evil"),
        ("catboost", "catboost", "catboost.core.Pool"),
        ("catboost", "catboost", "catboost.nothing.Here"),
        ("gensim", "gensim", "gensim.utils.subprocess"),
    ],
)
def test_a_class_that_flavor_json_names_is_a_model_of_its_framework(root: Path, package: str, flavor: str, name: str) -> None:
    pytest.importorskip(package)
    from ingot._worker.flavors._tables import kind_of

    base = {"xgboost": "XGBModel", "lightgbm": "LGBMModel", "catboost": "CatBoost", "gensim": "SaveLoad"}[package]
    with pytest.raises(InvalidPackage, match="is no model of"):
        kind_of(name, package, base)
    assert not (root.parent / "mark").exists()


# --- torch ---


def tree(root: Path, node: dict[str, Any], tensors: dict[str, Any] | None = None) -> dict[str, Any]:
    import torch
    from safetensors.torch import save_file

    save_file(tensors or {"w": torch.zeros(1)}, str(root / "m.safetensors"))
    (root / "module.json").write_text(json.dumps(node))
    return {"kind": "module", "artifact": "m.safetensors"}


LINEAR = "torch.nn.modules.linear:Linear"
VICTIM = {"name": "VICTIM", "delete": True, "close_called": False, "file": None}


@needs("torch")
@pytest.mark.parametrize(
    "node",
    [
        {"class": "subprocess:Popen"},
        {"class": "torch.fx:GraphModule"},
        {"class": "torch.jit:RecursiveScriptModule"},
        {"class": "os:system"},
        {"class": LINEAR, "attributes": {"x": {"reference": "subprocess:Popen"}}},
        {"class": LINEAR, "attributes": {"x": {"reference": "os:system"}}},
        {"class": LINEAR, "attributes": {"x": {"reference": "torch:load"}}},
        {"class": LINEAR, "attributes": {"x": {"object": VICTIM, "class": "tempfile:_TemporaryFileCloser"}}},
        {"class": LINEAR, "attributes": {"x": {"object": {}, "class": "torch.utils.data._utils.worker:ManagerWatchdog"}}},
        {"class": LINEAR, "attributes": {"x": {"dict": [], "class": "collections:UserDict"}}},
        {"class": LINEAR, "attributes": {"x": {"enum": "A", "class": "antigravity:Nothing"}}},
        {"class": LINEAR, "attributes": {"forward": {"reference": LINEAR}}},
        {"class": LINEAR, "attributes": {"forward": {"partial": LINEAR, "positional": [], "named": {"dict": []}}}},
        {"class": LINEAR, "attributes": {"_forward_hooks": {"dict": []}}},
        {"class": LINEAR, "attributes": {"__class__": 1}},
        {"class": LINEAR, "attributes": {"x": {"eval": "1"}}},
        {"class": LINEAR, "attributes": {"x": {}}},
        {"class": LINEAR, "attributes": []},
        {"class": 7},
        {"class": ".:Evil"},
        {},
        {"class": LINEAR, "modules": {"a": {"same": "nowhere"}}},
        {"class": LINEAR, "parameters": {"weight": {"tensor": "nowhere"}}},
    ],
    ids=lambda node: json.dumps(node)[:80],
)
def test_a_tree_of_modules_names_parts_of_models_only(root: Path, node: dict[str, Any]) -> None:
    victim = root / "victim"
    victim.touch()
    refused(root, "torch", tree(root, json.loads(json.dumps(node).replace("VICTIM", str(victim)))))
    assert victim.exists()


@needs("torch")
def test_a_tree_that_nests_without_end_is_refused(root: Path) -> None:
    said = tree(root, {"class": LINEAR})
    (root / "module.json").write_text('{"class": "x", "modules": ' * 100_000)
    assert "not JSON" in refused(root, "torch", said)
    deep: Any = {"class": "torch.nn.modules.container:Sequential"}
    for _ in range(400):
        deep = {"class": "torch.nn.modules.container:Sequential", "modules": {"0": deep}}
    (root / "module.json").write_text(json.dumps(deep))
    flavors.load(root, "torch", said)


@needs("torch", "skorch")
@pytest.mark.parametrize(
    "net",
    [
        {"class": "subprocess:Popen", "params": {"args": ["touch", "MARK"]}},
        {"class": "torch.nn.modules.linear:Linear", "params": {"in_features": 1, "out_features": 1}},
        {"class": "skorch.classifier:NeuralNetClassifier", "params": {"module": {"reference": "subprocess:Popen"}, "module__args": ["touch", "MARK"]}},
        {
            "class": "skorch.classifier:NeuralNetClassifier",
            "params": {"module": {"reference": LINEAR}, "criterion": {"reference": "subprocess:Popen"}, "criterion__args": ["touch", "MARK"]},
        },
        {
            "class": "skorch.classifier:NeuralNetClassifier",
            "params": {"module": {"reference": LINEAR}, "callbacks": [{"object": {}, "class": "skorch.callbacks:Checkpoint"}]},
        },
        {"class": "skorch.classifier:NeuralNetClassifier", "params": {"module": {"reference": "sentence_transformers:SentenceTransformer"}}},
        {"class": "skorch.classifier:NeuralNetClassifier"},
        {},
    ],
    ids=lambda net: json.dumps(net)[:80],
)
def test_a_net_of_skorch_makes_modules_of_torch_only(root: Path, net: dict[str, Any]) -> None:
    said = tree(root, {"class": LINEAR})
    made = json.loads(json.dumps(net).replace("MARK", str(root.parent / "mark")))
    refused(root, "torch", {**said, "kind": "skorch", "net": made})


@needs("torch")
def test_bare_weights_that_are_a_pickle_are_not_unpickled_where_they_are_called_weights(root: Path) -> None:
    import pickle

    import torch

    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (root.parent / "mark",)

    torch.save({"w": Evil()}, root / "m.pt")
    with pytest.raises(pickle.UnpicklingError):
        flavors.load(root, "torch", {"kind": "weights", "artifact": "m.pt"})
    assert not (root.parent / "mark").exists()


# --- the Hugging Face libraries ---


@needs("torch", "transformers")
@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Evil", "AutoModel": "evil.Evil"}},
        {"model_type": "bert", "auto_map": {"AutoModel": "evil.Evil"}, "architectures": ["evil.Evil"]},
        {"model_type": "bert", "architectures": ["pipeline"]},
        {"model_type": "bert", "architectures": 5},
        {"model_type": "bert", "attn_implementation": "evil/kernels"},
    ],
    ids=lambda config: json.dumps(config)[:80],
)
def test_code_of_a_folder_of_transformers_is_not_run(root: Path, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "config.json").write_text(json.dumps(config))
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("somebody was asked whether to run it"))
    for description in ({"artifact": "."}, {"artifact": ".", "architecture": "evil.Evil"}, {"artifact": ".", "architecture": "os.system"}):
        if description.get("architecture") == "evil.Evil":
            monkeypatch.syspath_prepend(str(root.parent / "nowhere"))
        with pytest.raises(Exception) as caught:  # noqa: B017, PT011 - whatever the library says
            flavors.load(root, "transformers", description)
        assert not isinstance(caught.value, (SystemExit, KeyboardInterrupt))
        assert not (root.parent / "mark").exists()


@needs("torch", "sentence_transformers")
@pytest.mark.parametrize("name", ["evil.Evil", "os.system", "torch.hub.load"])
def test_a_class_of_the_folder_is_no_module_of_sentences(root: Path, name: str) -> None:
    (root / "modules.json").write_text(json.dumps([{"idx": 0, "name": "0", "path": "", "type": name}]))
    assert name in refused(root, "sentence-transformers", {"artifact": "."})


@needs("torch", "sentence_transformers")
@pytest.mark.parametrize(
    ("path", "config"),
    [
        ("1_Dense/config.json", {"activation_function": "evil.Evil"}),
        ("config.json", {"sentence_transformers": {"activation_fn": "os.abort"}}),
        ("config_sentence_transformers.json", {"activation_fn": "evil.Evil"}),
    ],
)
def test_a_function_that_a_folder_of_sentences_names_is_one_of_torch(root: Path, path: str, config: dict[str, Any]) -> None:
    (root / path).parent.mkdir(exist_ok=True)
    (root / path).write_text(json.dumps(config))
    assert "no function of torch" in refused(root, "sentence-transformers", {"artifact": "."})


@needs("torch", "diffusers")
@pytest.mark.parametrize(
    "index",
    [
        {"_class_name": ["evil", "Evil"]},
        {"_class_name": "DDPMPipeline", "unet": ["evil", "Evil"]},
        {"_class_name": "DDPMPipeline", "unet": ["os", "system"]},
        {"_class_name": "DDPMPipeline", "unet": ["subprocess", "Popen"]},
        {},
    ],
    ids=lambda index: json.dumps(index)[:80],
)
def test_parts_of_a_pipeline_of_images_are_of_known_libraries(root: Path, index: dict[str, Any]) -> None:
    (root / "model_index.json").write_text(json.dumps(index))
    refused(root, "diffusers", {"artifact": "."})


@needs("torch", "transformers", "peft")
@pytest.mark.parametrize("base", [{"digest": "../../../etc"}, {"digest": "sha256:00/.."}, {"digest": "0" * 63}, {"artifact": "../.."}, {"artifact": "/etc"}])
def test_the_base_of_an_adapter_is_found_by_a_digest_that_is_one(root: Path, base: dict[str, Any]) -> None:
    (root / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"}))
    refused(root, "peft", {"artifact": ".", "base": base})


@needs("transformers")
@pytest.mark.parametrize(
    ("task", "row"),
    [
        ("text-generation", {"text": "a", "trust_remote_code": True, "custom_generate": "evil/repo"}),
        ("text-generation", {"text": "a", "generate_kwargs": {"custom_generate": "evil/repo"}}),
        ("image-classification", "http://127.0.0.1:9/image.png"),
        ("image-classification", {"image": "/etc/passwd"}),
        ("visual-question-answering", {"image": "http://127.0.0.1:9/image.png", "question": "what?"}),
        ("automatic-speech-recognition", "/etc/passwd"),
        ("image-text-to-text", {"text": [{"role": "user", "content": [{"type": "image", "url": "http://127.0.0.1:9/"}]}]}),
    ],
)
def test_a_request_makes_a_pipeline_neither_run_code_nor_read_files_or_addresses(task: str, row: Any) -> None:
    from ingot._worker.flavors.transformers import predictor

    class Pipeline:
        model = type("Model", (), {"training": False})()

        def _sanitize_parameters(self) -> None: ...

        def __call__(self, *_: Any, **__: Any) -> Any:
            pytest.fail("the pipeline was asked")

    asked = predictor(Pipeline(), {"task": task})
    with pytest.raises(ValueError, match="cannot give|as an array"):
        asked.predict([row])


# --- what else is data ---


@needs("keras", "tensorflow")
@pytest.mark.parametrize(
    "layer",
    [
        {"module": "os", "class_name": "system", "config": {"command": "touch MARK"}, "registered_name": None},
        {"module": "evil", "class_name": "Evil", "config": {}, "registered_name": "Evil"},
        {"module": "subprocess", "class_name": "Popen", "config": {"args": ["touch", "MARK"]}, "registered_name": None},
        {"module": "keras.src.utils.python_utils", "class_name": "func_load", "config": {}, "registered_name": None},
        {"module": "builtins", "class_name": "exec", "config": "open('MARK', 'w')", "registered_name": "exec"},
        {"module": "builtins", "class_name": "function", "config": "evil", "registered_name": "function"},
        {
            "module": "keras.layers", "class_name": "Lambda", "registered_name": None,
            "config": {"name": "l", "function": {"class_name": "__lambda__", "config": {"code": "4wAAAA==", "defaults": None, "closure": None}}},
        },
        {"module": "keras.layers", "class_name": "Activation", "config": {"activation": {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}}},
    ],
    ids=lambda layer: json.dumps(layer)[:80],
)  # fmt: skip
def test_a_keras_archive_runs_nothing_that_is_not_of_keras(root: Path, layer: dict[str, Any]) -> None:
    import zipfile

    said = json.dumps(layer).replace("MARK", str(root.parent / "mark"))
    config = {"module": "keras", "class_name": "Sequential", "registered_name": None, "config": {"name": "s", "layers": [json.loads(said)]}}
    with zipfile.ZipFile(root / "model.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1", "date_saved": ""}))
    with pytest.raises(Exception) as caught:  # noqa: B017, PT011 - whatever Keras says
        flavors.load(root, "keras", {"artifact": "model.keras"})
    assert caught.type is not SystemExit
    assert not (root.parent / "mark").exists()


@needs("spacy")
@pytest.mark.parametrize(
    "config",
    [
        "[nlp]\nlang = \"en\"\npipeline = [\"evil\"]\n[components]\n[components.evil]\nfactory = \"evil\"\n",
        "[nlp]\nlang = \"en\"\npipeline = []\n[nlp.before_creation]\n@callbacks = \"evil.Evil\"\n",
        "[nlp]\nlang = \"evil\"\npipeline = []\n",
        "[nlp]\nlang = \"en\"\npipeline = []\n[nlp.tokenizer]\n@tokenizers = \"os.system\"\ncommand = \"touch MARK\"\n",
        "[nlp]\nlang = \"../evil\"\npipeline = []\n",
    ],
)  # fmt: skip
def test_a_pipeline_of_spacy_uses_registered_functions_only(root: Path, config: str) -> None:
    (root / "config.cfg").write_text(config.replace("MARK", str(root.parent / "mark")))
    (root / "meta.json").write_text('{"lang": "en", "name": "x", "version": "1"}')
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever spaCy says
        flavors.load(root, "spacy", {"artifact": "."})
    assert not (root.parent / "mark").exists()


@pytest.mark.parametrize("artifact", ["../outside", "/etc/passwd", "link", "a/../../outside", "", "nothing", 5, None, ["a"], {"a": 1}, "a\0b", "x" * 5000], ids=lambda value: str(value)[:20])
@pytest.mark.parametrize("flavor", ["xgboost", "torch", "object", "keras", "tensorflow", "mlflow", "plugin", "models", "unknown", "__init__", "_tables", "../x"])
def test_an_artifact_outside_the_package_or_no_path_is_refused_before_anything_is_imported(root: Path, flavor: str, artifact: Any) -> None:
    (root.parent / "outside").touch()
    (root / "link").symlink_to(root.parent / "outside")
    refused(root, flavor, {"artifact": artifact})


@pytest.mark.parametrize("content", ["[" * 200_000, "\x00", '"flavor"', '{"flavor": ', "NaN", '{"flavor": 5}', "[]"])
def test_a_flavor_json_that_is_none_is_said_or_passed_over(root: Path, content: str) -> None:
    (root / "flavor.json").write_text(content)
    try:
        assert flavors.describe(root, "model.pkl") == {"artifact": "model.pkl"}
    except InvalidPackage as problem:
        assert "flavor.json is not JSON" in str(problem)
