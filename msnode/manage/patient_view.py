"""A patient as a page shows him: state, what is expected, how right that was."""

from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from msnode.config import Config
from msnode.manage.expected_course import courses, forecast_of
from msnode.manage.patient_record import Record, record_under
from msnode.records.timeline import Timeline
from msnode.twin.clinical.events import Event, Provenance
from msnode.twin.course_timeline import timeline
from msnode.twin.expect.forecast import Forecast
from msnode.twin.expect.outlook import Outlook, WhatIf, outlook
from msnode.twin.expect.priors import load_priors
from msnode.twin.expect.score import Summary, summaries
from msnode.twin.expectations import Expectations
from msnode.twin.history import Twin
from msnode.twin.patient_state import PatientState, imaging, state
from msnode.twin.rules.severity import Tables
from msnode.twin.rules.severity_table import load_table


@dataclass(frozen=True, slots=True)
class PatientView:
    """All that is shown of a patient.

    Attributes:
        record: what is on record.
        state: what follows from it.
        forecast: what is believed of him.
        scored: how right that was.
        origins: where each event came from, by its identity.
    """

    record: Record
    state: PatientState
    forecast: Forecast
    scored: tuple[Summary, ...]
    origins: dict[str, list[Provenance]]

    @property
    def ahead(self) -> Outlook:
        """What is expected within twelve months."""
        return outlook(self.forecast)

    @property
    def courses(self) -> list[WhatIf]:
        """Courses that the model draws."""
        return courses(self.forecast, None)

    @property
    def timeline(self) -> Timeline:
        """What is drawn."""
        return timeline(self.state.course, self.forecast)

    def sources(self, event: Event) -> list[Provenance]:
        """Where an event came from; the same content may have come several ways."""
        return self.origins[event.identity]


def view_of(database: sa.Engine, settings: Config, key: str, on: date) -> PatientView:
    """A patient on a day.

    Args:
        database: migrated.
        settings: of the node.
        key: of the patient, see `store.patients`.
        on: the day.

    Raises:
        MsnodeError: a table that the settings name cannot be used.
    """
    priors = load_priors(settings.expect.priors)
    known = Tables(load_table(settings.expect.msss), load_table(settings.expect.armss))
    record = record_under(database, key)
    events = (one.event for one in record.events)
    found = state(events, imaging(record.entries), on, known)
    scored = summaries(Expectations(Twin(database), priors).scored(key))
    origins: dict[str, list[Provenance]] = {}
    for one in record.events:
        origins.setdefault(one.event.identity, []).append(one.provenance)
    return PatientView(record, found, forecast_of(found, priors), scored, origins)
