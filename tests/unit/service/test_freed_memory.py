"""An idle node gives freed memory back."""

import platform
import subprocess
import sys

import pytest

FREED = """
import pathlib
from msnode.service.freed_memory import give_back

def resident():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1])

blocks = [bytearray(10_000) for _ in range(20_000)]  # too small to be mapped one by one
last = bytearray(10_000)  # keeps the end of the heap, without which nothing before it is given back
before = resident()
del blocks
kept = resident()
give_back()
print(before - kept, kept - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told to")
def test_what_is_freed_goes_back() -> None:
    done = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=True)
    _, given_back = map(int, done.stdout.split())
    assert given_back > 100e6 / 4096
