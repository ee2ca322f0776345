"""The microscope's command line: `python -m days.microscope --help`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import joblib

from days.common.command_line import add_network_options
from days.microscope import building, store
from days.microscope.building import CELL, STEPS, Settings
from days.microscope.page import write_page
from days.microscope.source import Source
from days.xray.loading import one_line

QUICK_EVERY, QUICK_STEPS = 16, 32


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: 0 when the page is written, 2 with one line for what cannot be done, 130 when interrupted."""
    asked = _parser().parse_args(arguments)
    for threads in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(threads, "1")  # TensorFlow reads them when it starts; see `growing`
    source = Source(asked.network, asked.weights, asked.labels, asked.mean, asked.std, asked.order)
    every = asked.every if asked.every is not None else QUICK_EVERY if asked.quick else 1
    steps = asked.steps if asked.steps is not None else QUICK_STEPS if asked.quick else STEPS
    layers = tuple(asked.layers) if asked.layers else None
    settings, output = Settings(asked.images, layers, every, asked.size, steps), Path(asked.output).expanduser()
    usual = source == Source() and settings == Settings()
    folder = store.STORE if usual else output / "store"
    try:
        planned = building.plan(source, settings)
        count = sum(len(wall.wanted) for wall in planned.walls)
        print(f"{planned.subject.name}: {count:,} pictures of {len(planned.walls)} layers")
        done = building.build(planned, folder, jobs=asked.jobs, dask=asked.dask)
        page = write_page(folder, output)
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        print(f"microscope: {one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("microscope: interrupted; what is grown is kept, and the same command goes on there", file=sys.stderr)
        return 130
    for what, names in done.items():
        print(f"{what}: {', '.join(names) or 'nothing'}")
    print(page)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m days.microscope",
        description="A page for every channel of a CNN: its grown picture, the crops of photos that excite it most, "
        "what it is made of, and what the network says without it. Without options, for the course's SqueezeNet.",
        epilog="Growing goes on where it was stopped. A taste: --layers fire9 --every 8",
    )
    add = parser.add_argument
    add("--images", metavar="FOLDER", help="photos of your own for the crops and the predictions")
    add("--network", metavar="MODEL", help="package.module:callable, a function that returns a torch or Keras network")
    add_network_options(parser)
    add("--layers", nargs="+", metavar="LAYER", help="of the network (all)")
    add("--every", type=int, metavar="N", help="only each N-th channel of a layer (1)")
    add("--size", type=int, default=CELL, choices=(64, 128), help=f"pixels a side of each picture ({CELL})")
    add("--steps", type=int, help=f"of ascent for each picture ({STEPS})")
    add("--quick", action="store_true", help=f"each {QUICK_EVERY}th channel, {QUICK_STEPS} steps")
    add("--jobs", type=int, default=joblib.cpu_count(only_physical_cores=True), help="processes that grow (one a core)")
    add("--dask", metavar="ADDRESS", help="of a Dask scheduler, whose workers grow in their place")
    add("-o", "--output", default="microscope", metavar="FOLDER", help="where the page goes (microscope)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
