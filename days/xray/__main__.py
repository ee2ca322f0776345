"""The X-ray's command line: `python -m days.xray --help`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from days.common.command_line import add_network_options
from days.xray import xray
from days.xray.loading import call_factory, load_weights, one_line, read_labels, ready_for_use


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: 0 when the report is written, 2 with one line for what cannot be done, 130 when interrupted."""
    asked = vars(_parser().parse_args(arguments))
    model, images, weights, labels = (asked.pop(name) for name in ("model", "images", "weights", "labels"))
    try:
        network = call_factory(model)
        if weights:
            load_weights(network, weights)
        ready_for_use(network)
        findings = xray(network, images, labels=read_labels(labels) if labels else None, **asked).findings
    except (ValueError, OSError, ImportError) as error:
        print(f"xray: {one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("xray: interrupted; nothing was written", file=sys.stderr)
        return 130
    print(f"{len(findings)} {'finding' if len(findings) == 1 else 'findings'}, in {asked['output']}")
    for finding in findings:
        print(f"- {finding.title} ({finding.sure})")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m days.xray",
        description="X-ray a CNN of your own: what is inside, what is wrong, how sure that is. One HTML file.",
        epilog="Example: python -m days.xray days.xray.examples:squeezenet --images photos -o r.html",
    )
    add = parser.add_argument
    add("model", metavar="MODEL", help="package.module:callable, a function that returns a torch or Keras network")
    add("--images", required=True, metavar="FOLDER", help="photos; names of folders inside it are the truth")
    add("-o", "--output", default="report.html", metavar="FILE", help="the report (report.html)")
    add_network_options(parser)
    add("--size", type=int, help="photos are cropped to squares of SIZE pixels (224)")
    add("--quick", dest="pictures", action="store_false", help="findings and tables, without pictures")
    add("--limit", type=int, default=60, help="of more photos than this, as many are looked at (60)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
