"""The work of shadow bundles: one study at a time, while the node has nothing else to do.

It runs in a process of its own (`msnode shadow work`), and each study in a confined process of its
own. A study that comes to the node ends what is under way within a moment; it is begun anew later.
"""

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa

from msnode.config import Config, Decode, Shadow
from msnode.confined import Confined
from msnode.errors import Crashed, MsnodeError, TryLater
from msnode.receive.inbox.studies import Studies
from msnode.records.sentences import Sentence
from msnode.service.shadow_opinion import (
    PRELOADED,
    ShadowOpinion,
    describe_bundle,
    shadow_opinion,
)
from msnode.store import shadow_results
from msnode.store.for_reading import for_reading
from msnode.store.shadow_results import ShadowModel, State, Turn

log = logging.getLogger(__name__)

FOLDER = "shadow"
"""In the data folder: what is prepared of the study under way."""
LOOK_S = 0.25
"""Between looks whether the node has something to do: so long a shadow may be in its way."""
REST_S = 2.0
"""Between looks for new results."""
BACK_S = 3600.0
"""So old results are looked for each time; older ones once an hour."""


class ShadowWorker:
    """Asks the shadows.

    Args:
        config: of the node.
        database: migrated.

    Attributes:
        rest_s: between looks for something to do.
    """

    rest_s = REST_S

    def __init__(self, config: Config, database: sa.Engine) -> None:
        self._config = config
        self._database = database
        self._reading = for_reading(database)
        self._studies = Studies(database, config.data)
        self._shadows = {one.name: one for one in config.classify.shadow}
        self._models: tuple[ShadowModel, ...] = ()
        self._stopping = threading.Event()
        self._all_at = 0.0

    def start(self) -> None:
        """Learn what the bundles are, and give back what the last run left."""
        self._models = tuple(filter(None, map(self._described, self._shadows.values())))
        for left in self._place.glob(f"*/{self._config.name}"):
            _remove(left)
        with self._database.begin() as connection:
            again = shadow_results.recover(connection, self._config.name)
        if again:
            log.warning("shadow studies begun and not ended: they wait again number=%d", again)

    def run(self) -> None:
        """Work until stopped; a database that is away is waited for."""
        while not self._stopping.is_set():
            try:
                did = self.round()
            except sa.exc.SQLAlchemyError as error:
                log.warning("shadows wait for the database error=%s", type(error).__name__)
                did = False
            if not did:
                self._stopping.wait(self.rest_s)

    def stop(self) -> None:
        """End what is under way; it is begun anew at the next start."""
        self._stopping.set()

    def round(self) -> bool:
        """Enter what is new and ask for one study; returns whether there was one."""
        if self._is_busy():
            return False
        self._enter()
        with self._database.begin() as connection:
            turn = shadow_results.take(connection, self._models, self._config.name)
        if turn is None:
            return False
        try:
            self._settle(turn)
        except TryLater:
            with self._database.begin() as connection:
                shadow_results.give_back(connection, turn)
            return False
        return True

    @property
    def _place(self) -> Path:
        return self._config.data / FOLDER

    def _described(self, shadow: Shadow) -> ShadowModel | None:
        """A shadow's model; one that cannot be used keeps no other from its turn."""
        limits = Decode(memory_bytes=shadow.memory_bytes, time_s=shadow.time_s)
        try:
            keys = self._config.models.keys
            task = (describe_bundle, shadow.name, shadow.bundle, keys)
            return Confined(limits, PRELOADED).call(ShadowModel, *task)
        except MsnodeError as error:
            log.error("shadow=%s cannot be used: %s", shadow.name, error)
            return None

    def _is_busy(self) -> bool:
        """Whether the node has something to do."""
        with self._reading.connect() as connection:
            return shadow_results.is_busy(connection, self._config.complete.quiet_s)

    def _enter(self) -> None:
        """Give new results their place in the queue; the oldest beyond its bound lose theirs."""
        now = time.time()
        since = now - BACK_S if now < self._all_at + BACK_S else 0.0
        most = self._config.classify.shadow_backlog
        entered = 0
        for model in self._models:
            with self._database.begin() as connection:
                entered += shadow_results.enter(connection, model, since)
                dropped = shadow_results.drop_beyond(connection, model, most, self._config.name)
            if dropped:
                log.warning("shadow=%s not compared, as too many waited number=%d",
                            model.name, dropped)  # fmt: skip
        if not since and not entered:
            self._all_at = now

    def _settle(self, turn: Turn) -> None:
        """Ask a shadow, and put on record what it says.

        Raises:
            TryLater: something came in between.
        """
        try:
            said = self._asked(turn)
        except TryLater:
            raise
        except LookupError:
            self._end(turn, State.GONE, "the images were deleted by retention")
        except (MsnodeError, OSError) as error:
            self._end(turn, State.FAILED, _why(error))
        else:
            self._compared(turn, said)

    def _asked(self, turn: Turn) -> ShadowOpinion:
        """What a shadow says of a study.

        Raises:
            LookupError: its images are gone.
            TryLater: it was ended, as a study came or this process is to stop.
        """
        study = self._studies.study(turn.study_key, turn.generation)
        if study.is_partial:
            raise LookupError(turn.study_key)
        shadow = self._shadows[turn.shadow]
        limits = Decode(memory_bytes=shadow.memory_bytes, time_s=shadow.time_s)
        confined = Confined(limits, PRELOADED)
        batch = self._config.classify.batch
        with self._folder(turn) as folder, _making_room(confined, self._is_in_the_way):
            work = self._config.data / "work" / turn.study_key / str(turn.generation)
            task = (shadow_opinion, folder, study.paths, shadow.bundle, batch, work)
            try:
                return confined.call(ShadowOpinion, *task)
            except FileNotFoundError as error:  # deleted while it was read
                raise LookupError(turn.study_key) from error

    @contextmanager
    def _folder(self, turn: Turn) -> Iterator[Path]:
        """Where the study is prepared; nothing of it stays."""
        folder = self._place / turn.study_key / self._config.name
        _remove(folder)
        folder.mkdir(mode=0o700, parents=True)
        try:
            yield folder
        finally:
            _remove(folder)

    def _is_in_the_way(self) -> bool:
        """Whether what is under way has to make room."""
        if self._stopping.is_set():
            return True
        try:
            return self._is_busy()
        except sa.exc.SQLAlchemyError:
            return True  # who has no database needs the machine to itself

    def _compared(self, turn: Turn, said: ShadowOpinion) -> None:
        with self._database.begin() as connection:
            shadow_results.settle(
                connection, turn, State.COMPARED, outcome=said.outcome,
                probability=said.probability, seconds=said.seconds, detail=str(said.reason or ""),
            )  # fmt: skip
        place = turn.shadow, turn.study_key, turn.generation
        log.info("shadow=%s study=%s generation=%d seconds=%.1f", *place, said.seconds)

    def _end(self, turn: Turn, state: State, why: str) -> None:
        with self._database.begin() as connection:
            shadow_results.settle(connection, turn, state, detail=why)
        place = turn.shadow, turn.study_key, turn.generation
        log.warning("shadow=%s study=%s generation=%d not compared: %s", *place, state)


def _why(error: MsnodeError | OSError) -> str:
    """What went wrong, in words."""
    if isinstance(error, Crashed) and isinstance(error.reason, Sentence):
        return str(error.reason.values.get("why", error.reason))
    return str(error) or type(error).__name__


def _remove(folder: Path) -> None:
    """Delete a folder, and the study's, unless another host works there."""
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        folder.parent.rmdir()


@contextmanager
def _making_room(confined: Confined, is_in_the_way: Callable[[], bool]) -> Iterator[None]:
    """End a confined call once it is in the way; it raises `TryLater` then."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(LOOK_S):
            if is_in_the_way():
                confined.stop()
                return

    watching = threading.Thread(target=watch, name="make room", daemon=True)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()
