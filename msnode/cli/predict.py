"""The node's parts used by hand, on files: what the command line prints and writes."""

import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from msnode import classify, lesions, report
from msnode.cli import scans
from msnode.cli.chosen_bundles import Chosen
from msnode.cli.predict_lesions import as_json as lesions_as_json
from msnode.cli.predict_lesions import earlier_scan, outliner
from msnode.cli.progress import progress
from msnode.config import Classify, Decode, Describe, Priority
from msnode.confined import Confined
from msnode.errors import Crashed, MsnodeError
from msnode.flow.analysis import Analysis, Outline, compose, examine, unexpected
from msnode.flow.priority import suggested
from msnode.flow.routes import route_of
from msnode.records.images import SeriesChoice, Study
from msnode.records.lesions import REGIONS
from msnode.records.results import ModelInfo
from msnode.records.sentences import Sentence, Text
from msnode.records.uid_hash import uid_hash

log = logging.getLogger(__name__)

COLOURS = {"present": "red", "absent": "green", "undetermined": "yellow", None: "magenta"}

Show = Callable[[str, Analysis, ModelInfo], None]


@dataclass(frozen=True, slots=True)
class Output:
    """Where result objects go, and in which form.

    Attributes:
        folder: gets a folder for each study.
        profile: which objects, as of a destination.
        language: of their text.
    """

    folder: Path
    profile: str = "minimal"
    language: Any = "en"


def predict(
    paths: Sequence[Path],
    bundles: Chosen,
    device: Any,
    prior: Path | None,
    out: Output | None,
    show: Show,
) -> None:
    """Read every study among the files and show each as soon as it is done.

    Whatever goes wrong with one study is told of that study; the others go on.

    Raises:
        MsnodeError: there is nothing to classify, or a bundle or the earlier scan cannot be used.
    """
    studies = scans.studies(paths)
    bundle = lesions.load(bundles.lesions, bundles.trusted)
    reader = Confined(Decode(), ("msnode.prepare",))  # gets ready while the model is loaded
    model = classify.load_bundle(bundles.model, bundles.trusted)
    runner = classify.Runner(model, Classify(bundles.model, device=device))
    try:
        earlier = earlier_scan(prior, runner.contract, bundle, reader) if prior else None
        outline = outliner(bundle, reader, earlier)
        with progress("reading", len(studies)) as advance:
            for name, files in studies.items():
                analysis = _examined(files, runner, reader, outline)
                show(name, analysis, runner.info)
                if out is not None:
                    _written(name, files, analysis, runner, out)
                advance()
    finally:
        runner.close()


def _examined(
    files: tuple[Path, ...], runner: classify.Runner, reader: Confined, outline: Outline
) -> Analysis:
    """A study's analysis; an error that nobody foresaw is its reason."""
    try:
        return examine(files, runner, reader, outline, route_of(runner.contract).prepare_into)
    except Exception as error:  # noqa: BLE001 - one study must not end the others
        kind, where = type(error).__name__, unexpected(error, "predicting")
        return Analysis(reason=Sentence("prepare_failed", error=kind, where=where))


def _written(
    name: str, files: tuple[Path, ...], analysis: Analysis, runner: classify.Runner, out: Output
) -> None:
    """Write a study's result objects; what keeps them from being written is told."""
    try:
        _write(name, files, analysis, runner, out)
    except MsnodeError as error:
        log.error("no result objects of %s: %s", name, error)
    except Exception as error:  # noqa: BLE001 - one study must not end the others
        unexpected(error, "writing results")
        log.error("no result objects of %s: %s", name, type(error).__name__)


def as_json(name: str, analysis: Analysis, model: ModelInfo) -> None:
    """Print a study as one JSON object on one line."""
    finding = analysis.finding
    slices = finding.slices if finding is not None else ()
    record = {
        "study": name,
        "analysed": finding is not None,
        "reason": analysis.reason,
        "probability": finding.probability if finding is not None else None,
        "threshold": model.threshold,
        "undetermined": model.undetermined,
        "decision": finding.decision if finding is not None else None,
        "basis": finding.basis if finding is not None else None,
        "doubts": [str(doubt) for doubt in finding.doubts] if finding is not None else [],
        "warnings": [str(warning) for warning in _warnings(analysis)],
        "series": [
            {"uid": s.uid, "description": s.description, "chosen": s.chosen, "why": s.why}
            for s in analysis.series
        ],
        "slices": [
            {
                "index": s.index,
                "number": s.index + 1,
                "sop_instance_uid": s.source.sop_instance_uid,
                "frame": s.source.frame,
                "probability": s.probability,
            }
            for s in slices
        ],
        **lesions_as_json(analysis.lesions),
        "model": {"name": model.name, "version": model.version, "digest": model.digest},
    }
    print(json.dumps(record, ensure_ascii=False), flush=True)  # noqa: T201 - the result itself


