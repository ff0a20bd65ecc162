"""Make a trained classifier's convolutional part cheap to run, without changing what it computes.

The rewrites are exact up to rounding, on the graph that torch.fx traces:

1. batch norm behind a convolution folds into its weights (torch's own pass);
2. batch norm and ReLU *before* a 1x1 convolution, DenseNet's order, become one ``clamp``:
   relu(s x + b) = s max(x, -b/s) + b for s > 0, and s and b fold into the convolution;
3. average pooling behind a 1x1 convolution moves in front of it, which leaves a quarter of the
   pixels to convolve;
4. on the CPU every convolution gets its weights in oneDNN's layout once, and takes its ReLU along.
"""

from typing import Any, cast

import torch
from torch import Tensor, fx, nn
from torch.fx.experimental.optimization import fuse
from torch.fx.passes.shape_prop import ShapeProp
from torch.nn import functional

from msnode.classify.contract import Classifier


class Maps(nn.Module):
    """``maps`` as a module of its own, for tracing."""

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """(n, channels, rows, cols) to the last feature maps."""
        return self.model.maps(images)


class _Clamp(nn.Module):
    """What is left of batch norm and ReLU once scale and shift are in the next convolution."""

    def __init__(self, scale: Tensor, shift: Tensor) -> None:
        super().__init__()
        bound = torch.where(scale == 0, 0, -shift / scale)
        self.low: Tensor
        self.high: Tensor
        self.register_buffer("low", bound.where(scale >= 0, -torch.inf).view(1, -1, 1, 1))
        self.register_buffer("high", bound.where(scale <= 0, torch.inf).view(1, -1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.clamp(x, self.low, self.high)


class _PackedConv(nn.Module):
    """A convolution with its weights in oneDNN's layout and, where asked for, its ReLU."""

    def __init__(self, conv: nn.Conv2d, shape: list[int], relu: bool) -> None:
        super().__init__()
        place: list[Any] = [list(conv.padding), list(conv.stride), list(conv.dilation), conv.groups]
        weight = conv.weight.detach().to_mkldnn()
        self.weight = torch._C._nn.mkldnn_reorder_conv2d_weight(  # type: ignore[call-arg]
            weight, *place, shape
        )
        self.arguments = (conv.bias, *place, "relu" if relu else "none", [], "")

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = torch.ops.mkldnn._convolution_pointwise(x, self.weight, *self.arguments)
        return out


@torch.no_grad()
def fold(model: Classifier) -> fx.GraphModule:
    """Rewrites 1 to 3: a copy of ``model.maps``, float32, channels last.

    Raises:
        Exception: whatever torch.fx raises where a model cannot be traced.
    """
    graph = fuse(Maps(model).eval())
    if not isinstance(graph, fx.GraphModule):
        raise TypeError("torch.fx made no graph")
    for node in list(graph.graph.nodes):
        if _pointwise(_module(graph, node)):
            _fold_before(graph, node)
            _pool_first(graph, node)
    graph.recompile()
    graph.to(memory_format=torch.channels_last)
    return graph


def pack(graph: fx.GraphModule, images: Tensor) -> fx.GraphModule:
    """Rewrite 4, in place, for batches of the shape and type of ``images``."""
    ShapeProp(graph).propagate(images[:1])
    for node in list(graph.graph.nodes):
        conv = _module(graph, node)
        if isinstance(conv, nn.Conv2d) and conv.padding_mode == "zeros":
            shape = [len(images), *node.args[0].meta["tensor_meta"].shape[1:]]
            after = _after(node)
            relu = _is_relu(graph, after)
            graph.set_submodule(node.target, _PackedConv(conv, shape, relu))
            if relu:
                _drop(graph, after)
    graph.recompile()
    return graph


def _fold_before(graph: fx.GraphModule, node: fx.Node) -> None:
    """Rewrite 2, where batch norm and ReLU come before the 1x1 convolution ``node``."""
    relu = _before(node)
    before: Any = _before(relu) if _is_relu(graph, relu) else None
    norm, conv = _module(graph, before), _module(graph, node)
    if not isinstance(norm, nn.BatchNorm2d) or norm.running_var is None:
        return
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    shift = norm.bias - cast(Tensor, norm.running_mean) * scale
    # a channel of scale 0 is the constant relu(shift); the clamp makes it 0
    offset = torch.where(scale == 0, shift.relu(), shift)
    bias = conv.weight[:, :, 0, 0] @ offset + (0 if conv.bias is None else conv.bias)
    conv.weight = nn.Parameter(conv.weight * scale.view(1, -1, 1, 1), requires_grad=False)
    conv.bias = nn.Parameter(bias, requires_grad=False)
    graph.set_submodule(before.target, _Clamp(scale, shift))
    _drop(graph, relu)


def _pool_first(graph: fx.GraphModule, node: fx.Node) -> None:
    """Rewrite 3, where unpadded average pooling comes behind the 1x1 convolution ``node``."""
    pool = _after(node)
    module = _module(graph, pool)
    if isinstance(module, nn.AvgPool2d) and module.padding == 0:
        pool.replace_all_uses_with(node)
        pool.args, node.args = node.args, (pool,)
        node.prepend(pool)


def _pointwise(module: Any) -> bool:
    """Whether it is a 1x1 convolution that sees every pixel by itself."""
    return (
        isinstance(module, nn.Conv2d)
        and module.kernel_size == module.stride == (1, 1)
        and module.padding == (0, 0)
        and module.groups == 1
    )


def _module(graph: fx.GraphModule, node: Any) -> Any:
    """The module that a node calls, or None."""
    called = isinstance(node, fx.Node) and node.op == "call_module"
    return graph.get_submodule(node.target) if called else None


def _before(node: Any) -> Any:
    """The node whose output ``node`` alone takes, or None."""
    source = node.args[0] if isinstance(node, fx.Node) and node.args else None
    return source if isinstance(source, fx.Node) and len(source.users) == 1 else None


def _after(node: fx.Node) -> Any:
    """The only user of a node's output, or None."""
    users = list(node.users)
    return users[0] if len(users) == 1 else None


def _is_relu(graph: fx.GraphModule, node: Any) -> bool:
    """Whether a node is a ReLU, as a module or as a function."""
    function = isinstance(node, fx.Node) and node.target in (torch.relu, functional.relu)
    return function or isinstance(_module(graph, node), nn.ReLU)


def _drop(graph: fx.GraphModule, node: fx.Node) -> None:
    """Take a node out; its users get its input."""
    node.replace_all_uses_with(node.args[0])  # type: ignore[arg-type]
    graph.graph.erase_node(node)
