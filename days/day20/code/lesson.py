"""What Day 20's figures compute once and use often: pictures grown at the lesson's size, and what excites channels."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from days.common.images import IMAGE_NAMES, load_image
from days.common.models import Model, load_model
from days.common.squeezenet import convolution_behind
from days.day17.code import lesson as lesson17
from days.day20.code import evidence, objectives
from days.day20.code.ascent import Ascent, climb, maximize
from days.day20.code.objectives import channel, direction, layer, logit, unit
from days.day20.code.photographs import Crop, crops, photographs, top_crops

SQUEEZENET_LAYERS = ("conv1_activation", "fire2", "fire3", "fire4", "fire5", "fire6", "fire7", "fire8", "fire9")
EFFICIENTNET_LAYERS = ("bn1", "blocks.0", "blocks.1", "blocks.2", "blocks.3", "blocks.4", "blocks.5", "blocks.6")
CHANNELS = (16, 24, 32, 40)
"""The channels of fire7 on which the lesson turns its knobs."""
NINE = {"fire3": (8,), "fire5": (16,), "fire7": (24, 40, 79), "fire8": (0, 183), "fire9": (16, 225)}
"""Channels that are shown beside the crops that excite them most."""
CONTROLLED, CONTROL_STEPS = tuple(range(0, 64, 8)), (128, 384)
OBJECTIVES = {
    'unit("fire7", 40)': unit("fire7.expand1x1", 40),
    'channel("fire7", 40)': channel("fire7.expand1x1", 40),
    'channel("fire7", 24)': channel("fire7.expand1x1", 24),
    "0.5 * 40 + 0.5 * 24": 0.5 * channel("fire7.expand1x1", 40) + 0.5 * channel("fire7.expand1x1", 24),
    "40 - 24": channel("fire7.expand1x1", 40) - channel("fire7.expand1x1", 24),
    "a random direction": direction("fire7", np.random.default_rng(0).normal(size=384)),
    'layer("fire5")': layer("fire5"),
    'logit("Egyptian cat")': logit(285),
}


class Lesson(lesson17.Lesson):
    """Everything that the stored figures show, grown once, in PyTorch."""

    size, steps = 96, 128

    def grow(self, *asked: Any, model: Model | None = None, **settings: Any) -> np.ndarray:
        """The pictures of `maximize` at the lesson's size and steps, for SqueezeNet unless told."""
        model = model or self.model
        usual: dict[str, Any] = {"size": self.size, "steps": self.steps, "preprocess": model.preprocess}
        return maximize(model.network, *asked, progress=False, **usual | settings)[0]

    @cached_property
    def ladder(self) -> dict[str, np.ndarray]:
        """{rung: pictures of the lesson's four channels}."""
        return {name: self.grow("fire7", CHANNELS, **knobs) for name, knobs in evidence.LADDER.items()}

    def scores(self, images: np.ndarray) -> np.ndarray:
        """For each of the four channels' pictures: (4, 3), its objective, moved by one pixel, and mirrored."""
        wanted = objectives.requested("fire7", CHANNELS, True)
        return evidence.robustness(self.model, wanted, images)

    @cached_property
    def crops(self) -> list[Crop]:
        """Thousands of crops of nineteen photos, of the pictures' size."""
        return crops(photographs(), self.size)

    def top_nine(self) -> dict[str, tuple[np.ndarray, list[np.ndarray], float, float]]:
        """{channel's name: (grown picture, its nine best crops, and its response over the best crop's: by the mean over
        all places, by the strongest unit)}."""
        asked = [(name, index) for name, indices in NINE.items() for index in indices]
        places = [convolution_behind(name, index) for name, index in asked]
        pictures, shown = np.concatenate([self.grow(name, index) for name, index in asked]), {}
        own = evidence.means_and_units(self.model, places, pictures)
        found = evidence.means_and_units(self.model, places, [crop.image for crop in self.crops])
        for place, (name, index) in enumerate(asked):
            best = top_crops(self.crops, found[0][:, place])
            times = [
                float(mine[place, place] / theirs[:, place].max()) for mine, theirs in zip(own, found, strict=True)
            ]
            shown[f"{name}, {index}"] = pictures[place], [self.crops[at].image for at in best], times[0], times[1]
        return shown

    def waves(self) -> dict[str, np.ndarray]:
        """One wave, two waves and a photo in gray, (96, 96) each; the photo's amplitudes, slow waves in the middle."""
        down, across = np.indices((self.size, self.size)) / self.size
        one = np.cos(2 * np.pi * 3 * across)
        photo = load_image("chelsea", size=self.size).mean(axis=2)
        amplitudes = np.fft.fftshift(np.abs(np.fft.fft2(photo - photo.mean())))
        return {
            "one wave": one,
            "two waves": one + 0.5 * np.cos(2 * np.pi * (6 * down - 2 * across)),
            "a photo": photo,
            "its amplitudes (log)": np.log(amplitudes + amplitudes.mean()),
        }

    def spectra(self) -> dict[str, np.ndarray]:
        """The mean amplitude by frequency, 1 to 63, of the seven photos and of noise drawn pixel by pixel."""
        photos = [load_image(name, size=128).mean(axis=2) for name in IMAGE_NAMES]
        noise = list(np.random.default_rng(0).random((7, 128, 128)))
        return {"7 photos": evidence.mean_amplitude(photos), "noise": evidence.mean_amplitude(noise)}

    def untrained_control(self) -> dict[str, np.ndarray]:
        """Deviations of the grown picture above the mean crop, for eight channels of fire7: {network: (8,)}.

        The trained network, and three with random weights, each after `CONTROL_STEPS` steps.
        """
        images, found = [crop.image for crop in self.crops[::4]], {}
        wanted = objectives.requested("fire7", CONTROLLED, True)
        networks = {"trained": self.model}
        networks |= {f"random {seed}": load_model("squeezenet", weights="random", seed=seed) for seed in range(3)}
        for name, model in networks.items():
            crops = evidence.responses(model, wanted, images)
            ascent, taken = Ascent(model.network, "fire7", CONTROLLED, size=self.size), 0
            for steps in CONTROL_STEPS:
                grown, _ = climb(ascent, steps - taken, progress=False)
                own, taken = np.diag(evidence.responses(model, wanted, grown)), steps
                found[f"{name}, {steps} steps"] = evidence.deviations(own, crops)
        return found
