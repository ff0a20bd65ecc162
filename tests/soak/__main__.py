"""Run nodes for as long as told, with random studies and faults, and reconcile at the end.

    make soak MINUTES=30            or  python -m tests.soak --minutes 30 --seed 7

Exit status 0: sent = received = results, nothing twice, memory and file handles flat.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from msnode.engine.jobs import OPEN, Jobs
from msnode.store.database import open_database, studies
from tests.acceptance.peers import tool
from tests.acceptance.small_model import small_model
from tests.integration.disk import Disk, is_possible
from tests.soak.reconcile import Account, reconcile
from tests.soak.scanner import Scanner, Truth
from tests.soak.site import Site, faults
from tests.soak.watch import Trend, Watch, trend

SAY_S = 10.0
SAMPLE_S = 2.0
BACKLOG = 6  # studies without a result, beyond which the scanners wait
SIZE = 64 << 30  # of the nodes' disk, bytes; it takes 100 MB a minute at most
SETTLE_S = 1200.0  # for what is still open at the end

console = Console(highlight=False)


@dataclass
class Soak:
    """A run."""

    site: Site
    dice: random.Random
    calm_s: tuple[float, float]
    truth: Truth = field(default_factory=Truth)
    watch: Watch = field(default_factory=Watch)
    happened: list[str] = field(default_factory=list)
    backlog: int = 0
    end: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None

    def break_things(self) -> None:
        """One fault after the other, at random, with calm between them; all mended at the end."""
        possible = faults(self.site)
        bag: list[str] = []
        while not self.end.wait(self.dice.uniform(*self.calm_s)):
            bag = bag or self.dice.sample(sorted(possible), len(possible))
            name = bag.pop()
            self.say(f"fault: {name}")
            try:
                possible[name](self.site, self.dice)
            except BaseException as error:
                self.error = error
                self.end.set()
                self.say(f"[red]the soak cannot go on:[/red] {error}")
                raise
            self.happened.append(name)

    def look(self) -> None:
        """Sample the nodes and count the studies that wait for their results."""
        database = open_database(self.site.url)
        due = 0.0
        while not self.end.wait(SAMPLE_S):
            for node in self.site.nodes:
                if node.process is not None and node.process.poll() is None:
                    self.watch.look(node.folder.name, node.process.pid)
            self.backlog = count_open(database, self.backlog)
            if time.monotonic() > due:
                due = time.monotonic() + SAY_S
                self.say(self.state())
        database.dispose()

    def state(self) -> str:
        """One line for whoever watches."""
        images = sum(len(found) for found in self.truth.acknowledged.values())
        now = self.watch.last().items()
        memory = "  ".join(f"{name} {s.rss_mb:.0f} MB {s.files} files" for name, s in now)
        return (
            f"studies {len(self.truth.acknowledged)} sent, {self.backlog} open"
            f"  images {images} acknowledged  faults {len(self.happened)}  {memory}"
        )

    def say(self, what: str) -> None:
        """Print a line with the time."""
        console.print(f"{time.strftime('%H:%M:%S')}  {what}", soft_wrap=True)


def count_open(database: sa.Engine, otherwise: int) -> int:
    """Studies without their result; the old count while the database is away."""
    query = sa.select(sa.func.count()).where(studies.c.state != "done")
    try:
        with database.connect() as connection:
            return connection.scalar(query) or 0
    except sa.exc.DBAPIError:
        return otherwise


def settle(site: Site, soak: Soak) -> bool:
    """Wait until every study is done and every job has ended."""
    database = open_database(site.url)
    jobs = Jobs(database)
    deadline = time.monotonic() + SETTLE_S
    quiet = 0
    while quiet < 3 and time.monotonic() < deadline:
        time.sleep(SAMPLE_S)
        waiting = count_open(database, 1) + len(jobs.list(OPEN))
        quiet = 0 if waiting else quiet + 1
    soak.happened += [f"dead job {job.id}" for job in jobs.list(("dead",))]
    database.dispose()
    return quiet == 3


def run(soak: Soak, minutes: float, folder: Path, seed: int, scanners: int) -> None:
    """Send and break for some minutes, then mend, stop sending and let it settle."""
    senders = [
        Scanner(
            f"scanner-{seed}-{n}", folder / "sent", soak.site.ports, soak.truth,
            lambda: soak.backlog < BACKLOG,
        )
        for n in range(scanners)
    ]  # fmt: skip
    breaker = threading.Thread(target=soak.break_things, name="faults")
    watcher = threading.Thread(target=soak.look, name="watch", daemon=True)
    for thread in (*senders, breaker, watcher):
        thread.start()
    soak.end.wait(minutes * 60)
    for sender in senders:
        sender.stop()
    for sender in senders:
        sender.join()
    soak.end.set()
    breaker.join()
    soak.say("no more studies, no more faults: waiting for the last results")
    for error in (*(sender.error for sender in senders), soak.error):
        if error is not None:
            raise RuntimeError("the soak itself failed") from error


def report(soak: Soak, account: Account, growth: Trend) -> None:
    """The table at the end."""
    table = Table("what", "count", title="Reconciliation", title_justify="left")
    for what, figure in account.figures.items():
        mark = "[red]" if what in account.problems else ""
        table.add_row(f"{mark}{what}", f"{mark}{figure}")
    console.print(table)
    kinds = [f"{kind} {count}" for kind, count in sorted(soak.truth.kinds.items())]
    console.print(f"Studies: {', '.join(kinds)}.", soft_wrap=True)
    answers = [f"{answer} {count}" for answer, count in sorted(soak.truth.answers.items())]
    console.print(f"Answers to C-STORE: {', '.join(answers)}.", soft_wrap=True)
    names = sorted(set(soak.happened))
    broken = [f"{name} {soak.happened.count(name)}" for name in names]
    console.print(f"Faults: {', '.join(broken)}.", soft_wrap=True)
    console.print(
        f"{growth.name}, {growth.minutes:.0f} min, second quarter to last: memory "
        f"{growth.rss_mb[0]:.0f} to {growth.rss_mb[1]:.0f} MB ({growth.mb_per_hour:+.1f} MB/h), "
        f"files {growth.files[0]:.0f} to {growth.files[1]:.0f}, "
        f"threads {growth.threads[0]:.0f} to {growth.threads[1]:.0f}.",
        soft_wrap=True,
    )
    for what, first in account.problems.items():
        console.print(f"[red]{what}:[/red] {'; '.join(first)}", soft_wrap=True)


def soak(
    folder: Path,
    minutes: float,
    seed: int,
    nodes: int = 2,
    scanners: int = 3,
    calm_s: tuple[float, float] = (10.0, 30.0),
    bundle: Path | None = None,
) -> tuple[Account, Trend]:
    """A whole run; several nodes share a PostgreSQL, one has SQLite."""
    model = {"bundle": str(bundle or small_model(folder / "model"))}
    with ExitStack() as stack:
        disk = None
        if is_possible():
            disk = Disk(folder / "disk", folder / "mounted", tool, SIZE)
            stack.callback(disk.unmount)
        site = Site(folder / "site", nodes, nodes > 1, model, disk)
        stack.callback(site.stop)
        site.start()
        running = Soak(site, random.Random(seed), calm_s)
        running.say(f"{nodes} node(s) ready, seed {seed}, {minutes:g} minutes")
        run(running, minutes, folder, seed, scanners)
        settled = settle(site, running)
        database = open_database(site.url)
        account = reconcile(running.truth, database, site.data, site.pacs)
        database.dispose()
        account.expect("jobs that never ended", set() if settled else {"see msnode jobs list"})
        account.expect("processes left behind by a dead node", site.orphans)
        account.expect("dead jobs", {name for name in running.happened if "dead job" in name})
        growth = trend(*running.watch.longest())
        account.expect(
            "memory or file handles that grow", {1} if growth.is_flat is False else set()
        )
        report(running, account, growth)
    return account, growth


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--nodes", type=int, default=2, help="1: on SQLite (default 2)")
    parser.add_argument("--scanners", type=int, default=3, help="studies at once (default 3)")
    parser.add_argument("--bundle", type=Path, help="of the model (default: a small untrained one)")
    parser.add_argument("--folder", type=Path, help="new; kept, with all logs (default: a new one)")
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="msnode-soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    account, _ = soak(
        folder,
        arguments.minutes,
        arguments.seed,
        arguments.nodes,
        arguments.scanners,
        bundle=arguments.bundle,
    )
    console.print(f"Logs: {folder}")
    sys.exit(1 if account.problems else 0)


if __name__ == "__main__":
    main()
