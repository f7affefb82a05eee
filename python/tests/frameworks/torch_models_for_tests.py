"""Classes of a user's own: a module of this folder, which no distribution brings, so that their source travels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

SCALE = 2.0


@dataclass
class Settings:
    """What a model is configured with."""

    words: int
    width: int
    dropout: float = 0.1


class TiedWords(nn.Module):
    """Words in, scores of words out; one matrix for both, a buffer that no state_dict has, a function as an attribute."""

    mask: torch.Tensor

    def __init__(self, words: int, width: int) -> None:
        super().__init__()
        self.settings = Settings(words, width)
        self.embedding = nn.Embedding(words, width)
        self.drop = nn.Dropout(self.settings.dropout)
        self.out = nn.Linear(width, words, bias=False)
        self.out.weight = self.embedding.weight
        self.register_buffer("mask", torch.linspace(0, 1, width), persistent=False)
        self.activation = nn.functional.gelu

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Gives scores by position."""
        return self.out(self.drop(self.activation(self.embedding(ids) * self.mask))) * SCALE


class TwoInputs(nn.Module):
    """Takes words and numbers, gives a score and a kind."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(10, 4)
        self.joined = nn.Linear(7, 4)

    def forward(self, numbers: torch.Tensor, words: torch.Tensor) -> dict[str, torch.Tensor]:
        """Gives both outputs by name."""
        found = self.joined(torch.cat([numbers, self.words(words).mean(1)], 1))
        return {"score": found[:, 0], "kind": found[:, 1:].softmax(-1)}


class TakesDict(nn.Module):
    """Takes one dict of tensors, as loaders of dicts give it."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Gives two numbers a row."""
        return self.layer(batch["numbers"])


class Probabilities(nn.Module):
    """What a NeuralNetClassifier wants: probabilities."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Gives one probability a class."""
        return self.layers(x).softmax(-1)


def lightning_line() -> Any:
    """Gives a LightningModule's class, where Lightning is installed."""
    from lightning_models_for_tests import Line

    return Line
