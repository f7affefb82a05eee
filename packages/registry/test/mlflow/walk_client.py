"""Walks the surface of MlflowClient against the server that MLFLOW_TRACKING_URI names, and prints what it was answered.

One JSON line a step: `{"step": …, "answer": …}`. What differs from run to run (ids, times, random names) is replaced by
the order in which it was first seen, so that the lines of two servers can be compared.
"""

import json
import math
import re
import sys

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelOutput, LoggedModelStatus, Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException

client = MlflowClient()
seen: dict[str, str] = {}
ID = re.compile(r"m-[0-9a-f]{32}|[0-9a-f]{32}")


def known(text):
    return ID.sub(lambda found: seen.setdefault(found.group(), f"<id {len(seen) + 1}>"), text)


def plain(value, key=""):
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float)):
        if isinstance(value, float) and not math.isfinite(value):
            return str(value)
        return "<time>" if isinstance(value, int) and value > 1_000_000_000_000 else value
    if isinstance(value, str):
        return known(value)
    if isinstance(value, dict):
        return {known(str(k)): plain(v, str(k)) for k, v in sorted(value.items())}
    if isinstance(value, (list, tuple)) or type(value).__name__ in ("PagedList", "RepeatedScalarContainer"):
        return [plain(item) for item in value]
    if hasattr(value, "__dict__"):
        return {
            name.lstrip("_"): plain(item)
            for name, item in sorted(vars(value).items())
            if name.lstrip("_") not in ("workspace", "trace_location", "effective_trace_archival_retention", "token")
        }
    return str(value)


def step(name, call):
    try:
        answer = plain(call())
    except MlflowException as error:
        answer = {"error": error.error_code}
    print(json.dumps({"step": name, "answer": answer}, sort_keys=True), flush=True)


def kept(name, call):
    value = call()
    step(name, lambda: value)
    return value


def experiments():
    one = client.create_experiment("walk one", tags={"team": "risk"})
    two = client.create_experiment("walk-two", artifact_location="s3://bucket/two")
    step("experiment", lambda: client.get_experiment(one))
    step("experiment elsewhere", lambda: client.get_experiment(two))
    step("experiment by name", lambda: client.get_experiment_by_name("walk one"))
    step("experiment by no name", lambda: client.get_experiment_by_name("nobody"))
    step("experiment that is not there", lambda: client.get_experiment("98765"))
    step("experiment with a bad id", lambda: client.get_experiment("abc"))
    step("experiment twice", lambda: client.create_experiment("walk one"))
    step("experiment without name", lambda: client.create_experiment(""))
    step("experiment tag", lambda: client.set_experiment_tag(one, "phase", "2"))
    step("experiment tag gone", lambda: client.delete_experiment_tag(one, "team"))
    step("experiment tag gone twice", lambda: client.delete_experiment_tag(one, "team"))
    step("experiment renamed", lambda: client.rename_experiment(two, "walk three"))
    step("experiment after", lambda: client.get_experiment(one).tags)
    for text in [
        "name = 'walk one'",
        "name LIKE 'walk%'",
        "name ILIKE 'WALK%'",
        "name LIKE 'WALK%'",
        "tags.phase = '2'",
        "tags.phase != '3'",
        "name = 'walk one' AND tags.phase = '2'",
        "creation_time > 5",
        "tags.phase IS NOT NULL",
        "nothing = 'x'",
        "name",
    ]:
        step(
            f"experiments {text}",
            lambda: [found.name for found in client.search_experiments(filter_string=text, order_by=["name"])],
        )
    step("experiments by name", lambda: [e.name for e in client.search_experiments(order_by=["name DESC"])])
    page = client.search_experiments(max_results=1, order_by=["name"])
    step("experiments page", lambda: [e.name for e in page])
    step("experiments next", lambda: [e.name for e in client.search_experiments(max_results=1, order_by=["name"], page_token=page.token)])
    step("experiment deleted", lambda: client.delete_experiment(two))
    step("experiment deleted twice", lambda: client.delete_experiment(two))
    step("experiment of deleted name", lambda: client.create_experiment("walk three"))
    step("deleted experiments", lambda: [e.name for e in client.search_experiments(view_type=ViewType.DELETED_ONLY)])
    step("run in a deleted experiment", lambda: client.create_run(two))
    step("experiment restored", lambda: client.restore_experiment(two))
    step("experiment state", lambda: client.get_experiment(two).lifecycle_stage)
    return one


