"""Entry point of the process that holds a model for ``ingot.load(…, env="isolated")``.

``python isolated.py FD``: the SDK that this file came with is loaded by its path, whatever the environment has; it loads
the package as it would in the caller's process, and answers calls over the connected socket until that closes. Values
travel as ``values.py`` describes them, errors as their code and message.
"""

from __future__ import annotations

import faulthandler
import gc
import importlib.util
import os
import signal
import socket
import sys
import traceback
from typing import Any

_HERE = os.path.dirname(os.path.abspath(__file__))
PROTOCOL = 1


def _load_by_path(name: str, path: str, search: list[str] | None = None) -> Any:
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=search)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is not there")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _own_package() -> None:
    """Makes the SDK importable, and nothing else of the place where it lies."""
    if sys.path and os.path.abspath(sys.path[0]) == _HERE:
        del sys.path[0]
    package = os.path.dirname(_HERE)
    _load_by_path("ingot_command", os.path.join(os.path.dirname(package), "ingot_command.py"))
    _load_by_path("ingot", os.path.join(package, "__init__.py"), [package])


def _load(header: dict[str, Any]) -> Any:
    from ingot.model import METHODS, open_model

    document = header["document"]
    os.chdir(document["path"])
    model = open_model(document, check="off")
    methods = [name for name in METHODS if hasattr(model, name)]
    kind = getattr(model.native, "__name__", type(model.native).__name__)
    return model, {"type": "loaded", "methods": methods, "kind": str(kind), "python": sys.version.split()[0]}


def _described(problem: BaseException) -> dict[str, Any]:
    """What the caller's process raises in place of what was raised here."""
    from ingot._worker.predicting import described
    from ingot.errors import IngotError

    trace = "".join(traceback.format_exception(type(problem), problem, problem.__traceback__))
    if not isinstance(problem, IngotError):
        details = {"type": type(problem).__name__, "traceback": trace}
        return {"code": "model-failed", "message": described(problem, 2000), "details": details}
    return {
        "code": problem.code, "message": problem.message, "hint": problem.hint, "nearest": problem.nearest,
        "details": {**problem.details, "traceback": trace},
    }  # fmt: skip


def _answer(connection: Any, model: Any) -> int:
    from ingot._worker.values import decode, encode

    while True:
        frame = connection.receive()
        if frame is None:
            return 0
        header, tensors = frame
        try:
            rows = decode(tensors)
            answer = model.predict(rows) if header["method"] == "predict" else getattr(model, header["method"])(rows)
            sent = encode(answer)
        except BaseException as problem:  # noqa: BLE001 - whatever the model raised, sys.exit() too, is the caller's to hear
            connection.send({"type": "error", "id": header["id"], "error": _described(problem)})
        else:
            connection.send({"type": "result", "id": header["id"]}, sent)


def main() -> int:
    """Runs the process; returns its exit status."""
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    peer = socket.socket(fileno=int(sys.argv[1]))
    _own_package()
    from ingot._worker.frames import Connection
    from ingot._worker.main import _leave_with_parent

    _leave_with_parent()
    connection = Connection(peer)
    # A child that a model forks, and that outlives this process, must not keep the caller waiting for an answer.
    os.register_at_fork(after_in_child=connection.let_go)
    frame = connection.receive()
    if frame is None:
        return 0
    try:
        model, loaded = _load(frame[0])
    except BaseException as problem:  # noqa: BLE001 - the caller raises it
        connection.send({"type": "failed", "error": _described(problem)})
        return 1
    gc.freeze()
    connection.send(loaded)
    return _answer(connection, model)


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads of the model's libraries must not keep the process.
    os._exit(status)
