"""Models in an environment of their own are asked like models of this process, and live and end with it."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import ingot

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes as POSIX has them")

_cache: Path | None = None

FRAME = pd.DataFrame({"age": [20, 30, 40, 50], "plan": pd.Categorical(["a", "b", "a", "b"])})


@pytest.fixture(autouse=True)
def shared_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """One cache for all, so that an environment is built once; with this interpreter."""
    global _cache
    _cache = _cache or tmp_path_factory.mktemp("shared")
    monkeypatch.setenv("INGOT_CACHE", str(_cache))
    monkeypatch.setenv("PYTHON", sys.executable)


@pytest.fixture
def churn(store: Path) -> ingot.Version:
    model = make_pipeline(make_column_transformer((OneHotEncoder(), ["plan"]), remainder="passthrough"), LogisticRegression())
    return ingot.push(model.fit(FRAME, [0, 1, 0, 1]), "churn", X=FRAME, alias="production")


@pytest.fixture
def isolated(churn: ingot.Version) -> Iterator[Any]:
    with ingot.load("churn@production", env="isolated") as model:
        yield model


def pid_of(model: Any) -> int:
    pid = model._process.pid
    assert isinstance(pid, int)
    return pid


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ends(pid: int, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not is_running(pid):
            return True
        time.sleep(0.02)
    return False


def test_it_takes_and_gives_what_a_model_of_this_process_does(isolated: Any) -> None:
    here = ingot.load("churn@production")
    assert isolated.info == here.info
    assert isolated.predict({"age": 41, "plan": "a"}) == here.predict({"age": 41, "plan": "a"})
    rows = FRAME.to_dict("records")
    assert isolated.predict(rows) == here.predict(rows)
    for method in ("predict", "predict_proba", "decision_function"):
        theirs, ours = getattr(isolated, method)(FRAME), getattr(here, method)(FRAME)
        assert type(theirs) is type(ours) and theirs.dtype == ours.dtype
        np.testing.assert_array_equal(theirs, ours)
    assert not hasattr(isolated, "transform") and not hasattr(here, "transform")
    assert os.getpid() != pid_of(isolated)


def test_errors_carry_the_models_own_words(isolated: Any) -> None:
    with pytest.raises(ingot.SignatureMismatch, match="missing 'plan'") as wrong:
        isolated.predict({"age": 1})
    assert wrong.value.details["missing"] == ["plan"]
    with pytest.raises(ingot.PredictionError, match="unknown categories") as failed:
        isolated.predict(FRAME.assign(plan="z"))
    assert failed.value.code == "model-failed"
    assert failed.value.details["type"] == "ValueError" and "Traceback" in failed.value.details["traceback"]
    with pytest.raises(ingot.PredictionError, match=r"\['age'\] is a builtins.object"):
        isolated.predict({"age": object(), "plan": "a"})
    with pytest.raises(ingot.UsageError, match="another process"):
        _ = isolated.native
    assert "churn:1" in isolated._repr_html_()
    assert isolated.predict({"age": 41, "plan": "a"}) == 0


def test_many_threads_ask_many_models_at_the_same_time(churn: ingot.Version) -> None:
    models = [ingot.load("churn", env="isolated") for _ in range(2)]
    assert len({pid_of(model) for model in models}) == 2
    frames = [FRAME.iloc[[n % 4]] for n in range(24)]
    answers: list[Any] = [None] * 24

    def ask(n: int) -> None:
        answers[n] = models[n % 2].predict(frames[n]).tolist()

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    here = ingot.load("churn")
    assert answers == [here.predict(frame).tolist() for frame in frames]
    for model in models:
        model.close()


def test_after_a_crash_the_next_call_starts_it_again(isolated: Any) -> None:
    first = pid_of(isolated)
    os.kill(first, signal.SIGKILL)
    isolated._process._process.wait()
    assert isolated.predict({"age": 41, "plan": "a"}) == 0
    assert pid_of(isolated) != first


def test_a_crash_over_a_call_is_an_error_that_says_so(store: Path) -> None:
    def fatal(rows: list[dict[str, Any]]) -> list[int]:
        import os

        if rows[0]["x"] < 0:
            print("giving up", flush=True)
            os.kill(os.getpid(), 9)
        return [row["x"] for row in rows]

    ingot.push(fatal, "fatal", X=[{"x": 1}])
    with ingot.load("fatal", env="isolated") as model:
        with pytest.raises(ingot.PredictionError, match="was killed by SIGKILL while it answered: giving up"):
            model.predict([{"x": -1}])
        assert model.predict([{"x": 3}]) == [3]


def test_it_ends_with_close_and_with_the_garbage(churn: ingot.Version) -> None:
    model = ingot.load("churn", env="isolated")
    pid = pid_of(model)
    model.close()
    assert ends(pid)
    with pytest.raises(ingot.UsageError, match="closed"):
        model.predict({"age": 41, "plan": "a"})
    model = ingot.load("churn", env="isolated")
    pid = pid_of(model)
    del model
    gc.collect()
    assert ends(pid)


def test_it_ends_with_the_process_that_loaded_it_however_that_ends(churn: ingot.Version) -> None:
    code = "import ingot, sys, time; m = ingot.load('churn', env='isolated'); print(m._process.pid, flush=True); time.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert is_running(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert ends(pid)


FORKED = """
import ingot, os, sys
model = ingot.load("churn", env="isolated")
row = {"age": 41, "plan": "a"}
first = model._process.pid
sys.stdout.flush()
child = os.fork()
if child == 0:
    status = 1
    try:
        status = 0 if model.predict(row) == 0 and model._process.pid != first else 2
        model.close()
    finally:
        os._exit(status)
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status), model.predict(row), model._process.pid == first)
"""


def test_a_fork_gets_a_process_of_its_own(churn: ingot.Version) -> None:
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("0 0 True\n", 0), done.stderr


def test_a_model_that_does_not_load_says_why_and_leaves_no_process(store: Path, tmp_path: Path) -> None:
    package = tmp_path / "broken"
    package.mkdir()
    (package / "interface.py").write_text("def load_model():\n    raise RuntimeError('no weights today')\n")
    ingot.push(package, "broken")
    with pytest.raises(ingot.PredictionError, match="RuntimeError: no weights today"):
        ingot.load("broken", env="isolated")


def test_auto_isolates_what_does_not_fit_this_interpreter(churn: ingot.Version, monkeypatch: pytest.MonkeyPatch) -> None:
    fits = ingot.load("churn", env="auto")
    assert isinstance(fits.native, object)
    ingot.push(LinearRegression().fit([[1.0]], [1.0]), "other", X=np.ones((1, 1)), env=["no-such-thing==1.0"])
    with pytest.raises(ingot.EnvironmentMismatch) as mismatch:
        ingot.load("other")
    assert "no-such-thing 1.0 wanted, not installed   (pip install no-such-thing==1.0)" in str(mismatch.value)
    assert mismatch.value.details["mismatches"][0]["command"] == "pip install no-such-thing==1.0"
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(ingot.EnvironmentFailed, match="no-such-thing"):
        ingot.load("other", env="auto")


def test_the_store_is_not_known_to_the_models_process(store: Path) -> None:
    def look(rows: list[dict[str, Any]]) -> list[str]:
        import os

        return [os.environ.get(row["name"], "nothing") for row in rows]

    ingot.push(look, "look", X=[{"name": "HOME"}])
    with ingot.load("look", env="isolated") as model:
        assert model.predict([{"name": "INGOT_REGISTRY"}, {"name": "PYTHONPATH"}]) == ["nothing", "nothing"]


def test_a_python_that_is_not_there_is_named_with_what_installs_it(store: Path, tmp_path: Path) -> None:
    package = tmp_path / "old"
    package.mkdir()
    (package / "interface.py").write_text("def load_model():\n    return lambda rows: [1 for _ in rows]\n")
    (package / "metadata.yaml").write_text("name: old\nenvironment:\n  python: '3.8'\n")
    (package / ".python-version").write_text("3.8\n")
    ingot.push(package, "old")
    wanted = ingot.show("old").details["package"].get("pythonVersion")
    if wanted is None:
        pytest.skip("a package says its Python elsewhere")
    with pytest.warns(ingot.EnvironmentWarning, match="uv python install 3.8"), ingot.load("old", env="isolated") as model:
        assert model.predict([{"x": 1}]) == [1]


def other_python() -> str | None:
    """A Python of another minor version that runs."""
    for minor in (10, 12, 13):
        for path in sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python3.{minor}")):
            if minor != sys.version_info.minor and subprocess.run([path, "-c", ""], check=False).returncode == 0:
                return str(path)
    return None


@pytest.mark.skipif(other_python() is None, reason="no other Python on this machine")
def test_a_function_of_another_python_runs_in_that_python(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHON")
    other = str(other_python())
    script = tmp_path / "train.py"
    script.write_text(
        "import ingot, sys\n"
        "def version(rows):\n"
        "    import sys\n"
        "    return [sys.version_info.minor + row['x'] for row in rows]\n"
        "ingot.push(version, 'version', X=[{'x': 1}])\n"
    )
    source = Path(ingot.__file__).parent.parent
    subprocess.run([other, script], check=True, env={**os.environ, "PYTHONPATH": str(source)}, capture_output=True)
    with ingot.load("version", env="auto") as model:
        assert model.predict({"x": 0}) != sys.version_info.minor
        assert f"Python 3.{model.predict({'x': 0})}" in repr(model)


def test_what_records_no_requirements_runs_in_the_python_that_is_there(store: Path) -> None:
    pushed = ingot.push(LinearRegression().fit([[1.0], [2.0]], [2.0, 4.0]), "line", X=pd.DataFrame({"x": [1.0, 2.0]}), env="none")
    assert pushed.environment["requirements"] == []
    with ingot.load("line", env="isolated") as model:
        assert model._process._document["environment"]["python"] == sys.executable
        assert model.predict({"x": 3.0}) == pytest.approx(6.0)


def test_a_model_that_leaves_is_an_error_and_its_process_goes_on(store: Path) -> None:
    class Leaving:
        def predict(self, rows: list[dict[str, int]]) -> list[int]:
            import sys

            return [sys.exit(7) if row["x"] else 0 for row in rows]

    ingot.push(Leaving(), "leaving")
    with ingot.load("leaving", env="isolated") as model:
        pid = pid_of(model)
        with pytest.raises(ingot.PredictionError, match="SystemExit: 7"):
            model.predict([{"x": 1}])
        assert model.predict([{"x": 0}]) == [0]
        assert pid_of(model) == pid


def test_a_child_that_a_model_forks_and_leaves_behind_keeps_nobody_waiting(store: Path) -> None:
    class Forking:
        def predict(self, rows: list[dict[str, int]]) -> list[int]:
            import os
            import time

            if os.fork() == 0:
                time.sleep(15)
                os._exit(0)
            os._exit(5)

    ingot.push(Forking(), "forking")
    with ingot.load("forking", env="isolated") as model:
        began = time.monotonic()
        with pytest.raises(ingot.PredictionError, match="ended with status 5"):
            model.predict([{"x": 1}])
        assert time.monotonic() - began < 10


def test_a_large_frame_reaches_an_environment_without_pandas(store: Path) -> None:
    import sklearn

    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(50_000, 4)), columns=list("abcd"))
    fitted = LogisticRegression().fit(frame[:500], frame.a[:500] > 0)
    version = ingot.push(fitted, "bare", X=frame[:500], env=[f"scikit-learn=={sklearn.__version__}"])
    with ingot.load(version.ref, env="isolated") as model:
        answers = model.predict(frame[list("dcba")])
        assert isinstance(answers, np.ndarray)
        np.testing.assert_array_equal(answers, fitted.predict(frame))
        assert model.predict({"a": 3.0, "b": 0.0, "c": 0.0, "d": 0.0}) is True
