"""Tensors on disk, as safetensors."""

import os
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor


def write(path: Path, tensors: dict[str, Tensor], meta: dict[str, str] | None = None) -> None:
    """Write tensors; the file appears whole or not at all."""
    part = path.with_suffix(".part")
    save_file({k: v.detach().contiguous().clone() for k, v in tensors.items()}, part, meta)
    os.replace(part, path)  # noqa: PTH105 - atomic over an existing file on every platform
