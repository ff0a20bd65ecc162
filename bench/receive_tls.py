"""Images per second received by TLS, beside the same without, on the machine at hand.

The images of `bench/receive.py`, sent by dcmtk's storescu, as its dcmsend knows no TLS. Both sides
show a certificate of 2048 bit RSA. storescp, whose files are fsynced as they are closed, is the
peer.

    python -m bench.receive_tls [--images 1000] [--repeats 3]
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import servers
from bench.receive import Measured, listen, machine, make_images, received
from msnode import config

ASSOCIATIONS = (1, 4)
SENDER = ("/usr/bin/storescu", "-q")


def certificates(folder: Path) -> config.Tls:
    """A self-signed certificate that both sides show and trust."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "crt.pem"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return config.Tls(folder / "crt.pem", folder / "key.pem", folder / "crt.pem")


def options(tls: config.Tls) -> list[str]:
    """Of dcmtk's programs."""
    return ["+tls", str(tls.key), str(tls.certificate), "+cf", str(tls.ca)]


def secure(tls: config.Tls, folder: Path, port: int) -> list[str]:
    """Our listener with TLS."""
    place = [str(tls.ca.parent), str(folder), str(port)]
    return [sys.executable, "-m", "bench.receive_tls", "--listen", *place]


def secure_storescp(tls: config.Tls, folder: Path, port: int) -> list[str]:
    """dcmtk's with TLS."""
    *command, last = servers.storescp_fsync(folder, port)
    return [*command, *options(tls), last]


def main() -> None:
    """Run every server with and without TLS, repeatedly and in turn."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None, help="on the disk to be measured")
    parser.add_argument("--listen", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.listen:
        keys, folder, port = arguments.listen
        files = (Path(keys) / name for name in ("crt.pem", "key.pem", "crt.pem"))
        listen(Path(folder), int(port), tls=config.Tls(*files))
        return
    found: dict[tuple[str, int], list[Measured]] = {}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        images = Path(name) / "images"
        images.mkdir()
        make_images(images, arguments.images)
        tls = certificates(Path(name))
        peers: dict[str, tuple[Callable[[Path, int], list[str]], list[str]]] = {
            "msnode": (servers.msnode, []),
            "msnode, TLS": (partial(secure, tls), options(tls)),
            "storescp + fsync": (servers.storescp_fsync, []),
            "storescp + fsync, TLS": (partial(secure_storescp, tls), options(tls)),
        }
        for _ in range(arguments.repeats):
            for associations in ASSOCIATIONS:
                for server, (command, with_tls) in peers.items():
                    run = received(
                        command, images, arguments.images, associations, SENDER, with_tls
                    )
                    found.setdefault((server, associations), []).append(run)
    print_table(found, arguments)


def print_table(
    found: dict[tuple[str, int], list[Measured]], arguments: argparse.Namespace
) -> None:
    """Medians, their spread, and the ratios to the same server without TLS."""
    print(machine())
    print(f"{arguments.images} MR images of 131 kB, median of {arguments.repeats} (lowest-highest)")
    print(f"{'':24}{'associations':>12}{'images/s':>10}{'range':>14}{'to plain':>10}{'CPU us':>8}")
    rates = {of: statistics.median(one.rate for one in runs) for of, runs in found.items()}
    for (name, associations), runs in found.items():
        rate = rates[name, associations]
        spread = f"{min(one.rate for one in runs):.0f}-{max(one.rate for one in runs):.0f}"
        ratio = rate / rates[name.removesuffix(", TLS"), associations]
        used = statistics.median(one.cpu or 0 for one in runs)
        print(f"{name:24}{associations:>12}{rate:>10.0f}{spread:>14}{ratio:>10.2f}{used:>8.0f}")


if __name__ == "__main__":
    main()
