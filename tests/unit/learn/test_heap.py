"""Memory that training frees stays in its process, so that it need not be asked for again."""

import subprocess
import sys

PROGRAM = """
import resource, sys
import numpy as np
from msnode.learn.train.heap import keep_freed
if sys.argv[1] == "kept":
    keep_freed()
def step():
    [np.ones(5 * 2**20) for _ in range(2)]  # 40 MB each, more than glibc keeps by itself
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def pages_asked_for(how: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def test_a_step_like_the_one_before_asks_the_kernel_for_no_pages() -> None:
    assert pages_asked_for("kept") < pages_asked_for("as it is") / 100