def runs(experiment):
    run = client.create_run(experiment, start_time=5, run_name="first", tags={"a": "1"})
    id = run.info.run_id
    step("run", lambda: run)
    step("run with two names", lambda: client.create_run(experiment, run_name="x", tags={"mlflow.runName": "y"}))
    step("run that is not there", lambda: client.get_run("0" * 32))
    step("metric", lambda: client.log_metric(id, "auc", 0.5, timestamp=10, step=0))
    step("metric again", lambda: client.log_metric(id, "auc", 0.75, timestamp=20, step=1))
    step("metric of an older step", lambda: client.log_metric(id, "auc", 0.1, timestamp=30, step=0))
    step("metric that is none", lambda: client.log_metric(id, "broken", math.nan, timestamp=20, step=1))
    step("metric without key", lambda: client.log_metric(id, "", 1.0))
    step("metric with a bad key", lambda: client.log_metric(id, "../up", 1.0))
    step("param", lambda: client.log_param(id, "depth", 3))
    step("param again", lambda: client.log_param(id, "depth", 3))
    step("param changed", lambda: client.log_param(id, "depth", 4))
    step("param too long", lambda: client.log_param(id, "long", "x" * 6001))
    step("tag", lambda: client.set_tag(id, "note", "hello"))
    step("tag changed", lambda: client.set_tag(id, "note", "world"))
    step("tag gone", lambda: client.delete_tag(id, "a"))
    step("tag gone twice", lambda: client.delete_tag(id, "a"))
    metrics = [Metric("loss", 1.0 / (n + 1), 100 + n, n) for n in range(30)]
    step("batch", lambda: client.log_batch(id, metrics, [Param("lr", "0.1"), Param("kind", "gbm")], [RunTag("b", "2")]))
    step("batch with a changed param", lambda: client.log_batch(id, params=[Param("lr", "0.2")]))
    step("batch of too many", lambda: client.log_batch(id, params=[Param(f"p{n}", "1") for n in range(101)]))
    step("history", lambda: client.get_metric_history(id, "auc"))
    step("history long", lambda: [m.step for m in client.get_metric_history(id, "loss")])
    step("history of nothing", lambda: client.get_metric_history(id, "nothing"))
    data = DatasetInput(
        Dataset("iris", "abc123", "local", '{"uri": "x"}', schema="{}", profile='{"rows": 5}'),
        [InputTag("mlflow.data.context", "training")],
    )
    step("inputs", lambda: client.log_inputs(id, [data]))
    step("run now", lambda: client.get_run(id))
    step("run ended", lambda: client.set_terminated(id, "FINISHED", end_time=99))
    step("run renamed", lambda: client.update_run(id, name="better"))
    step("run after", lambda: client.get_run(id).info)
    step("run name tag", lambda: client.get_run(id).data.tags["mlflow.runName"])
    others = [client.create_run(experiment, start_time=100 + n, run_name=f"other {n}").info.run_id for n in range(3)]
    for n, other in enumerate(others):
        client.log_batch(other, [Metric("auc", 0.6 + n / 10, 1, 0)], [Param("kind", "glm" if n else "gbm")], [RunTag("t.x", str(n))])
    client.log_metric(others[2], "broken", 1.0)
    for text in [
        "",
        "metrics.auc > 0.65",
        "metrics.auc >= 0.7 AND params.kind = 'glm'",
        "params.kind != 'gbm'",
        "params.kind LIKE 'g%'",
        "params.kind ILIKE 'GB%'",
        "params.kind LIKE 'GB%'",
        "tags.`t.x` = '1'",
        'tags."t.x" = "1"',
        "tags.note IS NULL",
        "params.lr IS NOT NULL",
        "attributes.status = 'FINISHED'",
        "status != 'RUNNING'",
        "attributes.run_name = 'better'",
        "run_name LIKE 'other%'",
        "start_time > 100",
        "attributes.start_time <= 100",
        f"run_id IN ('{others[0]}', '{others[1]}')",
        f"run_id NOT IN ('{others[0]}')",
        "datasets.name = 'iris'",
        "datasets.context = 'training' AND datasets.digest = 'abc123'",
        "metrics.auc = 'x'",
        "params.kind = 5",
        "metrics.auc LIKE 'x'",
        "nothing.auc > 5",
        "metrics.auc >",
    ]:
        step(f"runs {text}".replace(others[0], "A").replace(others[1], "B"), lambda: [r.info.run_name for r in client.search_runs([experiment], text)])
    for order in [
        ["metrics.auc DESC"],
        ["metrics.auc ASC"],
        ["metrics.broken"],
        ["metrics.broken DESC"],
        ["params.kind", "metrics.auc DESC"],
        ["params.lr DESC"],
        ["tags.note"],
        ["start_time"],
        ["end_time"],
        ["attributes.run_name DESC"],
        ["nothing.x"],
    ]:
        step(f"runs by {order}", lambda: [r.info.run_name for r in client.search_runs([experiment], order_by=order)])
    names, token = [], None
    while True:
        page = client.search_runs([experiment], order_by=["metrics.auc DESC"], max_results=2, page_token=token)
        names.append([r.info.run_name for r in page])
        token = page.token
        if not token:
            break
    step("runs in pages", lambda: names)
    step("run deleted", lambda: client.delete_run(others[0]))
    step("write to a deleted run", lambda: client.log_metric(others[0], "auc", 1.0))
    step("deleted runs", lambda: [r.info.run_name for r in client.search_runs([experiment], run_view_type=ViewType.DELETED_ONLY)])
    step("run restored", lambda: client.restore_run(others[0]))
    step("all runs", lambda: len(client.search_runs([experiment], run_view_type=ViewType.ALL)))
    return id


