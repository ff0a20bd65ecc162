"""Small data sets with a known answer: fixtures of the tests that learn."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Small nets are slower on many threads, and sums then come in one order."""
    torch.set_num_threads(1)


@pytest.fixture
def tiles(tmp_path: Path) -> Callable[..., Path]:
    """Write an index of 32x32 tiles; class ``ms`` has a bright spot, and ``extra`` may spoil it."""

    def make(
        persons: int = 8,
        each: int = 6,
        spot: float = 0.6,
        extra: Callable[[str, np.ndarray], np.ndarray] = lambda _, image: image,
        folder: str = "tiles",
    ) -> Path:
        rng = np.random.default_rng(0)
        root = tmp_path / folder
        root.mkdir()
        rows = []
        for person in range(2 * persons):
            label = "ms" if person % 2 else "control"
            for number in range(each):
                image = 0.3 + rng.normal(0, 0.05, (32, 32))
                if label == "ms":
                    y, x = rng.integers(6, 26, 2)
                    image[y - 4 : y + 4, x - 4 : x + 4] += spot
                name = f"p{person:02}_{number}.png"
                pixels = np.clip(extra(label, image), 0, 1) * 255
                Image.fromarray(pixels.astype(np.uint8)).save(root / name)
                rows.append([name, f"p{person:02}", label, "fm"[(person // 2) % 2]])
        with (root / "index.csv").open("w", newline="") as file:
            csv.writer(file).writerows([["path", "person", "label", "sex"], *rows])
        return root / "index.csv"

    return make
