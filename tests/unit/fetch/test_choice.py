"""Which studies are fetched: never another patient's, never a later one; the reason is told."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset

from msnode.fetch.ask import (
    FoundSeries,
    FoundStudy,
    date_range,
    first_day,
    series_of,
    study_of,
    study_query,
)
from msnode.fetch.choice import Wanted, choose, wanted_series
from msnode.fetch.patient import Patient
from msnode.records.uid_hash import uid_hash
from msnode.store.prior_searches import Fate, PriorStudy

HERE = Patient("4711", "KH", "19800101", "1.9", "20240115")
WANTED = Wanted(2, 5, ("FLAIR",), lambda _: False)
FLAIR = FoundSeries("1.1.1", "MR", "FLAIR ax", "", 30)
GOOD = FoundStudy("1.1", "4711", "KH", "19800101", "20230115", frozenset({"MR"}), "MR Schädel")


def chosen(
    *found: FoundStudy, wanted: Wanted = WANTED, patient: Patient = HERE
) -> list[PriorStudy]:
    return choose(found, patient, wanted, lambda _: [FLAIR])


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        ({"patient_id": "4712"}, "another PatientID"),
        ({"patient_id": ""}, "another PatientID"),
        ({"patient_id": "4711*"}, "another PatientID"),
        ({"issuer": "OTHER"}, "another IssuerOfPatientID"),
        ({"birth_date": "19810101"}, "another PatientBirthDate"),
        ({"uid": "1.9"}, "the present study itself"),
        ({"study_date": "20240115"}, "not before the present study"),
        ({"study_date": "20250101"}, "not before the present study"),
        ({"study_date": "20190114"}, "too long ago"),
        ({"study_date": ""}, "no StudyDate"),
        ({"study_date": "2023011"}, "no StudyDate"),
        ({"study_date": "20230230"}, "no StudyDate"),
        ({"modalities": frozenset({"CT", "SR"})}, "no MR"),
        ({"description": "MRT LWS / L-SPINE"}, "of another part of the body"),
    ],
)
def test_what_is_not_the_patients_or_not_earlier_is_never_chosen(
    odd: dict[str, object], why: str
) -> None:
    [one] = chosen(replace(GOOD, **odd))  # type: ignore[arg-type]
    assert (one.fate, one.reason) == (Fate.REJECTED, why)


@given(
    st.lists(
        st.builds(
            FoundStudy,
            st.sampled_from(["1.1", "1.2", "1.3", "1.9"]),
            st.sampled_from(["4711", "4712", "4711 ", "471", ""]),
            st.sampled_from(["KH", "OTHER", ""]),
            st.sampled_from(["19800101", "19810101", ""]),
            st.sampled_from(["20230115", "20240114", "20240115", "20240116", "", "x", "00000000"]),
            st.sampled_from([frozenset({"MR"}), frozenset({"CT"}), frozenset()]),
            st.sampled_from(["", "MR HEAD", "KNEE"]),
        )
    ),
    st.sampled_from(["KH", ""]),
)
def test_whatever_is_answered_only_earlier_studies_of_the_patient_are_chosen(
    found: list[FoundStudy], issuer: str
) -> None:
    answers = {(one.uid, one.study_date): one for one in found}
    listed = chosen(*found, patient=replace(HERE, issuer=issuer))
    taken = [one for one in listed if one.fate == Fate.CHOSEN]
    assert len(taken) <= WANTED.how_many
    assert len({one.study_instance_uid for one in listed}) == len(listed)
    for one in taken:
        answer = answers[one.study_instance_uid, one.study_date]
        assert answer.patient_id == "4711"
        assert answer.issuer in ("", "KH") or not issuer
        assert answer.birth_date in ("", "19800101")
        assert answer.study_date < HERE.study_date
        assert answer.uid != HERE.study_instance_uid


def test_an_id_of_several_issuers_is_nobodys() -> None:
    other = replace(GOOD, uid="1.2", issuer="OTHER")
    listed = chosen(GOOD, other, patient=replace(HERE, issuer=""))
    assert {one.reason for one in listed} == {"the ID is known of several issuers"}


def test_the_newest_go_first_and_those_that_are_here_count() -> None:
    older, oldest = (replace(GOOD, uid=f"1.0{n}", study_date=f"202{n}0101") for n in (2, 1))
    wanted = replace(WANTED, here=lambda key: key == uid_hash("1.1"))
    listed = chosen(oldest, older, replace(GOOD, uid="1.1"), wanted=wanted)
    assert [(one.study_date, one.fate) for one in listed] == [
        ("20230115", Fate.HERE), ("20220101", Fate.CHOSEN), ("20210101", Fate.REJECTED),
    ]  # fmt: skip
    assert listed[-1].reason == "others are newer"
    assert listed[1].series == {"1.1.1": 30}


def test_what_was_useless_gives_its_place_to_the_next() -> None:
    older = replace(GOOD, uid="1.2", study_date="20220101")
    wanted = replace(WANTED, how_many=1, useless={uid_hash("1.1")})
    assert [one.fate for one in chosen(GOOD, older, wanted=wanted)] == ["rejected", "chosen"]


def names(*series: FoundSeries) -> list[str]:
    return [one.uid for one in wanted_series(series, ("FLAIR",))]


def test_a_series_is_wanted_by_its_description() -> None:
    def one(uid: str, text: str, modality: str = "MR", part: str = "") -> FoundSeries:
        return FoundSeries(uid, modality, text, part, 1)

    dark = one("a", "t2_tirm_tra_dark-fluid")
    assert names(dark, one("b", "T1 mprage"), one("c", "FLAIR", "SR")) == ["a"]
    assert names(one("b", "FLAIR MPR localizer"), one("c", "FLAIR", part="KNEE")) == []
    assert names(one("b", "T1"), one("c", "")) == ["c"], "of which nothing is said"
    assert names(dark, one("c", "")) == ["a"]


def test_answers_are_read_whatever_they_hold() -> None:
    match = Dataset()
    assert study_of(match) is None
    assert series_of(match) is None
    match.StudyInstanceUID, match.PatientID = "1.2", ["4711", "4712"]
    match.ModalitiesInStudy = ["MR", "SR"]
    found = study_of(match)
    assert found is not None
    assert (found.patient_id, found.modalities) == ("", frozenset({"MR", "SR"}))
    match.SeriesInstanceUID, match.ProtocolName = "1.3", "FLAIR"
    assert series_of(match) == FoundSeries("1.3", "", "FLAIR", "", 0)


def test_the_query_asks_for_the_days_before_by_id_and_issuer() -> None:
    query = study_query(replace(HERE, patient_id="Müller"), 5)
    assert (query.StudyDate, query.IssuerOfPatientID) == ("20190115-20240114", "KH")
    assert query.SpecificCharacterSet == "ISO_IR 192"
    assert date_range("20240301", 1) == "20230301-20240229"
    assert first_day("20240229", 1) == "20230228"


def test_nothing_is_asked_of_a_study_that_is_out_of_the_question() -> None:
    asked: list[str] = []

    def series(uid: str) -> Sequence[FoundSeries]:
        asked.append(uid)
        return []

    listed = choose([GOOD, replace(GOOD, uid="1.2", patient_id="4712")], HERE, WANTED, series)
    assert asked == ["1.1"]
    assert {one.reason for one in listed} == {
        "another PatientID", "no series is described as FLAIR",
    }  # fmt: skip
