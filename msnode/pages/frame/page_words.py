"""The words of the pages in five languages, beside those of the results (`records.sentences`)."""

import tomllib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from fastapi import Request

from msnode.records import sentences
from msnode.records.sentences import Text, Value

PHRASES = Path(__file__).with_name("phrases")
COOKIE = "msnode-language"
Language = Literal["en", "de", "fr", "es", "nl"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
NAMES: dict[Language, str] = {
    "en": "English", "de": "Deutsch", "fr": "Français", "es": "Español", "nl": "Nederlands",
}  # fmt: skip


@cache
def page_phrases(language: Language) -> dict[str, str]:
    """Every phrase of the pages, by ``section.code``; a section is a folder of ``phrases``."""
    return {
        f"{path.parent.name}.{code}": phrase
        for path in PHRASES.glob(f"*/{language}.toml")
        for code, phrase in tomllib.loads(path.read_text("utf-8")).items()
    }


class PageWords:
    """What a template calls: ``t("admin.title")``, ``t("present")``, ``t.text(sentence)``.

    Attributes:
        language: ISO 639-1.
    """

    def __init__(self, language: Language) -> None:
        self.language = language

    @property
    def languages(self) -> list[tuple[Language, str]]:
        """To choose from, each by its own name."""
        return list(NAMES.items())

    def __call__(self, code: str, **values: Value) -> str:
        """A phrase of the pages, or, without a section, one that the results have, too.

        Raises:
            KeyError: no such phrase, or a placeholder has no value.
        """
        if "." not in code:
            return sentences.words(code, self.language, **values)
        filled = {name: sentences.shown(value, self.language) for name, value in values.items()}
        return page_phrases(self.language)[code].format(**filled)

    def text(self, text: Text | float) -> str:
        """A sentence of a result, or a number."""
        return format(sentences.shown(text, self.language))

    def texts(self, texts: Sequence[Text]) -> str:
        """Several, one after the other."""
        return self.text(sentences.joined(texts))

    def number(self, value: float, digits: int = 1) -> str:
        """With the decimal sign of the language."""
        told = f"{value:.{digits}f}"
        return told if self.language == "en" else told.replace(".", ",")

    def day(self, value: date | None) -> str:
        """ISO 8601, which is the same in all of them."""
        return "" if value is None else value.isoformat()

    def time(self, at: float) -> str:
        """A moment (unix s), for an element ``time``; the browser shows it in its own zone."""
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def language_of(request: Request, default: Language) -> Language:
    """What the reader chose, or the first of the browser's that we have."""
    wished = [request.cookies.get(COOKIE, "")]
    wished += [
        one.partition(";")[0].strip()[:2].lower()
        for one in request.headers.get("accept-language", "").split(",")
    ]
    return next((known for one in wished for known in LANGUAGES if one == known), default)
