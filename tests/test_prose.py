"""What a chapter prints of its own numbers."""

import numpy as np
import pytest

from wnlib.figures.prose import holds


@pytest.mark.parametrize(
    ("condition", "printed"),
    [
        (True, "✓ all is well"),
        (np.array([True, True]), "✓ all is well"),
        ([True, False], "✗ with these numbers it is not so that all is well"),
        (np.nan < 1, "✗ with these numbers it is not so that all is well"),
        ([], "– with these numbers nothing tells whether all is well"),
    ],
)
def test_a_sentence_holds_or_not(condition, printed, capsys):
    holds("all is well", condition)
    assert capsys.readouterr().out == printed + "\n"
