"""What ``bench.gpu`` measures with.

``msnode.lesions`` and ``msnode.learn`` gather modules that need SimpleITK, nibabel, pydicom,
scikit-learn and more. Where those are missing, as on a bare machine, each of the two packages is
taken as a mere folder: its modules that need nothing of that kind can still be imported.
"""

import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec


def _as_folder(package: str) -> None:
    """Make a package's modules importable without what the package gathers."""
    spec = find_spec(package)
    if spec is not None:
        sys.modules[package] = module_from_spec(spec)


for _package in ("msnode.lesions", "msnode.learn"):
    try:
        import_module(_package)
    except ModuleNotFoundError:
        _as_folder(_package)
