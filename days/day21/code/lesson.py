"""What Day 21's figures and notebook compute once and use often: dreams, and what two networks see in them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from days.common.images import load_image
from days.common.models import Model, load_model, softmax
from days.day17.code import lesson as lesson17
from days.day17.code.backends import capture
from days.day21.code import deepdream, dreaming

SIZE = (192, 288)
LAYERS = ("fire2", "fire3", "fire4", "fire5", "fire6", "fire7", "fire8", "fire9")
SHOWN = {
    "china": "pavilion (china)",
    "flower": "flower",
    "chelsea": "cat (chelsea)",
    "coffee": "cup (coffee)",
    "rocket": "rocket",
    "motorcycle_left": "motorcycle",
}
"""What the photos show, and, where it differs, their names for `load_image`."""
PHOTOS = tuple(SHOWN)
GUIDES = ("flower", "coffee")
DOGS = slice(151, 269)
"""ImageNet's 118 breeds of dogs, which lie side by side."""
EVEN_SPREAD = (DOGS.stop - DOGS.start) / 1000
"""The dog probability of a network that gives all 1,000 categories the same."""
TRICKS: dict[str, dict[str, Any]] = {
    "plain steps": {"octaves": 1, "steps": 80, "bands": 1, "jitter": 0},
    "+ jitter": {"octaves": 1, "steps": 80, "bands": 1},
    "+ octaves": {"octaves": 4, "steps": 20, "bands": 1},
    "+ bands": {},  # what `dream` does unless told otherwise
}
RICH: dict[str, Any] = {"octaves": 5, "steps": 20, "bands": 3}
"""What the large dreams are made with: one octave more, and more of the coarse."""


class Lesson(lesson17.Lesson):
    """What the figures are drawn from: three networks, and dreams, each of which is dreamed once."""

    def __init__(self):
        self._dreams = {}
        self._random = {}

    @cached_property
    def network(self):
        """The trained network in double precision, whose dreams are the same on every machine."""
        return copy.deepcopy(self.model.network).double()

    def random_network(self, seed: int = 0):
        """The network with random weights drawn from `seed`, in double precision."""
        if seed not in self._random:
            self._random[seed] = load_model("squeezenet", weights="random", seed=seed).network.double()
        return self._random[seed]

    @cached_property
    def witness(self) -> Model:
        """EfficientNet-Lite0, which takes no part in any dream."""
        return load_model("efficientnet_lite0")

    def photo(self, name: str, size: tuple[int, int] = SIZE) -> np.ndarray:
        """A photo at the lesson's size, (192, 288, 3), or another."""
        return load_image(name, size=size)

    def dream(
        self, photo: str, layer: str, *, guide: str = "", trained: bool = True, size: tuple[int, int] = SIZE, **settings
    ) -> np.ndarray:
        """The dream of a layer on a photo, by PyTorch, with `dream`'s own settings unless told otherwise.

        seed : among the settings; it draws the shifts, and the weights of a network that is not trained.

        Double precision takes twice the time. In single, processors round differently, and dreams part after ten steps.
        """
        key = _asked(photo, layer, guide, trained, size, **settings)
        if key not in self._dreams:
            network = self.network if trained else self.random_network(settings.get("seed", 0))
            settings |= {"guide": self.photo(guide) if guide else None, "progress": False}
            self._dreams[key] = deepdream.dream(network, self.photo(photo, size), layer, **settings)
        return self._dreams[key]

    @cached_property
    def flight(self) -> list[np.ndarray]:
        """Thirty pictures of a zoom into the pavilion, on which fire7 dreams, smaller than the other dreams."""
        return list(dreaming.zoom(self.slope(), self.photo("china", (160, 240))))

    def slope(self, layer: str = "fire7") -> Callable:
        """What a dream of the trained network asks: image -> (objective, gradient)."""
        return deepdream.slope(self.network, layer)

    def moments(self, photo: str, layer: str = "fire7") -> list[dreaming.Moment]:
        """Every step of a dream, octave by octave; the last is kept, so that `dream` need not dream it again."""
        found = list(dreaming.grow(self.slope(layer), self.photo(photo)))
        self._dreams[_asked(photo, layer)] = found[-1].picture
        return found

    def added(self, photo: str, layer: str, **settings) -> np.ndarray:
        """What the dream put on top of the photo, (H, W, 3), signed."""
        return self.dream(photo, layer, **settings) - self.photo(photo)

    def dogs(self, image: np.ndarray, model: Model | None = None) -> float:
        """The probability that a network, the witness unless told otherwise, gives to dogs of all breeds together."""
        model = model or self.witness
        return float(softmax(model.logits(model.preprocess(image))[0])[DOGS].sum())

    def gram(self, image: np.ndarray, layer: str = "fire7") -> np.ndarray:
        """The Gram matrix (C, C) of a layer of the trained network, for an image."""
        return dreaming.gram(capture(self.model.network, layer, self.model.preprocess(image))[layer])


def _asked(
    photo: str, layer: str, guide: str = "", trained: bool = True, size: tuple[int, int] = SIZE, **settings
) -> tuple:
    """What a dream is kept under."""
    return photo, layer, guide, trained, size, *sorted(({"seed": 0} | settings).items())
