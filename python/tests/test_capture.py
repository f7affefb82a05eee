"""What a push keeps of data, environment and repository, and what it must never keep."""

from __future__ import annotations

import json
import subprocess
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LassoCV, LogisticRegression, LogisticRegressionCV, RidgeCV
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import ingot
from ingot.captured.fingerprint import fingerprint
from ingot.captured.lineage import check_clean, git_state, without_credentials
from ingot.captured.profile import SMALLEST_CELL, profile_data
from ingot.captured.searches import search_results
from ingot.commands import engine
from ingot.environments.imports import imported_modules
from ingot.environments.lock import Hashing, installed_closure
from ingot.environments.markers import applies
from ingot.signature import infer_inputs

RNG = np.random.default_rng(7)
ROWS = 600
PERSON = "Zebediah Quackenbush"


def people() -> tuple[pd.DataFrame, pd.Series]:
    frame = pd.DataFrame(
        {
            "age": RNG.integers(18, 90, ROWS),
            "income": RNG.lognormal(10, 1, ROWS).astype("float32"),
            "plan": pd.Categorical(RNG.choice(["free", "pro"], ROWS)),
            "name": [PERSON if at == 3 else f"person {at}" for at in range(ROWS)],
            "town": pd.Categorical([PERSON if at == 3 else "Bern" if at % 2 else "Oslo" for at in range(ROWS)]),
            "note": [PERSON if at == 3 else "fine" for at in range(ROWS)],
            "since": pd.date_range("2020-01-01", periods=ROWS, tz="UTC"),
            "visits": pd.array([None if at % 7 == 0 else at % 11 for at in range(ROWS)], dtype="Int64"),
        }
    )
    return frame, pd.Series(RNG.integers(0, 2, ROWS), name="churned")


def by_name(profile: Any) -> dict[str, dict[str, Any]]:
    return {feature["name"]: feature for feature in profile["features"]}


def test_the_order_of_rows_and_columns_does_not_change_the_fingerprint_but_every_value_does() -> None:
    frame, answers = people()
    mixed = RNG.permutation(ROWS)
    printed = fingerprint(frame, answers)
    assert printed is not None and (printed.rows, printed.columns) == (ROWS, 8)
    assert fingerprint(frame.iloc[mixed], answers.iloc[mixed]) == printed
    assert fingerprint(frame, answers.iloc[mixed]) != printed
    other = frame.copy()
    other.loc[17, "age"] += 1
    assert fingerprint(other, answers) != printed
    assert fingerprint(frame.astype({"income": "float64"}), answers) != printed


def test_large_data_is_read_in_part_and_its_order_still_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingot.captured.fingerprint.MAX_CELLS", 20_000)
    monkeypatch.setattr("ingot.captured.fingerprint.CHUNK_ROWS", 1024)
    data = RNG.random((9_000, 20))
    printed = fingerprint(data)
    assert fingerprint(data[RNG.permutation(9_000)]) == printed != fingerprint(data + 1e-9)


def test_sparse_arrays_lists_and_nothing_are_fingerprinted_too() -> None:
    scipy = pytest.importorskip("scipy.sparse")
    sparse = scipy.random(200, 30, 0.1, format="csr", random_state=1)
    assert fingerprint(sparse) == fingerprint(sparse[RNG.permutation(200)]) != fingerprint(sparse * 2)
    rows = [{"a": 1, "b": None}, {"a": 2, "b": "x"}]
    assert fingerprint(rows, [0, 1]) == fingerprint(rows[::-1], [1, 0]) != fingerprint(rows, [1, 0])
    assert fingerprint(object()) is None


