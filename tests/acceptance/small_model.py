"""A model that costs hardly anything, where a test is not about the model."""

from pathlib import Path

import torch

from msnode.classify import Manifest, build, save_bundle


def small_model(folder: Path, seed: int = 0) -> Path:
    """Write the bundle of an untrained shallow CNN for FLAIR; returns its folder."""
    torch.manual_seed(seed)
    model = build("shallow_cnn")
    manifest = Manifest("small", "0.0.0", "shallow_cnn", model.contract)
    save_bundle(folder, model, manifest, "# Untrained\n")
    return folder
