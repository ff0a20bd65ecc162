"""A bundle as ONNX, compared with itself before it is kept: `msnode bundle export`."""

import json
import logging
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from msnode import classify
from msnode.cli.any_bundle import AnyBundle
from msnode.errors import ConfigError
from msnode.lesions.unet import Unet
from msnode.store.files import replacing

TOLERANCE = 1e-4
"""Of a logit: float32 sums in another order give some 1e-6."""
PLANES = (192, 224), (64, 96), (256, 256)
"""Rows and columns at which the network of lesions is compared."""
BATCHES = 1, 3
"""Images at once."""


def export(bundle: AnyBundle, file: Path, tolerance: float = TOLERANCE) -> float:
    """Write a bundle's network as ONNX, with any number of images at once.

    The input is ``images`` as the contract has them, the output ``logits``; digest, contract,
    calibration and rule stand in the file's metadata. Calibration and study rule are not in the
    graph.

    Args:
        bundle: loaded.
        file: that is written, if onnxruntime computes the same with it.
        tolerance: of a logit.

    Returns:
        The largest difference of a logit between PyTorch and onnxruntime on the CPU.

    Raises:
        ConfigError: the network cannot be exported, or the difference is above the tolerance.
    """
    with TemporaryDirectory(prefix="msnode-") as name:
        made = Path(name) / "model.onnx"
        _exported(bundle, made)
        found = difference(bundle.model, made)
        if not found <= tolerance:
            raise ConfigError(
                f"{file}: not written, as onnxruntime's logits differ by up to {found:.2g}, more"
                f" than {tolerance:g} (--tolerance)"
            )
        with replacing(file) as out:
            out.write(made.read_bytes())
    file.chmod(0o644)
    return found


def _exported(bundle: AnyBundle, file: Path) -> None:
    """Export, with what a reader of the file must know."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    example = next(_inputs(bundle.model, (2,)))
    dynamic: dict[int, object] = {0: torch.export.Dim("batch", min=1)}
    if isinstance(bundle.model, Unet):
        step = bundle.model.multiple
        for axis, name in ((2, "rows"), (3, "cols")):
            dynamic[axis] = step * torch.export.Dim(name, min=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own parts, which nobody here can mend
        try:
            torch.onnx.export(
                bundle.model, (example,), file, dynamo=True, dynamic_shapes=(dynamic,),
                input_names=["images"], output_names=["logits"], external_data=False, verbose=False,
            )  # fmt: skip
        except Exception as error:
            raise ConfigError(f"cannot be exported ({str(error).splitlines()[0]})") from error
    made = onnx.load(file)
    onnx.helper.set_model_props(made, _told(bundle))
    onnx.checker.check_model(made)
    onnx.save(made, file)


def _told(bundle: AnyBundle) -> dict[str, str]:
    """Metadata: who this is, and what has to be done before and after the graph."""
    m = bundle.manifest
    told = {"name": m.name, "version": m.version, "digest": m.digest, "notice": m.notice}
    if isinstance(m, classify.Manifest):
        told |= {"input": json.dumps(asdict(m.input)), "rule": json.dumps(asdict(m.rule))}
        told |= {"calibration": json.dumps(asdict(m.calibration))}
        told |= {"classes": json.dumps(m.classes), "threshold": str(m.threshold)}
    else:
        told |= {"threshold": str(m.threshold), "rating": json.dumps(asdict(m.rating))}
    return told


def difference(model: nn.Module, file: Path) -> float:
    """The largest difference of a logit between PyTorch and onnxruntime, both on the CPU."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(
        file.read_bytes(), options, providers=["CPUExecutionProvider"]
    )
    found = 0.0
    for images in _inputs(model, BATCHES):
        with torch.inference_mode():
            ours = model(images).numpy()
        theirs = np.asarray(session.run(["logits"], {"images": images.numpy()})[0])
        if ours.shape != theirs.shape or not np.isfinite(theirs).all():
            return float("inf")
        found = max(found, float(np.abs(ours - theirs).max()))
    return found


def _inputs(model: nn.Module, batches: tuple[int, ...]) -> Iterator[Tensor]:
    """Images in [0, 1] of every size that the network is to take."""
    generator = torch.Generator().manual_seed(0)
    for count in batches:
        if isinstance(model, classify.Classifier):
            wanted = model.contract
            sizes, channels = [(wanted.rows, wanted.cols)], wanted.channels
        else:
            sizes, channels = list(PLANES), 4
        for size in sizes:
            yield torch.rand(count, channels, *size, generator=generator)
