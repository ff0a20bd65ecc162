"""Orders and their studies find each other, in any order; the newest of an order counts."""

from itertools import permutations
from pathlib import Path

import pytest
import sqlalchemy as sa

from msnode.hl7v2.acknowledgment import INTERNAL
from msnode.receive import Inbox
from msnode.records.uid_hash import uid_hash
from msnode.service.message_intake import MessageIntake
from msnode.store import message_log, orders
from msnode.store.database import open_database
from msnode.store.schema import migrate
from tests.hl7_messages import MERGE, PID, add_study, errors, message, msh, order, take
from tests.unit.receive.datasets import STUDY, mr, store


def is_stat(database: sa.Engine, key: str = "0" * 16) -> bool:
    with database.connect() as connection:
        return orders.is_stat(connection, key)


ORDERS = (
    order(sent="20240115101500"),
    order(control="CA", sent="20240115101600"),
    order(sent="20240115101700", placer="PL2", urgent=False),
)


@pytest.mark.parametrize("sequence", list(permutations(range(3))))
@pytest.mark.parametrize("is_first", [True, False])
def test_a_cancelled_order_stays_cancelled_in_any_order(
    intake: MessageIntake, sequence: tuple[int, ...], is_first: bool
) -> None:
    if is_first:
        add_study(intake.database)
    for index in sequence:
        assert take(intake, ORDERS[index]) == "AA"
    if not is_first:
        add_study(intake.database)
    assert not is_stat(intake.database)


@pytest.mark.parametrize(
    "one",
    [
        order(),
        order(uid="1.2.3", accession="B7").replace(b"B7", b"A1"),
        message(
            msh("ORM^O01"), PID, "ORC|NW|P1|F9||||^^^^^S", "OBR|1|P1|F9|x" + "|" * 14 + "A1",
        ),
        message(msh("ORM^O01"), PID, "ORC|NW|P1|A1", "OBR|1|P1|A1|x" + "|" * 23 + "^^^^^S"),
        message(msh("OML^O21"), PID, "ORC|NW|P1|A1", "OBR|1|P1|A1|x|STAT"),
        message(msh("OMG^O19"), PID, "ORC|NW|P1|A1", "TQ1|1||||||||S^Stat", "OBR|1|P1|A1|x"),
    ],
)  # fmt: skip
def test_an_urgent_order_makes_its_study_urgent(intake: MessageIntake, one: bytes) -> None:
    add_study(intake.database)
    assert take(intake, one) == "AA"
    assert is_stat(intake.database)
    with intake.database.begin() as connection:
        news = orders.find_news(connection)
        assert news.studies == (("0" * 16, 1),)
        orders.settle_news(connection, news)
        assert orders.find_news(connection) == orders.News()


def test_an_order_of_another_patient_makes_no_study_urgent(intake: MessageIntake) -> None:
    add_study(intake.database)
    assert take(intake, order(patient=PID.replace("4711", "99"))) == "AA"
    assert not is_stat(intake.database)
    merge = MERGE.replace(b"0815", b"99")
    assert take(intake, merge) == "AA"
    assert is_stat(intake.database)


def test_images_bring_the_number_by_which_their_order_is_found(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'msnode.sqlite'}")
    migrate(database)
    inbox = Inbox(database, tmp_path)
    intake = MessageIntake(database, inbox.secret, "P", lambda: True)
    who = {"PatientID": "4711", "IssuerOfPatientID": "CLINIC"}
    store(inbox, mr(**who), at=100)
    store(inbox, mr(**who, AccessionNumber=" A1 "), at=101)
    assert take(intake, order()) == "AA"
    assert is_stat(database, uid_hash(STUDY))
    inbox.close()
    database.dispose()


def test_a_study_is_found_by_its_uid(intake: MessageIntake) -> None:
    key = add_study(intake.database, uid_hash("1.2.3"), accession="")
    assert take(intake, order("other", uid="1.2.3")) == "AA"
    assert is_stat(intake.database, key)
    zds = message(msh("ORM^O01", "9"), PID, "ORC|NW|P9|F9||||^^^^^S", "OBR|1|P9|F9", "ZDS|1.2.4^^A")
    assert take(intake, zds) == "AA"
    assert is_stat(intake.database, add_study(intake.database, uid_hash("1.2.4"), accession=""))


