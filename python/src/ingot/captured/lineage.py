"""Where a model comes from: the commit of the working directory and the notebook, as far as they can be told."""

from __future__ import annotations

import getpass
import hashlib
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..commands.forking import unforked
from ..errors import PolicyRefused


def capture_origin(directory: str | os.PathLike[str] | None = None, *, author: str | None = None) -> dict[str, Any]:
    """Gives ``{"lineage": {"git": …, "notebook": …}, "author": …}`` with what is known of where and by whom a model is made.

    :param author: given by the caller; default: see :func:`author_name`.
    """
    configured = _configured(_place(directory))
    return {
        "lineage": _lineage(directory, configured),
        "author": author if author is not None else author_name(directory, configured),
    }


def origin_meanwhile(directory: str | os.PathLike[str] | None = None, *, author: str | None = None) -> Callable[[], dict[str, Any]]:
    """Begins to ask what :func:`capture_origin` gives, beside what the caller does; the function waits for it.

    >>> sorted(origin_meanwhile("/", author="Ann")())
    ['author', 'lineage']
    """
    where = _place(directory)
    answers: list[dict[str, Any]] = []
    problems: list[BaseException] = []

    def ask() -> None:
        try:
            with unforked():
                answers.append(capture_origin(where, author=author))
        except BaseException as problem:  # noqa: BLE001 - whoever waits raises it
            problems.append(problem)

    thread = threading.Thread(target=ask, name="ingot-origin", daemon=True)
    thread.start()

    def wait() -> dict[str, Any]:
        thread.join()
        if problems:
            raise problems[0]
        return answers[0]

    return wait


def _lineage(directory: str | os.PathLike[str] | None, configured: dict[str, str]) -> dict[str, Any]:
    lineage: dict[str, Any] = {}
    git = git_state(directory, configured)
    if git is not None:
        lineage["git"] = git
    notebook = notebook_name()
    if notebook is not None:
        lineage["notebook"] = notebook
    return lineage


def git_state(directory: str | os.PathLike[str] | None = None, configured: dict[str, str] | None = None) -> dict[str, Any] | None:
    """Asks git for commit, branch, remote, and whether and how files differ from the commit; None outside a repository.

    ``diff`` is the digest of ``git diff HEAD --binary``: two pushes from the same uncommitted changes have the same one.
    """
    where = _place(directory)
    if not _may_be_repository(where):
        return None
    configured = _configured(where) if configured is None else configured
    safe = _without_programs(configured)
    told = _git(where, *safe, *_STATUS_AND_BRANCH)
    commit, branch, dirty = read_status(told or "")
    if not commit:
        return None
    state: dict[str, Any] = {"commit": commit, "dirty": dirty}
    if dirty and (diff := _diff_digest(where, safe)) is not None:
        state["diff"] = diff
    if branch:
        state["branch"] = branch
    remote = configured.get("remote.origin.url")
    if remote:
        state["remote"] = without_credentials(remote)
    return state


def read_status(status: str) -> tuple[str | None, str | None, bool]:
    """Reads ``git status --porcelain=v2 --branch``: commit, branch (None: detached), and whether files differ.

    >>> read_status("# branch.oid 1f0c\\n# branch.head main\\n1 .M N... 100644 100644 100644 1 2 train.py")
    ('1f0c', 'main', True)
    >>> read_status("# branch.oid (initial)\\n# branch.head main")
    (None, 'main', False)
    """
    lines = status.splitlines()
    said = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# branch."))
    commit, branch = said.get("branch.oid"), said.get("branch.head")
    dirty = any(not line.startswith("# ") for line in lines)
    return None if commit == "(initial)" else commit, None if branch == "(detached)" else branch, dirty


_STATUS = ("status", "--porcelain", "--ignore-submodules")
_STATUS_AND_BRANCH = ("status", "--porcelain=v2", "--branch", "--no-ahead-behind", "--ignore-submodules", "--untracked-files=no")
_DIFF = ("diff", "HEAD", "--binary", "--full-index", "--no-ext-diff", "--no-textconv", "--no-color", "--ignore-submodules")
#: Uncommitted changes are hashed as they come; more than this many seconds are not waited for.
_DIFF_SECONDS = 10.0


