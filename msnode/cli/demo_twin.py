"""The twin of `msnode demo`: an invented patient's three visits and what a clinic knows of her."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from rich.box import SIMPLE
from rich.table import Table

from msnode import config
from msnode.cli.twin_outlook import draw
from msnode.cli.twin_record import account, opened, record_of
from msnode.errors import MsnodeError
from msnode.manage.expected_course import forecast_of
from msnode.sample.invented_visits import EVENTS, PATIENT_ID, VISITS
from msnode.twin import Twin
from msnode.twin.clinical.event_csv import RefusedRow
from msnode.twin.clinical.event_hl7 import MergeRow
from msnode.twin.clinical.event_import import import_events
from msnode.twin.expect.outlook import Expectation, outlook
from msnode.twin.expect.priors import load_priors
from msnode.twin.expect.score import Scored
from msnode.twin.expectations import Expectations
from msnode.twin.patient_state import PatientState, imaging, state

INVENTED = (
    "All of this patient is invented. The last scan is that of the woman above; the earlier two "
    f"are the same scan with {VISITS[0].taken_out} and {VISITS[1].taken_out} of its lesions taken "
    "out; dates, EDSS, relapse and treatments are made up. It shows what a twin is, and measures "
    "nothing."
)

COLUMNS = ("visit", "lesions", "ml", "new since the visit before")


@dataclass(frozen=True)
class Followed:
    """What the node says of the patient's course.

    Attributes:
        found: the state on the day of the last visit.
        ahead: what is expected within twelve months.
        scored: how right the expectations of the visits were.
        picture: the course, as PNG.
    """

    found: PatientState
    ahead: tuple[Expectation, ...]
    scored: tuple[Scored, ...]
    picture: Path

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The visits, in the order of `COLUMNS`."""
        for one in self.found.imaging:
            new = "" if one.new is None else str(one.new)
            ml = "" if one.lesion_ml is None else f"{one.lesion_ml:.1f}"
            yield str(one.day), str(one.lesion_count), ml, new

    def table(self) -> Table:
        """The visits at a terminal."""
        table = Table(box=SIMPLE, pad_edge=False)
        for name in COLUMNS:
            table.add_column(name, overflow="fold")
        for row in self.rows():
            table.add_row(*row)
        return table

    def sentences(self) -> Iterator[str]:
        """What is expected, and how right it was."""
        new, load, edss = self.ahead
        a, b = new.expected, load.expected
        yield (
            f"Within the next twelve months, in 80 of 100 such patients: {a.low:.0f} to "
            f"{a.high:.0f} new lesions, a load of {b.low:.1f} to {b.high:.1f} ml, an EDSS of "
            f"{edss.expected.low:.1f} to {edss.expected.high:.1f}."
        )
        held = sum(one.covered >= 0.5 for one in self.scored)
        yield (
            f"Before each visit, the node had put on record what it expects of it: of "
            f"{len(self.scored)} numbers that came, {held} lay within the 80 % interval. So few "
            "show nothing but how it is done."
        )


def tell(config_file: Path) -> None:
    """Put on record what a clinic knows of the patient.

    Raises:
        MsnodeError: the file of the package was refused.
    """
    with opened(config.load(config_file)) as node:
        import_events(node.database, node.secret, EVENTS, account(), _refuse, _refuse)


def _refuse(row: RefusedRow | MergeRow) -> None:
    raise MsnodeError(f"line {row.line} of the invented events was refused")


def follow(config_file: Path, picture: Path) -> Followed:
    """What the node has on record of the patient by now.

    Args:
        config_file: of the node.
        picture: gets the course as PNG.
    """
    settings = config.load(config_file)
    priors = load_priors(settings.expect.priors)
    with opened(settings) as node:
        record = record_of(node, PATIENT_ID, "")
        scored = Expectations(Twin(node.database), priors).scored(record.key)
    on = date.fromisoformat(VISITS[-1].identity.study_date)
    found = state((one.event for one in record.events), imaging(record.entries), on)
    told = forecast_of(found, priors)
    draw(found, told, picture)
    ahead = outlook(told)
    return Followed(found, (ahead.new_lesions, ahead.load, ahead.edss), tuple(scored), picture)