@pytest.mark.parametrize(
    "one",
    [
        order(placer="").replace(b"A1^RIS", b""),
        message(msh("ORM^O01"), PID),
        message(msh("ORM^O01")),
    ],
)
def test_an_order_that_cannot_be_told_is_kept(intake: MessageIntake, one: bytes) -> None:
    assert take(intake, one) == "AE"
    with intake.database.connect() as connection:
        (kept,) = message_log.listed(connection, None, 9)
    assert kept.outcome == message_log.Outcome.REFUSED
    assert kept.faults[0]["code"] != INTERNAL


@pytest.mark.parametrize("priority", ["", "^^^^^S"])
def test_what_a_later_message_does_not_tell_stays_as_it_was(
    intake: MessageIntake, priority: str
) -> None:
    by_uid = add_study(intake.database, uid_hash("1.2.3"), accession="")
    by_accession = add_study(intake.database)
    first = message(
        msh("ORM^O01", "1"), PID, "ORC|NW|P1^HIS|F7^RIS||||^^^^^S",
        f"OBR|1|P1^HIS|F7^RIS|MR{'|' * 14}A1{'|' * 13}G35", "ZDS|1.2.3",
    )  # fmt: skip
    later = message(
        msh("ORM^O01", "2", "20240115103000"), PID, f"ORC|SC|P1^HIS|F7^RIS||IP||{priority}",
        "OBR|1|P1^HIS|F7^RIS",
    )  # fmt: skip
    for one in (first, later):
        assert take(intake, one) == "AA"
    assert is_stat(intake.database, by_uid)
    assert is_stat(intake.database, by_accession)
    with intake.database.connect() as connection:
        ((kept, _),) = orders.listed(connection, 9)
    assert (kept.told_at, kept.procedure, kept.reason) == ("20240115103000", "MR", "G35")
    routine = later.replace(b"SC", b"XO").replace(b"IP||", b"IP||^^^^^R|").replace(b"1030", b"1040")
    assert take(intake, routine) == "AA"
    assert not is_stat(intake.database, by_uid)


def test_an_older_message_gives_the_study_that_a_newer_one_did_not_name(
    intake: MessageIntake,
) -> None:
    key = add_study(intake.database, uid_hash("1.2.3"), accession="")
    newer = message(msh("ORM^O01", "2", "20240115103000"), PID, "ORC|SC|PL1^HIS|||||^^^^^S")
    assert take(intake, newer) == "AA"
    assert not is_stat(intake.database, key)
    assert take(intake, order(uid="1.2.3", urgent=False)) == "AA"
    assert is_stat(intake.database, key), "the newer priority counts"


def test_a_number_without_its_system_is_another_system_s(intake: MessageIntake) -> None:
    add_study(intake.database)
    ours = message(
        msh("ORM^O01", sender="RISA|A"), PID, "ORC|NW|1001|A1||||^^^^^S", "OBR|1|1001|A1|x"
    )
    other = message(
        msh("ORM^O01", sent="20240115103000", sender="RISB|B"), PID, "ORC|CA|1001|B7",
    )  # fmt: skip
    assert [take(intake, one) for one in (ours, other)] == ["AA", "AA"]
    assert is_stat(intake.database)
    cancel = message(msh("ORM^O01", "2", "20240115103000", sender="RISA|A"), PID, "ORC|CA|1001")
    assert take(intake, cancel) == "AA"
    assert not is_stat(intake.database)


def test_an_order_of_another_patient_s_number_changes_nothing(intake: MessageIntake) -> None:
    add_study(intake.database)
    assert take(intake, order()) == "AA"
    other = order(control="CA", sent="20240115103000", patient=PID.replace("4711", "99"))
    answer = intake.take(other, "HIS")
    assert errors(answer) == [("PID^1^3", "204")]
    assert is_stat(intake.database)
    assert take(intake, MERGE.replace(b"0815", b"99")) == "AA"
    assert take(intake, other.replace(b"PL1CA", b"again")) == "AA"
    assert not is_stat(intake.database)


def test_a_time_without_a_zone_is_in_that_of_the_message(intake: MessageIntake) -> None:
    add_study(intake.database)
    new = message(
        msh("ORM^O01", "1", "20240115120000+0200"), PID,
        "ORC|NW|PL1|A1||||^^^^^S||20240115120000",
    )  # fmt: skip
    cancel = message(msh("ORM^O01", "2", "20240115130000+0200"), PID, "ORC|CA|PL1|A1")
    assert [take(intake, one) for one in (new, cancel)] == ["AA", "AA"]
    assert not is_stat(intake.database)


def obr(number: str, filler: str, accession: str = "", priority: str = "") -> str:
    """With OBR-18 and OBR-27."""
    return f"OBR|1|{number}|{filler}|x{'|' * 14}{accession}{'|' * 9}^^^^^{priority}"