def test_a_profile_tells_distributions_dtypes_and_missing_values() -> None:
    frame, answers = people()
    profile = profile_data(frame, answers)
    assert profile is not None
    found = by_name(profile)
    assert (profile["rows"], profile["columns"]) == (ROWS, 8)
    assert (found["income"]["dtype"], found["visits"]["dtype"]) == ("float32", "Int64")
    assert sum(found["income"]["counts"]) == ROWS and len(found["income"]["edges"]) == len(found["income"]["counts"]) - 1
    assert found["visits"]["missing"] == pytest.approx(86 / ROWS, abs=1e-3)
    assert {value for value, _ in found["plan"]["values"]} == {"free", "pro"}
    assert [value for value, _ in found["note"]["values"]] == ["fine"] and found["note"]["other"] == 1
    assert "values" not in found["name"]
    assert profile["target"][0]["name"] == "churned" and len(profile["target"][0]["values"]) == 2


def test_no_cell_is_small_and_no_extreme_is_told() -> None:
    values = np.concatenate([RNG.normal(0, 1, 995), [1e6, 2e6, -3e6, 4e6, 5e6]])
    profile = profile_data(pd.DataFrame({"x": values, "few": [1] * 993 + [2] * 7}))
    assert profile is not None
    x, few = profile["features"]
    assert min(x["counts"]) >= SMALLEST_CELL and max(map(abs, x["edges"] + x["quantiles"])) < 10
    assert few["values"] == [[1, 993]] and few["other"] == 7
    # With the counts of all others a mean would give the values of the few away.
    assert abs(x["mean"]) < 1 and x["std"] < 10 and "mean" not in few


@pytest.mark.parametrize(
    "address",
    [
        "https://me:TOKEN@example.org/a.git",
        "https://TOKEN@example.org/a.git",
        "https://me:a/TOKEN@example.org/a.git",
        "https://example.org/a.git?private_token=TOKEN",
        "https://example.org/a.git#TOKEN",
        "me:TOKEN@example.org/a.git",
        "http://[::1/TOKEN@example.org",
    ],
)
def test_the_address_of_a_remote_holds_no_secret(address: str) -> None:
    assert "TOKEN" not in without_credentials(address)


def test_of_a_handful_of_rows_only_counts_are_told() -> None:
    profile = profile_data(pd.DataFrame({"age": [41, 33, 27], "name": ["Ada", "Bo", "Cy"]}))
    assert profile is not None
    assert [set(feature) for feature in profile["features"]] == [{"name", "dtype", "missing"}, {"name", "dtype", "missing", "distinct"}]


def test_categories_that_name_persons_are_not_listed() -> None:
    frame, _ = people()
    features = {feature.name: feature for feature in infer_inputs(frame)}
    assert (features["town"].type, features["town"].categories) == ("string", None)
    assert features["plan"].categories == ("free", "pro")


def stored_text(store: Path) -> bytes:
    """All bytes of a store; contents too small to be worth compressing lie there as they are."""
    return b"".join(file.read_bytes() for file in store.rglob("*") if file.is_file())


def test_a_rare_name_appears_nowhere_in_what_is_stored(store: Path) -> None:
    frame, answers = people()
    columns = ["age", "income"]

    def score(rows: pd.DataFrame) -> list[float]:
        return [float(value) for value in rows["age"] / 100]

    version = ingot.push(score, "score", X=frame, y=answers)
    document = json.dumps(ingot.show(version.ref).details)
    fitted = LogisticRegression(max_iter=500).fit(frame[columns], answers)
    ingot.push(fitted, "fitted", X=frame[columns], y=answers)
    assert "profile" in document and '"fine"' in document
    assert PERSON not in document
    assert PERSON.encode() not in stored_text(store)
    for piece in ("Zebediah", "person 17"):
        assert piece not in document


def test_profile_false_keeps_neither_digest_nor_distribution(store: Path) -> None:
    frame, answers = people()
    model = LogisticRegression(max_iter=500).fit(frame[["age"]], answers)
    captured = ingot.push(model, "quiet", X=frame[["age"]], y=answers, profile=False, ranges=False).captured
    assert "profile" not in captured and "data" not in captured["lineage"]
    assert "min" not in captured["signature"]["inputs"][0]


