"""Who still sends: written by several threads, and never left open by mistake."""

import threading
import time

import sqlalchemy as sa

from msnode.receive.inbox.senders import Senders
from msnode.store.database import senders
from tests.unit.receive.datasets import rows
from tests.unit.receive.test_studies import KEY


def test_two_writers_leave_no_row_of_an_association_that_was_released(
    engine: sa.Engine,
) -> None:
    """One writes that it is open, slowly; meanwhile it is released and another one writes that."""
    book, is_committing = Senders(engine, "p"), threading.Event()

    def slowly(_: sa.Connection) -> None:
        if threading.current_thread() is first:
            is_committing.set()
            time.sleep(0.2)

    sender = book.begin("MRI1")
    sender.sends(KEY)
    first = threading.Thread(target=book.write)
    sa.event.listen(engine, "commit", slowly)
    first.start()
    is_committing.wait(10)
    sender.end(is_released=True)
    assert book.write()
    first.join()
    sa.event.remove(engine, "commit", slowly)
    assert rows(engine, senders) == []
