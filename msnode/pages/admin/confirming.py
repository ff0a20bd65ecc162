"""A change is made when somebody has read what it does and said yes; without script, too."""

from collections.abc import Mapping, Sequence

from fastapi import Request, Response

from msnode.pages.frame.rendering import render


def ask_first(
    request: Request,
    phrase: str,
    values: Mapping[str, str | int],
    back: str,
    fields: Sequence[tuple[str, str]] = (),
) -> Response:
    """A page that says what a form would do, and sends it again with ``confirmed``.

    Args:
        request: with the form; it is sent to the same path.
        phrase: what happens, in the section ``admin``; its title is the one with ``_title``.
        values: for the phrase.
        back: where to go instead.
        fields: of the form, to be sent again.
    """
    return render(
        request, "admin/confirm.html", phrase=phrase, values=values, back=back, fields=fields
    )
