"""What the course's command lines share: how they read an option."""

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
