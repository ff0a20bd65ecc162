"""What this disk takes with the promises that a receiver makes: the floor of `bench/receive.py`.

A file is written, fsynced, renamed into place, and its folder is fsynced, by so many processes at
once, each in a folder of its own, as one study is. Nothing is received, parsed or put on record.

    python -m bench.disk [--files 1000] [--bytes 131500] [--folder ON_THE_DISK]
"""

import argparse
import os
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

WRITERS = (1, 4, 16)


def write(folder: Path, count: int, size: int) -> None:
    """Write files as durably as a receiver must before it answers."""
    content = os.urandom(size)
    descriptor = os.open(folder, os.O_RDONLY)
    for number in range(count):
        part = folder / f"{number}.part"
        file = os.open(part, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
        os.write(file, content)
        os.fsync(file)
        os.close(file)
        part.rename(folder / f"{number}.dcm")
        os.fsync(descriptor)
    os.close(descriptor)


def rate(parent: Path, writers: int, count: int, size: int) -> float:
    """Files a second by so many processes at once, in new folders of ``parent`` that stay.

    Nothing is deleted, as ext4 looks at each inode that was freed in the last minutes before it
    gives out another one: after some thousand deleted files, a new one takes twice the CPU.
    """
    context = get_context("spawn")
    top = Path(tempfile.mkdtemp(dir=parent))
    folders = [top / str(number) for number in range(writers)]
    for folder in (*folders, *(started := [top / f"started {folder.name}" for folder in folders])):
        folder.mkdir()
    tasks = [(folder, count // writers, size) for folder in folders]
    with context.Pool(writers) as pool:
        pool.starmap(write, [(folder, 1, 1) for folder in started])
        os.sync()
        start = time.perf_counter()
        pool.starmap(write, tasks, chunksize=1)
        return (count // writers) * writers / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--bytes", type=int, default=131_500)
    parser.add_argument("--folder", type=Path, default=None, help="on the disk to be measured")
    arguments = parser.parse_args()
    print(f"{arguments.files} files of {arguments.bytes} bytes")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for writers in WRITERS:
            found = rate(Path(folder), writers, arguments.files, arguments.bytes)
            print(f"{writers:>3} writer(s) {found:>8.0f} files/s")


if __name__ == "__main__":
    main()
