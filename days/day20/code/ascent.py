"""Many steps of an ascent, with a bar to watch: the same for both frameworks."""

from __future__ import annotations

import warnings
from typing import Protocol

import numpy as np
from tqdm.auto import tqdm

from days.common.checks import check_integer


class Ascent(Protocol):
    """Pictures that grow, as a backend makes them."""

    def step(self) -> np.ndarray | None:
        """Go one step up: the objectives (n,) before it; None, and one step back, where something is not finite."""

    def images(self) -> np.ndarray:
        """The pictures as they stand, (n, size, size, 3) in [0, 1]."""


def climb(ascent: Ascent, steps: int, *, progress: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Take `steps` steps: the pictures, and the objectives before every step, (steps, n).

    A step that is not finite ends it with a warning: fewer objectives then, and the last good pictures. So does the
    kernel's stop button, without a warning. Raises ValueError for a number of steps below 1.
    """
    steps = check_integer(steps, 1, "steps")
    history: list[np.ndarray] = []
    with tqdm(total=steps, desc="ascent", unit="step", disable=not progress) as bar:
        try:
            for step in range(steps):
                reached = ascent.step()
                if reached is None:
                    words = f"step {step} was not finite: the picture is the one before it"
                    warnings.warn(words, RuntimeWarning, stacklevel=3)
                    break
                history.append(reached)
                bar.update()
                bar.set_postfix(objective=f"{reached.mean():.1f}")
        except KeyboardInterrupt:
            bar.set_description("stopped")
    images = ascent.images()
    return images, np.array(history, np.float32).reshape(-1, len(images))
