"""A host that is cut off in the midst of a transaction does not hold up the others for long."""

import subprocess
import sys
import time

import pytest
import sqlalchemy as sa

from msnode.store.database import hosts, open_database
from msnode.store.schema import migrate
from tests.acceptance import peers
from tests.acceptance.peers import ROOT
from tests.integration.network import cable, is_possible

RELEASED_S = 20.0
SCRIPT = """
import sys, time
from msnode.store.database import hosts, open_database
with open_database(sys.argv[1]).begin() as connection:
    connection.execute(hosts.update().values(seen_at=1.0))
    print("locked", flush=True)
    time.sleep(300)
"""


@pytest.mark.skipif(not is_possible(), reason="network namespaces need root and iproute2")
def test_locks_of_a_host_that_was_cut_off_are_released() -> None:
    with cable() as wire, peers.postgresql(wire.here) as url:
        database = open_database(url)
        migrate(database)
        with database.begin() as connection:
            connection.execute(hosts.insert().values(name="host", seen_at=0.0))
        command = [*wire.command, sys.executable, "-c", SCRIPT, url]
        other = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == "locked\n"
            wire.cut()
            began = time.monotonic()
            with database.begin() as connection:
                connection.execute(sa.text(f"SET lock_timeout = '{RELEASED_S:.0f}s'"))
                connection.execute(hosts.update().values(seen_at=2.0))
            assert 1 < time.monotonic() - began < RELEASED_S
        finally:
            other.kill()
            other.communicate()
        database.dispose()
