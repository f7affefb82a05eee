"""Uploads and downloads a folder with modelstore.

python modelstore.py upload FOLDER ID.json DIRECTORY|BUCKET
python modelstore.py download ID.json FOLDER DIRECTORY|BUCKET

It takes single files only, so the folder goes in as an uncompressed tar.
"""

import json
import os
import sys
import tarfile
import tempfile
from pathlib import Path

# Its own name is this file's, which lies on the path first.
sys.path.pop(0)

from modelstore import ModelStore  # noqa: E402

DOMAIN = "bench"


def open_store(place: str) -> ModelStore:
    if not place.startswith("s3:"):
        return ModelStore.from_file_system(root_directory=place, create_directory=True)
    return ModelStore.from_aws_s3(place.removeprefix("s3:"), region=os.environ["AWS_REGION"])


def upload(folder: str, listing: str, place: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        archive = Path(directory) / "model.tar"
        with tarfile.open(archive, "w") as tar:
            tar.add(folder, ".")
        uploaded = open_store(place).upload(DOMAIN, model=str(archive))
    Path(listing).write_text(json.dumps(uploaded["model"]["model_id"]))


def download(listing: str, folder: str, place: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        open_store(place).download(directory, DOMAIN, json.loads(Path(listing).read_text()))
        with tarfile.open(Path(directory) / "model.tar") as tar:
            tar.extractall(folder, filter="data")


if __name__ == "__main__":
    {"upload": upload, "download": download}[sys.argv[1]](*sys.argv[2:])
