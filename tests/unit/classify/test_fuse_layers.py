"""The rewrites compute what the model computes."""

import pytest
import torch
from torch import nn

from msnode.classify import build
from msnode.classify.fuse_layers import fold, pack
from msnode.classify.hybrid import Hybrid
from tests.unit.classify.conftest import lively


@torch.inference_mode()
def test_the_folded_hybrid_computes_the_same(hybrid: Hybrid) -> None:
    images = torch.rand(1, 3, 224, 224)
    graph = fold(hybrid)
    norms = {name for name, m in graph.named_modules() if isinstance(m, nn.BatchNorm2d)}
    called = {str(node.target) for node in graph.graph.nodes if node.op == "call_module"}
    assert norms & called == {"model.densenet.backbone.norm5"}, "no convolution comes after it"
    before = hybrid.maps(images)
    for expected, folded in zip(before, graph(images), strict=True):
        torch.testing.assert_close(folded, expected, rtol=1e-3, atol=1e-3)
    pack(graph, images.contiguous(memory_format=torch.channels_last))
    for expected, packed in zip(before, graph(images), strict=True):
        torch.testing.assert_close(packed, expected, rtol=1e-3, atol=1e-3)
    for again, expected in zip(hybrid.maps(images), before, strict=True):
        assert torch.equal(again, expected), "the model itself was changed"


@pytest.mark.parametrize("name", ["shallow_cnn", "swin"])
@torch.inference_mode()
def test_other_classifiers_fold_too(name: str) -> None:
    torch.manual_seed(0)
    model = build(name).eval()
    lively(model)
    c = model.contract
    images = torch.rand(1, c.channels, c.rows, c.cols)
    packed = pack(fold(model), images.contiguous(memory_format=torch.channels_last))
    for expected, folded in zip(model.maps(images), packed(images), strict=True):
        torch.testing.assert_close(folded, expected, rtol=1e-3, atol=1e-4)
