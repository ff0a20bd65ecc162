"""What one bundle makes of one study: called in a confined process, and nowhere else.

Nothing here is imported by the node that makes results, and the process that calls these functions
loads neither PyTorch nor a bundle.
"""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from msnode.config import Classify
from msnode.errors import MsnodeError, Refused, TryLater
from msnode.records.sentences import Text
from msnode.store.shadow_results import ShadowModel

PRELOADED = ("msnode.flow.routes", "msnode.classify.runtime")
"""What a confined process needs; imported once, before it is made."""


@dataclass(frozen=True, slots=True)
class ShadowOpinion:
    """What a shadow says.

    Attributes:
        outcome: present, absent, undetermined or not_analysed.
        probability: of the study; None where it was not analysed.
        reason: why it was not.
        seconds: from the images to the decision, without reading the bundle.
    """

    outcome: str
    seconds: float
    probability: float | None = None
    reason: Text | None = None


def describe_bundle(name: str, folder: Path, trusted: Sequence[str]) -> ShadowModel:
    """Which model a folder holds.

    Args:
        name: of the shadow.
        folder: of its bundle.
        trusted: public keys of which one must have signed it; () asks for no signature.

    Raises:
        ConfigError: it cannot be used.
    """
    _give_way()
    from msnode.flow.routes import BRAIN_MRI, fitting_bundle

    info = fitting_bundle(folder, BRAIN_MRI, trusted).info
    return ShadowModel(name, f"{info.name} {info.version}", info.digest)


def shadow_opinion(
    folder: Path, paths: Sequence[Path], bundle: Path, batch: int, work: Path
) -> ShadowOpinion:
    """Prepare a study by the bundle's own contract, classify it, decide.

    On one core and in plain float32, so that what it says depends on nothing but the images.

    Args:
        folder: an empty one, for what is prepared.
        paths: the study's files.
        bundle: folder of the model bundle.
        batch: slices at once.
        work: the study's folder, where what the node outlined in it lies, if it did.

    Raises:
        MsnodeError: no memory for a single slice, or the bundle cannot be used any more.
    """
    _give_way()
    from msnode import classify, prepare
    from msnode.flow.routes import BRAIN_MRI, fitting_bundle
    from msnode.lesions import cache

    model = fitting_bundle(bundle, BRAIN_MRI)
    began = time.perf_counter()
    made = BRAIN_MRI.prepare_into(folder, paths, model.contract)
    reason = made.reason
    if reason is None:
        slices = prepare.load(folder).slices
        lesions = cache.load_finding(work) if cache.was_saved(work) else None
        settings = Classify(device="cpu", precision="float32", batch=batch, threads=1)
        runner = classify.Runner(model, settings)
        try:
            found = runner.decide(runner.score(slices), slices, lesions)
        except Refused as refusal:
            reason = refusal.reason
        except (
            TryLater
        ) as error:  # here it stays so: nothing else takes the memory that it may have
            raise MsnodeError(str(error)) from error
        else:
            seconds = time.perf_counter() - began
            return ShadowOpinion(found.decision, seconds, found.probability)
    return ShadowOpinion("not_analysed", time.perf_counter() - began, reason=reason)


def _give_way() -> None:
    """Run only where no other process wants the processor (sched(7), SCHED_IDLE)."""
    os.nice(19)
    with suppress(OSError):  # a container may not let us; the lowest priority is what is left
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
