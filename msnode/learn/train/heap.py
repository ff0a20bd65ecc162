"""What training on a CPU does with memory that tensors free: keep it.

glibc gives large blocks back to the kernel, which hands them out again one zeroed page at a time. A
training step frees and asks for some hundred of them, and waits for pages a third of its time.
"""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Of ``mallopt(3)``."""
NEVER = -1


def keep_freed() -> None:
    """Let this process keep what it frees, where its C library is glibc; elsewhere nothing."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, NEVER)
