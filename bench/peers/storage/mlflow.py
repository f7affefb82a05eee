"""Logs a folder as artifacts of an MLflow run, and downloads it.

python mlflow.py prepare EXPERIMENT [ARTIFACTS]   makes an experiment, whose artifacts go where ARTIFACTS says
python mlflow.py push EXPERIMENT FOLDER RUN.json
python mlflow.py pull RUN.json FOLDER

The store is the one of MLFLOW_TRACKING_URI.
"""

import json
import sys
from pathlib import Path

# Its own name is this file's, which lies on the path first.
sys.path.pop(0)

import mlflow  # noqa: E402


def prepare(experiment: str, artifacts: str | None = None) -> None:
    mlflow.MlflowClient().create_experiment(experiment, artifact_location=artifacts)


def push(experiment: str, folder: str, listing: str) -> None:
    client = mlflow.MlflowClient()
    run = client.create_run(client.get_experiment_by_name(experiment).experiment_id)
    client.log_artifacts(run.info.run_id, folder)
    client.set_terminated(run.info.run_id)
    Path(listing).write_text(json.dumps(run.info.run_id))


def pull(listing: str, folder: str) -> None:
    Path(folder).mkdir(parents=True)
    mlflow.artifacts.download_artifacts(run_id=json.loads(Path(listing).read_text()), dst_path=folder)


if __name__ == "__main__":
    {"prepare": prepare, "push": push, "pull": pull}[sys.argv[1]](*sys.argv[2:])
