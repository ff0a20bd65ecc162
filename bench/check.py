"""Whether msnode has become slower beside its peers: `make bench-check`, some minutes.

Nothing is compared with seconds of another machine. msnode and its peers run in turn here, several
times over, and the ratio of their medians is held against the one in ``bench/ratios.json``. What
falls below `LEAST` of it has become slower, or the machine is busy: run it again alone before you
believe it.

    python -m bench.check [--rounds 5] [--update]
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from bench import inference, receive
from msnode.classify import Runner, load_bundle
from msnode.classify.device import bfloat16_pays, phantom
from msnode.config import BUNDLE, Classify

KNOWN = Path(__file__).parent / "ratios.json"
LEAST = 0.8
IMAGES = 400
SLICES = 16

Ratios = Iterator[tuple[str, float]]


def receiving(rounds: int) -> Ratios:
    """Images a second, and CPU seconds for them, beside Orthanc's."""
    with tempfile.TemporaryDirectory() as name:
        images = Path(name) / "images"
        images.mkdir()
        receive.make_images(images, IMAGES)
        for associations in (1, 4):
            ours, theirs = zip(
                *(
                    [receive.measure(server, images, IMAGES, associations) for server in PEERS]
                    for _ in range(rounds)
                ),
                strict=True,
            )
            rates = [statistics.median(run.rate for run in runs) for runs in (ours, theirs)]
            cpu = [statistics.median(run.cpu or 0 for run in runs) for runs in (ours, theirs)]
            where = f"{associations} association{'s' if associations > 1 else ''}"
            yield f"images a second to Orthanc, {where}", rates[0] / rates[1]
            yield f"images a CPU second to Orthanc, {where}", cpu[1] / cpu[0]


PEERS = "msnode", "Orthanc"


def classifying(rounds: int) -> Ratios:
    """Slices a second, beside plain PyTorch in float32."""
    config = Classify(BUNDLE, device="cpu")
    bundle = load_bundle(BUNDLE)
    images = phantom(bundle.contract, SLICES)
    slices = inference.as_slices(images.numpy())
    runner = Runner(bundle, config)
    runner.warm_up()
    ways = {
        "eager": inference.eager(load_bundle(BUNDLE), images, config),
        "ours": lambda: runner.score(slices).probabilities,
    }
    inference.race(ways, 1)
    (plain, ours), _ = inference.race(ways, rounds)
    runner.close()
    how = "bfloat16" if bfloat16_pays(torch.device("cpu")) else "float32"
    yield (
        f"slices a second in {how} to eager float32",
        statistics.median(a / b for a, b in zip(plain, ours, strict=True)),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--update", action="store_true", help="keep what is found as known")
    arguments = parser.parse_args()
    known: dict[str, float] = json.loads(KNOWN.read_text())
    print(receive.machine())
    print(f"{'':52}{'here':>8}{'known':>8}")
    slower = 0
    for measure in (receiving, classifying):
        for name, ratio in measure(arguments.rounds):
            before = known.get(name)
            is_slower = before is not None and ratio < LEAST * before
            slower += is_slower
            told = "" if before is None else f"{before:8.2f}{'  slower' if is_slower else ''}"
            print(f"{name:52}{ratio:8.2f}{told}", flush=True)
            known[name] = round(ratio, 2)
    if arguments.update:
        KNOWN.write_text(json.dumps(known, indent=2) + "\n")
    elif slower:
        sys.exit(f"{slower} slower than {LEAST:.0%} of what is known: alone on the machine, too?")


if __name__ == "__main__":
    main()
