from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import ingot
from ingot.commands import engine, finding


def script(path: Path, body: str) -> Path:
    path.write_text(f"#!{sys.executable}\nimport json, os, signal, sys, time\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_the_named_engine_comes_first(tmp_path: Path) -> None:
    named = tmp_path / "ingot.js"
    named.write_text("")
    assert finding.find_engine({"INGOT_ENGINE": str(named), "INGOT_NODE": "/node"}) == ["/node", str(named)]


def test_a_named_engine_that_is_not_there_is_an_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(ingot.EngineError, match="nowhere"):
        finding.find_engine({"INGOT_ENGINE": str(tmp_path / "nowhere"), "PATH": ""})


def test_an_engine_on_path_is_taken_but_never_the_own_console_script(tmp_path: Path) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    own.mkdir(), other.mkdir()
    script(own / "ingot", "from ingot.__main__ import main\nsys.exit(main())")
    script(other / "ingot", "")
    path = os.pathsep.join([str(own), str(other)])
    assert finding.find_engine({"PATH": path}, package=tmp_path) == [str(other / "ingot")]


def test_the_wheels_own_engine_comes_before_path(tmp_path: Path) -> None:
    bundled = tmp_path / "_engine" / "bin" / "ingot.js"
    bundled.parent.mkdir(parents=True)
    bundled.write_text("")
    assert finding.find_engine({"PATH": "", "INGOT_NODE": "/node"}, package=tmp_path) == ["/node", str(bundled)]


def test_a_clone_that_is_not_built_names_the_command_that_builds_it(tmp_path: Path) -> None:
    (tmp_path / "packages/cli/bin").mkdir(parents=True)
    (tmp_path / "packages/cli/bin/ingot.js").write_text("")
    (tmp_path / "rooms.json").write_text("{}")
    with pytest.raises(ingot.EngineError) as caught:
        finding.find_engine({"PATH": ""}, package=tmp_path / "python/src/ingot")
    assert caught.value.hint is not None and "npm run build" in caught.value.hint


def test_no_engine_anywhere_is_an_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(ingot.EngineError) as caught:
        finding.find_engine({"PATH": ""}, package=tmp_path)
    assert caught.value.code == "engine-missing"
    assert caught.value.hint


def test_an_error_document_becomes_the_exception_of_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = '{"error": {"code": "alias-not-found", "message": "no alias", "hint": "ingot alias ls churn", "nearest": "churn@production"}}'
    fake = script(tmp_path / "fake", f"print('hashing', file=sys.stderr)\nprint({said!r}, file=sys.stderr)\nsys.exit(3)")
    monkeypatch.setenv("INGOT_ENGINE", str(fake))
    with pytest.raises(ingot.NotFound) as caught:
        engine.run(["show", "churn@prod"])
    assert caught.value.code == "alias-not-found"
    assert caught.value.nearest == "churn@production"
    assert "ingot alias ls churn" in str(caught.value)
    assert isinstance(caught.value, LookupError)


@pytest.mark.parametrize("progress", [True, False])
def test_what_the_engine_warns_of_becomes_a_warning_at_the_callers_line_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], progress: bool
) -> None:
    said = "warning: ${MODELS} is not set\\nhashing\\n\\x1b[33mwarning\\x1b[39m: the lock is old\\n"
    monkeypatch.setenv("INGOT_ENGINE", str(script(tmp_path / "fake", f"sys.stderr.write('{said}')\nprint('{{}}')")))
    with pytest.warns(UserWarning) as told:
        engine.run(["ls"], progress=progress)
    assert [str(each.message) for each in told] == ["${MODELS} is not set", "the lock is old"]
    assert {each.filename for each in told} == {__file__}
    assert "warning" not in capfd.readouterr().err


def test_the_engine_knows_this_python_also_where_none_is_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INGOT_ENGINE", str(script(tmp_path / "fake", "print(json.dumps(os.environ['INGOT_STARTED_FROM']))")))
    monkeypatch.setenv("INGOT_STARTED_FROM", "/another/python")
    monkeypatch.setenv("PATH", "")
    assert engine.run(["ls"]) == sys.executable


@pytest.mark.parametrize(
    ("status", "kind"),
    [(2, ingot.UsageError), (4, ingot.Forbidden), (5, ingot.Conflict), (6, ingot.PolicyRefused), (7, ingot.Unavailable), (8, ingot.IntegrityError)],
)
def test_an_exit_status_alone_still_tells_the_kind_of_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, kind: type[ingot.IngotError]
) -> None:
    monkeypatch.setenv("INGOT_ENGINE", str(script(tmp_path / "fake", f"sys.exit({status})")))
    with pytest.raises(kind):
        engine.run(["ls"])