def test_a_version_tells_lock_author_data_and_card(store: Path) -> None:
    frame, answers = people()
    model = RandomForestClassifier(5, random_state=0).fit(frame[["age", "income"]], answers)
    version = ingot.push(model, "churn", X=frame[["age", "income"]], y=answers, metrics={"auc": 0.5}, author="Ada <ada@example.org>")
    shown = ingot.show("churn")
    names = [line.partition("==")[0] for line in shown.captured["environment"]["lock"]]
    assert {"numpy", "scipy", "scikit-learn", "joblib", "threadpoolctl"} <= set(names)
    assert "fastapi" not in names and "ingot" not in names
    assert "lock" not in shown.record["environment"]
    assert shown.record["author"] == "Ada <ada@example.org>"
    assert shown.record["lineage"]["data"][0]["rows"] == ROWS
    assert shown.captured["card"].startswith("---\nlibrary_name: sklearn\npipeline_tag: tabular-classification\n")
    assert len(json.dumps(shown.record)) < 8_000
    assert version.params["n_estimators"] == 5


def test_the_closure_is_what_the_requirements_need_and_nothing_else() -> None:
    names = [line.partition("==")[0] for line in installed_closure(["scikit-learn==1.0", "no-such-thing"])]
    assert {"scikit-learn", "numpy", "joblib"} <= set(names)
    assert "pandas" not in names and "pytest" not in names


def test_hashes_come_from_the_installer_or_the_pins_stay_bare(monkeypatch: pytest.MonkeyPatch) -> None:
    pins = installed_closure(["joblib"])
    lines = Hashing.start(pins).lines()
    assert [line.partition(" ")[0].lower() for line in lines] == [pin.lower() for pin in pins]
    assert len({"--hash=sha256:" in line for line in lines}) == 1
    monkeypatch.setattr("ingot.environments.lock.find_uv", lambda: None)
    assert Hashing.start(pins).lines() == pins
    with pytest.raises(ingot.EnvironmentFailed, match="needs uv"):
        Hashing.start(pins, online=True)


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ('python_version >= "3.10"', True),
        ('python_version < "3.9" or (os_name == "posix" and sys_platform != "win32")', True),
        ('extra == "gpu"', False),
        ('platform_machine not in "x86_64 aarch64 arm64 AMD64"', False),
        ('python_full_version ~= "3.0"', True),
        ("what is this", True),
    ],
)
def test_markers_are_read_as_installers_read_them(marker: str, holds: bool) -> None:
    assert applies(marker) is holds


def test_code_beside_a_model_says_what_it_imports(tmp_path: Path) -> None:
    (tmp_path / "features.py").write_text(
        "from __future__ import annotations\nimport os, pandas as pd\nfrom typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import mypy\ntry:\n    import torch\nexcept ImportError:\n    torch = None\n"
        "def f():\n    import scipy.sparse\n"
    )
    assert imported_modules([tmp_path]) == {"pandas", "scipy"}


X = RNG.random((60, 3))
Y = (X[:, 0] > 0.5).astype(int)


