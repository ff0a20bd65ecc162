"""The drawn heads lie where the atlas lies: most tests need no fit, which takes seconds."""

import numpy as np
import pytest

from msnode.lesions import atlas


@pytest.fixture
def as_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fit of the atlas to a drawn head, as it is."""
    monkeypatch.setattr(atlas, "fit", lambda *_: atlas.Fit(np.eye(4), 1.0))
