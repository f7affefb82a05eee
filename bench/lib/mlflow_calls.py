"""Makes calls of the client of MLflow, one kind for each line read: `python mlflow_calls.py URI`.

A line is `{"kind": …, "times": …, "tag": …, "filter": …}`; the answer is one line with wall and processor milliseconds of a call.
"""

import json
import logging
import os
import sys
import time
import warnings

warnings.filterwarnings("ignore")
from mlflow import MlflowClient  # noqa: E402

logging.disable(logging.WARNING)
NAME = "model-0"


def calls(client, tag, every):
    """What is measured, by the names under which it stands in the table."""
    first = client.get_model_version(NAME, "1")
    return {
        "get by alias": lambda: client.get_model_version_by_alias(NAME, "production"),
        "get version": lambda: client.get_model_version(NAME, "1"),
        "get model": lambda: client.get_registered_model(NAME),
        "search by tag": lambda: client.search_model_versions(tag, max_results=100),
        "all versions": lambda: client.search_model_versions(every, max_results=10_000),
        "create version": lambda: client.create_model_version(NAME, first.source, run_id=first.run_id),
    }


def cost(call, times):
    call()
    began, before = time.perf_counter(), os.times()
    for _ in range(times):
        call()
    after = os.times()
    cpu = after.user - before.user + after.system - before.system
    return {"wall": (time.perf_counter() - began) * 1000 / times, "cpu": cpu * 1000 / times}


def main(address):
    client = MlflowClient(address)
    for line in sys.stdin:
        asked = json.loads(line)
        call = calls(client, asked["tag"], asked["filter"])[asked["kind"]]
        call()
        print(json.dumps({"ready": True}), flush=True)
        sys.stdin.readline()
        print(json.dumps(cost(call, asked["times"])), flush=True)


main(*sys.argv[1:])
