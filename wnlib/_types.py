"""Names for the types of what functions take and return."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool]
Integers = NDArray[np.int_]
Objects = NDArray[np.object_]
Values = float | Floats  # one number; of several starts or times, an array of them
Truths = np.bool | Bools  # the same, of true and false
Seed = int | Sequence[int] | np.random.Generator
