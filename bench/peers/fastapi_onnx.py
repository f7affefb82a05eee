"""What people write by hand: FastAPI around onnxruntime."""

import os
from pathlib import Path

import numpy as np
import onnxruntime
from fastapi import FastAPI
from pydantic import BaseModel

session = onnxruntime.InferenceSession(Path(os.environ["BENCH_MODELS"]) / "forest.onnx")
name = session.get_inputs()[0].name
output = session.get_outputs()[0].name


class Arrays(BaseModel):
    rows: list[list[float]]


app = FastAPI()


@app.post("/array")
def array(body: Arrays) -> dict[str, list[int]]:
    (labels,) = session.run([output], {name: np.asarray(body.rows, dtype=np.float32)})
    return {"predictions": labels.tolist()}
