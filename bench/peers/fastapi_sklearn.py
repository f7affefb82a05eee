"""What people write by hand: FastAPI around a pickle. `/array` takes lists, `/frame` takes named rows."""

import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel

MODELS = Path(os.environ["BENCH_MODELS"])


class Arrays(BaseModel):
    rows: list[list[float]]


class Frames(BaseModel):
    rows: list[dict[str, float]]


def load(name: str):
    with open(MODELS / name / "model.pkl", "rb") as file:
        return pickle.load(file)


app = FastAPI()
array_model = load("array")
frame_model = load("frame")


@app.post("/array")
def array(body: Arrays) -> dict[str, list[int]]:
    return {"predictions": array_model.predict(np.asarray(body.rows)).tolist()}


@app.post("/frame")
def frame(body: Frames) -> dict[str, list[int]]:
    return {"predictions": frame_model.predict(pd.DataFrame(body.rows)).tolist()}
