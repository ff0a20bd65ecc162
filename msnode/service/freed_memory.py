"""Memory that was freed goes back to the system, once nothing is to be done.

glibc keeps what threads have freed, each in an arena of its own, for the next time: some 200 MB
after a warm-up, more after studies. An idle node needs none of it.
"""

import ctypes


def give_back() -> None:
    """Give back what is free, where the C library is glibc (malloc_trim(3)); elsewhere nothing."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
