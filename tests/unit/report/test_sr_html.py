"""A Structured Report as HTML."""

from pydicom import Dataset

from msnode.report import sr_html


def code(meaning: str) -> Dataset:
    item = Dataset()
    item.CodeMeaning = meaning
    return item


def text(name: str, value: str) -> Dataset:
    item = Dataset()
    item.ValueType = "TEXT"
    item.ConceptNameCodeSequence = [code(name)]
    item.TextValue = value
    return item


def test_every_value_is_escaped() -> None:
    document = Dataset()
    document.ContentSequence = [text("<b>Comment", "<script>alert(1)</script>")]
    page = sr_html.tree(document)
    assert "<script>" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_what_lies_below_is_nested() -> None:
    document, group = Dataset(), Dataset()
    group.ValueType = "CONTAINER"
    group.ConceptNameCodeSequence = [code("Group")]
    group.ContentSequence = [text("Comment", "deep")]
    document.ContentSequence = [group]
    page = sr_html.tree(document)
    assert page.index("Group") < page.index("<ul>") < page.index("deep")