def logged_models(experiment, run):
    model = client.create_logged_model(experiment, name="mm", source_run_id=run, params={"depth": "3"}, tags={"a": "1"}, model_type="agent")
    id = model.model_id
    step("logged model", lambda: model)
    step("logged model that is not there", lambda: client.get_logged_model("m-" + "0" * 32))
    step("logged model with a bad name", lambda: client.create_logged_model(experiment, name="a/b"))
    step("logged model ready", lambda: client.finalize_logged_model(id, LoggedModelStatus.READY).status)
    step("logged model tags", lambda: client.set_logged_model_tags(id, {"b": "2", "a": "3"}))
    step("logged model tag gone", lambda: client.delete_logged_model_tag(id, "a"))
    step("logged model tag gone twice", lambda: client.delete_logged_model_tag(id, "a"))
    step("outputs", lambda: client.log_outputs(run, [LoggedModelOutput(id, 3)]))
    step("metric of a model", lambda: client.log_metric(run, "auc", 0.9, timestamp=50, step=3, model_id=id))
    step("logged model now", lambda: client.get_logged_model(id).tags)
    step("logged model metrics", lambda: [[m.key, m.value, m.step, m.model_id, m.run_id] for m in client.get_logged_model(id).metrics])
    step("run outputs", lambda: client.get_run(run).outputs)
    other = client.create_logged_model(experiment, name="other").model_id
    for text in [None, "name = 'mm'", "name LIKE 'o%'", "params.depth = '3'", "tags.b = '2'", "metrics.auc > 0.5", "status = 'READY'", f"source_run_id = '{run}'", "nothing = 'x'"]:
        shown = str(text).replace(run, "R")
        step(f"logged models {shown}", lambda: [m.name for m in client.search_logged_models([experiment], text)])
    step("logged models by name", lambda: [m.name for m in client.search_logged_models([experiment], order_by=[{"field_name": "name", "ascending": False}])])
    step("logged models by metric", lambda: [m.name for m in client.search_logged_models([experiment], order_by=[{"field_name": "metrics.auc", "ascending": True}])])
    step("logged model deleted", lambda: client.delete_logged_model(other))
    step("logged model after", lambda: client.get_logged_model(other))
    return id