@pytest.mark.parametrize(
    ("search", "metric", "chosen"),
    [
        (GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=3), "cv_score", "C"),
        (RandomizedSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, n_iter=2, cv=3, scoring=["accuracy"], refit="accuracy"), "cv_accuracy", "C"),
        (make_pipeline(StandardScaler(), GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=3)), "cv_score", "C"),
        (LassoCV(cv=3), "cv_mse", "alpha_"),
        (RidgeCV([0.1, 1.0]), "cv_score", "alpha_"),
        (LogisticRegressionCV(Cs=[0.1, 1.0], cv=3), "cv_score", None),
    ],
)
def test_scores_of_cross_validation_and_what_was_chosen_are_found(search: Any, metric: str, chosen: str | None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scores, best = search_results(search.fit(X, Y))
    assert metric in scores
    assert chosen is None or chosen in best


def test_what_searched_nothing_has_no_scores() -> None:
    assert search_results(LogisticRegression()) == ({}, {})
    assert search_results(len) == ({}, {})


def test_data_that_contradicts_the_model_is_refused_naming_the_columns(store: Path) -> None:
    frame, answers = people()
    model = LogisticRegression(max_iter=500).fit(frame[["age", "income"]], answers)
    with pytest.raises(ingot.InvalidPackage, match="X lacks income.*X has incom.*is incom meant as income"):
        ingot.push(model, "churn", X=frame[["age", "income"]].rename(columns={"income": "incom"}))
    with pytest.raises(ingot.InvalidPackage, match="fitted with 2 features, X has 3"):
        ingot.push(LogisticRegression().fit(X[:, :2], Y), "churn", X=X)
    with pytest.raises(ingot.InvalidPackage, match="X has 600 rows, y has 60"):
        ingot.push(model, "churn", X=frame[["age", "income"]], y=Y)
    assert not store.exists()


def test_declared_features_that_contradict_the_data_are_refused_with_their_lines(store: Path, tmp_path: Path) -> None:
    package = tmp_path / "churn"
    package.mkdir()
    (package / "model.bin").write_bytes(b"x")
    (package / "metadata.yaml").write_text("name: churn\ninput_features:\n  - name: age\n    type: string\n  - name: plan\n    type: string\n")
    frame, _ = people()
    with pytest.raises(ingot.InvalidPackage) as caught:
        ingot.push(package, X=frame[["age", "income"]])
    said = str(caught.value)
    assert "metadata.yaml:3: input age is declared as string, the data has integer" in said
    assert "input plan is declared, but the data has no such column" in said
    assert "column income of the data is not declared" in said
    assert not store.exists()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    where = tmp_path / "project"
    where.mkdir()
    for words in (
        ["init", "-q", "-b", "trunk"],
        ["config", "user.email", "ada@example.org"],
        ["config", "user.name", "Ada"],
        ["remote", "add", "origin", "https://me:secret@example.org/team/churn.git"],
    ):
        subprocess.run(["git", "-C", str(where), *words], check=True)
    (where / "train.py").write_text("print(1)\n")
    subprocess.run(["git", "-C", str(where), "add", "."], check=True)
    subprocess.run(["git", "-C", str(where), "commit", "-q", "-m", "first"], check=True)
    monkeypatch.chdir(where)
    for name in ("GIT_AUTHOR_NAME", "GIT_DIR"):
        monkeypatch.delenv(name, raising=False)
    return where


def test_the_same_uncommitted_changes_have_the_same_digest(repository: Path) -> None:
    clean = git_state()
    assert clean is not None and clean["dirty"] is False and "diff" not in clean
    assert clean["remote"] == "https://example.org/team/churn.git"
    (repository / "train.py").write_text("print(2)\n")
    first, again = git_state(), git_state()
    (repository / "train.py").write_text("print(3)\n")
    other = git_state()
    assert first is not None and other is not None and first == again
    assert first["dirty"] and first["diff"].startswith("sha256:") and first["diff"] != other["diff"]


def test_nothing_that_a_repository_names_is_run(repository: Path, tmp_path: Path) -> None:
    trace = tmp_path / "it-ran"
    (repository / ".gitattributes").write_text("* filter=surprise diff=surprise\n")
    for key, program in (("filter.surprise.clean", f"touch {trace}; cat"), ("core.fsmonitor", f"touch {trace}"), ("diff.surprise.command", f"touch {trace}")):
        subprocess.run(["git", "-C", str(repository), "config", key, program], check=True)
    (repository / "train.py").write_text("print(2)\n")
    state = git_state(repository)
    assert state is not None and state["dirty"] and "diff" in state
    with pytest.raises(ingot.PolicyRefused):
        check_clean(repository)
    assert not trace.exists()


def test_require_clean_refuses_a_dirty_tree_and_names_its_files(repository: Path, store: Path) -> None:
    model = LogisticRegression().fit(X, Y)
    version = ingot.push(model, "clean", X=X, require_clean=True)
    assert version.record["author"] == "Ada <ada@example.org>"
    (repository / "notes.txt").write_text("only notes\n")
    check_clean()
    (repository / "train.py").write_text("print(2)\n")
    (repository / "features.py").write_text("x = 1\n")
    with pytest.raises(ingot.PolicyRefused, match="features.py|train.py") as caught:
        ingot.push(model, "dirty", X=X, require_clean=True)
    assert sorted(caught.value.details["files"]) == ["features.py", "train.py"]
    assert ingot.models() == ["clean"]


def test_without_a_repository_require_clean_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ingot.PolicyRefused, match="no git repository"):
        check_clean()


