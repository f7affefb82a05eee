"""A framework of somebody else, installed as a distribution of its own: chosen, saved, checked, loaded and served."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src"

FILES = {
    "abacus/__init__.py": '''
class Abacus:
    """Adds beads."""
    def __init__(self, beads): self.beads = beads
    def count(self, rows): return [row["x"] + self.beads for row in rows]
''',
    "abacus/saving.py": '''
from ingot.serializers.base import Saved

class AbacusSerializer:
    name, unsafe = "abacus", False
    def can_handle(self, model): return type(model).__module__.partition(".")[0] == "abacus"
    def save(self, model, directory, *, data=None, code=()):
        (directory / "beads.txt").write_text(str(model.beads))
        return Saved(flavor="abacus", takes="rows", description={"artifact": "beads.txt"})
    def pip_names(self, model): return []
''',
    "abacus/loading.py": '''
from abacus import Abacus

def load(root, description):
    return Abacus(float((root / description["artifact"]).read_text()))

class _Counting:
    ingot_input = "rows"
    def __init__(self, native): self.predict = native.count

def predictor(native, description):
    return _Counting(native)
''',
    "abacus-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: abacus-of-tests\nVersion: 1.0\n",
    "abacus-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "abacus-1.0.dist-info/entry_points.txt": "[ingot.serializers]\nabacus = abacus.saving:AbacusSerializer\n\n[ingot.flavors]\nabacus = abacus.loading\n",
    "abacus-1.0.dist-info/top_level.txt": "abacus\n",
}


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    return install(tmp_path, FILES)


def install(tmp_path: Path, files: dict[str, str]) -> Path:
    """Makes a wheel and unpacks it where an environment has its packages, as an installer does."""
    wheel, site = tmp_path / "abacus_of_tests-1.0-py3-none-any.whl", tmp_path / "site-packages"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("abacus-1.0", "abacus_of_tests-1.0"), text.lstrip())
        archive.writestr("abacus_of_tests-1.0.dist-info/RECORD", "")
    zipfile.ZipFile(wheel).extractall(site)
    return site


def run(site: Path, program: str, **environ: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **environ, "PYTHONPATH": os.pathsep.join([str(site), str(SOURCE)])}
    return subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False)


CHECK = """
from abacus import Abacus
from abacus.saving import AbacusSerializer
from ingot.testing import check_serializer
check_serializer(AbacusSerializer(), Abacus(3.0), [{"x": 1.0}, {"x": 2.0}])
print("conforms")
"""


def test_a_serializer_that_keeps_to_the_contract_passes(installed: Path) -> None:
    done = run(installed, CHECK)
    assert done.stdout == "conforms\n", done.stderr


@pytest.mark.parametrize(
    ("file", "old", "new", "rule"),
    [
        ("abacus/saving.py", '== "abacus"', '!= "abacus"', "can_handle(None) is not False"),
        ("abacus/saving.py", "def can_handle(self, model): return", "def can_handle(self, model):\n        import wave\n        return", "imports wave"),
        ("abacus/saving.py", '"beads.txt").write', '"other.txt").write', 'artifact "beads.txt"'),
        ("abacus/saving.py", "str(model.beads)", "str(model.beads + id(directory))", "other bytes"),
        ("abacus/saving.py", 'flavor="abacus"', 'flavor="unheard-of"', "no installed distribution loads it"),
        ("abacus/saving.py", 'takes="rows"', 'takes="rows", executes_code=True', "unsafe is False"),
        ("abacus/loading.py", "from abacus import Abacus", "from abacus import Abacus\nimport ingot", "without the SDK"),
        ("abacus/loading.py", "return Abacus(float(", "return Abacus(1 + float(", "the saved one"),
        ("abacus/loading.py", "return Abacus(float(", "return (float(", "not a Abacus"),
    ],
)
def test_one_that_does_not_is_told_which_rule_it_breaks(tmp_path: Path, file: str, old: str, new: str, rule: str) -> None:
    assert old in FILES[file]
    broken = {**FILES, file: FILES[file].replace(old, new)}
    done = run(install(tmp_path, broken), CHECK)
    assert done.returncode != 0 and rule in done.stderr


PUSH = """
import json, warnings
import ingot
from abacus import Abacus
warnings.simplefilter("error")
version = ingot.push(Abacus(3.0), "counter", X=[{"x": 1.0}])
model = ingot.load("counter")
several = ingot.push({"first": Abacus(1.0), "second": Abacus(2.0)}, "both")
print(json.dumps({
    "flavor": version.flavor, "code": version.executes_code, "files": sorted(file.path for file in version.files),
    "requirements": version.environment["requirements"], "answer": model.predict([{"x": 4.0}]), "kind": type(model.native).__name__,
    "second": ingot.load("both")["second"].beads, "both": several.environment["requirements"],
}))
"""


@pytest.mark.engine
def test_its_distribution_is_a_requirement_and_its_loader_is_found_among_installed_packages(installed: Path, store: Path) -> None:
    done = run(installed, PUSH)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert (said["flavor"], said["code"], said["kind"], said["answer"]) == ("plugin", False, "Abacus", [7.0])
    assert "abacus-of-tests==1.0" in said["requirements"] and "abacus-of-tests==1.0" in said["both"]
    assert "flavor.json" in said["files"] and "beads.txt" in said["files"]
    assert said["second"] == 2.0
    refused = run(installed.parent / "nothing", 'import ingot; ingot.load("counter", check="off")', INGOT_REGISTRY=str(store))
    assert "no distribution installed" in refused.stderr and "abacus" in refused.stderr
