from pydicom import Dataset

from msnode.report import sr_html


def code(meaning: str) -> Dataset:
    item = Dataset()
    item.CodeMeaning = meaning
    return item


def document(text: str) -> Dataset:
    item = Dataset()
    item.ValueType = "TEXT"
    item.ConceptNameCodeSequence = [code("Comment")]
    item.TextValue = text
    document = Dataset()
    document.ConceptNameCodeSequence = [code("Imaging Measurement Report")]
    document.PatientName = "<b>Doe</b>^Jane"
    document.SoftwareVersions = ["0.1.0", "hybrid 0.1"]
    document.ContentSequence = [item]
    return document


def test_every_value_is_escaped() -> None:
    page = sr_html.render(document("<script>alert(1)</script>"))
    assert "<script>" not in page
    assert "<b>Doe" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_what_nobody_verified_says_so() -> None:
    unverified = document("fine")
    assert "NOT VERIFIED BY A PHYSICIAN" in sr_html.render(unverified)
    unverified.VerificationFlag = "VERIFIED"
    assert "NOT VERIFIED BY A PHYSICIAN" not in sr_html.render(unverified)


def test_several_values_read_as_a_list() -> None:
    assert "0.1.0, hybrid 0.1" in sr_html.render(document("fine"))


def test_it_says_so_in_the_language_of_the_document() -> None:
    unverified, language = document("gut"), Dataset()
    language.ValueType = "CODE"
    language.ConceptNameCodeSequence = [code("Language")]
    language.ConceptNameCodeSequence[0].CodeValue = "121049"
    language.ConceptCodeSequence = [code("German")]
    language.ConceptCodeSequence[0].CodeValue = "de"
    unverified.ContentSequence.insert(0, language)
    page = sr_html.render(unverified)
    assert '<html lang="de">' in page
    assert "NICHT ÄRZTLICH GEPRÜFT" in page
