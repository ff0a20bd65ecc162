"""Who the same patient is: one definition for receiving and for the record."""

from msnode.store.patients import contradict, patient_key, same_patient

SECRET = b"0" * 32
BARE = patient_key(SECRET, "4711", "")
HOSPITAL = patient_key(SECRET, "4711", "HOSPITAL")
CLINIC = patient_key(SECRET, "4711", "CLINIC")
OTHER = patient_key(SECRET, "4712", "")


def test_patient_keys() -> None:
    secret, bare, known = SECRET, BARE, HOSPITAL
    assert len(bare) == 32
    assert len(known) == 48
    assert "4711" not in known
    assert not contradict(bare, known)
    assert not contradict(known, bare)
    assert contradict(known, patient_key(secret, "4711", "CLINIC"))
    assert contradict(bare, patient_key(secret, "4712", ""))
    assert not contradict(known, patient_key(secret, "", "HOSPITAL")), "no ID is nobody else"
    assert known != patient_key(b"1" * 32, "4711", "HOSPITAL")


def test_an_id_without_issuer_joins_the_only_issuer_that_is_known() -> None:
    assert same_patient(BARE, [HOSPITAL, OTHER]) == {BARE, HOSPITAL}
    assert same_patient(HOSPITAL, [BARE, OTHER, HOSPITAL]) == {BARE, HOSPITAL}


def test_an_id_of_two_issuers_is_two_patients() -> None:
    """What has no issuer may be either's, so it is nobody's history."""
    known = [BARE, HOSPITAL, CLINIC]
    assert same_patient(HOSPITAL, known) == {HOSPITAL}
    assert same_patient(CLINIC, known) == {CLINIC}
    assert same_patient(BARE, known) == {BARE}


def test_without_an_id_there_is_no_patient() -> None:
    assert same_patient("", ["", BARE]) == frozenset()


def test_an_id_of_two_issuers_that_were_merged_is_theirs() -> None:
    assert same_patient(BARE, [HOSPITAL, CLINIC]) == {BARE}
    merged = same_patient(BARE, [HOSPITAL, CLINIC], [(HOSPITAL, CLINIC)])
    assert merged == {BARE, HOSPITAL, CLINIC}


def test_merges_are_a_chain() -> None:
    assert same_patient(BARE, [], [(OTHER, CLINIC), (HOSPITAL, OTHER)]) >= {OTHER, HOSPITAL}
