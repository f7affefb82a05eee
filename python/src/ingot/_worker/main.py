"""Entry point of a worker: connects, loads one package, answers frames until the server goes away."""

from __future__ import annotations

import argparse
import faulthandler
import gc
import importlib.util
import os
import pathlib
import signal
import sys
import threading
import traceback
from typing import Any

_HERE = os.path.dirname(os.path.abspath(__file__))
_PACKAGE = "_ingot_worker"


def _own_modules() -> None:
    """Makes the files beside this one importable under a name no model uses, and hides their directory again."""
    if sys.path and os.path.abspath(sys.path[0]) == _HERE:
        del sys.path[0]
    spec = importlib.util.spec_from_file_location(
        _PACKAGE, os.path.join(_HERE, "__init__.py"), submodule_search_locations=[_HERE]
    )
    if spec is None or spec.loader is None:
        raise SystemExit(f"the worker's files are not in {_HERE}")
    package = importlib.util.module_from_spec(spec)
    sys.modules[_PACKAGE] = package
    written = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        spec.loader.exec_module(package)
        for name in ("frames", "flavors", "loading", "inputs", "outputs", "predicting", "preloading"):
            importlib.import_module(f"{_PACKAGE}.{name}")
    finally:
        sys.dont_write_bytecode = written


def _leave_with_parent() -> None:
    """Ends the process when the server's end of stdin closes, even while the model computes."""
    lifeline = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)

    def watch() -> None:
        while True:
            try:
                if not os.read(lifeline, 64):
                    os._exit(0)
            except OSError:
                os._exit(0)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


def _memory_bytes() -> int:
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource  # noqa: PLC0415

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def _load(order: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    from _ingot_worker.flavors import InvalidPackage, asked_part, describe  # noqa: PLC0415
    from _ingot_worker.loading import load_native  # noqa: PLC0415
    from _ingot_worker.predicting import Model  # noqa: PLC0415
    from _ingot_worker.preloading import environment_modules  # noqa: PLC0415

    flavor = order["flavor"]
    os.chdir(order["directory"])
    description = describe(pathlib.Path(order["directory"]), order.get("artifactPath"))
    native = load_native(order["directory"], flavor, order.get("interfacePath"), order.get("artifactPath"), description)
    native, flavor, description = asked_part(native, flavor, description)
    signature = order.get("signature")
    learned = None
    if signature is None and flavor == "sklearn":
        from _ingot_worker.estimators import estimator_signature  # noqa: PLC0415

        learned = signature = estimator_signature(native)
    model = Model(native, flavor, signature, description)
    if model.unanswering:
        raise InvalidPackage(model.unanswering)
    return model, {"signature": learned or model.learned, "memoryBytes": _memory_bytes(), "modules": environment_modules()}


def _load_failure(problem: BaseException) -> dict[str, Any]:
    from _ingot_worker.loading import InvalidPackage  # noqa: PLC0415
    from _ingot_worker.predicting import described  # noqa: PLC0415

    plain = isinstance(problem, InvalidPackage)
    return {
        "type": "failed",
        "code": "invalid-package" if plain else "model-failed",
        "message": str(problem) if plain else described(problem, 2000),
        "missingModule": problem.name if isinstance(problem, ModuleNotFoundError) else None,
        "traceback": "" if plain else traceback.format_exc(),
    }


def _order(connection: Any) -> dict[str, Any] | None:
    """Waits to be told what to load; a spare process meanwhile imports what its predecessors used."""
    while True:
        frame = connection.receive()
        if frame is None:
            return None
        header: dict[str, Any] = frame[0]
        if header["type"] != "preload":
            return header
        from _ingot_worker.preloading import preload  # noqa: PLC0415

        preload(header["modules"], connection.is_waiting)
        connection.send({"type": "preloaded", "memoryBytes": _memory_bytes()})


def _serve(connection: Any) -> int:
    from _ingot_worker.frames import PROTOCOL  # noqa: PLC0415

    version = ".".join(str(part) for part in sys.version_info[:3])
    connection.send({"type": "hello", "protocol": PROTOCOL, "python": version, "pid": os.getpid()})
    order = _order(connection)
    if order is None:
        return 0
    try:
        model, loaded = _load(order)
    except BaseException as problem:  # noqa: BLE001 - whatever the package raised is the server's to report
        connection.send(_load_failure(problem))
        return 1
    # What is loaded stays: the collector need not look at it again at every pass.
    gc.freeze()
    connection.send({"type": "loaded", **loaded})
    return _answer(connection, model)


def _answer(connection: Any, model: Any) -> int:
    from _ingot_worker.predicting import RequestFailed  # noqa: PLC0415

    count = 0
    while True:
        frame = connection.receive()
        if frame is None:
            return 0
        header, tensors = frame
        count += 1
        try:
            outputs = model.predict(tensors, header["method"])
            answer = {"type": "result", "id": header["id"]}
            if count % 64 == 1:
                answer["memoryBytes"] = _memory_bytes()
            connection.send(answer, outputs)
        except RequestFailed as problem:
            answer = {"type": "error", "id": header["id"], "code": problem.code, "message": str(problem)}
            connection.send({**answer, "traceback": problem.trace})


def main() -> int:
    """Runs the worker; returns its exit status."""
    parser = argparse.ArgumentParser(prog="ingot worker")
    parser.add_argument("--socket", required=True, help="path of the server's Unix socket")
    arguments = parser.parse_args()
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _own_modules()
    from _ingot_worker.frames import Connection  # noqa: PLC0415

    connection = Connection(arguments.socket)
    # A child that a model forks, and that outlives this process, must not keep the server waiting for an answer.
    os.register_at_fork(after_in_child=connection.let_go)
    _leave_with_parent()
    return _serve(connection)


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads of the model's libraries must not keep the process: the server waits for it.
    os._exit(status)
