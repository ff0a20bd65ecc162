"""What readers say a study is, as far as they have said it."""

from collections.abc import Iterable, Mapping

from msnode.records.feedback import Feedback, standing


def truths(said: Iterable[Feedback], outcomes: Mapping[tuple[str, int], str]) -> dict[str, bool]:
    """Whether studies are MS, by their keys; those of which readers say both are left out.

    A reader who agrees with a result says what it says; one who says that the lesions have another
    cause says that it is not. All else says nothing of the study as a whole.

    Args:
        said: of any study.
        outcomes: of results, by study and generation.
    """
    found: dict[str, set[bool]] = {}
    for one in standing(said):
        told = _told(one, outcomes.get((one.study_key, one.generation), ""))
        if told is not None:
            found.setdefault(one.study_key, set()).add(told)
    return {key: told.pop() for key, told in found.items() if len(told) == 1}


def _told(one: Feedback, outcome: str) -> bool | None:
    if one.kind == "not_ms":
        return False
    if one.kind == "agree" and outcome in ("present", "absent"):
        return outcome == "present"
    return None
