"""Pushes and loads a state_dict of many MiB: one step a process, measured from inside, what it prints is JSON.

    python torch_state.py STEP FOLDER MIB

Steps: ``torch-save``, ``engine-push`` (of what torch-save wrote), ``ingot-push``, ``safetensors-load``, ``ingot-load``. Loading
ends when every tensor was read once: both sides map the file, and a file that nobody read was not loaded.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def weights(size: int) -> dict[str, Any]:
    """Gives tensors of 16 MiB, like those of a transformer."""
    import torch

    torch.manual_seed(1)
    return {f"layers.{index}.weight": torch.randn(2048, 2048) for index in range(max(1, size // 16))}


def read(tensors: dict[str, Any]) -> float:
    """Reads every tensor once."""
    return float(sum(tensor.sum() for tensor in tensors.values()))


def step_of(name: str, folder: Path, size: int) -> Callable[[], Any]:
    """Prepares a step, outside of the measure; gives what is measured."""
    import ingot
    import torch

    store = folder / "store"
    if name == "torch-save":
        state = weights(size)
        return lambda: torch.save(state, folder / "model.pt")
    if name == "engine-push":
        from ingot.commands import engine

        return lambda: engine.run(["push", str(folder / "model.pt"), "--name", "peer"], store=folder / "peer-store")
    if name == "ingot-push":
        state = weights(size)
        return lambda: ingot.push(state, "state", store=store)
    if name == "safetensors-load":
        from safetensors.torch import load_file

        path = str(ingot.load("state", store=store).info.path / "model.safetensors")
        return lambda: read(load_file(path))
    from safetensors.torch import load_file  # noqa: F401 - both sides have imported it before they are measured

    read(ingot.load("state", store=store).native)
    return lambda: read(ingot.load("state", store=store).native)


def spent() -> float:
    """Gives processor seconds of this process and its children."""
    both = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def main() -> None:
    """Runs one step and prints its cost, and how much more memory it needed than before it."""
    import torch

    torch.set_num_threads(1)
    name, folder, size = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    if name.endswith("-push"):
        os.environ["INGOT_ENGINE_KEEP"] = "0"  # An engine that ends is counted, one that is kept is not.
    step = step_of(name, folder, size)
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    cpu, began = spent(), time.perf_counter()
    step()
    wall, cpu = time.perf_counter() - began, spent() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    print(json.dumps({"wall": wall, "cpu": cpu, "beforeBytes": resident, "peakBytes": peak, "childBytes": child}))


if __name__ == "__main__":
    main()
