"""Which images of a study are news: worth a result, and in none yet."""

from typing import Any

import sqlalchemy as sa

from msnode.receive.dicom.sop_classes import MR, PICTURES, Analysed
from msnode.receive.inbox.senders import unreleased
from msnode.store.database import instances, studies


def with_news(analysed: Analysed, which: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Studies with images not in any generation, with when these came: ``oldest``, ``newest``.

    ``latest``: the highest ``id`` of them, which tells whether more have come. ``surely``: whether
    some of them are to be analysed whatever their headers say; ``unreleased``: see
    `senders.unreleased`. ``studies.last_at`` is brought up to date only when a study is queued: an
    update for every image would cost a third of the time to receive it.

    Args:
        analysed: images that make a study worth analysing.
        which: of the columns of ``studies``.
    """
    columns = instances.c
    surely = columns.sop_class_uid.in_(analysed.surely)
    keys = sa.select(studies.c.study_key).where(which)
    news = (
        sa.select(
            columns.study_key,
            sa.func.min(columns.received_at).label("oldest"),
            sa.func.max(columns.received_at).label("newest"),
            sa.func.max(columns.id).label("latest"),
            sa.func.max(sa.case((surely, 1), else_=0)).label("surely"),
        )
        .where(columns.study_key.in_(keys), columns.generation.is_(None), ~columns.conflict)
        .where(sa.or_(surely, _by_header(analysed)) if analysed.by_header else surely)
        .group_by(columns.study_key)  # in the order of the index: half a million are not sorted
        .subquery()
    )
    found = sa.select(studies, *(column for column in news.c if column.key != "study_key"))
    beside = news.c.study_key == studies.c.study_key
    return found.add_columns(unreleased().label("unreleased")).join_from(studies, news, beside)


def _by_header(analysed: Analysed) -> sa.ColumnElement[bool]:
    """Images that may show what is analysed; beside MR images they are something else."""
    beside = instances.alias()
    has_mr = sa.exists().where(
        beside.c.study_key == instances.c.study_key, beside.c.sop_class_uid.in_(MR)
    )
    return sa.and_(instances.c.sop_class_uid.in_(analysed.by_header), ~has_mr)


def number_of_conflicts(key: str, generation: int) -> sa.Select[Any]:
    """How many images of a study had more than one content, up to a generation."""
    columns = instances.c
    return sa.select(sa.func.count(columns.sop_instance_uid.distinct())).where(
        columns.study_key == key,
        columns.generation <= generation,
        columns.conflict,
        columns.sop_class_uid.in_(MR | PICTURES),
    )
