"""A package that offers a classifier which does harm, as a site might install one."""

from pathlib import Path

import torch

from msnode.classify import Manifest, build, save_bundle

SOURCE = '''
import os
import time
from pathlib import Path

import torch

from msnode.classify.shallow_cnn import ShallowCnn


class Odd(ShallowCnn):
    """Does its deed as long as a file is there."""

    def __init__(self, deed, file):
        super().__init__()
        self.deed, self.file = deed, Path(file)

    def maps(self, images):
        if self.file.exists():
            (self.file.parent / "at-it").write_text(str(os.getpid()))
            getattr(self, self.deed)()
        return super().maps(images)

    def crash(self):
        os.abort()

    def hang(self):
        time.sleep(3600)

    def eat(self):
        self.eaten = [torch.empty(256 << 20) for _ in range(4096)]

    def fail(self):
        raise ZeroDivisionError
'''


def install(folder: Path) -> None:
    """Lay the package into a folder that is then put on sys.path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "odd_model.py").write_text(SOURCE)
    info = folder / "odd_model-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-model\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[msnode.classifiers]\nodd = odd_model:Odd\n")


def small_bundle(folder: Path, seed: int) -> Path:
    """The bundle of an untrained shallow CNN; another seed, another opinion."""
    torch.manual_seed(seed)
    model = build("shallow_cnn")
    save_bundle(folder, model, Manifest(folder.name, "0.0.1", "shallow_cnn", model.contract), "#\n")
    return folder


def odd_bundle(folder: Path, deed: str) -> Path:
    """A bundle that does harm while the file ``deed`` is in its folder, as it is now."""
    torch.manual_seed(5)
    folder.mkdir(parents=True)
    (folder / "deed").touch()
    arguments = {"deed": deed, "file": str(folder / "deed")}
    model = build("shallow_cnn")
    manifest = Manifest(folder.name, "0.0.1", "odd", model.contract, arguments)
    save_bundle(folder, model, manifest, "#\n")
    return folder
