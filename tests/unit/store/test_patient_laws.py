"""What holds of patient keys for every PatientID and issuer."""

import random

from hypothesis import given
from hypothesis import strategies as st

from msnode.store.patients import ID_DIGITS, contradict, patient_key, same_patient

SECRET = b"0" * 32
IDS = st.sampled_from(["", "1", "2", "1\\2"]) | st.text(max_size=8)
ISSUERS = st.sampled_from(["", "A", "B", "2\\A"]) | st.text(max_size=8)
KEYS = st.builds(patient_key, st.just(SECRET), IDS, ISSUERS)


@given(IDS, ISSUERS)
def test_a_key_without_its_issuer_is_the_beginning_of_the_key(one: str, issuer: str) -> None:
    whole, bare = patient_key(SECRET, one, issuer), patient_key(SECRET, one, "")
    assert whole.startswith(bare)
    assert len(bare) == (ID_DIGITS if one else 0)
    assert (whole == bare) == (not issuer or not one)


@given(st.tuples(IDS, ISSUERS), st.tuples(IDS, ISSUERS))
def test_two_patients_contradict_exactly_where_a_known_part_differs(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    ids_differ = "" not in (one[0], other[0]) and one[0] != other[0]
    issuers_differ = (
        "" not in (*one, *other) and one[0] == other[0] and one[1] != other[1]
    )  # of one ID; a missing ID says nothing
    keys = patient_key(SECRET, *one), patient_key(SECRET, *other)
    assert contradict(*keys) == contradict(*reversed(keys)) == (ids_differ or issuers_differ)


@given(KEYS)
def test_nobody_contradicts_himself_or_somebody_unknown(key: str) -> None:
    assert not contradict(key, key)
    assert not contradict(key, "")


@given(KEYS, st.lists(KEYS, max_size=6))
def test_who_is_the_same_patient_is_himself_of_one_id_and_in_no_contradiction(
    key: str, known: list[str]
) -> None:
    same = same_patient(key, known)
    assert same <= {*known, key}
    assert (key in same) == bool(key)
    assert not any(contradict(one, other) for one in same for other in same)
    assert {one[:ID_DIGITS] for one in same} <= {key[:ID_DIGITS]}


@given(st.lists(KEYS, min_size=1, max_size=6))
def test_to_be_the_same_patient_is_mutual(known: list[str]) -> None:
    for one in known:
        for other in known:
            assert (other in same_patient(one, known)) == (one in same_patient(other, known))


@given(KEYS, st.lists(KEYS, max_size=6))
def test_another_issuer_of_the_id_parts_but_never_joins(key: str, known: list[str]) -> None:
    """Whoever comes to be known, what was two patients stays two."""
    for newcomer in known:
        fewer = [other for other in known if other != newcomer]
        assert same_patient(key, known) - {newcomer} <= same_patient(key, fewer)


WHOLE = KEYS.filter(bool)
PAIRS = st.lists(st.tuples(WHOLE, WHOLE), max_size=5)


@given(st.lists(KEYS, max_size=6), PAIRS, st.randoms())
def test_merges_make_one_patient_in_any_order_and_for_each_of_the_keys(
    known: list[str], merges: list[tuple[str, str]], dice: random.Random
) -> None:
    shuffled = [pair[::-1] if dice.random() < 0.5 else pair for pair in merges]
    dice.shuffle(shuffled)
    everyone = {*known, *(key for pair in merges for key in pair)} - {""}
    for key in everyone:
        same = same_patient(key, known, merges)
        assert same == same_patient(key, everyone, shuffled)
        assert all(same_patient(other, known, merges) == same for other in same)
    for one, other in merges:
        assert other in same_patient(one, known, merges)


@given(st.lists(KEYS, max_size=6), PAIRS, WHOLE)
def test_more_merges_never_take_a_key_that_was_merged_away(
    known: list[str], merges: list[tuple[str, str]], key: str
) -> None:
    for number, (one, other) in enumerate(merges):
        assert other in same_patient(one, known, merges[: number + 1])
        assert other in same_patient(one, [*known, key], merges)
