"""What Day 22's figures and notebook compute once and use often: maps of six methods, on photos and on shapes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache

import numpy as np

from days.common.datasets import make_shapes
from days.common.images import load_image
from days.common.models import Model, load_model
from days.day17.code import lesson as lesson17
from days.day22.code import methods, randomization, scoring
from days.day22.code.maps import smoothed
from days.day22.code.mosaics import Mosaics, make_mosaics, mosaic_maps

SIZE = 224
LAYERS = ("conv1_activation", "fire2", "fire3", "fire4", "fire5", "fire6", "fire7", "fire8", "fire9")
LAYER = "fire9"
ASKED = {
    "chelsea": ("Egyptian cat", "tabby", "tiger cat"),
    "coffee": ("espresso", "consomme", "cup"),
    "motorcycle_left": ("motor scooter", "disk brake", "moped"),
}
"""Photos and categories of the lesson, the network's first answers to each, and the cup that it does not name."""
FINE = ("saliency", "SmoothGrad", "integrated gradients", "guided backpropagation")
"""The methods whose maps have the photo's own resolution."""
STAGES = {"untouched": 0, "conv10": 1, "fire9": 2, "fire8": 3, "fire6": 5, "fire4": 7, "conv1": 10}
"""Stages of the cascade that are shown, by the layer shuffled last: how many layers are shuffled."""
CASCADED = (*FINE, "Grad-CAM", "occlusion")
"""The methods whose maps are watched while the network is shuffled."""
NETWORKS = {"squeezenet": "SqueezeNet", "efficientnet_lite0": "EfficientNet-Lite0"}
DEPTHS = {"squeezenet": ("fire9", "fire5"), "efficientnet_lite0": ("bn2", "blocks.4")}
"""The layers of each network at which the CAMs are compared: the last with maps, and an earlier one."""
GUIDED = ("Egyptian cat", "espresso", "drilling platform", "goldfish")


def visible(heatmap: np.ndarray, method: str) -> tuple[np.ndarray, float]:
    """A heatmap as the lesson shows it, and the value that gets the last color.

    Fine maps are blurred by 2 pixels, or nothing could be seen, and their strongest half percent gets the last color.
    """
    if method not in FINE:
        return heatmap, max(float(heatmap.max()), 1e-12)
    blurred = smoothed(heatmap, 2.0)
    return blurred, max(float(np.percentile(blurred, 99.5)), 1e-12)


def six_and_early(last: str, early: str, **how) -> dict[str, Callable]:
    """The six methods, Grad-CAM at the layer `last`, and Grad-CAM and HiResCAM at the layer `early`, by name."""
    names = {"names": how["names"]} if "names" in how else {}

    def at(method, layer: str) -> Callable:
        return lambda network, batch, category: method(network, batch, layer, category, **names)

    found = scoring.standard_methods(last, **how)
    return found | {
        "Grad-CAM, earlier layer": at(methods.grad_cam, early),
        "HiResCAM, earlier layer": at(methods.hires_cam, early),
    }


class Lesson(lesson17.Lesson):
    """Everything that the stored figures show, computed once, in PyTorch."""

    @cached_property
    def methods(self) -> dict[str, Callable]:
        """{name: function (network, batch, category) -> map}; Grad-CAM's layer is fire9."""
        return scoring.standard_methods(LAYER)

    @lru_cache(maxsize=200)  # noqa: B019 - a lesson lives as long as its figures
    def map(self, method: str, photo: str, category: str) -> np.ndarray:
        """The map of one method, of the trained SqueezeNet, for a category's score on a bundled photo."""
        return self.methods[method](self.model.network, self.batch(photo), category)

    def batch(self, photo: str):
        """A bundled photo at the lesson's size, as SqueezeNet takes it."""
        return self.model.preprocess(load_image(photo, size=SIZE))

    def grad_cam(self, photo: str, category, layer: str = LAYER, **settings) -> np.ndarray:
        """Grad-CAM of the trained SqueezeNet."""
        return methods.grad_cam(self.model.network, self.batch(photo), layer, category, **settings)

    @cached_property
    def witness(self) -> Model:
        """EfficientNet-Lite0, which gets the rocket right, by a little."""
        return load_model("efficientnet_lite0")

    @lru_cache(maxsize=2)  # noqa: B019 - a lesson lives as long as its figures
    def shapes(self, count: int):
        """The first of 500 held-out shapes, and their maps {method: (N, H, W)} by Day 18's network."""
        from days.day18.code import torch_backend as shapes_backend

        model, data = shapes_backend.shapes_model(), make_shapes(500, seed=1)[:count]
        how = {"size": 8, "stride": 4, "names": model.categories}
        methods = six_and_early("conv3_activation", "conv2_activation", **how)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # few of 500 are complete to 2 or 3 instead of 1 percent
            return data, scoring.shape_maps(methods, model.network, data, shapes_backend.to_batch)

    @cached_property
    def pictures(self) -> Mosaics:
        """42 mosaics of photos, each photo asked for six times."""
        return make_mosaics(42, seed=0)

    @lru_cache(maxsize=100)  # noqa: B019 - a lesson lives as long as its figures
    def mosaic(self, name: str, number: int) -> dict[str, np.ndarray]:
        """The maps {method: (1, H, W)} of the mosaic of this number.

        name : "squeezenet" or "efficientnet_lite0". SmoothGrad and integrated gradients take fewer steps here.
        """
        model, picture = self.model if name == "squeezenet" else self.witness, self.pictures[number : number + 1]
        methods = six_and_early(*DEPTHS[name], size=54, stride=54, steps=12, samples=8)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # 12 steps are complete to some percent
            return mosaic_maps(model, picture, methods)

    def shuffled_maps(self) -> dict[str, list[np.ndarray]]:
        """{method: a map of the cat for each of `STAGES`}."""
        network, layers = self.model.network, list(randomization.CASCADE)
        spoiled = [
            randomization.randomized(network, layers[:count], 0) if count else network for count in STAGES.values()
        ]
        methods, asked = scoring.standard_methods(LAYER, stride=32), ("chelsea", "Egyptian cat")

        def seen(name, examined):
            if examined is network and name != "occlusion":  # whose squares are farther apart here
                return self.map(name, *asked)
            return methods[name](examined, self.batch(asked[0]), asked[1])

        return {name: [seen(name, one) for one in spoiled] for name in CASCADED}

    def walk(self, size: int = 32) -> Iterator[tuple[np.ndarray, np.ndarray, list[float]]]:
        """Occlusion of the cat, square by square: the covered photo, the map so far (H, W), all falls of the score."""
        photo, number = load_image("chelsea", size=SIZE), self.model.categories.index("Egyptian cat")
        before = self.model.logits(self.batch("chelsea"))[0, number]
        total, times, falls = np.zeros((SIZE, SIZE)), np.zeros((SIZE, SIZE)), []
        for rows, columns in methods.squares(SIZE, SIZE, size, size // 2):
            covered = photo.copy()
            covered[rows, columns] = np.array([123, 117, 104]) / 255
            falls.append(float(before - self.model.logits(self.model.preprocess(covered))[0, number]))
            total[rows, columns] += falls[-1]
            times[rows, columns] += 1
            yield covered, total / np.maximum(times, 1), falls
