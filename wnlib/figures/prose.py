"""What a chapter says of its own numbers, in words that stay true when a reader changes them."""

import numpy as np
from numpy.typing import ArrayLike


def holds(sentence: str, condition: ArrayLike) -> None:
    """Print whether a sentence of the text is true of the numbers at hand.

    A chapter is meant to be changed and run again: with another seed or scale a sentence may no
    longer hold, and the chapter says so and goes on. Tests see to it that each sentence holds with
    the published numbers.

    Parameters
    ----------
    sentence : str
        A clause that reads on after "it is not so that".
    condition : bool or array_like of bool
        True everywhere if the sentence holds; of an empty array nothing can be said.
    """
    condition = np.asarray(condition, dtype=bool)
    if condition.size == 0:
        print(f"– with these numbers nothing tells whether {sentence}")
    elif condition.all():
        print(f"✓ {sentence}")
    else:
        print(f"✗ with these numbers it is not so that {sentence}")
