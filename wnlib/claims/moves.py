"""How an instance is moved a little, and written down: what an attack on the inequalities needs."""

import dataclasses
from typing import Any

import numpy as np

from wnlib.claims.instances import log_ratios
from wnlib.flows import Flow
from wnlib.ledger import Claim
from wnlib.problems import Problem

# What stays where it was drawn, because the sampler meets a hypothesis that no `applies` asks for.
FIXED = {
    "prop-plain-shape": {"start", "depth"},  # a scale that is tiny for the depth
    "obs-law": {"signal", "matrix", "start"},  # observed on such problems only
}
PARTS = "signal", "matrix", "start", "ratio", "depth"
SNIPPET = """\
import numpy as np
{imports}

instance = {instance}
part = CLAIMS[{label!r}].parts[{place}]  # {name}
print(part.measure(instance))  # {value!r}"""


def nudged(claim: Claim, instance: Any, rng: np.random.Generator, size: float) -> Any:
    """Return an instance near another one, or None where it cannot be moved.

    Some of signal, columns, start, ratio and depth move, each at random, by about a factor
    ``exp(size)``. Columns are scaled and mixed, so dependent rows stay dependent; where there is a
    signal the measurements remain its own, else they stay. A depth of 2 stays, and no ratio or
    depth leaves the range of :func:`~wnlib.claims.instances.hard_instance`.

    Parameters
    ----------
    claim : Claim
        :data:`FIXED` says which of these stay for it.
    instance : Instance
        Or any other record with ``flow``, ``problem`` and ``x0``.
    rng : numpy.random.Generator
    size : float
    """
    if not _is_movable(instance) or literal(instance, set()) is None:
        return None
    flow, problem, x0 = instance.flow, instance.problem, instance.x0
    free = [part for part in PARTS if part not in FIXED.get(claim.label, ())]
    moving = {part for part in free if rng.random() < 0.5} or {rng.choice(free)}
    try:
        moved = dataclasses.replace(
            instance,
            flow=_flow(flow, rng, size, moving),
            problem=_problem(problem, rng, size, moving),
            x0=_start(x0, rng, size) if "start" in moving else x0,
        )
    except ValueError:  # too large or too small for a flow, a problem or a float
        return None
    return moved if np.all(moved.x0 > 0) else None


def _is_movable(instance: Any) -> bool:
    kinds = {"flow": Flow, "problem": Problem, "x0": np.ndarray}
    return dataclasses.is_dataclass(instance) and all(
        isinstance(getattr(instance, name, None), kind) for name, kind in kinds.items()
    )


def _start(x0, rng, size):
    """Change the size and the shape of a start, or the logarithms of all weights by a factor."""
    if rng.random() < 1 / 3:  # many bounds are attained in the limit of a tiny start
        return x0 ** np.exp(size * rng.normal())
    return x0 * np.exp(size * (rng.normal() + rng.normal(size=len(x0))))


def _flow(flow, rng, size, moving):
    changed = {}
    if "depth" in moving and flow.depth > 2:
        gain = (flow.depth - 2) * np.exp(size * rng.normal())
        changed["depth"] = _kept(2 + gain, 2.05, 10.0, flow.depth)
    if "ratio" in moving and hasattr(flow, "ratio"):
        ends = (10.0**power for power in log_ratios(flow.depth))
        changed["ratio"] = _kept(flow.ratio * np.exp(size * rng.normal()), *ends, flow.ratio)
    return dataclasses.replace(flow, **changed)


def _kept(value, low, high, before):
    """Return a value within a range, which is widened so that it holds the one before."""
    return float(np.clip(value, min(low, before), max(high, before)))


def _problem(problem, rng, size, moving):
    if not moving & {"signal", "matrix"}:
        return problem
    A, b, signal, N = problem.A, problem.b, problem.signal, problem.n_features
    if "matrix" in moving:
        mixing = size * rng.normal(size=(N, N)) / N
        A = A @ (np.diag(np.exp(size * rng.normal(size=N))) + mixing)
    if signal is not None:
        if "signal" in moving:
            signal = signal * np.exp(size * rng.normal(size=N))
        b = A @ signal
    return Problem(A, b, signal, problem.signed)


def snippet(claim: Claim, place: int, instance: Any, value: float) -> str | None:
    """Return Python lines that measure a part of a claim on an instance: every float is exact.

    None for an instance that no literals make, such as one that holds a function.
    """
    names = {("wnlib.claims", "CLAIMS")}
    text = literal(instance, names)
    if text is None:
        return None
    imports = "\n".join(f"from {module} import {name}" for module, name in sorted(names))
    part = claim.parts[place].name
    return SNIPPET.format(
        imports=imports, instance=text, label=claim.label, place=place, name=part, value=value
    )


def literal(value: Any, names: set[tuple[str, str]]) -> str | None:
    """Return an expression for a value, None if there is none; add what it needs to ``names``."""
    if isinstance(value, np.ndarray):
        return f"np.array({value.tolist()!r})"
    if isinstance(value, np.generic):
        return repr(value.item())
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)
    if isinstance(value, tuple):
        entries = [literal(entry, names) for entry in value]
        return None if None in entries else f"({''.join(f'{entry}, ' for entry in entries)})"
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return None
    kind = type(value)
    names.add((kind.__module__, kind.__qualname__))
    fields = {
        field.name: literal(getattr(value, field.name), names)
        for field in dataclasses.fields(value)
        if field.init
    }
    if None in fields.values():
        return None
    return f"{kind.__qualname__}({', '.join(f'{name}={text}' for name, text in fields.items())})"
