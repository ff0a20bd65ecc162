"""A Structured Report as one HTML page, for a person without a viewer."""

from collections.abc import Iterator
from html import escape

from pydicom import Dataset

from msnode.records.sentences import words
from msnode.report.localised import LANGUAGES

STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.55 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.4rem; margin: 0 0 .3rem; }
.banner { background: #b45309; color: #fff; padding: .6rem 1rem; border-radius: .4rem;
  font-weight: 600; margin: 1rem 0; }
table.header { border-collapse: collapse; margin: 1rem 0 1.5rem; }
table.header td { padding: .15rem 1.2rem .15rem 0; vertical-align: top; }
table.header td:first-child, .name, .relation { color: #64748b; }
ul { list-style: none; padding-left: 1.1rem; border-left: 1px solid #94a3b855; margin: .2rem 0; }
li { margin: .25rem 0; }
.container { font-weight: 600; margin-top: .8rem; }
.value { font-weight: 500; }
code { font-size: .85em; color: #64748b; }
"""

HEADER = (
    "PatientName", "PatientID", "StudyDate", "StudyDescription", "AccessionNumber",
    "SeriesDescription", "Manufacturer", "ManufacturerModelName", "SoftwareVersions",
    "CompletionFlag", "VerificationFlag", "PreliminaryFlag",
)  # fmt: skip


def render(document: Dataset) -> str:
    """Render an SR document of any template; every value is escaped.

    Args:
        document: a data set with a content tree (PS3.3 C.17.3).

    Returns:
        A complete HTML page without references to anything outside it.
    """
    title = escape(_meaning(document, "ConceptNameCodeSequence") or "Structured Report")
    verified = document.get("VerificationFlag") == "VERIFIED"
    language = _language(document)
    notice = escape(words("banner", language))
    banner = "" if verified else f'<p class="banner">{notice}</p>'
    return (
        f'<!doctype html><html lang="{language}"><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style><h1>{title}</h1>{banner}"
        f'<table class="header">{"".join(_header(document))}</table>'
        f"<ul>{''.join(_items(document))}</ul></html>"
    )


def _language(document: Dataset) -> str:
    """In which language we write the document (TID 1204), English if in none of ours."""
    for item in document.get("ContentSequence", ()):
        for code in item.get("ConceptCodeSequence", ()):
            if item.ConceptNameCodeSequence[0].get("CodeValue") == "121049":
                return code.CodeValue if code.CodeValue in LANGUAGES else "en"
    return "en"


def _header(document: Dataset) -> Iterator[str]:
    for keyword in HEADER:
        element = document.data_element(keyword) if keyword in document else None
        if element is not None and not element.is_empty:
            values = element.value if element.VM > 1 else [element.value]
            text = escape(", ".join(map(str, values)))
            yield f"<tr><td>{escape(element.name)}</td><td>{text}</td></tr>"


def _items(parent: Dataset) -> Iterator[str]:
    """The content items below one, each with its own below it."""
    for item in parent.get("ContentSequence", ()):
        below = "".join(_items(item))
        name = escape(_meaning(item, "ConceptNameCodeSequence"))
        value = escape(_value(item))
        if item.get("ValueType") == "CONTAINER":
            line = f'<div class="container">{name}</div>'
        else:
            label = f'<span class="name">{name}</span> ' if name else ""
            line = f'{label}<span class="value">{value}</span>'
        yield f"<li>{line}{f'<ul>{below}</ul>' if below else ''}</li>"


def _value(item: Dataset) -> str:
    """The value of a content item as text (PS3.3 C.17.3.2.1)."""
    kind = item.get("ValueType", "")
    if kind == "NUM":
        return _number(item)
    if kind == "CODE":
        return _meaning(item, "ConceptCodeSequence")
    if kind in ("IMAGE", "COMPOSITE", "WAVEFORM"):
        return f"image …{item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID[-12:]}"
    if kind in ("SCOORD", "SCOORD3D"):
        points = ", ".join(f"{value:.1f}" for value in item.GraphicData)
        return f"{item.GraphicType} ({points})"
    simple = {"TEXT": "TextValue", "PNAME": "PersonName", "UIDREF": "UID", "DATE": "Date",
              "TIME": "Time", "DATETIME": "DateTime"}  # fmt: skip
    return str(item.get(simple.get(kind, ""), ""))


def _number(item: Dataset) -> str:
    """Value and unit; the unit 1 is not worth a word."""
    measured = item.get("MeasuredValueSequence")
    if not measured:
        return "no value"
    unit = measured[0].MeasurementUnitsCodeSequence[0].CodeValue
    return f"{measured[0].NumericValue}{'' if unit == '1' else ' ' + unit}"


def _meaning(item: Dataset, keyword: str) -> str:
    codes = item.get(keyword)
    return str(codes[0].get("CodeMeaning", "")) if codes else ""
