"""Time programs that reconstruct the two pictures of the chapter on the one-pixel camera.

Usage: python benchmarks/camera.py [--json FILE] [--repeats 5] [--quick]
(about a minute; quick, one repeat of each: 20 s)

All get the same operator, a fast transform, and take turns. Besides wnlib needs spgl1, pylops and
pyproximal; how each is tuned stands beside it. Answers are judged by the distance from ``b``, by
the norm, over the best lower bound that wnlib's dual vector proves, and by the picture.
"""

import argparse
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pylops
import pyproximal
import spgl1
from measured import in_turns, write
from pylops.optimization.sparsity import fista
from threadpoolctl import threadpool_limits

import wnlib as wn
from wnlib.figures import camera
from wnlib.pictures import psnr

FRACTION, SEED = 0.3, 0
TOLERANCE = {camera.SKY: 1e-4, camera.HORSE: 1e-9}
POSITIVE = {  # the norm that is infinite for a vector with a negative entry, in SPGL1's terms
    "project": spgl1.norm_l1nn_project,
    "primal_norm": spgl1.norm_l1nn_primal,
    "dual_norm": spgl1.norm_l1nn_dual,
}


class Exact(pyproximal.ProxOperator):
    """Projection to the solutions; since the rows are orthonormal, without any inner iteration."""

    def __init__(self, A, b):
        super().__init__(None, False)
        self.A, self.b = A, b

    def __call__(self, z):
        """Return no cost."""
        return 0.0

    def prox(self, z, tau):
        """Return the projection."""
        return z - self.A.T @ (self.A @ z - self.b)


class Norm(pyproximal.ProxOperator):
    """The l1 norm, infinite for a negative entry unless signed."""

    def __init__(self, signed):
        super().__init__(None, False)
        self.signed = signed

    def __call__(self, z):
        """Return the norm."""
        return np.abs(z).sum()

    def prox(self, z, tau):
        """Shrink."""
        shrunk = np.maximum(z - tau, 0)
        return shrunk + np.minimum(z + tau, 0) if self.signed else shrunk


def by_wnlib(A, b, signed, tol):
    """Return the solution, what its status says, and a dual vector."""
    found = wn.basis_pursuit(A, b, signed=signed, tol=tol)
    return found.z, str(found.status), found


def by_spgl1(A, b, signed, tol):
    """Return the solution: with the one-sided norm, and tolerances that reach the same quality."""
    z, _, _, info = spgl1.spgl1(
        A, b, bp_tol=tol, opt_tol=tol, iter_lim=3000, **({} if signed else POSITIVE)
    )
    return z, f"exit {info['stat']}", None


def by_fista(A, b, signed, tol):
    """Return the solution of a Lasso problem.

    It knows no positivity, so that negative pixels are set to zero. The penalty is a tenth of a
    thousandth of the largest that matters, a unit step is safe because the rows are orthonormal;
    a smaller penalty needs more iterations and gives no better picture.
    """
    penalty = 1e-4 * np.abs(A.T @ b).max()
    z, _, _ = fista(pylops.aslinearoperator(A), b, niter=1000, eps=penalty, alpha=1.0)
    return (z if signed else np.maximum(z, 0)), "no verdict", None


def by_admm(A, b, signed, tol):
    """Return the solution: step and number of iterations are the best found for each picture.

    It has no test for the end; so few iterations, in hundreds, reach what is asked of the others.
    """
    tau, niter = (0.3, 400) if signed else (0.03, 500)
    start = A.T @ b
    _, z = pyproximal.optimization.primal.ADMM(Exact(A, b), Norm(signed), start, tau, niter=niter)
    return z, "no verdict", None


METHODS = {
    "wnlib": by_wnlib,
    "SPGL1": by_spgl1,
    "pylops FISTA": by_fista,
    "pyproximal ADMM": by_admm,
}


def judged(scene, repeats):
    """Return what each program makes of a scene, and its seconds with one thread and with all."""
    picture, A = camera.truth(scene, 0.0), camera.camera(scene, FRACTION, SEED)
    wanted, signed = camera.unknowns(scene, picture), scene == camera.HORSE
    b = A @ wanted
    arguments = A, b, signed, TOLERANCE[scene]
    answers = {name: method(*arguments) for name, method in METHODS.items()}
    calls = {name: lambda method=method: method(*arguments) for name, method in METHODS.items()}
    with threadpool_limits(1):
        single = in_turns(calls, repeats, warm=False)
    free = in_turns(calls, repeats, warm=False)
    certified = answers["wnlib"][2]
    best = certified.norm / (1 + certified.gap)
    out = {}
    for name, (z, status, _) in answers.items():
        made = camera.developed(scene, z)
        out[name] = {
            "seconds": single[name],
            "seconds_all_threads": free[name],
            "psnr": min(psnr(made, picture), camera.CEILING),
            "excess": float(np.abs(z).sum() / best - 1),
            "residual": float(np.linalg.norm(A @ z - b) / np.linalg.norm(b)),
            "status": status,
            "gap": float(certified.gap) if name == "wnlib" else None,
            "picture": camera.packed(made),
        }
    return out


def main():
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one repeat")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # of NumPy, about old ways of SPGL1
    repeats = 1 if options.quick else options.repeats
    scenes = {scene: judged(scene, repeats) for scene in TOLERANCE}
    for scene, methods in scenes.items():
        print(scene)
        for name, row in methods.items():
            low, middle, high = np.quantile(row["seconds"], [0, 0.5, 1])
            print(
                f"  {name:16} {middle:6.2f} s ({low:.2f} to {high:.2f}), {row['psnr']:6.2f} dB, "
                f"excess {row['excess']:8.1e}, residual {row['residual']:.1e}, {row['status']}"
            )
    if options.json:
        peers = {name: version(name) for name in ("spgl1", "pylops", "pyproximal")}
        settings = {"fraction": FRACTION, "seed": SEED, "tolerance": TOLERANCE}
        write(options.json, {"peers": peers, "settings": settings, "scenes": scenes})


if __name__ == "__main__":
    main()
