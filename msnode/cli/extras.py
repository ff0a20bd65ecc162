"""The optional packages that a command needs: their absence is told before any work."""

from collections.abc import Callable
from functools import wraps
from importlib.util import find_spec
from typing import ParamSpec, TypeVar

from msnode.errors import ConfigError

P = ParamSpec("P")
R = TypeVar("R")

EXTRAS = {
    "learn": {"sklearn": "scikit-learn", "matplotlib": "matplotlib"},
    "onnx": {"onnx": "onnx", "onnxscript": "onnxscript", "onnxruntime": "onnxruntime"},
    "tensorboard": {"tensorboard": "tensorboard"},
}
"""By extra (see pyproject.toml): packages by the module that they are imported as."""


def require(extra: str) -> None:
    """Refuse to go on without the packages of an extra.

    Raises:
        ConfigError: names what is missing, and how to install it.
    """
    if missing := [name for module, name in EXTRAS[extra].items() if find_spec(module) is None]:
        raise ConfigError(
            f"{' and '.join(missing)} {'are' if missing[1:] else 'is'} missing; install the extra,"
            f" in the program's folder: .venv/bin/pip install -e '.[{extra}]'"
        )


def needing(extra: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a command look for an extra before it does anything else."""

    def decorate(command: Callable[P, R]) -> Callable[P, R]:
        @wraps(command)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
            require(extra)
            return command(*args, **kwargs)

        return wrapped

    return decorate
