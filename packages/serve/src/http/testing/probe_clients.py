"""Drives a model server with unmodified protocol clients and prints one JSON object: probe -> what happened.

Usage: probe_clients.py HOST:PORT. The server must serve `simple` (two INT32 [-1,4] in, sum and difference out).
"""

import asyncio
import json
import sys

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

ADDRESS = sys.argv[1]
A = np.array([[1, 2, 3, 4]], dtype=np.int32)
B = np.array([[10, 20, 30, 40]], dtype=np.int32)


def tensors(binary):
    inputs = [triton.InferInput("INPUT0", [1, 4], "INT32"), triton.InferInput("INPUT1", [1, 4], "INT32")]
    inputs[0].set_data_from_numpy(A, binary_data=binary)
    inputs[1].set_data_from_numpy(B, binary_data=binary)
    return inputs


def added(client, model="simple", binary=True, outputs=None, **options):
    result = client.infer(model, tensors(binary), outputs=outputs, **options)
    return result.as_numpy("OUTPUT0").tolist()


def refused(call):
    try:
        call()
    except InferenceServerException as error:
        return f"refused: {error.status()}: {error.message()}"
    return "not refused"


def wrong_count(client):
    inputs = tensors(False)
    inputs[0]._data = [1, 2, 3]
    client.infer("simple", inputs)


def named(binary):
    return [triton.InferRequestedOutput("OUTPUT0", binary_data=binary)]


def triton_probes(client):
    yield "live", client.is_server_live
    yield "ready", client.is_server_ready
    yield "model ready", lambda: client.is_model_ready("simple")
    yield "version ready", lambda: client.is_model_ready("simple", "1")
    yield "missing model ready", lambda: client.is_model_ready("nope")
    yield "metadata", lambda: client.get_server_metadata()["name"]
    yield "model metadata", lambda: client.get_model_metadata("simple")["inputs"][0]
    yield "missing metadata", lambda: refused(lambda: client.get_model_metadata("nope"))
    yield "config", lambda: client.get_model_config("simple")["input"][1]["data_type"]
    yield "index", lambda: client.get_model_repository_index()[0]["state"]
    yield "json", lambda: added(client, binary=False, outputs=named(False))
    yield "binary", lambda: added(client, outputs=named(True))
    yield "json in, binary out", lambda: added(client, binary=False, outputs=named(True))
    yield "binary in, json out", lambda: added(client, outputs=named(False))
    yield "default outputs", lambda: added(client)
    yield "versioned", lambda: added(client, model_version="1")
    yield "bad version", lambda: refused(lambda: added(client, model_version="9"))
    yield "missing model", lambda: refused(lambda: added(client, model="nope"))
    yield "gzip", lambda: added(client, request_compression_algorithm="gzip", response_compression_algorithm="gzip")
    yield "deflate", lambda: added(client, request_compression_algorithm="deflate", response_compression_algorithm="deflate")
    yield "id", lambda: client.infer("simple", tensors(True), request_id="r-7").get_response()["id"]
    yield "custom parameters", lambda: added(client, parameters={"tenant": "a"})
    yield "wrong count", lambda: refused(lambda: wrong_count(client))
    yield "async", lambda: client.async_infer("simple", tensors(True)).get_result().as_numpy("OUTPUT1").tolist()
    yield "statistics", lambda: client.get_inference_statistics("simple")["model_stats"][0]["execution_count"] > 5
    yield "all statistics", lambda: len(client.get_inference_statistics()["model_stats"])
    yield "unload", lambda: client.unload_model("simple")
    yield "unloaded ready", lambda: client.is_model_ready("simple")
    yield "unloaded infer", lambda: refused(lambda: added(client))
    yield "unloaded index", lambda: client.get_model_repository_index()[0]["state"]
    yield "load", lambda: client.load_model("simple")
    yield "loaded ready", lambda: client.is_model_ready("simple")
    yield "load missing", lambda: refused(lambda: client.load_model("nope"))
    yield "unload missing", lambda: refused(lambda: client.unload_model("nope"))


async def kserve_probes(seen):
    from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

    def request(binary):
        inputs = [InferInput("INPUT0", [1, 4], "INT32"), InferInput("INPUT1", [1, 4], "INT32")]
        inputs[0].set_data_from_numpy(A, binary_data=binary)
        inputs[1].set_data_from_numpy(B, binary_data=binary)
        return InferRequest("simple", inputs)

    async def added(binary):
        response = await client.infer(base, request(binary), model_name="simple")
        return response.outputs[0].as_numpy().tolist()

    client, base = InferenceRESTClient(RESTConfig(protocol="v2")), f"http://{ADDRESS}"
    seen["kserve live"] = await client.is_server_live(base)
    seen["kserve ready"] = await client.is_server_ready(base)
    seen["kserve model ready"] = await client.is_model_ready(base, "simple")
    seen["kserve json"] = await added(binary=False)
    seen["kserve binary"] = await added(binary=True)
    await client.close()


def main():
    seen = {}
    with triton.InferenceServerClient(ADDRESS) as client:
        for name, probe in triton_probes(client):
            try:
                seen[name] = probe()
            except Exception as error:  # a probe that raises is a finding, not an end
                seen[name] = f"raised: {type(error).__name__}: {error}"
    try:
        asyncio.run(kserve_probes(seen))
    except Exception as error:
        seen["kserve"] = f"raised: {type(error).__name__}: {error}"
    print(json.dumps(seen))


main()
