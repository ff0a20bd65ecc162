"""Stored values to intensities, uncompressed and in the transfer syntaxes that scanners send."""

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from msnode import sample
from msnode.errors import NotAnalysable
from msnode.prepare.frames import read_frames
from msnode.prepare.pixels import read_pixels


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sample.write_study(tmp_path_factory.mktemp("pixels"))[18]


def intensities(path: Path) -> np.ndarray[Any, Any]:
    image: np.ndarray[Any, Any] = read_pixels(read_frames([path]))[0]
    return image


def rewritten(image: Path, path: Path, **attributes: object) -> Path:
    dataset = pydicom.dcmread(image)
    for keyword, content in attributes.items():
        setattr(dataset, keyword, content)
    dataset.save_as(path)
    return path


def stored(image: Path) -> np.ndarray[Any, Any]:
    return pydicom.dcmread(image).pixel_array.astype(np.float32)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_lossless_syntaxes(image: Path, tmp_path: Path, syntax: str) -> None:
    dataset = pydicom.dcmread(image)
    dataset.compress(syntax, generate_instance_uid=False)
    dataset.save_as(tmp_path / "f.dcm")
    assert np.array_equal(intensities(tmp_path / "f.dcm"), stored(image))


def test_slope_and_intercept(image: Path, tmp_path: Path) -> None:
    path = rewritten(image, tmp_path / "f.dcm", RescaleSlope="0.5", RescaleIntercept="-7")
    assert np.allclose(intensities(path), stored(image) * 0.5 - 7)


def test_monochrome1_is_inverted(image: Path, tmp_path: Path) -> None:
    path = rewritten(image, tmp_path / "f.dcm", PhotometricInterpretation="MONOCHROME1")
    inverted = intensities(path)
    assert np.array_equal(inverted, stored(image).max() - stored(image))


def test_signed_values(image: Path, tmp_path: Path) -> None:
    signed = pydicom.dcmread(image).pixel_array.astype(np.int16) - 300
    path = rewritten(image, tmp_path / "f.dcm", PixelRepresentation=1, PixelData=signed.tobytes())
    assert np.array_equal(intensities(path), signed)


def test_overlay_in_the_high_bits_is_cleared(image: Path, tmp_path: Path) -> None:
    values = pydicom.dcmread(image).pixel_array
    with_overlay = values | np.uint16(0x8000)
    attributes = {"BitsStored": 12, "HighBit": 11, "PixelData": with_overlay.tobytes()}
    assert np.array_equal(intensities(rewritten(image, tmp_path / "f.dcm", **attributes)), values)


def test_signed_values_of_twelve_bits(image: Path, tmp_path: Path) -> None:
    signed = pydicom.dcmread(image).pixel_array.astype(np.int16) - 300
    twelve = (signed.astype(np.uint16) & 0x0FFF).tobytes()
    attributes = {"BitsStored": 12, "HighBit": 11, "PixelRepresentation": 1, "PixelData": twelve}
    assert np.array_equal(intensities(rewritten(image, tmp_path / "f.dcm", **attributes)), signed)


def test_padding_becomes_background(image: Path, tmp_path: Path) -> None:
    values = pydicom.dcmread(image).pixel_array.copy()
    values[:40] = 65535
    dataset = pydicom.dcmread(image)
    dataset.add_new("PixelPaddingValue", "US", 65535)
    dataset.PixelData = values.tobytes()
    dataset.save_as(path := tmp_path / "f.dcm")
    assert (intensities(path)[:40] == values[40:].min()).all()
    assert np.array_equal(intensities(path)[40:], values[40:])


def test_truncated_compressed_data(image: Path, tmp_path: Path) -> None:
    dataset = pydicom.dcmread(image)
    dataset.compress(JPEG2000Lossless, generate_instance_uid=False)
    half = pydicom.encaps.get_frame(dataset.PixelData, 0, number_of_frames=1)[:900]
    dataset.PixelData = pydicom.encaps.encapsulate([half])
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(tmp_path / "f.dcm")
    with pytest.raises(NotAnalysable, match="PixelData cannot be decoded"):
        intensities(tmp_path / "f.dcm")


def test_absurd_size_is_refused_before_decoding(image: Path, tmp_path: Path) -> None:
    path = rewritten(image, tmp_path / "f.dcm", Rows=60000, Columns=60000)
    with pytest.raises(NotAnalysable, match="Rows x Columns x frames is 3600000000"):
        read_frames([path])
