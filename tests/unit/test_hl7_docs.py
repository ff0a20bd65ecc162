"""docs/hl7.md says what the program does: kinds of messages, codes, what a template is given."""

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_type_hints

from msnode.config import Hl7Destination
from msnode.hl7v2.acknowledgment import MEANINGS
from msnode.hl7v2.hl7_message import CHARSETS
from msnode.records.vocabulary import BRAIN
from msnode.report import codes
from msnode.report.oru_message import STUDY, Facts, Observation, sample_facts
from msnode.service.message_reading import KINDS, OF_NO_CONCERN
from msnode.twin.clinical.order_hl7 import CANCELS

TEXT = (Path(__file__).parents[2] / "docs/hl7.md").read_text(encoding="utf-8")


def test_every_kind_of_message_is_there() -> None:
    named = [kind for kind in KINDS if kind not in OF_NO_CONCERN]
    assert [kind for kind in named if kind not in TEXT] == []


def test_every_event_that_deletes_or_changes_a_patient_is_named_and_refused() -> None:
    changing = (18, 23, 24, 29, 30, *range(34, 38), 39, *range(41, 52))
    assert not {f"ADT^A{number:02}" for number in changing} & set(KINDS)
    assert "A23, A29" in TEXT
    assert "A18, A24, A30, A34 to A37, A39, A41 to A51" in TEXT
    every = {f"ADT^A{number:02}" for number in range(1, 63)}
    unused = {"ADT^A56", "ADT^A57", "ADT^A58", "ADT^A59"}  # they do not exist
    known = {f"ADT^A{number:02}" for number in changing} | set(KINDS) | unused
    assert every <= known


def test_every_code_of_an_answer_is_there() -> None:
    table = TEXT.split("| ERR-3")[1].split("\n\n")[0]
    assert [code for code in MEANINGS if str(code) not in table] == []


def test_every_character_set_and_cancelling_code_is_there() -> None:
    line = next(line for line in TEXT.splitlines() if line.startswith("**Character sets**"))
    parts = [name for name in CHARSETS if name and not name.startswith("8859/")]
    assert [name for name in parts if name not in line] == []
    assert f"ORC-1 {', '.join(CANCELS)}" in TEXT


def test_all_that_a_template_is_given_is_there() -> None:
    for name, kind in get_type_hints(Facts).items():
        row = next(line for line in TEXT.splitlines() if line.startswith(f"| `{name}` |"))
        kind = Observation if name == "observations" else kind
        assert is_dataclass(kind)
        assert [one.name for one in fields(kind) if f"`{one.name}`" not in row] == []


def test_the_sample_has_a_value_of_each_kind() -> None:
    told = sample_facts(Hl7Destination("ris", "ris"))
    assert {one.type for one in told.observations} == {"CWE", "NM", "ST", "FT"}


def test_every_observation_is_there() -> None:
    told = [BRAIN.finding.value, BRAIN.study_probability.value, STUDY.value]
    concepts = (codes.READING_PRIORITY, codes.NUMBER_OF_LESIONS, codes.VOLUME, codes.IMPRESSION)
    told += [one.value for one in (*concepts, codes.COUNTED["new"], codes.COUNTED["enlarging"])]
    rows = TEXT.split("| OBX-3 |")[1].split("\n\n")[0]
    assert [value for value in told if value not in rows] == []
