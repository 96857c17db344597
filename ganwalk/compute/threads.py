"""How many threads numerical libraries take.

BLAS sums in an order that depends on its threads: results are the same bit for bit only where their number is.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
# Read anew with every compilation, which fails if threads run by then and are not as many.
_OF_NUMBA = "NUMBA_NUM_THREADS"


@contextlib.contextmanager
def threads_limited(threads: int | None) -> Iterator[None]:
    """Bounds the threads of torch, BLAS and OpenMP here, and of what reads their number from the environment later."""
    if threads is None:
        yield
        return
    from threadpoolctl import threadpool_limits

    bounded = _VARIABLES if "numba" in sys.modules else (*_VARIABLES, _OF_NUMBA)
    before = {name: os.environ.get(name) for name in bounded}
    os.environ.update(dict.fromkeys(bounded, str(threads)))
    torch = sys.modules.get("torch")
    count = torch.get_num_threads() if torch else 0
    try:
        if torch:
            torch.set_num_threads(threads)
        with threadpool_limits(threads):
            yield
    finally:
        if torch:
            torch.set_num_threads(count)
        for name, value in before.items():
            if name == _OF_NUMBA and "numba" in sys.modules:
                # It was loaded meanwhile, and keeps the number that it began with.
                continue
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