def test_an_engine_that_prints_no_json_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INGOT_ENGINE", str(script(tmp_path / "fake", "print('hello')")))
    with pytest.raises(ingot.EngineError, match="hello"):
        engine.run(["ls"])


def test_a_password_in_an_address_is_no_word_that_every_user_of_the_machine_sees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = script(tmp_path / "fake", "import os\nprint(json.dumps([sys.argv[1:], os.environ.get('INGOT_REGISTRY')]))")
    monkeypatch.setenv("INGOT_ENGINE", str(fake))
    words, registry = engine.run(["ls"], store="https://me:secret@example.org/store")
    assert "secret" not in " ".join(words) and registry == "https://me:secret@example.org/store"
    words, _ = engine.run(["ls"], store="/srv/a@b")
    assert words[-2:] == ["--registry", "/srv/a@b"]


def test_much_output_on_both_pipes_does_not_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "for i in range(3000): print('x' * 100, file=sys.stderr)\nprint(json.dumps({'a': 'y' * 500000}))"
    monkeypatch.setenv("INGOT_ENGINE", str(script(tmp_path / "fake", body)))
    assert len(engine.run(["ls"], progress=False)["a"]) == 500000


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_ctrl_c_asks_the_engine_to_stop_once_and_waits_for_it(tmp_path: Path) -> None:
    mark = tmp_path / "stopped"
    body = (
        f"def stop(*_):\n    open({str(mark)!r}, 'a').write('x')\n    sys.exit(130)\n"
        "signal.signal(signal.SIGINT, stop)\nprint('ready', file=sys.stderr, flush=True)\ntime.sleep(60)"
    )
    fake = script(tmp_path / "fake", body)
    code = "from ingot.commands import engine\ntry:\n    engine.run(['ls'], progress=True)\nexcept KeyboardInterrupt:\n    print('interrupted')"
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "INGOT_ENGINE": str(fake)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None and child.stderr.readline() == "ready\n"
    child.send_signal(signal.SIGINT)
    printed, _ = child.communicate(timeout=30)
    assert printed == "interrupted\n"
    assert mark.read_text() == "x"


def test_threads_may_run_commands_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INGOT_ENGINE", str(script(tmp_path / "fake", "print(json.dumps(sys.argv[1]))")))
    answers: dict[int, str] = {}
    threads = [threading.Thread(target=lambda i=i: answers.update({i: engine.run([f"v{i}"])})) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {i: f"v{i}" for i in range(8)}


def test_errors_survive_pickling() -> None:
    import pickle

    error = ingot.NotFound("no alias", code="alias-not-found", hint="ingot alias ls churn")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.code, again.hint, again.message) == (ingot.NotFound, "alias-not-found", error.hint, "no alias")


def test_the_clone_that_a_copy_was_installed_from_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clone, site = tmp_path / "my clone", tmp_path / "site"
    for path in (clone / "packages/cli/bin/ingot.js", clone / "packages/cli/dist/main.js", clone / "rooms.json"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    note = site / "ingot-0.1.0.dist-info"
    note.mkdir(parents=True)
    (note / "METADATA").write_text("Metadata-Version: 2.1\nName: ingot\nVersion: 0.1.0\n")
    (note / "direct_url.json").write_text(json.dumps({"url": (clone / "python").as_uri(), "dir_info": {}}))
    monkeypatch.syspath_prepend(str(site))
    environ = {"PATH": "", "INGOT_NODE": "/node"}
    assert finding.find_engine(environ, package=site / "ingot") == ["/node", str(clone / "packages/cli/bin/ingot.js")]
    with pytest.raises(ingot.EngineError):
        finding.find_engine(environ, package=tmp_path / "another/ingot")


def test_a_node_is_asked_for_its_version_once_on_a_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ingot_command

    monkeypatch.setenv("INGOT_CACHE", str(tmp_path / "cache"))
    node = tmp_path / "node"
    node.write_bytes(b"\x7fELF, not really")
    ingot_command._write(str(ingot_command._note_of(str(node))), (20, 11, 0)) if ingot_command.node_version(str(node)) is None else None
    ingot_command.node_version.cache_clear()
    assert ingot_command.node_version(str(node)) == (20, 11, 0)
    node.write_bytes(b"\x7fELF, another")
    ingot_command.node_version.cache_clear()
    assert ingot_command.node_version(str(node)) is None, "another program is asked"
    script = tmp_path / "other" / "node"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\necho v22.1.0\n")
    assert ingot_command._note_of(str(script)) is None, "a script may start another one each time"
