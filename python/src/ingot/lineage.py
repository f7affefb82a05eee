"""Where a model comes from: the commit of the working directory and the notebook, as far as they can be told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit


def capture_lineage(directory: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """Gives ``{"git": …, "notebook": …}`` with what is known; both may be missing."""
    lineage: dict[str, Any] = {}
    git = git_state(directory)
    if git is not None:
        lineage["git"] = git
    notebook = notebook_name()
    if notebook is not None:
        lineage["notebook"] = notebook
    return lineage


def git_state(directory: str | os.PathLike[str] | None = None) -> dict[str, Any] | None:
    """Asks git for commit, branch, remote and whether files differ from the commit; None outside a repository."""
    where = os.fspath(directory) if directory is not None else os.getcwd()
    commit = _git(where, "rev-parse", "--verify", "HEAD")
    if not commit:
        return None
    state: dict[str, Any] = {"commit": commit, "dirty": bool(_git(where, "status", "--porcelain", "--untracked-files=no"))}
    branch = _git(where, "rev-parse", "--abbrev-ref", "HEAD")
    if branch and branch != "HEAD":
        state["branch"] = branch
    remote = _git(where, "config", "--get", "remote.origin.url")
    if remote:
        state["remote"] = without_credentials(remote)
    return state


def without_credentials(address: str) -> str:
    """Drops user name and password from an address.

    >>> without_credentials("https://me:secret@example.org/team/churn.git")
    'https://example.org/team/churn.git'
    >>> without_credentials("git@example.org:team/churn.git")
    'git@example.org:team/churn.git'
    """
    parts = urlsplit(address)
    if not parts.scheme or "@" not in parts.netloc:
        return address
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


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


def _git(directory: str, *arguments: str) -> str | None:
    environ = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", "-C", directory, *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
            env=environ,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