def _may_be_repository(where: str) -> bool:
    """False where git would only look in vain: nothing above is called ``.git``, and no variable names one."""
    if any(name in os.environ for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR")):
        return True
    place = os.path.realpath(where)
    return any(os.path.lexists(os.path.join(above, ".git")) for above in (place, *map(str, Path(place).parents)))


def _place(directory: str | os.PathLike[str] | None) -> str:
    return os.fspath(directory) if directory is not None else os.getcwd()


def _configured(where: str) -> dict[str, str]:
    wanted = r"^(remote\.origin\.url|user\.(name|email)|filter\..*\.(clean|process))$"
    entries = (_git(where, "config", "--null", "--get-regexp", wanted) or "").split("\0")
    return {key: value for key, _, value in (entry.partition("\n") for entry in entries) if key}


def _without_programs(configured: dict[str, str]) -> list[str]:
    """A package may bring a repository of its own: the file monitor and filters that it names are not run."""
    settings = ["core.fsmonitor=false", "core.hooksPath=/dev/null"]
    for name in {key.rpartition(".")[0] for key in configured if key.startswith("filter.")}:
        settings += [f"{name}.clean=", f"{name}.process=", f"{name}.required=false"]
    return [word for setting in settings for word in ("-c", setting)]


def _diff_digest(where: str, safe: list[str]) -> str | None:
    """Hashes the uncommitted changes without holding them; None when git fails or takes too long."""
    hashed = hashlib.sha256()
    ends = time.monotonic() + _DIFF_SECONDS
    try:
        with subprocess.Popen(
            ["git", "-C", where, *safe, *_DIFF], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, env=_environment()
        ) as process:
            assert process.stdout is not None
            while piece := process.stdout.read(1 << 20):
                hashed.update(piece)
                if time.monotonic() > ends:
                    process.kill()
                    return None
    except OSError:
        return None
    return f"sha256:{hashed.hexdigest()}" if process.returncode == 0 else None


def check_clean(directory: str | os.PathLike[str] | None = None) -> None:
    """Passes when the working tree is what its commit says; code that git does not know yet counts, too.

    :raises PolicyRefused: naming the files that differ, or when there is no repository to tell.
    """
    where = _place(directory)
    told = _git(where, *_without_programs(_configured(where)), *_STATUS, "--untracked-files=all", "-z")
    if told is None or not _git(where, "rev-parse", "--verify", "HEAD"):
        raise PolicyRefused(
            f"require_clean=True, but {where} is in no git repository with a commit", code="refused", operation="push", hint="git commit"
        )
    files = changed_files(told)
    if not files:
        return
    shown = ", ".join(files[:10]) + (f" and {len(files) - 10} more" if len(files) > 10 else "")
    raise PolicyRefused(
        f"require_clean=True, but the working tree has uncommitted changes: {shown}",
        code="refused",
        operation="push",
        hint="git commit, or git stash",
        details={"files": files},
    )


def changed_files(status: str) -> list[str]:
    """Reads ``git status --porcelain -z``: changed files, and new ones that hold code.

    >>> changed_files(" M train.py\\0?? notes.txt\\0?? new.py\\0R  to.py\\0from.py\\0")
    ['train.py', 'new.py', 'to.py']
    """
    files: list[str] = []
    entries = iter(status.split("\0"))
    for entry in entries:
        kind, path = entry[:2], entry[3:]
        if not path:
            continue
        if kind != "??" or path.endswith((".py", ".ipynb")):
            files.append(path)
        if "R" in kind or "C" in kind:
            next(entries, None)
    return files


def author_name(directory: str | os.PathLike[str] | None = None, configured: dict[str, str] | None = None) -> str | None:
    """Gives who makes the model: ``INGOT_AUTHOR``, else git's configured name and address, else the user of the machine."""
    told = os.environ.get("INGOT_AUTHOR") or os.environ.get("GIT_AUTHOR_NAME")
    if told:
        return told
    said = _configured(_place(directory)) if configured is None else configured
    name, address = said.get("user.name"), said.get("user.email")
    if name or address:
        return f"{name} <{address}>" if name and address else name or address
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return None


_USER = re.compile(r"[\w.-]+")


def without_credentials(address: str) -> str:
    """Drops user name, password and what may hold a token (behind ``?`` and ``#``) from an address.

    >>> without_credentials("https://me:secret@example.org/team/churn.git")
    'https://example.org/team/churn.git'
    >>> without_credentials("git@example.org:team/churn.git")
    'git@example.org:team/churn.git'
    >>> without_credentials("https://me:a/secret@example.org/churn.git?private_token=abc")
    'https://example.org/churn.git'
    """
    scheme, mark, rest = address.partition("://")
    if not mark:
        user, at, place = address.rpartition("@")
        # git's own short form names a user, who is no secret.
        return f"{user}@{place}" if at and _USER.fullmatch(user) else place
    # A password may hold any sign but this one, whatever an address should be.
    place = re.split(r"[?#]", rest.rpartition("@")[2], maxsplit=1)[0]
    return f"{scheme}://{place}"


def notebook_name() -> str | None:
    """Gives the notebook's file name where the front end tells it (Jupyter server, VS Code)."""
    if "ipykernel" not in sys.modules:
        return None
    session = os.environ.get("JPY_SESSION_NAME")
    if session:
        return Path(session).name
    main = sys.modules.get("__main__")
    told = getattr(main, "__vsc_ipynb_file__", None)
    return Path(told).name if isinstance(told, str) else None


def _environment() -> dict[str, str]:
    return {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}


def _git(directory: str, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", directory, *arguments],
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=10,
            check=False,
            env=_environment(),
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.rstrip("\n") if done.returncode == 0 else None
