from collections.abc import Callable
from pathlib import Path

import pytest

from tests.dicom import secondary_capture


@pytest.fixture
def save_dicom(tmp_path: Path) -> Callable[..., Path]:
    """Write a small Secondary Capture; attributes by keyword."""

    def save(name: str, **attributes: str) -> Path:
        path = tmp_path / name
        secondary_capture(**attributes).save_as(path, enforce_file_format=True)
        return path

    return save
