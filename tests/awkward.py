"""What an awkward network is: how it is made, which layer is looked at, and what the course owes its owner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Awkward:
    """A network that a learner might bring, and what every public function must do with it.

    make : makes it, the same at each call for one seed. layer : one with maps. size, channels : of the images it takes.
    category : the score that is asked for. tolerance : of the comparison with the plain reference, as a share of the
    largest value. flat : the gradient at this layer is 0, rightly. dark : there is a gradient that cannot be seen, so
    methods that need it must raise or warn with words that match this pattern. dark_below, dark_above : where it is
    lost, from the layer back to the pixels and from the scores back to the layer. plain : makes the same network with
    ReLUs of the framework's own, so that guided backpropagation must give the same. refused : every function must raise
    one ValueError in one line that matches this pattern. found : kinds of findings that the X-ray is right to have.
    copied : whether it has a copy, whose layers can be shuffled.
    """

    name: str
    make: Callable
    layer: str
    size: int = 32
    channels: int = 3
    category: int = 1
    tolerance: float = 2e-4
    flat: bool = False
    dark: str | None = None
    dark_below: bool = True
    dark_above: bool = True
    plain: Callable | None = None
    refused: str | None = None
    found: tuple[str, ...] = ()
    copied: bool = True

    def __str__(self) -> str:
        return self.name
