"""Arrays of other libraries than NumPy, on their devices: PyTorch, CuPy, any of the standard.

Only ``descend`` computes with them; what it records is NumPy's.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from wnlib._types import Floats

CPU = 1  # the type of the device in DLPack


class Library:
    """The functions of the library of an array, with ``out=``, which the standard lacks, ignored.

    What they make is on the device of that array.

    Raises
    ------
    ModuleNotFoundError
        Without array-api-compat, which evens out what libraries do in ways of their own.
    """

    def __init__(self, like: Any) -> None:
        try:
            import array_api_compat as compat
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                f"an array of type {type(like).__name__} is followed in its own library, which "
                "needs array-api-compat: pip install wnlib[arrays], or pass numpy.asarray(x0)"
            ) from error
        self._library, self._device = compat.array_namespace(like), compat.device(like)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function = getattr(self._library, name)
        return lambda *arguments, out=None, **options: function(*arguments, **options)

    def asarray(self, values: ArrayLike) -> Any:
        """Return a copy of an array of NumPy."""
        return self._library.asarray(np.array(values), device=self._device)

    def fmin(self, a: Any, b: Any, out: Any = None) -> Any:
        """Return the smaller one of each pair, and ``a`` where ``b`` is NaN."""
        return self._library.where(b < a, b, a)


def library(array: object) -> Any:
    """Return NumPy, or the :class:`Library` of an array of another one, which has a device."""
    is_numpy = isinstance(array, np.ndarray | np.generic)
    return Library(array) if hasattr(array, "__dlpack_device__") and not is_numpy else np


def to_numpy(array: Any) -> Floats:
    """Return an array of any library as NumPy's; one that is on the CPU is not copied.

    Raises
    ------
    TypeError
        If its library does not let it out, as PyTorch does where gradients are recorded.
    """
    if isinstance(array, np.ndarray):
        return array
    if array.__dlpack_device__()[0] != CPU:
        from array_api_compat import to_device

        array = to_device(array, "cpu")
    try:
        numbers: Any = np.from_dlpack(array)
    except BufferError as error:
        raise TypeError(f"an array of type {type(array).__name__}: {error}") from error
    return numbers
