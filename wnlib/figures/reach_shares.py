"""The sentences of the figures over the grid of :mod:`wnlib.figures.reach`: shares and reasons.

Each sentence is a function of what was measured, so its threshold can be changed without computing
anything again. Its answers are 1, 0, and NaN where it does not apply.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wnlib._types import Bools, Floats
from wnlib.figures.reach import CERTAIN, ROUNDING, Table
from wnlib.flows import WeightNormFlow
from wnlib.theory.reach import (
    LARGEST_RATIO,
    LEAST_CHOICE,
    LEAST_SLACK,
    LONGEST_START,
    expected_log_factor,
)

FACTOR = 1e5  # of the sentence on the scale 0.1
SMALL_LOSS = 1e-3  # of that of the start: what "tends to zero" can mean after so few steps
NEEDED = np.log(FACTOR)  # of the exponent of the magnification
Answers = Callable[[Table], Floats]

ANOTHER = "the signal is not the only shortest solution"
ONLY = "no other solution, so both find it"
LONG = "the start is longer than half the signal"
WEAK = "the ratio is not small enough beside Q"
BROKE = "a step carried a weight of WN-GD through zero"
SHAPE = "at depth 3 the uneven start prefers another solution"
LATER = "too few steps: the limits are as it says"
DEEPER = "depth 3 is accurate up to a scale as large, or larger"
REST = "none of these"


@dataclass(frozen=True)
class Sentence:
    """A sentence that a figure supports.

    Attributes
    ----------
    short : str
        For the figure.
    label : str
        Of the observation, in another chapter.
    text : str
    answers : callable
        Maps a table to 1, 0, or NaN where the sentence does not apply.
    steps : bool
        Whether it speaks of finite steps; otherwise of limits.
    deep : bool
        Whether it speaks of depth 3.
    """

    short: str
    label: str
    text: str
    answers: Answers
    steps: bool = False
    deep: bool = False


def answer(condition: ArrayLike, *needed: Floats) -> Floats:
    """Return a condition as 1 and 0; NaN where a number that it needs is."""
    unknown = np.isnan([np.asarray(each, dtype=float) for each in needed]).any(axis=0)
    return np.where(unknown, np.nan, np.asarray(condition, dtype=float))


def _clip(error: ArrayLike) -> Floats:
    """Lift errors to the level of rounding, below which they say nothing."""
    return np.maximum(error, ROUNDING)


def _wider(t: Table) -> Floats:
    return answer(t["edge"][:, 1] > t["edge"][:, 0], *t["edge"][:, :2].T)


def limit_factor(t: Table) -> Floats:
    """Return by what the error of GD exceeds that of WN-GD, in the limit."""
    return _clip(t["gd"]) / _clip(t["wn"][:, -2])


def steps_factor(t: Table) -> Floats:
    """Return the same after the steps; NaN where the run of GD broke off, 0 if only that of WN."""
    gd, wn = t["error"].T
    return np.where(np.isinf(gd), np.nan, np.where(np.isinf(gd), 0, gd) / _clip(wn))


def _factor(t: Table) -> Floats:
    return answer(limit_factor(t) > FACTOR, limit_factor(t))


def _factor_steps(t: Table) -> Floats:
    return answer(steps_factor(t) > FACTOR, steps_factor(t))


def _losses(t: Table) -> Floats:
    small = (t["loss"] < SMALL_LOSS).all(axis=1)
    return answer(small & (steps_factor(t) > 1), steps_factor(t))


def _falls(t: Table) -> Floats:
    errors = _clip(t["wn"])
    falls = (np.diff(errors, axis=1) <= 0).all(axis=1) & (errors[:, -1] < errors[:, 0])
    return answer(falls, *t["wn"].T)


def _large_ratio(t: Table) -> Floats:
    held = answer(_clip(t["wn"][:, 0]) >= _clip(t["gd"]), t["wn"][:, 0], t["gd"])
    return np.where(t["ratios"][:, 0] > t["Q"], held, np.nan)


def _both_depths(t: Table) -> Floats:
    pairs = (t["gd"], t["wn"][:, -2]), (t["gd3"], t["wn3"])
    better = np.logical_and.reduce([_clip(wn) < _clip(gd) for gd, wn in pairs])
    return answer(better, *pairs[0], *pairs[1])


def _smaller_start(t: Table) -> Floats:
    return answer(t["edge"][:, 3] < t["edge"][:, 1], *t["edge"].T[[1, 3]])


def _smaller_product(t: Table) -> Floats:
    return answer(t["edge"][:, 3] ** 3 < t["edge"][:, 1] ** 2, *t["edge"].T[[1, 3]])


def _signed(t: Table) -> Floats:
    return np.where(t["signal"] == "signed", _wider(t) * _factor(t), np.nan)


def _faster(t: Table) -> Floats:
    gd, wn = t["steps"].T
    return np.where(np.isinf(gd) & np.isinf(wn), np.nan, wn < gd)


SENTENCES = (
    Sentence(
        "wider range", "obs-wider-range", "WN-GD is accurate up to larger scales than GD", _wider
    ),
    Sentence(
        "10⁵, limits",
        "obs-hundred-thousand",
        "at $\\alpha = 0.1$ the error of GD is more than $10^5$ times that of WN-GD, in the limit",
        _factor,
    ),
    Sentence(
        "10⁵, steps", "obs-hundred-thousand", "the same after the steps", _factor_steps, steps=True
    ),
    Sentence(
        "both fit,\nWN nearer",
        "obs-error-and-loss",
        "after the steps both losses are small, and the error of WN-GD is the smaller one",
        _losses,
        steps=True,
    ),
    Sentence(
        "falls with η̃",
        "obs-ratio",
        "the error falls as $\\tilde\\eta$ falls",
        _falls,
    ),
    Sentence(
        "η̃ = 10:\nno better",
        "obs-ratio",
        "at $\\tilde\\eta = 10 > Q$ WN-GD is not better than GD",
        _large_ratio,
    ),
    Sentence(
        "better at\nL = 2 and 3",
        "obs-depth",
        "WN-GD is better at $L = 2$ and at $L = 3$",
        _both_depths,
        deep=True,
    ),
    Sentence(
        "L = 3:\nsmaller α",
        "obs-smaller-start",
        "WN-GD with $L = 3$ needs a smaller scale $\\alpha$ than with $L = 2$",
        _smaller_start,
        deep=True,
    ),
    Sentence(
        "L = 3:\nsmaller αᴸ",
        "obs-smaller-start",
        "the same, said of the effective weights $\\alpha^L$",
        _smaller_product,
        deep=True,
    ),
    Sentence(
        "signed",
        "obs-signed",
        "with a signed signal: a wider range, and $10^5$ in the limit",
        _signed,
    ),
    Sentence(
        "faster",
        "obs-faster",
        "WN-GD reaches a loss of $10^{-6}$, relative to the start, in fewer steps of equal size",
        _faster,
        steps=True,
    ),
)


def only_solution(t: Table) -> Bools:
    """Tell where the signal is the only solution: the shortest and the longest one, strictly."""
    return (t["longest"] <= (1 + CERTAIN) * t["Q"]) & ~another(t)


def another(t: Table) -> Bools:
    """Tell where the signal is not the only solution of smallest l1 norm."""
    return (t["lp_error"] > CERTAIN) | (t["margin"] <= CERTAIN)


def exponent(t: Table) -> Floats:
    """Return the logarithm of the factor that is to be expected in the limit."""
    flow = WeightNormFlow(2, t["ratios"][0, -2])
    return np.asarray(expected_log_factor(flow, t["R0"], t["Q"], t["slack"]))


def hypotheses(t: Table) -> Bools:
    """Tell where those of ``obs-reach`` are met: a sure signal, a choice, small start and ratio."""
    sure = ~another(t) & (t["slack"] >= LEAST_SLACK)
    choice = t["longest"] >= LEAST_CHOICE * t["Q"]
    small = t["R0"] <= LONGEST_START * t["Q"]
    return sure & choice & small & (t["ratios"][:, -2] <= LARGEST_RATIO * t["Q"])


def reasons(t: Table, sentence: Sentence) -> NDArray[Any]:
    """Return for each row a reason why the sentence does not hold there; "" where it does.

    The first that applies, in this order: the signal has not the smallest l1 norm, no choice, the
    shape of the start, a run that broke off, a long start, too few steps, a ratio not small.
    """
    held = sentence.answers(t)
    wrong = held == 0
    factor = sentence.answers is _factor_steps
    only = only_solution(t) & (factor or not sentence.steps)
    limits_hold = only_solution(t) | (limit_factor(t) > (FACTOR if factor else 1))
    of_shape = sentence.deep & (t["lp3_error"] > CERTAIN)
    of_scale = np.full(len(held), sentence.answers in (_smaller_start, _smaller_product))
    broke = sentence.steps & np.isinf(t["error"][:, 1])
    tried = (
        (another(t), ANOTHER),
        (only, ONLY),
        (of_shape, SHAPE),
        (of_scale, DEEPER),
        (broke, BROKE),
        (t["R0"] > LONGEST_START * t["Q"], LONG),
        (sentence.steps & limits_hold, LATER),
        (exponent(t) < 2 * NEEDED, WEAK),
    )
    conditions, names = zip(*((wrong & is_so, name) for is_so, name in tried), strict=True)
    return np.select([~wrong, *conditions], ["", *names], REST)


@dataclass(frozen=True)
class Share:
    """How often a sentence holds.

    Attributes
    ----------
    sentence : Sentence
    held, applies : int
        Problems.
    where_not : dict
        Reason to number of problems, the most frequent first.
    supposed : tuple of int
        ``held`` and ``applies`` under :func:`hypotheses`.
    """

    sentence: Sentence
    held: int
    applies: int
    where_not: dict[str, int]
    supposed: tuple[int, int]

    @property
    def share(self) -> float:
        """Of the problems to which it applies; NaN if there is none."""
        return self.held / self.applies if self.applies else np.nan


def shares(t: Table) -> list[Share]:
    """Count for each sentence on how many rows it holds, and why it does not on the others."""
    out = []
    for sentence in SENTENCES:
        held = sentence.answers(t)
        known, good = ~np.isnan(held), hypotheses(t)
        why = Counter(str(name) for name in reasons(t, sentence) if name)
        supposed = int((held[good] == 1).sum()), int((known & good).sum())
        row = int((held == 1).sum()), int(known.sum()), dict(why.most_common()), supposed
        out.append(Share(sentence, *row))
    return out


def listed(t: Table) -> str:
    """Return an item of a MyST list for each sentence: its shares, and where it does not hold."""
    items = []
    for row in shares(t):
        held, applies = row.supposed
        where = "; ".join(f"{name} ({n})" for name, n in row.where_not.items())
        items.append(
            f"- *{row.sentence.text}* ({{prf:ref}}`{row.sentence.label}`): on {row.held} of "
            f"{row.applies} problems, {per_cent(row.held, row.applies)}; under the hypotheses on "
            f"{held} of {applies}. " + (f"Where not: {where}." if where else "")
        )
    return "\n".join(items)


def table(t: Table) -> str:
    """Return a short MyST table: sentence, share, share under the hypotheses, where mostly not."""
    lines = ["| sentence | holds | under hypotheses | where not, mostly |", "|---|---|---|---|"]
    for row in shares(t):
        cells = f"{{prf:ref}}`{row.sentence.label}`: {row.sentence.text}"
        most = next(iter(row.where_not), "")
        both = per_cent(row.held, row.applies), per_cent(*row.supposed)
        lines.append(f"| {cells} | {both[0]} | {both[1]} | {most} |")
    return "\n".join(lines)


def per_cent(held: int, applies: int) -> str:
    """Return a share in words; "100 %" says that there is no exception."""
    if held < applies and held / applies > 0.995:
        return "over 99 %"
    return f"{100 * held / applies:.0f} %" if applies else "none"
