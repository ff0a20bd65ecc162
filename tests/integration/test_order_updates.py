"""Messages of one order that come by several connections at once, on each database."""

import threading

from msnode.service.message_intake import MessageIntake
from msnode.store import orders
from msnode.store.database import open_database
from msnode.store.schema import migrate
from tests.hl7_messages import PID, SECRET, add_study, code, errors, message, msh, order


def test_all_that_messages_of_one_order_tell_is_on_record_whichever_comes_first(
    database_url: str,
) -> None:
    database = open_database(database_url)
    migrate(database)
    intake = MessageIntake(database, SECRET, "P", lambda: True)
    key = add_study(database)
    answers: list[bytes | None] = []
    assert code(intake.take(order(), "HIS")) == "AA"
    told = [
        message(msh("ORM^O01", f"s{second}", f"202401151030{second}"), PID, "ORC|SC|PL1^HIS")
        for second in range(10, 18)
    ]
    threads = [
        threading.Thread(target=lambda one=one: answers.append(intake.take(one, "HIS")))
        for one in told
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [code(one) for one in answers] == ["AA"] * 8
    other = order(control="CA", sent="20240116101500", patient=PID.replace("4711", "99"))
    assert errors(intake.take(other, "HIS")) == [("PID^1^3", "204")]
    with database.connect() as connection:
        assert orders.is_stat(connection, key)
        assert len(orders.listed(connection, 9)) == 1
    database.dispose()
