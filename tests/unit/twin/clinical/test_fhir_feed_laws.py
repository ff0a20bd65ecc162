"""Resources of other systems: the state is the same in any order of arrival; nothing breaks it."""

import time
from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any

import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.pool import StaticPool

from msnode.config import ClinicalFeed
from msnode.store.database import metadata
from msnode.store.patients import patient_key
from msnode.twin.clinical.course import course
from msnode.twin.clinical.event_csv import RefusedRow
from msnode.twin.clinical.event_import import import_told
from msnode.twin.clinical.event_store import of_patient
from msnode.twin.clinical.events import Provenance
from msnode.twin.clinical.fhir_feed import Passed, read_feed

SYSTEM = "urn:oid:1.2.3"
KEY_OF = partial(patient_key, b"secret")
TODAY = date(2025, 1, 1)
FEED = ClinicalFeed(patient_system=SYSTEM)
Resource = dict[str, Any]

VERSIONS = st.lists(
    st.tuples(
        st.sampled_from(["4711", "4712"]),
        st.sampled_from([2.0, 3.5]),
        st.sampled_from(["final", "amended", "preliminary", "entered-in-error"]),
    ),
    min_size=1,
    max_size=4,
)


def told(number: int, patient: str, value: float, status: str) -> Resource:
    """A version of one Observation."""
    return {
        "resourceType": "Observation", "id": "e1", "status": status,
        "meta": {"lastUpdated": f"2024-03-0{number + 1}T12:00:00Z"},
        "code": {"coding": [{"system": "urn:msnode:twin:kind", "code": "edss"}]},
        "subject": {"identifier": {"system": SYSTEM, "value": patient}},
        "effectiveDateTime": "2024-03-01", "valueQuantity": {"value": value},
    }  # fmt: skip


def state(resources: Sequence[Resource]) -> dict[str, list[float]]:
    """EDSS of both patients after these came, one after the other."""
    engine = sa.create_engine("sqlite://", poolclass=StaticPool)
    metadata.create_all(engine)
    for one in resources:
        rows = list(read_feed([{"resource": one}], FEED, "ehr", KEY_OF, TODAY, ""))
        kept = [row for row in rows if not isinstance(row, Passed)]
        here = partial(Provenance, "fhir", "ehr", imported_at=time.time(), imported_by="a")
        import_told(engine, kept, here, lambda _: None, whole=False)
    found = {}
    for patient in ("4711", "4712"):
        with engine.connect() as connection:
            events = [each.event for each in of_patient(connection, KEY_OF(patient, ""))]
        made = course(events, [], TODAY)[0]
        assert not made.contradicted("edss")
        found[patient] = [each.value for each in made.edss()]
    engine.dispose()
    return found


@settings(max_examples=100)
@given(VERSIONS, st.randoms(use_true_random=False))
def test_the_last_version_holds_of_its_patient_in_any_order(versions: Any, random: Any) -> None:
    resources = [told(number, *one) for number, one in enumerate(versions)]
    patient, value, status = versions[-1]
    expected: dict[str, list[float]] = {"4711": [], "4712": []}
    if status in ("final", "amended"):
        expected[patient] = [value]
    shuffled = list(resources)
    random.shuffle(shuffled)
    assert state(resources) == expected
    assert state(shuffled) == expected
    assert state([*shuffled, *shuffled]) == expected


WORDS = st.sampled_from([
    "resourceType", "Patient", "Observation", "Condition", "Encounter", "MedicationStatement",
    "identifier", "system", "value", SYSTEM, "4711", "subject", "reference", "Patient/p", "status",
    "final", "code", "coding", "urn:msnode:twin:kind", "edss", "meta", "lastUpdated", "id",
    "2024-01-01T00:00:00Z", "effectiveDateTime", "valueQuantity", "link", "other", "type",
    "replaced-by", "period", "start", "medicationCodeableConcept", "text", "effectivePeriod",
]) | st.text(max_size=4)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=7),
    max_leaves=25,
)


@settings(max_examples=400)
@given(st.lists(JSON | st.builds(lambda one: {"resource": one, "fullUrl": "x"}, JSON), max_size=4))
def test_whatever_comes_each_entry_is_read_refused_or_passed_over(entries: list[Any]) -> None:
    rows = list(read_feed(entries, FEED, "ehr", KEY_OF, TODAY, ""))
    assert all(1 <= row.line <= len(entries) for row in rows)
    broken = [n for n, one in enumerate(entries, 1) if not isinstance(one, dict)]
    refused = {row.line for row in rows if isinstance(row, RefusedRow)}
    assert refused.issuperset(broken)
