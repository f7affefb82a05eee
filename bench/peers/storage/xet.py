"""Pushes and pulls a folder with hf-xet and a store in a directory.

python xet.py push FOLDER STORE LIST.json     writes which file became which hash
python xet.py pull LIST.json STORE FOLDER
"""

import json
import sys
from pathlib import Path

import hf_xet


def push(folder: Path, store: Path, listing: Path) -> None:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    with hf_xet.XetSession().new_upload_commit(endpoint=f"local://{store}") as commit:
        tasks = [(path, commit.start_upload_file(str(path))) for path in paths]
    infos = [(path.relative_to(folder), task.result().xet_info) for path, task in tasks]
    listing.write_text(json.dumps([[str(path), info.hash, info.file_size] for path, info in infos]))


def pull(listing: Path, store: Path, folder: Path) -> None:
    with hf_xet.XetSession().new_file_download_group(endpoint=f"local://{store}") as group:
        for name, digest, size in json.loads(listing.read_text()):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            group.start_download_file(hf_xet.XetFileInfo(digest, size), str(target))


if __name__ == "__main__":
    {"push": push, "pull": pull}[sys.argv[1]](*map(Path, sys.argv[2:]))
