"""Who a request comes from, and whether he may."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from msnode.config import Role
from msnode.pages.access.csrf import refuse_forged
from msnode.pages.access.sessions import current
from msnode.pages.frame.problems import Forbidden, LoginNeeded


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who has logged in.

    Attributes:
        account: his name.
        roles: what he may do; a clinician may see all that a viewer sees.
        csrf: token that his forms carry.
        study_key: that and its patient's record alone he may see, as he came by a link; else None.
    """

    account: str
    roles: frozenset[Role]
    csrf: str
    study_key: str | None = None

    def may(self, role: Role) -> bool:
        """Whether he has a role, or one that includes it."""
        return role in self.roles or (role == "viewer" and "clinician" in self.roles)


async def visitor_of(request: Request) -> Visitor:
    """Who a request comes from.

    Raises:
        LoginNeeded: nobody that is known.
        Forbidden: it changes something, and comes from another site's page.
    """
    session = await current(request)
    if session is None:
        raise LoginNeeded
    await refuse_forged(request, session.csrf)
    visitor = Visitor(session.account, session.roles, session.csrf, session.study_key)
    request.state.visitor = visitor
    return visitor


def having(*roles: Role) -> Callable[[Request], Awaitable[Visitor]]:
    """A dependency: a visitor who has one of these roles."""

    async def allowed(request: Request) -> Visitor:
        visitor = await visitor_of(request)
        if not any(visitor.may(role) for role in roles):
            raise Forbidden
        return visitor

    return allowed


AnyVisitor = Annotated[Visitor, Depends(visitor_of)]
Administrator = Annotated[Visitor, Depends(having("administrator"))]
Viewer = Annotated[Visitor, Depends(having("viewer"))]
Clinician = Annotated[Visitor, Depends(having("clinician"))]