def as_table(name: str, analysis: Analysis, model: ModelInfo) -> None:
    """Print a study as tables: its result, its series, its most suspicious slices."""
    console = Console()
    finding = analysis.finding
    console.rule(f"study {name}", align="left")
    if finding is None:
        console.print(f"[magenta]not analysed[/]: {escape(str(analysis.reason))}")
    else:
        console.print(
            f"{_looked_for(analysis)} [bold {COLOURS[finding.decision]}]{finding.decision}[/], "
            f"probability {finding.probability:.0%} (threshold {finding.threshold:.0%})"
        )
        if finding.basis is not None:
            console.print(escape(str(finding.basis)))
    console.print(series_table(analysis.series))
    if finding is not None:
        console.print(_slice_table(analysis))
    for line in _lesion_lines(analysis):
        console.print(line)
    for doubt in finding.doubts if finding is not None else ():
        console.print(f"[yellow]no decision: {escape(str(doubt))}[/]")
    for warning in _warnings(analysis):
        console.print(f"[yellow]{escape(warning)}[/]")
    seconds = ", ".join(f"{stage} {value:.1f} s" for stage, value in analysis.seconds.items())
    console.print(f"[dim]model {model.name} {model.version} ({model.digest[:12]}); {seconds}[/]")
    console.print("[dim]AI result, not verified; for research, not a medical device[/]")


def _looked_for(analysis: Analysis) -> str:
    """What the decision is about."""
    is_smear = analysis.prepared is not None and analysis.prepared.volume is None
    return "MS pattern in blood cells" if is_smear and analysis.lesions is None else "MS pattern"


def _lesion_lines(analysis: Analysis) -> Iterator[str]:
    """Lesions and their comparison, a line each."""
    found = analysis.lesions
    if found is None:
        return
    if found.reason is not None:
        yield f"[yellow]lesions not outlined: {escape(str(found.reason))}[/]"
        return
    where = ", ".join(f"{found.count(r)} {r.replace('_', ' ')}" for r in REGIONS if found.count(r))
    yield f"white matter hyperintensities: {len(found.lesions)} ({found.ml:.1f} ml) {where}"
    if found.comparison.status != "no_prior":
        yield scans.since(found.comparison)


def _warnings(analysis: Analysis) -> tuple[Text, ...]:
    """What the reader of a result should know beside why there is no decision."""
    if analysis.prepared is None:
        return ()
    doubts = analysis.finding.doubts if analysis.finding is not None else ()
    return tuple(one for one in analysis.prepared.slices.warnings if one not in doubts)


def series_table(series: Sequence[SeriesChoice]) -> Table:
    """Which series was chosen, and why the others were not."""
    table = Table("", "series", "files", "why", title_justify="left")
    for choice in series:
        mark = "[green]●[/]" if choice.chosen else "[dim]○[/]"
        name = choice.description or choice.uid
        table.add_row(mark, escape(name), str(choice.instances), escape(choice.why))
    return table


def _slice_table(analysis: Analysis, most: int = 8) -> Table:
    """The most suspicious slices with a bar each."""
    table = Table("slice", "source image", "probability", "")
    assert analysis.finding is not None  # noqa: S101 - only called with a finding
    ranked = sorted(analysis.finding.slices, key=lambda s: -s.probability)
    for s in ranked[:most]:
        frame = f" frame {s.source.frame}" if s.source.frame is not None else ""
        source = f"…{s.source.sop_instance_uid[-12:]}{frame}"
        bar = "█" * round(s.probability * 20)
        table.add_row(str(s.index + 1), source, f"{s.probability:.0%}", bar)
    if len(ranked) > most:
        table.caption = f"{len(ranked) - most} more slices below"
    return table


def explain(paths: Sequence[Path], bundles: Chosen) -> None:
    """Print which series of each study the model would be given, and why.

    Raises:
        MsnodeError: there is no image, or the bundle cannot be used.
    """
    reader = Confined(Decode(), ("msnode.prepare",))  # gets ready while the model is loaded
    contract = classify.load_bundle(bundles.model, bundles.trusted).contract
    console = Console()
    for name, files in scans.studies(paths).items():
        console.rule(f"study {name}", align="left")
        try:
            explained = route_of(contract).explain
            told = reader.call(tuple[SeriesChoice, ...], explained, files, contract)
        except Crashed as crash:
            console.print(f"[magenta]{escape(str(crash))}[/]")
        else:
            console.print(series_table(told))


def _write(
    name: str, files: tuple[Path, ...], analysis: Analysis, runner: classify.Runner, out: Output
) -> None:
    """Write the result objects and the montage of one study into a folder of its own.

    NIfTI says nothing of patient and study, without which there are no DICOM objects: of it there
    are the montage and the page.
    """
    study = Study(name, 1, "given by hand", files, time.time())
    route = route_of(runner.contract)
    made = replace(compose(study, analysis, runner.info, time.time()), words=route.words)
    if route.words.has_places:
        made = replace(made, priority=suggested(made, Priority().urgent_if))
    folder, describe = out.folder / uid_hash(name), Describe(language=out.language)
    folder.mkdir(parents=True, exist_ok=True)
    if name in map(str, files):
        (folder / "report.pdf").write_bytes(report.page(made, describe))
        told = "report.pdf (NIfTI has no header for DICOM objects)"
    else:
        told = f"{len(report.write(made, describe, out.profile, folder))} objects"
    Image.fromarray(report.montage.render(made, describe)).save(folder / "montage.png")
    Console(stderr=True).print(f"wrote {told} and montage.png to {folder}", soft_wrap=True)
