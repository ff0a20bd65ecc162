"""What ``bench.gpu`` makes of what it measured: floors, shares, rows of tables."""

import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from bench.on_device.networks import lesion_network, outlining_bundle
from bench.on_device.rate_table import best, table
from bench.on_device.roofline import Ceilings, Layer, floor_s, layers, products_s
from bench.on_device.ways import PLAIN, Rate, Trial, Way, outputs, reference
from msnode.config import LESIONS
from msnode.lesions.unet import Unet

CPU = torch.device("cpu")
CAN = Ceilings(1e9, {"float32": 1e12, "bfloat16": 4e12})
"""1 GB/s and 1 TFLOP/s: a thousand operations take as long as a byte."""


def rate(batch: int, taken: float, failure: str = "") -> Rate:
    seconds = () if failure else (taken, 2 * taken, taken / 2)
    return Rate("net", "fast", "float32", batch, seconds, 1.5, 1e-3, failure)


def test_a_layer_takes_the_longer_of_computing_and_moving() -> None:
    computing, moving = Layer(8 * 10**9, 10), Layer(10, 10**6)
    assert floor_s([computing], CAN, "float32") == pytest.approx(8e-3)
    assert floor_s([moving], CAN, "float32") == pytest.approx(4e-3)
    assert floor_s([computing, moving], CAN, "bfloat16") == pytest.approx(2e-3 + 2e-3)
    assert products_s([computing, moving], CAN, "float32") == pytest.approx(8e-3)


def test_a_device_is_as_fast_as_it_was_at_its_fastest() -> None:
    other = Ceilings(2e9, {"float32": 5e11, "bfloat16": 5e12})
    assert CAN.higher(other) == Ceilings(2e9, {"float32": 1e12, "bfloat16": 5e12})


def test_layers_are_counted_as_torch_counts_them() -> None:
    model = Unet((4, 8)).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counted:
        model(torch.rand(2, 4, 32, 32))
    found = layers(model, (2, 4, 32, 32))
    assert sum(layer.flops for layer in found) == counted.get_total_flops()


def test_a_layer_moves_its_input_weights_and_output_once() -> None:
    (only,) = layers(nn.Conv2d(3, 5, 3, padding=1), (2, 3, 8, 8))
    assert only == Layer(2 * 2 * 5 * 64 * 3 * 9, 2 * 3 * 64 + 5 * 3 * 9 + 5 + 2 * 5 * 64)


def test_a_table_tells_the_median_and_its_part_of_the_roofline() -> None:
    wanted = {1: [Layer(10**9, 1)], 200: [Layer(2 * 10**11, 1)], 999: []}
    rates = [rate(1, 0.01), rate(200, 0.4), rate(999, 0, "out of memory")]
    assert table(rates, wanted, CAN)[2:] == [
        "| fast | 100 (10 %) | 500 (50 %) | out of memory | 1.5 | 1.0e-03 |"
    ]
    told = best(rates, wanted, CAN)
    assert "fast, 200 at once, 500 slices/s (250 to 1,000); 1.00 GFLOP a slice" in told
    assert "0.50 TFLOP/s, 50 % of the rate of float32" in told


def test_where_nothing_ran_no_figure_is_told() -> None:
    rates = [rate(1, 0, "out of memory")]
    assert table(rates, {1: []}, CAN)[2:] == ["| fast | out of memory |  |  |"]
    assert best(rates, {1: []}, CAN) == "No way ran."


def test_every_way_is_the_same_network() -> None:
    network = lesion_network(outlining_bundle(LESIONS))
    images = network.images(2)
    wanted = reference(network, images)
    folded = outputs(network, Way("folded", "float32", folded=True, last=True), images, CPU)
    assert abs(folded - wanted).max() < 1e-4
    assert network.agreement(wanted, wanted) == "the same"


def test_the_first_batch_that_is_not_possible_ends_a_way() -> None:
    network = lesion_network(outlining_bundle(LESIONS))
    way = Way("a graph without a GPU", "float32", graph=True)
    wanted = reference(network, network.images(1))
    (only,) = Trial(network, way, wanted, CPU, 1).rates((1, 2))
    assert only.failure
    (only,) = Trial(network, PLAIN, wanted, CPU, 1).rates((1,))
    assert only.difference == 0
    assert only.slices_s > 0


BARE = """
import sys
for name in ("SimpleITK", "nibabel", "pydicom", "sklearn", "matplotlib", "rich", "highdicom"):
    sys.modules[name] = None  # as on a machine without it
import bench.gpu
"""


def test_it_can_be_imported_on_a_bare_machine() -> None:
    subprocess.run([sys.executable, "-c", BARE], check=True, timeout=120)
