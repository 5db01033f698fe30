"""Gradient descent with weight normalization as a user of PyTorch writes it: one run at a time.

The yardstick of the other benchmarks. It needs ``pip install torch==2.13.0``, and takes the same
steps as ``wnlib.descend``: from ``|u| = 1``, with the loss ``|A x^L - b|^2 / (2 L)``.
"""

import numpy as np
import torch
from torch.nn.utils.parametrizations import weight_norm


class DiagonalNetwork(torch.nn.Module):
    """The function ``A x^L`` of trained weights ``x``."""

    def __init__(self, A, x0, depth=2):
        super().__init__()
        self.depth = depth
        self.register_buffer("A", torch.tensor(A, dtype=torch.float64))
        self.weight = torch.nn.Parameter(torch.tensor(x0, dtype=torch.float64))

    def forward(self):
        """Return what the network measures."""
        return self.A @ self.weight**self.depth


def loop(A, b, x0, ratio, step, n_steps, depth=2):
    """Return the weights after so many steps of SGD.

    Parameters
    ----------
    A : array_like, shape (M, N)
    b : array_like, shape (M,)
    x0 : array_like, shape (N,)
        Positive initial weights.
    ratio : float
        Learning rate of the radius, over that of the direction.
    step : float
        Learning rate of the direction.
    n_steps : int
    depth : int

    Returns
    -------
    numpy.ndarray, shape (N,)
    """
    A, x0 = np.asarray(A), np.asarray(x0)
    radius = float(np.linalg.norm(x0))
    model = weight_norm(DiagonalNetwork(A, x0 / radius, depth), dim=None)
    parameters = model.parametrizations.weight
    with torch.no_grad():
        parameters.original0.fill_(radius)
    groups = [
        {"params": [parameters.original0], "lr": ratio * step},
        {"params": [parameters.original1], "lr": step},
    ]
    optimizer = torch.optim.SGD(groups)
    target = torch.tensor(b, dtype=torch.float64)
    for _ in range(n_steps):
        optimizer.zero_grad()
        loss = torch.sum((model() - target) ** 2) / (2 * depth)
        loss.backward()
        optimizer.step()
    return model.weight.detach().numpy()
