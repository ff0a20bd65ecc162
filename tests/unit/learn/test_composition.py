"""Composed examples, location labels, recombined features, position-matched figures."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from msnode.classify import Grid
from msnode.learn.evaluate import paired
from msnode.learn.evaluate.figures_of_merit import Figure
from msnode.learn.synth import composition
from msnode.learn.synth.augment import Augment, mixup, warp
from msnode.learn.train import fusion, lesion_heads

STILL = Augment(
    rotation_deg=0, scale=0, shift=0, gamma=0, bias=0, noise=0, blur=0, saturate=0, detail=0,
    scalp=0,
)  # fmt: skip


@pytest.fixture
def pool() -> composition.SlicePool:
    """Eight discs of tissue, the odd ones with a bright lesion."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:112, :112] - 56
    images = np.tile(np.where(np.hypot(x, y) < 45, 0.45, 0.0), (8, 1, 1))
    images = images + rng.normal(0, 0.01, images.shape)
    lesions = np.zeros(images.shape, np.bool_)
    lesions[1::2] = np.hypot(x - 10, y) < 4
    images[lesions] += 0.3
    return composition.make(np.clip(images, 0, 1).astype(np.float32), lesions, rng)


def test_labels_follow_the_lesions(pool: composition.SlicePool) -> None:
    torch.manual_seed(0)
    images, masks = composition.compose(pool, torch.randint(0, 8, (64,)), STILL)
    bearing = composition.bearing(masks).bool()
    bright = (images[:, 0] > 0.62).flatten(1).sum(1) >= 4
    assert 10 < int(bearing.sum()) < 54
    assert (bright == bearing).float().mean() > 0.9  # moved lesions may be faint
    assert not bright[~bearing].any()


def test_crops_and_flips_keep_image_and_mask_together(pool: composition.SlicePool) -> None:
    torch.manual_seed(1)
    images, masks = composition.compose(pool, torch.randint(0, 8, (32,)), Augment(crop=64, moved=0))
    assert images.shape == masks.shape == (32, 1, 64, 64)
    assert 0 <= float(images.min()) <= float(images.max()) <= 1
    for image, mask in zip(images, masks, strict=True):
        if mask.sum() > 20:
            tissue = image[(image > 0.2) & (mask < 0.1)]
            assert image[mask > 0.9].mean() > tissue.mean()


def test_cells_lie_where_the_grid_says() -> None:
    masks = torch.zeros(1, 1, 224, 224)
    masks[0, 0, 100:104, 36:40] = 1
    found = lesion_heads.cells(masks, Grid(32, 37), 5).nonzero().tolist()
    assert found == [[0, 2, 0]]  # centres 37, 69, 101, ...
    assert lesion_heads.cells(masks, Grid(32, 14), 7).nonzero().tolist() == [[0, 3, 1]]


@pytest.mark.parametrize("half", ["inception", "densenet"])
def test_teaching_reaches_every_part(half: str) -> None:
    torch.manual_seed(0)
    model = lesion_heads.taught(half).train()
    masks = torch.zeros(2, 1, 128, 128)
    masks[0, 0, 60:70, 60:70] = 1
    maps = model(torch.rand(2, 3, 128, 128))
    assert [m.shape[-1] for m in maps] == sorted((m.shape[-1] for m in maps), reverse=True)
    loss = lesion_heads.location_loss(maps, masks, model.grids)
    loss.backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_recombined_sequences_keep_their_truth() -> None:
    torch.manual_seed(0)
    cells = torch.zeros(40, 74, dtype=torch.float16)
    cells[::2, 5] = cells[::2, 40] = 1
    marks = cells[..., None].expand(-1, -1, 4).clone()  # a feature that shows the lesion
    marks[..., 1] = torch.cat([torch.zeros(25), torch.ones(49)])  # and one that shows the map
    sequences = torch.zeros(40, 74, 512, dtype=torch.float16)
    sequences[..., :4] = marks
    features = fusion.Features(sequences, cells.amax(1).float(), cells)
    mixed, labels = fusion.recombined(features, torch.arange(40))
    assert torch.equal(mixed[..., 0].amax(1) > 0.5, labels > 0.5)
    assert torch.equal(mixed[:, :25, 1], torch.zeros(40, 25))
    assert torch.equal(mixed[:, 25:, 1], torch.ones(40, 49))
    assert 0 < labels.mean() < 1


def test_mixup_blends_targets_as_images() -> None:
    torch.manual_seed(0)
    images = torch.arange(8.0).view(8, 1)
    blended, targets = mixup(images, images / 7, 0.4)
    assert torch.allclose(blended / 7, targets)
    assert mixup(images, images, 0.0)[0] is images


def test_a_still_warp_is_the_identity() -> None:
    stack = torch.rand(3, 2, 32, 32)
    same = torch.tensor([[1.0, 0, 0], [0, 1, 0]]).expand(3, 2, 3)
    assert torch.allclose(warp(stack, same, 32), stack, atol=1e-5)


def scored(real: list[float], twin: list[float], bearing: list[bool]) -> paired.Scored:
    persons = np.repeat(["a", "b", "c"], len(real) // 3)
    heights = np.tile(np.arange(len(real) // 3), 3).astype(np.float64)
    pixels = np.where(bearing, 50, 0)
    return paired.Scored(np.array(real), np.array(twin), pixels, persons, heights)


def test_position_counts_for_nothing_against_twins() -> None:
    bearing = [False, True, True, False] * 3
    by_height = [0.0, 1.0, 1.0, 0.0] * 3  # a model that knows the height alone
    s = scored(by_height, by_height, bearing)
    assert paired.against_free(s) == 1
    assert paired.against_twins(s) == 0.5
    assert paired.by_position(s) == 1
    assert paired.wins(s) == 0


def test_a_model_that_sees_lesions_beats_its_twin() -> None:
    bearing = [False, True, True, False] * 3
    s = scored([0, 3, 2, 1] * 3, [0, 1, 1, 1] * 3, bearing)
    figures = paired.figures(s, top=2, draws=50)
    assert figures["slice_auc_against_filled_twin"] == Figure(1, 1, 1)
    assert figures["study_auc_against_filled_twin"] == Figure(1, 1, 1)


def test_small_and_large_lesions_are_told_apart() -> None:
    s = scored([0, 3, 2, 1] * 3, [0, 3, 1, 1] * 3, [False, True, True, False] * 3)
    sized = replace(s, pixels=np.tile([5, 39, 120, 0], 3))
    assert list(sized.bearing) == [False, True, True, False] * 3
    figures = paired.figures(sized, top=2, draws=50)
    assert figures["slice_auc_against_filled_twin_6_to_39_pixels"].value == 0.5
    assert np.isnan(figures["slice_auc_against_filled_twin_40_to_119_pixels"].value)
    assert figures["slice_auc_against_filled_twin_120_to_any_pixels"].value == 1


def test_examples_are_composed_where_the_pool_lies(pool: composition.SlicePool) -> None:
    """On a GPU, nothing may be drawn on the CPU and brought over; ``meta`` refuses to mix."""
    elsewhere = pool.to(torch.device("meta"))
    images, masks = composition.compose(elsewhere, torch.randint(0, 8, (4,)), Augment(crop=64))
    assert images.device.type == masks.device.type == "meta"
    assert images.shape == masks.shape == (4, 1, 64, 64)