def test_two_versions_are_compared_with_a_verdict_metrics_parameters_and_drift(store: Path) -> None:
    frame, answers = people()
    older = frame.assign(age=frame["age"] + 40)[["age", "income"]]
    first = ingot.push(LogisticRegression(C=1.0, max_iter=500).fit(frame[["age", "income"]], answers), "churn", X=frame[["age", "income"]], y=answers, metrics={"auc": 0.9})
    second = ingot.push(LogisticRegression(C=2.0, max_iter=500).fit(older, answers), "churn", X=older, y=answers, metrics={"auc": 0.8})
    change = first.compare(second)
    assert (change.verdict, change.is_breaking, change.same_data) == ("compatible", False, False)
    assert list(change.worse) == ["auc"] and change.params["C"] == (1.0, 2.0)
    assert list(change.drifted) == ["age"] and change.drift["income"].level == "same"
    assert ingot.diff("churn:1", "churn:1").verdict == "identical"
    fewer = ingot.push(LogisticRegression(max_iter=500).fit(older[["age"]], answers), "churn", X=older[["age"]], y=answers)
    broken = ingot.diff(first, fewer)
    assert broken.is_breaking and broken.breaks == ("input income is gone: callers send it",)
    assert "breaking" in str(broken) and "✗ input income is gone" in broken._repr_html_()


def test_the_card_is_generated_until_the_package_or_a_person_says_otherwise(store: Path, tmp_path: Path) -> None:
    version = ingot.push(LogisticRegression().fit(X, Y), "churn", X=X)
    assert version.model_card.startswith("---\nlibrary_name: sklearn\n")
    card = tmp_path / "card.md"
    card.write_text("# Mine\n")
    engine.run(["edit", "churn", "--card", str(card)])
    assert version.model_card == "# Mine\n"
    card.write_text("")
    engine.run(["edit", "churn", "--card", str(card)])
    assert version.model_card.startswith("---\n")
    package = tmp_path / "own"
    package.mkdir()
    (package / "weights.bin").write_bytes(b"x")
    (package / "README.md").write_text("# Of the package\n")
    assert ingot.push(package, "own").model_card == "# Of the package\n"


def test_outside_of_a_repository_git_is_not_asked_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ingot.captured import lineage

    asked: list[str] = []
    monkeypatch.setattr(lineage, "_git", lambda _where, *words: asked.append(words[0]))
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR"):
        monkeypatch.delenv(name, raising=False)
    assert lineage.git_state(tmp_path, {}) is None and asked == []
    (tmp_path / ".git").write_text("gitdir: elsewhere\n")
    (tmp_path / "below").mkdir()
    assert lineage.git_state(tmp_path / "below", {}) is None and asked != []


def test_what_asking_for_the_origin_raises_is_raised_by_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    from ingot.captured import lineage

    monkeypatch.setattr(lineage, "capture_origin", lambda *_, **__: 1 / 0)
    waiting = lineage.origin_meanwhile()
    with pytest.raises(ZeroDivisionError):
        waiting()
