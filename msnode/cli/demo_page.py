"""The page of `msnode demo`: what the node said of each study, beside what is known of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from pydicom import dcmread

from msnode import report
from msnode.cli import demo_twin
from msnode.report import sr_html
from msnode.sample import KnownStudy
from msnode.store import yaml_files

STYLE = """
:root { color-scheme: light dark; --line: #94a3b855; --dim: #64748b; --present: #b91c1c;
  --absent: #15803d; --undetermined: #b45309; }
body { font: 16px/1.6 system-ui, sans-serif; max-width: 62rem; margin: 0 auto;
  padding: 2.5rem 1.2rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0; }
h2 { font-size: 1.15rem; margin: 0 0 .2rem; }
.lead { color: var(--dim); margin: .4rem 0 1.4rem; max-width: 46rem; }
.banner { border-left: .3rem solid var(--undetermined); background: #f59e0b1f;
  padding: .6rem 1rem; border-radius: .2rem; font-weight: 600; }
article { border: 1px solid var(--line); border-radius: .7rem; padding: 1.4rem 1.6rem;
  margin: 1.8rem 0; }
.answer { display: flex; flex-wrap: wrap; align-items: baseline; gap: .2rem .9rem;
  margin: .7rem 0 .2rem; }
.decision { font-size: 1.5rem; font-weight: 700; }
.present { color: var(--present); } .absent { color: var(--absent); }
.undetermined { color: var(--undetermined); }
dl { display: grid; grid-template-columns: 9rem 1fr; gap: .5rem 1rem; margin: .9rem 0 1.2rem; }
dt { color: var(--dim); } dd { margin: 0; } dd p { margin: 0 0 .25rem; }
img { width: 100%; border-radius: .4rem; display: block; }
.paper { background: #fff; margin: 1rem 0; }
table { border-collapse: collapse; margin: .5rem 0 1rem; } th { color: var(--dim);
  font-weight: 500; text-align: left; }
th, td { padding: .2rem 1.6rem .2rem 0; font-variant-numeric: tabular-nums; }
details { margin-top: 1rem; font-size: .9rem; } summary { cursor: pointer; color: var(--dim); }
@media (max-width: 34rem) {
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .6rem; }
}
"""


@dataclass(frozen=True)
class Shown:
    """A study that went through the node.

    Attributes:
        images: as they were sent, in the order of the volume's third axis.
        document: the measurement SR that came back.
        montage: the picture that came back, as PNG, in the same folder.
    """

    study: KnownStudy
    images: Sequence[Path]
    document: Path
    montage: Path

    @property
    def known(self) -> str:
        """What is known of the person and the lesions."""
        count, volume = self.study.lesions
        lesions = f" ({count} lesions, {volume:.1f} ml)" if count else ""
        return f"{self.study.known}{lesions}"


def held_against(shown: Shown, found: report.Summary, model: Path) -> Iterator[str]:
    """The answer of the node held against what is known: both studies are of people with MS."""
    described = yaml_files.read_yaml(model / "bundle.yaml")
    yield {
        "present": "Right: there is MS. (The model finds its pattern; it cannot tell MS from other "
        "causes of such lesions.)",
        "absent": "Wrong: there is MS, and a node that says so was needed here.",
        "undetermined": _undecided(found, described["threshold"]),
    }[found.decision]
    if shown.study.outlined is not None:
        hits, with_lesions = _hits(shown, found)
        yield (
            f"Of the {len(found.points)} images that it points to, {hits} show an outlined lesion; "
            f"so do {with_lesions} of all {len(shown.images)} images."
        )
    if shown.study.person in described.get("figures", {}).get("held_back_persons", ()):
        yield "The model did not learn from this person; it was calibrated with this scan, too."


def _undecided(found: report.Summary, threshold: float) -> str:
    """What a decision by the probability alone would have been."""
    if found.probability is None:
        return "It gives no answer, and says why: a person has to look."
    alone = "right" if found.probability >= threshold else "wrong"
    return (
        f"It does not decide, and says why: a person has to look. By its probability alone "
        f"({found.probability:.0%}) it would have been {alone}."
    )


def _hits(shown: Shown, found: report.Summary) -> tuple[int, int]:
    """Images with an outlined lesion: of those that the report points to, and of all."""
    order = {
        dcmread(path, specific_tags=["SOPInstanceUID"]).SOPInstanceUID: index
        for index, path in enumerate(shown.images)
    }
    outlined = [bool(plane.any()) for plane in np.moveaxis(np.asarray(shown.study.outlined), 2, 0)]
    hits = [outlined[order[point.sop_instance_uid]] for point in found.points]
    return sum(hits), sum(outlined)


def render(results: Sequence[Shown], course: demo_twin.Followed, model: Path) -> str:
    """A complete HTML page; the pictures lie beside it, nothing comes from elsewhere.

    Args:
        results: in the order to show.
        course: of the invented patient.
        model: folder of the bundle.
    """
    articles = "".join(_article(shown, model) for shown in results) + _course(course)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>msnode demo</title>'
        f"<style>{STYLE}{sr_html.TREE_STYLE}</style><h1>What the node says, and what is known</h1>"
        '<p class="lead">Two real FLAIR studies of people with multiple sclerosis went through a '
        "node on this machine, as they would in a hospital: received, analysed, and answered with "
        "a DICOM Structured Report and a picture in the PACS. Below them, an invented patient "
        "shows how the node follows somebody over time.</p>"
        '<p class="banner">AI results, not verified by a physician. For research; not a medical '
        f"device.</p>{articles}</html>"
    )


def _article(shown: Shown, model: Path) -> str:
    found = report.read(shown.document)
    chance = "" if found.probability is None else f"probability {found.probability:.0%}"
    rows = {
        "The node says": found.reasons,
        "What is known": [f"{shown.known[0].upper()}{shown.known[1:]}."],
        "So": list(held_against(shown, found, model)),
    }
    facts = "".join(
        f"<dt>{name}</dt><dd>{''.join(f'<p>{escape(line)}</p>' for line in lines)}</dd>"
        for name, lines in rows.items()
        if lines
    )
    picture = f"{shown.montage.parent.name}/{shown.montage.name}"
    return (
        f"<article><h2>{escape(shown.study.origin)}</h2>"
        f'<p class="answer"><span class="decision {found.decision}">MS pattern {found.decision}'
        f"</span><span>{chance}</span></p><dl>{facts}</dl>"
        f'<img src="{picture}" alt="The picture that the PACS got">'
        f"<details><summary>All that the Structured Report holds</summary>"
        f"{sr_html.tree(dcmread(shown.document))}</details></article>"
    )


def _course(course: demo_twin.Followed) -> str:
    """The invented patient: the course, what is expected, and the last result."""
    heading = "".join(f"<th>{name}</th>" for name in demo_twin.COLUMNS)
    rows = "".join(
        f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in course.rows()
    )
    told = "".join(f"<p>{escape(line)}</p>" for line in course.sentences())
    folder = course.picture.parent.name
    return (
        "<article><h2>How a patient goes on: three visits</h2>"
        f'<p class="banner">Invented. {escape(demo_twin.INVENTED)}</p>'
        f'<img class="paper" src="{folder}/{course.picture.name}" alt="Lesion load, new lesions, '
        'EDSS, relapse and treatments over time, and what is expected">'
        f"<table><thead><tr>{heading}</tr></thead><tbody>{rows}</tbody></table>{told}"
        f"<details><summary>The picture that the PACS got of the last visit</summary>"
        f'<img src="{folder}/montage.png" alt="The last visit beside the one before"></details>'
        "</article>"
    )