ORC = "ORC|NW|P1^HIS|F1^RIS||||^^^^^S"


@pytest.mark.parametrize(
    "segments",
    [
        (ORC, obr("P1^HIS", "F1^RIS", "A1"), obr("P2^HIS", "F2^RIS", "A2")),
        (ORC, obr("P1^HIS", "F1^RIS", "A1"), obr("P1^HIS", "F2^RIS", "A2")),
        (ORC, obr("", "A1"), obr("", "A2")),
        (ORC, obr("P1^HIS", "F1", "A1"), ORC, obr("P1^HIS", "F2", "A2")),
        (ORC, obr("P1^HIS", "F1^RIS"), "IPC|A1|RP1||S1", "IPC|A2|RP2||S2"),
        (ORC, obr("P1^HIS", "F1^RIS"), "IPC|A9|RP1|1.2.1|S1", "IPC|A9|RP2|1.2.2|S2"),
    ],
)
@pytest.mark.parametrize("is_cancelled", [False, True])
def test_an_order_of_several_studies_makes_each_urgent(
    intake: MessageIntake, segments: tuple[str, ...], is_cancelled: bool
) -> None:
    by_uid = "1.2.1" in str(segments)
    names = [uid_hash(f"1.2.{n}") if by_uid else str(n) * 16 for n in (1, 2)]
    keys = [add_study(intake.database, key, accession=f"A{n}") for n, key in enumerate(names, 1)]
    assert take(intake, message(msh("ORM^O01"), PID, *segments)) == "AA"
    assert [is_stat(intake.database, key) for key in keys] == [True, True]
    cancel = [one.replace("|NW|", "|CA|") for one in segments]
    if is_cancelled:
        late = msh("ORM^O01", "2", "20240115103000")
        assert take(intake, message(late, PID, *cancel)) == "AA"
        assert [is_stat(intake.database, key) for key in keys] == [False, False]


def test_each_obr_has_its_own_priority(intake: MessageIntake) -> None:
    keys = [add_study(intake.database, str(n) * 16, accession=f"A{n}") for n in (1, 2)]
    told = message(
        msh("ORM^O01"), PID, "ORC|NW|P1", obr("P1", "F1", "A1", "R"), obr("P2", "F2", "A2", "S")
    )
    assert take(intake, told) == "AA"
    assert [is_stat(intake.database, key) for key in keys] == [False, True]


def test_steps_of_one_study_are_one_order(intake: MessageIntake) -> None:
    told = order(uid="1.2.3") + b"IPC|A1|RP1|1.2.3|SPS2\r"
    assert take(intake, told) == "AA"
    with intake.database.connect() as connection:
        assert len(orders.listed(connection, 9)) == 1
    assert take(intake, order(control="CA", sent="20240115103000")) == "AA"
    assert not is_stat(intake.database, add_study(intake.database))


@pytest.mark.parametrize(("is_last", "stat"), [(False, False), (True, True)])
def test_a_zds_is_of_all_orders_only_behind_the_last(
    intake: MessageIntake, is_last: bool, stat: bool
) -> None:
    key = add_study(intake.database, uid_hash("1.2.3"), accession="")
    routine, urgent = ("ORC|NW|P1|||||^^^^^R", "OBR|1|P1"), ("ORC|NW|P2|||||^^^^^S", "OBR|1|P2")
    zds = ("ZDS|1.2.3",)
    segments = (*urgent, *routine, *zds) if is_last else (*routine, *zds, *urgent)
    assert take(intake, message(msh("ORM^O01"), PID, *segments)) == "AA"
    assert is_stat(intake.database, key) == stat


@pytest.mark.parametrize("priorities", ["RS", "SR"])
def test_of_two_priorities_of_one_study_the_urgent_one_counts(
    intake: MessageIntake, priorities: str
) -> None:
    key = add_study(intake.database)
    steps = (obr("P1", "F1", "A1", priority) for priority in priorities)
    assert take(intake, message(msh("ORM^O01"), PID, "ORC|NW|P1", *steps)) == "AA"
    assert is_stat(intake.database, key)


def test_a_message_of_very_many_orders_is_refused(intake: MessageIntake) -> None:
    many = ["ORC|NW|P1", *(obr("P1", str(n)) for n in range(201))]
    answer = intake.take(message(msh("ORM^O01"), PID, *many), "HIS")
    assert errors(answer) == [("", "100")]