def registered_models(run):
    step("model", lambda: client.create_registered_model("churn", tags={"team": "risk"}, description="who leaves"))
    step("model twice", lambda: client.create_registered_model("churn"))
    step("model without name", lambda: client.create_registered_model(""))
    step("model with a slash", lambda: client.create_registered_model("a/b"))
    step("model with a space", lambda: client.create_registered_model("Churn Model 2"))
    step("model that is not there", lambda: client.get_registered_model("nobody"))
    step("model now", lambda: client.get_registered_model("churn"))
    step("model with a space now", lambda: client.get_registered_model("Churn Model 2"))
    step("model described", lambda: client.update_registered_model("churn", "who stays").description)
    step("model tag", lambda: client.set_registered_model_tag("churn", "phase", "2"))
    step("model tag of nobody", lambda: client.set_registered_model_tag("nobody", "phase", "2"))
    step("model tag gone", lambda: client.delete_registered_model_tag("churn", "team"))
    step("model tag gone twice", lambda: client.delete_registered_model_tag("churn", "team"))
    step("model tags", lambda: client.get_registered_model("churn").tags)
    for name in ["CI one", "ci-two", "other"]:
        client.create_registered_model(name, tags={"k": name[:2]})
    for text in ["name = 'churn'", "name LIKE 'ci%'", "name ILIKE 'ci%'", "name ILIKE '%o%'", "tags.k = 'CI'", "tag.k = 'ot'", "tags.k != 'CI'", "name != 'churn'", "name ILIKE 'ci%' AND tags.k = 'ci'", "nothing = 'x'", "name = 5", "name > 'x'"]:
        step(f"models {text}", lambda: [m.name for m in client.search_registered_models(text)])
    step("models by name", lambda: [m.name for m in client.search_registered_models(order_by=["name DESC"])])
    step("models by nothing", lambda: client.search_registered_models(order_by=["nothing"]))
    step("models by name twice", lambda: client.search_registered_models(order_by=["name", "name DESC"]))
    names, token = [], None
    while True:
        page = client.search_registered_models(max_results=2, page_token=token)
        names.append([m.name for m in page])
        token = page.token
        if not token:
            break
    step("models in pages", lambda: names)
    step("models, a bad page", lambda: client.search_registered_models(page_token="%%%"))
    step("models, too many", lambda: client.search_registered_models(max_results=1001))
    step("models, none", lambda: client.search_registered_models(max_results=0))


