"""What a load verifies, asks and pins."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ingot
from ingot.environments.check import environment_mismatches, mending


def double(rows: list[dict[str, Any]]) -> list[int]:
    return [row["x"] * 2 for row in rows]


def triple(rows: list[dict[str, Any]]) -> list[int]:
    return [row["x"] * 3 for row in rows]


@pytest.fixture
def doubled(store: Path) -> ingot.Version:
    return ingot.push(double, "double", X=[{"x": 1}], alias="production")


def rot(model: ingot.Model) -> Path:
    """Changes a cached file as a failing disk does: nothing but its bytes says so."""
    path = model.info.path
    assert path is not None
    file = path / "function.py"
    times = file.stat()
    file.chmod(0o644)
    file.write_bytes(file.read_bytes().replace(b"* 2", b"* 9"))
    file.chmod(0o444)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    record = path.parent / "record.json"
    told = json.loads(record.read_text())
    for entry in told["files"]:
        if entry["path"] == "function.py":
            entry["ctimeMs"], entry["ino"], entry["mtimeMs"] = (value for value in marks(file))
    record.write_text(json.dumps(told))
    return file


def marks(file: Path) -> tuple[float, int, float]:
    script = "const s=require('fs').lstatSync(process.argv[1]);console.log(JSON.stringify([s.ctimeMs,s.ino,s.mtimeMs]))"
    node = shutil.which("node") or "node"
    return tuple(json.loads(subprocess.run([node, "-e", script, file], capture_output=True, check=True, text=True).stdout))  # type: ignore[return-value]


def test_verify_always_reads_every_byte_and_fetches_what_is_damaged_again(doubled: ingot.Version) -> None:
    file = rot(ingot.load("double"))
    assert ingot.load("double", verify="always").predict({"x": 1}) == 2
    assert b"* 2" in file.read_bytes()


def test_a_damaged_copy_that_cannot_be_fetched_again_is_an_integrity_error(doubled: ingot.Version, store: Path) -> None:
    rot(ingot.load("double"))
    store.rename(store.with_name("away"))
    with pytest.raises(ingot.IntegrityError, match=r"had other bytes \(function.py\)"):
        ingot.load("double", verify="always")


def test_a_file_that_a_program_changed_is_read_again_without_being_asked_to(doubled: ingot.Version) -> None:
    model = ingot.load("double")
    assert model.info.path is not None
    file = model.info.path / "function.py"
    times = file.stat()
    file.chmod(0o644)
    file.write_bytes(file.read_bytes().replace(b"* 2", b"* 9"))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert ingot.load("double").predict({"x": 1}) == 2


def test_offline_the_last_known_version_is_loaded_without_asking_the_store(
    doubled: ingot.Version, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingot.load("double@production")
    ingot.push(triple, "double", X=[{"x": 1}], alias="production")
    monkeypatch.setenv("INGOT_OFFLINE", "1")
    model = ingot.load("double@production")
    assert model.predict({"x": 1}) == 2 and model.info.number == 1
    assert model.info.stale_since is not None
    with pytest.raises(ingot.Unavailable, match="INGOT_OFFLINE") as unknown:
        ingot.load("double:2")
    assert unknown.value.hint is not None and "INGOT_OFFLINE=0" in unknown.value.hint


def can_leave_the_network() -> bool:
    return shutil.which("unshare") is not None and subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_leave_the_network(), reason="needs the right to make a network namespace")
def test_offline_a_model_loads_and_runs_isolated_where_there_is_no_network(doubled: ingot.Version) -> None:
    with ingot.load("double@production", env="isolated") as model:
        assert model.predict({"x": 4}) == 8
    code = "import ingot\nwith ingot.load('double@production', env='isolated') as m: print(m.predict({'x': 4}))"
    done = subprocess.run(
        ["unshare", "-n", sys.executable, "-c", code], env={**os.environ, "INGOT_OFFLINE": "1"}, capture_output=True, text=True, check=False
    )
    assert done.stdout == "8\n", done.stderr


def test_a_lock_keeps_its_version_and_refuses_what_it_does_not_pin(
    doubled: ingot.Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (pinned,) = ingot.lock("double@production")
    assert (pinned.ref, pinned.digest, pinned.state) == ("double:1", doubled.digest, "added")
    ingot.push(triple, "double", X=[{"x": 1}], alias="production")
    assert ingot.load("double@production").info.number == 1
    assert ingot.load("double").info.number == 2
    with pytest.raises(ingot.Conflict, match="does not pin double"):
        ingot.load("double", lock=True)
    assert ingot.lock(update=True)[0].state == "updated"
    assert ingot.load("double@production", lock="ingot.lock").info.number == 2


def test_a_lock_whose_digest_the_store_contradicts_is_an_integrity_error(
    doubled: ingot.Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ingot.lock("double@production")
    file = tmp_path / "ingot.lock"
    file.write_text(file.read_text().replace(doubled.digest, f"sha256:{'0' * 64}"))
    with pytest.raises(ingot.IntegrityError, match="pins double@production"):
        ingot.load("double@production")


def test_a_service_follows_what_the_lock_pins(doubled: ingot.Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ingot.follow import Models

    monkeypatch.chdir(tmp_path)
    ingot.lock("double@production")
    ingot.push(triple, "double", X=[{"x": 1}], alias="production")
    with Models(["double@production"]) as models:
        assert models.get("double").info.number == 1


def test_every_mismatch_is_named_with_what_mends_it(tmp_path: Path) -> None:
    package = {"pythonVersion": "3.9.1", "flavor": "sklearn", "requirements": ["scikit-learn==0.1", "no-such-thing>=2", "pandas"]}
    found = environment_mismatches("churn:3", package, tmp_path)
    assert [each.fatal for each in found] == [False, False, True]
    assert found[0].command == 'ingot.load("churn:3", env="isolated")'
    assert found[1].text.startswith("scikit-learn 0.1 wanted, ")
    assert found[2].command == "pip install 'no-such-thing>=2'"
    assert mending(found, "churn:3").startswith("pip install scikit-learn==0.1 'no-such-thing>=2'   (or ")


@pytest.mark.parametrize("option", ["check", "env", "verify"])
def test_a_word_that_is_none_of_an_options_is_refused_before_anything_is_asked(option: str) -> None:
    with pytest.raises(ingot.UsageError, match=f"{option}='sometimes'"):
        ingot.load("churn", **{option: "sometimes"})  # type: ignore[arg-type]
