"""Publishes a fitted model, or a file or folder, as a new version."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from .captured.agreement import check_lengths
from .captured.document import Environment, add_profile, capture, capture_environment, check_metrics, data_signature
from .captured.hyperparameters import given_params
from .captured.lineage import check_clean, origin_meanwhile
from .captured.scratch import scratch
from .captured.tensor_data import as_arrays
from .checks import aliases, push_options
from .commands import engine
from .commands.forking import unforked
from .environments.lock import Hashing
from .environments.requirements import split_modules
from .errors import InvalidPackage, NotFound, UsageError
from .kinds import comes_from
from .serializers import Saved, Serializer, choose
from .serializers.describing import plugin_names, settled, write_flavor
from .telling import warn
from .version import Store, Version, version_from_record

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .keywords import Pushable, PushOptions


@overload
def push(model: Pushable, name: str | None = None, **options: Unpack[PushOptions]) -> Version: ...
@overload
def push(model: object, name: str, **options: Unpack[PushOptions]) -> Version: ...
def push(
    model: Any,
    name: str | None = None,
    *,
    X: Any = None,  # noqa: N803 - what everybody calls it
    y: Any = None,
    metrics: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, Any] | None = None,
    alias: str | Iterable[str] | None = None,
    label: str | None = None,
    message: str | None = None,
    description: str | None = None,
    example: Any = None,
    env: Environment = "infer",
    code: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | None = None,
    serializer: str | Serializer | None = None,
    ranges: bool = True,
    profile: bool = True,
    author: str | None = None,
    lock: bool = False,
    require_clean: bool = False,
    store: Store = None,
    dry_run: bool = False,
) -> Version:
    """Publishes a model and gives its version. The same content again gives the same version, with a notice.

    ``model`` is a fitted scikit-learn estimator or pipeline, a plain function that takes all rows, an ONNX model, or the
    path of a file or folder, which is stored as it is.

    :param X: training data (DataFrame, array, list of dicts; tensors, a dict of them, a ``Dataset`` or ``DataLoader`` of
        torch): read for names, types, ranges; its rows are never kept.
    :param ranges: False keeps the least and greatest value of each column of ``X`` out of the signature, too.
    :param profile: False keeps neither the digest of the data nor how its columns are distributed (histograms, quantiles,
        frequent values; never a row, nor anything that fewer than ten rows share).
    :param y: the target, for its name and how it is distributed.
    :param metrics: numbers to compare versions by: ``{"auc": 0.97}``.
    :param params: hyperparameters beside those the estimator tells itself.
    :param alias: one or more aliases to point at the version.
    :param label: the author's own version text, ``1.2.0``; a repeated one is refused.
    :param example: rows that may be kept as a sample; without it one is made up from medians.
    :param env: ``"infer"`` (what the saved object imports), ``"none"`` (nothing is recorded, and whoever loads it takes the
        Python that is there), a requirements file, or a list of requirements.
    :param code: files or folders of your own modules that the model needs.
    :param serializer: name of a serializer, in place of the one chosen for the object.
    :param author: who made it; default: ``INGOT_AUTHOR``, else what git is told, else the user of the machine.
    :param lock: True asks the package index for the hashes of everything the model needs; without it they are recorded
        where uv has them in its cache.
    :param require_clean: True refuses (``PolicyRefused``, naming the files) when the working tree has uncommitted changes.
    :param store: where models live; default: ``INGOT_REGISTRY``, else ``~/.ingot/store``.
    :param dry_run: stores nothing; the version that comes back has number 0.
    """
    alias = aliases(alias)
    push_options(name, locals())
    # It starts while the model is written and looked at.
    engine.prepare("push")
    told, y = as_arrays(_as_pandas(X), model), as_arrays(_as_pandas(y)).data
    X, profile = told.data, profile and not told.partly  # noqa: N806
    given = {"metrics": check_metrics(metrics), "tags": _check_tags(tags)}
    path = _as_path(model)
    if require_clean:
        check_clean(_where(path))
    origin = origin_meanwhile(_where(path), author=author)
    with scratch() as beside:
        if path is not None:
            document = _capture_path(path, given, params, example, X, y, ranges, profile, origin)
            source = path
        else:
            source = beside / "package"
            with unforked():
                document = _write_package(model, source, X, y, given, params, example, env, code, serializer, description, ranges, profile, origin, lock)
        if name is None:
            name = _default_name(model, path)
        version = _publish(source, name, document, beside, alias, label, message, store, dry_run)
    if path is not None and description is not None and not dry_run:
        edited = engine.run(["edit", version.ref, f"--description={description}"], store=store)
        return version_from_record(edited["version"], store=store, existed=version.existed)
    return version


def _as_pandas(data: Any) -> Any:
    """Gives a polars frame as a pandas one, where pandas is installed."""
    if not comes_from(data, "polars") or not hasattr(data, "to_dict"):
        return data
    try:
        import pandas
    except ImportError:
        return data
    return pandas.DataFrame(data.to_dict(as_series=False))


def _as_path(model: Any) -> Path | None:
    if isinstance(model, os.PathLike):
        path = Path(os.fspath(model))
    elif isinstance(model, str):
        path = Path(model)
    else:
        return None
    if path.exists():
        if not os.fspath(path).isascii() and any("\ud800" <= letter <= "\udfff" for letter in os.fspath(path)):
            name = os.fsencode(path).decode("ascii", "backslashreplace")
            raise InvalidPackage(f"the name of {name} is not valid UTF-8", code="invalid-package", hint="rename it")
        return path
    # A name in place of the model is the usual slip: push("churn", model).
    hint = 'ingot.push(model, "churn"): the model comes first, or the path of a file or folder'
    raise NotFound(f'there is no file or folder "{model}"', code="path-not-found", hint=hint, nearest=_nearest_file(path))


def _nearest_file(path: Path) -> str | None:
    """Gives the file beside a mistyped one that is called most like it."""
    import difflib

    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return None
    nearest = difflib.get_close_matches(path.name, names, n=1)
    return str(path.with_name(nearest[0])) if nearest else None


def _where(path: Path | None) -> Path | None:
    """Gives the directory whose repository a package belongs to; None: the working directory."""
    return path if path is None or path.is_dir() else path.resolve().parent


def _capture_path(
    path: Path,
    given: Mapping[str, Any],
    params: Mapping[str, Any] | None,
    example: Any,
    data: Any,
    target: Any,
    ranges: bool,
    profile: bool,
    origin: Callable[[], Mapping[str, Any]],
) -> dict[str, Any]:
    document: dict[str, Any] = {**given, **origin()}
    if params:
        document["params"] = given_params(params)
    if isinstance(example, Mapping | list):
        document["example"] = {"inputs": [example] if isinstance(example, Mapping) else example}
    if data is not None:
        check_lengths(data, target)
        signature = data_signature(data, ranges=ranges)
        if signature.inputs:
            document["signature"] = signature.to_json()
        if profile:
            add_profile(document, data, target, None)
    return {key: value for key, value in document.items() if value}


def _write_package(
    model: Any,
    directory: Path,
    data: Any,
    target: Any,
    given: Mapping[str, Any],
    params: Mapping[str, Any] | None,
    example: Any,
    env: Environment,
    code: Any,
    serializer: str | Serializer | None,
    description: str | None,
    ranges: bool,
    profile: bool,
    origin: Callable[[], Mapping[str, Any]],
    lock: bool,
) -> dict[str, Any]:
    directory.mkdir()
    beside = _code_paths(code)
    chosen = choose(model, serializer)
    saved = settled(chosen.save(model, directory, data=data, code=beside), chosen.name)
    write_flavor(saved, directory)
    _copy_code(beside, directory)
    for notice in (*saved.notices, *_missing_code(saved, beside)):
        warn(notice)
    environment = capture_environment(saved, [*chosen.pip_names(model), *plugin_names(saved)], env, data, beside)
    hashing = Hashing.start(environment.get("lock", []), online=lock)
    if environment["requirements"] or env is None or env == "none":
        # An empty file says that nothing is needed; without one the engine would look for what pickles import.
        (directory / "requirements.txt").write_text("\n".join(environment["requirements"]) + "\n", encoding="utf-8")
    if description is not None:
        text = f"description: {json.dumps(description, ensure_ascii=False)}\n"
        (directory / "metadata.yaml").write_text(text, encoding="utf-8")
    try:
        document = capture(
            *_described(model, saved),
            serializer=chosen.name,
            environment=environment,
            data=data,
            target=target,
            example=example,
            params=params,
            ranges=ranges,
            profile=profile,
            origin=origin,
            **given,
        )
        if "lock" in environment:
            document["environment"]["lock"] = hashing.lines()
    finally:
        hashing.close()
    if saved.main is not None:
        document["flavor"] = saved.flavor
        document["serializer"] = {"name": chosen.name, "executesCode": saved.executes_code, "reason": saved.reason or ""}
    return document


def _described(model: Any, saved: Saved) -> tuple[Any, Saved]:
    """Gives what a version is described by: of several models the one that predict asks."""
    if saved.main is None:
        return model, saved
    name = saved.description["main"]
    return (model[name] if isinstance(model, Mapping) else model[int(name)]), saved.main


def _publish(
    source: Path,
    name: str,
    document: Mapping[str, Any],
    beside: Path,
    alias: str | Iterable[str] | None,
    label: str | None,
    message: str | None,
    store: Store,
    dry_run: bool,
) -> Version:
    if dry_run:
        return _dry_run(source, name, document, store)
    captured = beside / "captured.json"
    captured.write_text(json.dumps(document, allow_nan=False), encoding="utf-8")
    command = ["push", str(source), "--name", name, "--captured", str(captured)]
    command += [f"--alias={each}" for each in aliases(alias)]
    command += [f"--label={label}"] if label is not None else []
    command += [f"--message={message}"] if message is not None else []
    command += [f"--metric={key}={value!r}" for key, value in document.get("metrics", {}).items()]
    command += [f"--tag={key}={value}" for key, value in document.get("tags", {}).items()]
    pushed = engine.run(command, store=store)
    version = _published(pushed, document, store)
    _tell(version)
    return version


def _published(pushed: Mapping[str, Any], document: Mapping[str, Any], store: Store) -> Version:
    package = {"files": pushed["files"], "signature": pushed.get("signature"), "flavor": pushed["flavor"]}
    shown = {"version": pushed["record"], "package": package, "captured": document}
    for problem in pushed.get("warnings") or ():
        warn(str(problem.get("message", problem)))
    return version_from_record(pushed["record"], store=store, existed=bool(pushed["existed"]), _shown=shown)


def _dry_run(source: Path, name: str, document: Mapping[str, Any], store: Store) -> Version:
    checked = engine.run(["validate", str(source), "--name", name], store=store)
    files = [
        {"path": str(file.relative_to(source)) if source.is_dir() else file.name, "sizeBytes": file.stat().st_size, "digest": ""}
        for file in (sorted(part for part in source.rglob("*") if part.is_file()) if source.is_dir() else [source])
    ]
    package = {"files": files, "signature": document.get("signature")}
    shown = {"version": {"model": checked["name"], "number": 0}, "package": package, "captured": document}
    return Version(
        name=checked["name"],
        number=0,
        digest=checked.get("digest") or "",
        flavor=document.get("flavor") or checked["flavor"],
        metrics=document.get("metrics", {}),
        store=store,
        _shown=shown,
    )


def _tell(version: Version) -> None:
    if version.existed:
        print(f"{version.ref} has exactly this content already; nothing new was published", file=sys.stderr)


def _default_name(model: Any, path: Path | None) -> str:
    if path is not None:
        return path.resolve().stem
    named = getattr(model, "__name__", None)
    if isinstance(named, str) and named.isidentifier():
        return named
    raise UsageError("the model needs a name", code="usage", hint='ingot.push(model, "churn")')


def _check_tags(tags: Mapping[str, Any] | None) -> dict[str, str]:
    wrong = next((key for key in tags or {} if "=" in str(key) or not str(key)), None)
    if wrong is not None:
        raise UsageError(f'a tag cannot be called "{wrong}"', code="usage", hint='tags={"team": "growth"}')
    return {str(key): str(value) for key, value in (tags or {}).items()}


def _code_paths(code: Any) -> list[Path]:
    if code is None:
        return []
    paths = [Path(code)] if isinstance(code, str | os.PathLike) else [Path(part) for part in code]
    for path in paths:
        if not path.exists():
            raise NotFound(f'code="{path}" does not exist', code="path-not-found")
    return paths


def _copy_code(paths: Iterable[Path], directory: Path) -> None:
    for path in paths:
        target = directory / path.resolve().name
        if target.exists():
            raise InvalidPackage(f'code="{path}" would replace {target.name} of the package', code="invalid-package")
        if path.is_dir():
            shutil.copytree(path, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", ".git", ".venv"))
        else:
            shutil.copy2(path, target)


def _missing_code(saved: Saved, beside: Iterable[Path]) -> list[str]:
    """Names local modules that the saved files import though nobody passed them along."""
    have = {path.resolve().stem if path.is_file() else path.resolve().name for path in beside}
    missing = sorted(split_modules(saved.modules)[1] - have)
    return [f"the model imports {module}, which is not an installed package; pass code=[…] with its file" for module in missing]
