"""The notebooks of examples/ run in a real kernel, from a store of their own; in the repository they lie without outputs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import ingot

nbclient = pytest.importorskip("nbclient", reason="nbclient is in requirements-dev.txt")
nbformat = pytest.importorskip("nbformat", reason="nbformat comes with nbclient")
pytest.importorskip("ipykernel", reason="ipykernel is in requirements-dev.txt")

FOLDER = Path(ingot.__file__).parents[3] / "examples" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))

pytestmark = [pytest.mark.engine, pytest.mark.skipif(not NOTEBOOKS, reason="only in the clone"), pytest.mark.filterwarnings("ignore")]


def run(notebook: Any, where: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs all cells in a kernel of this interpreter and gives the notebook with its outputs."""
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(where / name.lower()))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(ingot.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]))
    client = nbclient.NotebookClient(notebook, timeout=170, resources={"metadata": {"path": str(where)}})
    return client.execute()


def shown(notebook: Any, kind: str) -> list[str]:
    """Gives all that the cells showed of one MIME type."""
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", ()))
    return ["".join(output["data"][kind]) for output in outputs if kind in output.get("data", {})]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(path: Path, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(nbformat.read(path, as_version=4), tmp_path, monkeypatch)
    html = "".join(shown(done, "text/html"))
    assert "ingot-card" in html or "ingot-listing" in html
    errors = [output for cell in done.cells for output in cell.get("outputs", ()) if output["output_type"] == "error"]
    assert errors == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_lies_in_the_repository_without_outputs(path: Path) -> None:
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        assert not cell.get("outputs") and cell.get("execution_count") is None


def test_in_a_kernel_errors_are_short_and_progress_is_one_line_that_goes_away(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "big.bin").write_bytes(os.urandom(2**26))
    cells = [
        "import ingot, ingot.commands.progress\ningot.commands.progress.QUIET_SECONDS = 0",
        "ingot.push('big.bin', 'big')",
        "ingot.load('big@prodction')",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    notebook.cells[2].metadata["tags"] = ["raises-exception"]
    done = run(notebook, tmp_path, monkeypatch)
    progress = [
        output for output in done.cells[1].outputs if output["output_type"] == "display_data" and "transient" not in output
    ]
    assert len(progress) <= 1 and all("storing" not in json.dumps(output) for output in progress), "it is empty in the end"
    (error,) = (output for output in done.cells[2].outputs if output["output_type"] == "error")
    said = "\n".join(error["traceback"])
    assert "Cell In[3], line 1" in said and "alias-not-found" in said and "try " in said
    assert "subprocess" not in said and "engine.py" not in said and len(said.splitlines()) < 10
