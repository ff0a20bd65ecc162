"""The content tree of a Structured Report as HTML, for a person without a viewer."""

from collections.abc import Iterator
from html import escape

from pydicom import Dataset

TREE_STYLE = """
.sr, .sr ul { list-style: none; padding-left: 1.1rem; border-left: 1px solid #94a3b855;
  margin: .2rem 0; }
.sr li { margin: .2rem 0; }
.sr .name { color: #64748b; }
.sr .container { font-weight: 600; margin-top: .7rem; }
.sr .value { font-weight: 500; overflow-wrap: anywhere; }
"""
"""For the page that holds the tree."""


def tree(document: Dataset) -> str:
    """The content of an SR document of any template as nested lists; every value is escaped.

    Args:
        document: a data set with a content tree (PS3.3 C.17.3).
    """
    return f'<ul class="sr">{"".join(_items(document))}</ul>'


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
