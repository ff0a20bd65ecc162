"""Rules that need no training: each a pure function of a patient's course."""

from datetime import date

from msnode.twin.clinical.course import Course
from msnode.twin.rules.activity import disease_duration, neda3, relapse_rate
from msnode.twin.rules.disability import pira, raw, worsening
from msnode.twin.rules.dissemination import in_space, in_time
from msnode.twin.rules.rule_result import RuleResult
from msnode.twin.rules.severity import Tables, severity
from msnode.twin.rules.treatment_response import magnims, modified_rio

__all__ = ["all_rules"]


NO_TABLES = Tables()


def all_rules(course: Course, on: date, tables: Tables = NO_TABLES) -> tuple[RuleResult, ...]:
    """What every rule says of a patient on a day."""
    return (
        disease_duration(course, on),
        relapse_rate(course),
        worsening(course, 12),
        worsening(course, 24),
        pira(course),
        raw(course),
        neda3(course),
        modified_rio(course, on),
        magnims(course, on),
        in_space(course),
        in_time(course),
        *severity(course, tables),
    )
