"""Sentences for people: a code and values, put into words in any language, where they are read.

The words are in ``phrases/<language>.toml``, one line a code. Who reads a `Sentence` without
asking for a language (a log, the command line, another program) gets English. Text without a
code, as older versions stored it, stays as it is.
"""

import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias, Union

LANGUAGES = Path(__file__).with_name("languages")

Value: TypeAlias = Union[str, float, "Sentence", Sequence["Value"]]
"""What fills a placeholder; several are put one after the other, with a separator."""


@cache
def phrases(language: str) -> dict[str, str]:
    """Every phrase of a language (ISO 639-1), a format string by its code."""
    found: dict[str, str] = tomllib.loads((LANGUAGES / f"{language}.toml").read_text("utf-8"))
    return found


def words(code: str, language: str, **values: Value) -> str:
    """A phrase with its placeholders filled.

    Raises:
        KeyError: no such phrase, or a placeholder has no value.
    """
    filled = {name: shown(value, language) for name, value in values.items()}
    return phrases(language)[code].format(**filled)


class Sentence(str):
    """A sentence that can be said in every language; as a str it is English."""

    code: str
    values: dict[str, Value]

    def __new__(cls, code: str, /, **values: Value) -> "Sentence":
        """Put it into English.

        Args:
            code: of a phrase.
            values: what fills its placeholders.

        Raises:
            KeyError: see `words`.
        """
        made = super().__new__(cls, words(code, "en", **values))
        made.code, made.values = code, values
        return made

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Value]]:
        return (self.code,), self.values


Text: TypeAlias = str | Sentence
"""A sentence, or words that stand as they are."""


def listed(texts: Sequence[Text]) -> Text:
    """Texts with commas between them.

    Args:
        texts: one at least.
    """
    first, *rest = texts
    return Sentence("listed", first=first, rest=listed(rest)) if rest else first


def joined(texts: Sequence[Text]) -> Text:
    """Texts one after the other, with the separator of the language; "" for none."""
    return Sentence("all_of", parts=texts) if texts else ""


def to(text: Text, language: str) -> str:
    """A text in a language; words without a code stay as they are."""
    return words(text.code, language, **text.values) if isinstance(text, Sentence) else text


def to_json(value: Value) -> Any:
    """A text or a value of one as plain JSON; a sentence with its English, for people."""
    if isinstance(value, Sentence):
        values = {name: to_json(one) for name, one in value.values.items()}
        return {"code": value.code, "values": values, "text": str(value)}
    return value if isinstance(value, str | int | float) else [to_json(one) for one in value]


def from_json(raw: Any) -> Any:
    """What `to_json` wrote; a sentence that this version cannot say any more in English."""
    if isinstance(raw, list):
        return [from_json(one) for one in raw]
    if not isinstance(raw, dict):
        return raw
    try:
        return Sentence(
            raw["code"], **{name: from_json(one) for name, one in raw["values"].items()}
        )
    except KeyError:
        return str(raw["text"])


class _Comma(float):
    """A number that is written with a decimal comma."""

    def __format__(self, spec: str) -> str:
        return super().__format__(spec).replace(".", ",")


def shown(value: Value, language: str) -> str | float:
    """A value as the format strings of a language take it."""
    if isinstance(value, str):
        return to(value, language)
    if isinstance(value, float):
        return value if language == "en" else _Comma(value)
    if isinstance(value, int):
        return value
    return phrases(language)["separator"].join(str(shown(one, language)) for one in value)
