"""How the node behaves as things grow: larger studies and objects, a longer queue, more senders.

Nothing that was received is deleted before the end of the whole run: on ext4 it takes twice the
processor to create files where many were deleted in the last minutes, as the kernel looks at each
of their inodes (`recently_deleted`, fs/ext4/ialloc.c). For the same reason let some minutes pass
after another run, or after anything else that deletes much on that disk.

    python -m bench.growth [images enhanced waiting inbox associations] [--scale 1]
        [--out build/growth] [--folder ON_THE_DISK]
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.growth import associations, enhanced, images, inbox, waiting
from bench.growth.figures import Found, markdown, plot
from bench.receive import machine

PARTS: dict[str, tuple[Callable[[Path, float], Found], float]] = {
    "images": (images.measure, 8.0),
    "enhanced": (enhanced.measure, 22.0),
    "waiting": (waiting.measure, 1.5),
    "inbox": (inbox.measure, 7.0),
    "associations": (associations.measure, 7.0),
}
"""Each with the GB that it leaves on the disk at scale 1."""
SPARE_GB = 5.0


def refuse_without_room(folder: Path, parts: list[str], scale: float) -> None:
    """Say so where the disk has too little room for all parts.

    Raises:
        SystemExit: with what they need.
    """
    needed = scale * sum(PARTS[name][1] for name in parts) + SPARE_GB
    free = shutil.disk_usage(folder).free / 1e9
    if free < needed:
        what = f"{free:.0f} GB free, {needed:.0f} needed"
        raise SystemExit(f"{folder}: {what}; take a smaller --scale, or fewer parts")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--scale", type=float, default=1.0, help="of all sizes; 0.1: a quick look")
    parser.add_argument("--out", type=Path, default=Path("build/growth"), help="for the pictures")
    parser.add_argument("--folder", type=Path, default=None, help="on the disk to be measured")
    arguments = parser.parse_args()
    parts = arguments.parts or list(PARTS)
    if unknown := set(parts) - PARTS.keys():
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    for tool in ("dcmsend", "echoscu"):
        if shutil.which(tool) is None:
            raise SystemExit(f"{tool} is missing: apt-get install dcmtk")
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        refuse_without_room(Path(name), parts, arguments.scale)
        print(f"{machine()}, {time.strftime('%d %B %Y')}, scale {arguments.scale:g}\n", flush=True)
        for part in parts:
            folder = Path(name) / part
            folder.mkdir()
            found = PARTS[part][0](folder, arguments.scale)
            print(markdown(found), flush=True)
            plot(found, arguments.out / f"{part}.png")


if __name__ == "__main__":
    main()
