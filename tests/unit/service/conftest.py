"""An intake of HL7 v2 messages over an empty database."""

import pytest
import sqlalchemy as sa

from msnode.service.message_intake import MessageIntake
from tests.hl7_messages import SECRET


@pytest.fixture
def intake(database: sa.Engine) -> MessageIntake:
    return MessageIntake(database, SECRET, "P", lambda: True)
