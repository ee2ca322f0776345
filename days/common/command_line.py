"""What the course's command lines share: how they read a number, and what a network of one's own needs beside it."""

from __future__ import annotations

import argparse


def numbers_from(text: str) -> tuple[float, ...]:
    """Numbers and fractions with commas between: "0.5" or "104/255,117/255,123/255".

    Raises argparse.ArgumentTypeError for anything else, which argparse says in one line.
    """
    try:
        parts = [part.partition("/") for part in text.split(",")]
        return tuple(float(above) / float(below) if slash else float(above) for above, slash, below in parts)
    except (ValueError, ZeroDivisionError) as error:
        raise argparse.ArgumentTypeError(f"expected numbers such as 0.5 or 0.485,0.456,0.406, got {text!r}") from error


def add_network_options(parser: argparse.ArgumentParser) -> None:
    """Add --weights, --mean, --std, --order and --labels: what belongs to a network of the learner's own."""
    add = parser.add_argument
    add("--weights", metavar="FILE", help="its weights alone: .pt, .pth or .safetensors (torch), .weights.h5 (Keras)")
    add("--mean", type=numbers_from, metavar="R,G,B", help="taken away from values of 0 to 1 (ImageNet's)")
    add(
        "--std", type=numbers_from, metavar="R,G,B", help="the rest is divided by it (ImageNet's; 1/255 gives 0 to 255)"
    )
    add("--order", choices=("rgb", "bgr"), help="of the colors that the network wants (rgb)")
    add("--labels", metavar="FILE", help="the categories' names, one a line")
