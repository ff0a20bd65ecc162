"""Scripts, styles and fonts: shipped with the program, nothing from elsewhere."""

from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

HERE = Path(__file__).with_name("static")


class Shipped(StaticFiles):
    """The folder ``static``; browsers keep what they have, and ask whether it still is so."""

    def __init__(self) -> None:
        super().__init__(directory=HERE)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """A file, or 404."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"  # asks by ETag
        return response
