"""Which machine measured: its processors, driver and libraries, in a sentence."""

import os
import platform
import shutil
import subprocess

import torch

from bench.inference import machine
from bench.processes import processor


def described(device: torch.device) -> str:
    """The machine, and what else it was doing."""
    load = f"load {os.getloadavg()[0]:.1f}"
    words = [f"{processor()}; {machine()}", f"Python {platform.python_version()}", load]
    return "; ".join([*words, _gpu()] if device.type == "cuda" else words)


def _gpu() -> str:
    """Memory, driver, CUDA and cuDNN."""
    memory = torch.cuda.get_device_properties(0).total_memory / 2**30
    cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    return f"{memory:.0f} GiB, driver {_driver()}, CUDA {torch.version.cuda}, cuDNN {cudnn}"


def _driver() -> str:
    """The driver's version, by nvidia-smi."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return "unknown (no nvidia-smi)"
    command = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip().partition("\n")[0] or "unknown"