def model_versions(run, logged):
    create = client.create_model_version
    step("version", lambda: create("churn", "s3://bucket/one", run_id=run, tags={"a": "1"}, run_link="https://x/y", description="first"))
    step("version again", lambda: create("churn", "s3://bucket/one"))
    step("version three", lambda: create("churn", "s3://bucket/three", tags={"a": "3"}))
    step("version of nobody", lambda: create("nobody", "s3://bucket/one"))
    for source in ["/etc/passwd", "file:///etc", "s3://bucket/../up", "runs:/" + "0" * 32 + "/model", "mlflow-artifacts:/0/x", "models:/m-" + "0" * 32, "mlflow-artifacts:/0/%2e%2e/x"]:
        step(f"version of {source}", lambda: create("churn", source))
    step("version of a run", lambda: create("churn", f"runs:/{run}/model", run_id=run).source)
    step("version of a logged model", lambda: create("churn", f"models:/{logged}", model_id=logged))
    step("version of a version", lambda: client.copy_model_version("models:/churn/1", "copied"))
    step("version now", lambda: client.get_model_version("churn", "1"))
    step("version that is not there", lambda: client.get_model_version("churn", "99"))
    step("version with a bad number", lambda: client.get_model_version("churn", "abc"))
    step("version described", lambda: client.update_model_version("churn", "2", "second").description)
    step("version tag", lambda: client.set_model_version_tag("churn", "2", "b", "2"))
    step("version tag gone", lambda: client.delete_model_version_tag("churn", "2", "b"))
    step("version tag gone twice", lambda: client.delete_model_version_tag("churn", "2", "b"))
    step("download", lambda: client.get_model_version_download_uri("churn", "1"))
    step("download of a logged model", lambda: client.get_model_version_download_uri("churn", "5"))
    step("download of a copy", lambda: client.get_model_version_download_uri("copied", "1"))
    for text in ["name = 'churn'", "name = 'churn' AND tags.a = '1'", "tags.a != '1'", f"run_id = '{run}'", f"run_id IN ('{run}')", "source_path = 's3://bucket/three'", "source_path LIKE 's3://%'", "version_number > 2", "version_number = 1 AND name = 'churn'", "name LIKE 'CH%'", "name ILIKE 'CH%'", "version_number = 'x'", "nothing = 'x'"]:
        shown = text.replace(run, "R")
        step(f"versions {shown}", lambda: [[v.name, v.version] for v in client.search_model_versions(text, order_by=["name", "version_number"])])
    step("versions by number", lambda: [v.version for v in client.search_model_versions("name = 'churn'", order_by=["version_number DESC"])])
    names, token = [], None
    while True:
        page = client.search_model_versions("name = 'churn'", order_by=["version_number"], max_results=2, page_token=token)
        names.append([v.version for v in page])
        token = page.token
        if not token:
            break
    step("versions in pages", lambda: names)
    for alias in ["champion", "a b", "latest", "v3", ""]:
        step(f"alias {alias}", lambda: client.set_registered_model_alias("churn", alias, "1"))
    step("alias of nothing", lambda: client.set_registered_model_alias("churn", "champion", "99"))
    step("alias now", lambda: client.get_model_version_by_alias("churn", "champion").version)
    step("alias moved", lambda: client.set_registered_model_alias("churn", "champion", "2"))
    step("alias after", lambda: client.get_model_version_by_alias("churn", "champion"))
    step("alias that is not there", lambda: client.get_model_version_by_alias("churn", "nobody"))
    step("aliases", lambda: client.get_registered_model("churn").aliases)
    step("alias gone", lambda: client.delete_registered_model_alias("churn", "champion"))
    step("alias gone twice", lambda: client.delete_registered_model_alias("churn", "champion"))
    step("stage", lambda: client.transition_model_version_stage("churn", "1", "staging").current_stage)
    step("stage two", lambda: client.transition_model_version_stage("churn", "2", "Production").current_stage)
    step("stage three", lambda: client.transition_model_version_stage("churn", "3", "Production", archive_existing_versions=True).current_stage)
    step("stage that is none", lambda: client.transition_model_version_stage("churn", "3", "Bogus"))
    step("latest", lambda: sorted([v.version, v.current_stage] for v in client.get_latest_versions("churn")))
    step("latest in production", lambda: [v.version for v in client.get_latest_versions("churn", ["production"])])
    step("latest in nothing", lambda: client.get_latest_versions("churn", ["Bogus"]))
    step("latest of the model", lambda: sorted([v.version, v.current_stage] for v in client.get_registered_model("churn").latest_versions))
    client.set_registered_model_alias("churn", "old", "5")
    step("version deleted", lambda: client.delete_model_version("churn", "5"))
    step("version deleted twice", lambda: client.delete_model_version("churn", "5"))
    step("alias of the deleted", lambda: client.get_model_version_by_alias("churn", "old"))
    step("version after a deleted one", lambda: create("churn", "s3://bucket/six").version)
    step("renamed", lambda: client.rename_registered_model("churn", "churn 3"))
    step("renamed to one that is there", lambda: client.rename_registered_model("churn 3", "other"))
    step("renamed versions", lambda: sorted(v.version for v in client.search_model_versions("name = 'churn 3'")))
    step("old name", lambda: client.get_registered_model("churn"))
    step("model deleted", lambda: client.delete_registered_model("churn 3"))
    step("model deleted twice", lambda: client.delete_registered_model("churn 3"))
    step("model again", lambda: client.create_registered_model("churn 3").name)
    step("starts at one", lambda: create("churn 3", "s3://bucket/one").version)


experiment = experiments()
run = runs(experiment)
logged = logged_models(experiment, run)
registered_models(run)
model_versions(run, logged)
sys.exit(0)
