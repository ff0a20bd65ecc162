"""Roles as they are kept, and as groups of a directory give them."""

from collections.abc import Iterable, Sequence
from typing import get_args

from msnode.config import Role, RoleOf

ROLES: tuple[Role, ...] = get_args(Role)
"""viewer sees results; clinician also says what is right and wrong; administrator runs the node."""


def joined(roles: Iterable[Role]) -> str:
    """As the database has them."""
    return ",".join(sorted(roles))


def parted(text: str) -> frozenset[Role]:
    """From what the database has; what is none is left out."""
    return frozenset(role for role in ROLES if role in text.split(","))


def granted(groups: Iterable[str], rules: Sequence[RoleOf]) -> frozenset[Role]:
    """What members of these groups may do."""
    mine = set(groups)
    return frozenset(rule.role for rule in rules if rule.group in mine)
