"""A LightningModule of a user's own."""

from __future__ import annotations

from typing import Any

import lightning
import torch


class Line(lightning.LightningModule):
    """One layer; its width is a hyperparameter."""

    def __init__(self, width: int = 3, rate: float = 0.01) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layers = torch.nn.Sequential(torch.nn.Linear(4, width), torch.nn.Tanh(), torch.nn.Linear(width, 1))
        self.rate = rate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Gives one number a row."""
        return self.layers(x)

    def training_step(self, batch: Any, index: int) -> torch.Tensor:
        """Gives the mean square error."""
        rows, target = batch
        loss = torch.nn.functional.mse_loss(self(rows), target)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Gives plain gradient descent."""
        return torch.optim.SGD(self.parameters(), self.hparams["rate"])
