"""The losses of a run while it learns: as CSV, for TensorBoard, or both.

What is written here is for people; a resumed run goes on by its checkpoints, and replaces what was
logged after them.
"""

import csv
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Protocol

Kinds = tuple[str, ...]
KINDS: dict[str, Kinds] = {
    "csv": ("csv",),
    "tensorboard": ("tensorboard",),
    "both": ("csv", "tensorboard"),
}
"""By the name that ``--log`` takes."""


class _Writer(Protocol):
    """What is used of TensorBoard's writer."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
        """Add one value."""

    def close(self) -> None:
        """End the file."""


class _Log:
    """Where losses go while a command runs."""

    def __init__(self, kinds: Kinds, stack: ExitStack) -> None:
        self.kinds, self.stack = kinds, stack
        self.writers: dict[Path, _Writer] = {}

    def writer(self, stage: Path, step: int) -> _Writer:
        """TensorBoard's writer of a stage; it hides what was logged from this step on."""
        if stage not in self.writers:
            # protobuf takes a second to import, and is only there with the extra
            from torch.utils.tensorboard import SummaryWriter

            folder = stage.parent / "tensorboard" / stage.name
            made = SummaryWriter(str(folder), purge_step=step)
            self.stack.callback(made.close)
            self.writers[stage] = made
        return self.writers[stage]


_log: ContextVar[_Log | None] = ContextVar("log", default=None)


@contextmanager
def logging_as(kind: str) -> Iterator[None]:
    """Log what is learned within.

    Args:
        kind: of ``KINDS``.
    """
    with ExitStack() as stack:
        token = _log.set(_Log(KINDS[kind], stack))
        try:
            yield
        finally:
            _log.reset(token)


def record(stage: Path, step: int, values: Mapping[str, float]) -> None:
    """Write down some numbers; nothing where nobody logs.

    Args:
        stage: the stage's checkpoint without its ending: ``STAGE-log.csv`` lies beside it, and
            ``tensorboard/STAGE`` as well.
        step: optimizer steps done.
        values: by name.
    """
    log = _log.get()
    if log is None:
        return
    if "csv" in log.kinds:
        _append(stage.with_name(f"{stage.name}-log.csv"), step, values)
    if "tensorboard" in log.kinds:
        for name, value in values.items():
            log.writer(stage, step).add_scalar(name, value, step)


def _append(file: Path, step: int, values: Mapping[str, float]) -> None:
    """Add a row, or replace it and what came after where a run resumed before it."""
    rows: list[dict[str, str]] = []
    if file.exists():
        with file.open(newline="", encoding="utf-8") as source:
            rows = [row for row in csv.DictReader(source) if int(row["step"]) < step]
    rows.append({"step": str(step), **{name: f"{value:.6g}" for name, value in values.items()}})
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, ["step", *values])
        writer.writeheader()
        writer.writerows(rows)
