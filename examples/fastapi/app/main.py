"""The API. `uvicorn app.main:app --reload` starts it; http://127.0.0.1:8000/docs shows it."""

import logging

from fastapi import FastAPI, Request
from pydantic import BaseModel

from ingot.fastapi import ModelDep, lifespan

from .settings import Settings

logging.basicConfig(level=logging.INFO)

settings = Settings()
app = FastAPI(title="Churn", lifespan=lifespan("churn@production", settings=settings))


class Customer(BaseModel):
    """One row of input, checked before the model sees it."""

    tenure: float
    monthly_charges: float
    payment_method: str


class Answer(BaseModel):
    probability: float
    will_leave: bool
    version: int


@app.post("/score")
def score(customers: list[Customer], model: ModelDep("churn")) -> list[Answer]:
    rows = [customer.model_dump() for customer in customers]
    return [
        Answer(probability=leaves, will_leave=leaves >= settings.threshold, version=model.info.number)
        for _, leaves in model.predict_proba(rows)
    ]


@app.get("/health")
def health(request: Request) -> list[dict[str, object]]:
    """Says which versions are loaded, and since when the store has not answered."""
    return request.app.state.ingot.status()
