"""From a volume in any orientation to lesions on its own grid, the same every time."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from msnode.errors import ConfigError
from msnode.lesions import Bundle, find, lesion_bundle, load
from msnode.lesions.inputs import planes
from msnode.lesions.outline import outline, probabilities
from msnode.lesions.unet import CLASSES, Unet
from tests.unit.lesions.heads import head, lesion_at


class Bright(Unet):
    """Calls lesion what is brighter than 1.45, ventricle what is dark inside of the head."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        pixel = images[:, 1]
        scores = torch.zeros(len(images), len(CLASSES), *pixel.shape[1:])
        scores[:, 0] = 1.0
        scores[:, 1] = (pixel - 1.45) * 50
        scores[:, 2] = ((pixel > 0.1) & (pixel < 0.5)) * 5.0
        return scores


BRIGHT = Bundle(lesion_bundle.Manifest("bright", "1.0.0", threshold=0.5), Bright().eval())


@pytest.mark.usefixtures("as_drawn")
def test_any_orientation_gives_the_same_lesions_on_its_own_grid() -> None:
    drawn = head()
    lesion_at(drawn, (-28.0, 8.0, 34.0), (8.0, 6.0, 2))
    lesion_at(drawn, (-38.0, 30.0, 30.0), (6.0, 6.0, 2))
    volume = drawn.volume
    plain = find(volume.voxels, volume.affine, BRIGHT)
    assert len(plain.lesions) == 2
    for axes, flips in [((1, 2, 0), (1, 0, 0)), ((2, 0, 1), (0, 1, 1)), ((0, 1, 2), (1, 1, 1))]:
        voxels = volume.voxels.transpose(axes)
        affine = volume.affine[:, [*axes, 3]].copy()
        for axis in np.flatnonzero(flips):
            voxels = np.flip(voxels, int(axis))
            affine[:3, 3] += affine[:3, axis] * (voxels.shape[axis] - 1)
            affine[:3, axis] *= -1
        turned = find(np.ascontiguousarray(voxels), affine, BRIGHT)
        assert turned.lesions == plain.lesions
        flipped = tuple(int(axis) for axis in np.flatnonzero(flips))
        expected = np.flip(plain.labels.transpose(axes), flipped)
        assert np.array_equal(turned.labels, expected)
        assert turned.numbers.shape == voxels.shape


def test_threads_and_repetition_change_no_voxel() -> None:
    torch.manual_seed(0)
    model = Unet((8, 16, 32)).eval()
    volume = head(slices=8).volume
    threads = torch.get_num_threads()
    maps = []
    for count in (1, 2, 1):
        torch.set_num_threads(count)
        maps.append(outline(volume, model, 0.3).probability)
    torch.set_num_threads(threads)
    assert np.array_equal(maps[0], maps[1])
    assert np.array_equal(maps[0], maps[2])


def test_probabilities_cover_the_whole_plane_and_sum_to_1() -> None:
    torch.manual_seed(0)
    volume = head(slices=6).volume
    seen = planes(volume)
    maps = probabilities(seen, Unet((8, 16, 32)).eval(), (181, 217))
    assert maps.shape == (4, 6, 181, 217)
    assert np.allclose(maps.sum(axis=0), 1, atol=1e-5)
    coarse = probabilities(seen, Unet((8, 16, 32)).eval(), (90, 108))
    assert coarse.shape == (4, 6, 90, 108)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    manifest = lesion_bundle.Manifest("lesions", "1.0.0", widths=(8, 16, 32), threshold=0.4)
    lesion_bundle.save(tmp_path / "bundle", Unet((8, 16, 32)), manifest, "# card")
    return tmp_path / "bundle"


def test_a_bundle_is_read_as_it_was_written(folder: Path) -> None:
    bundle = load(folder)
    assert bundle.manifest.threshold == 0.4
    assert len(bundle.manifest.digest) == 64
    volume = head(slices=4).volume
    one, other = (outline(volume, load(folder).model, 0.4).labels for _ in range(2))
    assert np.array_equal(one, other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"threshold": 0.41}, "weights or settings were changed"),
        ({"digest": "0" * 64}, "weights or settings were changed"),
        ({"colour": "red"}, "extra fields found"),
    ],
)
def test_a_changed_bundle_is_refused(folder: Path, change: dict[str, object], message: str) -> None:
    file = folder / "bundle.yaml"
    written = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump(written | change))
    with pytest.raises(ConfigError, match=message):
        load(folder)


def test_the_network_takes_sizes_that_are_multiples_of_it() -> None:
    model = Unet()
    assert model.multiple == 16
    assert model(torch.zeros(1, 4, 48, 32)).shape == (1, 4, 48, 32)
