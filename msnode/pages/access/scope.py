"""What a visitor who came by a link may see."""

from msnode.pages.access.visitor import Visitor
from msnode.pages.frame.problems import NotFound


def may_see(visitor: Visitor, study_key: str) -> None:
    """Refuse a study that the link of a visitor did not open.

    Raises:
        NotFound: so it is; whether there is such a study is not told.
    """
    if visitor.study_key is not None and visitor.study_key != study_key:
        raise NotFound
