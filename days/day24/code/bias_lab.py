"""Networks that may look at the background: trained on shapes, suspected by their maps, proved by a swap, mended.

Networks are given as weights, and run in the `framework` that is named, "torch" or "keras".

`python -m days.day24.code.bias_lab` trains the four suspects anew and stores them and, apart from them, their key.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from days.common.arrays import Arrays, flat, load_arrays, paired, reading, save_arrays
from days.common.datasets import BACKGROUND_NAMES, Shapes, make_shapes
from days.common.paths import REPO_ROOT, write_bytes
from days.day18.code.runs import (
    LEARNING_RATE,
    TRAINING_COUNT,
    TRAINING_SEED,
    answers,
    training_backend,
)
from days.day18.code.training import Weights, initial_weights, weight_shapes
from days.day22.code.maps import smoothed
from days.day22.code.scoring import shape_maps, share_inside, standard_methods

DIALS = (0.0, 0.5, 0.9, 1.0)
"""Shares of the training images whose background goes with the class; the other backgrounds are drawn blindly."""
NAMES = ("A", "B", "C", "D")
MENDED_NAMES = ("random", "masked")
METHODS = ("integrated gradients", "saliency", "occlusion", "Grad-CAM")
LAYER = "conv3_activation"
SEED, STEPS, MENDING_STEPS = 24, 1500, 400
SUSPECTS_FILE = REPO_ROOT / "days/day24/weights/suspects.safetensors"
MENDED_FILE = REPO_ROOT / "days/day24/weights/mended.safetensors"
KEY_FILE = REPO_ROOT / "days/day24/weights/suspects_key.json"
_WAY_OUT = "python -m days.day24.code.bias_lab makes it anew"


# ---------------------------------------------------------------- images


def swapped(count: int, *, seed: int) -> Shapes:
    """The objects that `make_shapes` draws from `seed`, each on the background that goes with another shape.

    Each image's background is one of the five wrong ones, drawn from the same seed; half a pixel inside the outline and
    beyond, the image is the same, bit for bit, on every background. Raises ValueError as `make_shapes` does.
    """
    labels = make_shapes(count, seed=seed).labels
    shifts = np.random.default_rng(seed).integers(1, len(BACKGROUND_NAMES), size=len(labels))
    return make_shapes(count, seed=seed, backgrounds=(labels + shifts) % len(BACKGROUND_NAMES))


def on_three_backgrounds(count: int, *, seed: int) -> dict[str, Shapes]:
    """The same objects on backgrounds that go with them, that are drawn blindly, and that go with other shapes."""
    return {
        "tied": make_shapes(count, seed=seed, background_correlation=1.0),
        "blind": make_shapes(count, seed=seed),
        "swapped": swapped(count, seed=seed),
    }


def on_others_backgrounds(shapes: Shapes, *, seed: int = 0) -> Shapes:
    """Each object, cut out along its mask, on the background of another of these images: no other image is needed.

    Where that other image has its own object, its background's mean color stands. Along the outline a little of the old
    background stays: a pixel on the border is part object. The partners are drawn from `seed`.

    Raises ValueError for fewer than two images and for a mask that leaves no background.
    """
    hidden = ~shapes.masks[..., None]
    visible = hidden.sum(axis=(1, 2))
    if len(shapes) < 2 or not visible.all():
        raise ValueError(
            f"expected at least two images, each with some background, got {len(shapes)} images, "
            f"{np.count_nonzero(visible == 0)} of them all object: give more images, or other masks"
        )
    mean = (shapes.images * hidden).sum(axis=(1, 2)) / visible
    alone = np.where(hidden, shapes.images, mean[:, None, None])
    partners = _derangement(len(shapes), seed)
    images = np.where(hidden, alone[partners], shapes.images).astype(np.float32)
    return Shapes(images, shapes.labels, shapes.masks, shapes.backgrounds[partners])


def _derangement(count: int, seed: int) -> np.ndarray:
    """For each of `count` things another one, no two the same: each is followed by its neighbor in a random circle."""
    order = np.random.default_rng(seed).permutation(count)
    partners = np.empty(count, np.int64)
    partners[order] = np.roll(order, 1)
    return partners


# ---------------------------------------------------------------- training and mending


def trained_on(
    weights: Weights,
    data: Shapes,
    *,
    steps: int = MENDING_STEPS,
    seed: int = SEED,
    progress: bool = False,
    framework: str = "torch",
) -> Weights:
    """The weights that Day 18's training makes of `weights` with these images; the ones given stay as they are.

    On images whose background says nothing it mends a network that looks there: on newly drawn ones, "random", or,
    where there are none, on those of `on_others_backgrounds`, "masked". seed : of the images' order.

    Raises RuntimeError for a training that ended early.
    """
    backend = training_backend(framework)
    network = backend.small_cnn(weights)
    history = backend.train(network, data, steps=steps, learning_rate=LEARNING_RATE, seed=seed, progress=progress)
    if history.stopped:
        raise RuntimeError(f"the training ended early: {history.stopped}")
    return backend.weights_of(network)


def train_suspects(*, steps: int = STEPS, images: int = TRAINING_COUNT, progress: bool = True) -> dict[float, Weights]:
    """A network for each of `DIALS`, all from the same first weights and on the same objects in the same order."""
    found = {}
    for dial in DIALS:
        data = make_shapes(images, seed=TRAINING_SEED, background_correlation=dial)
        found[dial] = trained_on(initial_weights(SEED), data, steps=steps, progress=progress)
    return found


def mend(weights: Weights, *, images: int = TRAINING_COUNT, steps: int = MENDING_STEPS) -> dict[str, Weights]:
    """A network that was trained at dial 1, mended in two ways: {"random": weights, "masked": weights}.

    "random" is trained on with images whose backgrounds say nothing, "masked" with the very images that it was
    trained on, see `on_others_backgrounds`.
    """
    fresh, tied = (make_shapes(images, seed=TRAINING_SEED, background_correlation=dial) for dial in (0.0, 1.0))
    data = dict(zip(MENDED_NAMES, (fresh, on_others_backgrounds(tied)), strict=True))
    return {name: trained_on(weights, shapes, steps=steps) for name, shapes in data.items()}


# ---------------------------------------------------------------- scores


def background_scores(weights: Weights, three: dict[str, Shapes], *, framework: str = "torch") -> dict[str, float]:
    """How a network fares on three backgrounds: {"tied", "blind", "swapped": share named rightly, "follows": ...}.

    "follows" is the share of the swapped images that are named after their background. A network that does not look at
    it does so only where it errs. three : as `on_three_backgrounds` makes them.
    """
    named = {kind: answers(weights, shapes.images, framework=framework) for kind, shapes in three.items()}
    found = {kind: float((called == three[kind].labels).mean()) for kind, called in named.items()}
    return found | {"follows": float((named["swapped"] == three["swapped"].backgrounds).mean())}


def relevance(
    weights: Weights, shapes: Shapes, methods: Sequence[str] = METHODS, *, framework: str = "torch"
) -> dict[str, np.ndarray]:
    """Maps of what spoke for each image's true shape: {method: (N, H, W)}.

    methods : names from Day 22's `standard_methods`. Occlusion covers 8x8 pixels, every 4 pixels; Grad-CAM looks at
    `LAYER`; integrated gradients take 32 steps. Raises ValueError for a name that is not among them.
    """
    known = standard_methods(LAYER, size=8, stride=4, steps=32)
    unknown = [name for name in methods if name not in known]
    if unknown:
        raise ValueError(f"expected methods among {', '.join(known)}, got {', '.join(map(repr, unknown))}")
    chosen, backend = {name: known[name] for name in methods}, training_backend(framework)
    with warnings.catch_warnings():
        # Few steps leave some maps complete to 2 percent instead of 1; 256 move a mean share inside by 0.0002.
        warnings.filterwarnings("ignore", "integrated gradients of category .* add up", RuntimeWarning)
        maps = shape_maps(chosen, backend.small_cnn(weights), shapes, backend.to_batch)
    return {name: maps[name] for name in methods}


def blurred(maps: np.ndarray) -> np.ndarray:
    """Maps (N, H, W) as the lesson shows them: what is above 0, blurred by half a pixel."""
    return smoothed(np.maximum(maps, 0), 0.5)


def shares_inside(
    weights: Weights, shapes: Shapes, methods: Sequence[str] = METHODS, *, framework: str = "torch"
) -> dict[str, np.ndarray]:
    """Which share of each map's relevance lies on the object: {method: (N,)}, from 0 to 1."""
    maps = relevance(weights, shapes, methods, framework=framework)
    return {name: share_inside(maps[name], shapes.masks) for name in maps}


# ---------------------------------------------------------------- files


def save_suspects(suspects: dict[str, Weights], path: Path | str = SUSPECTS_FILE) -> Path:
    """Store networks by name, {name: {layer: (weights, bias)}}, as one safetensors file, and return the path."""
    arrays: Arrays = {}
    for name, weights in suspects.items():
        arrays |= flat(weights, prefix=f"{name}.")
    return save_arrays(arrays, path)


def load_suspects(path: Path | str = SUSPECTS_FILE) -> dict[str, Weights]:
    """The four networks {"A": weights, ... "D": weights}, as `small_cnn` and `shapes_model` of both frameworks want.

    Raises FileNotFoundError or ValueError, with the command that makes the file, where it is missing or damaged.
    """
    return _networks(path, NAMES)


def load_mended(path: Path | str = MENDED_FILE) -> dict[str, Weights]:
    """The suspect of dial 1 as `mend` has mended it: {"random": weights, "masked": weights}; as `load_suspects`."""
    return _networks(path, MENDED_NAMES)


def _networks(path: Path | str, names: Sequence[str]) -> dict[str, Weights]:
    with reading(path, "suspects", _WAY_OUT):
        arrays, _ = load_arrays(path)
        networks = {name: paired(arrays, weight_shapes(), prefix=f"{name}.") for name in names}
    for name, weights in networks.items():
        for layer, shape in weight_shapes().items():
            if (got := tuple(part.shape for part in weights[layer])) != (shape, shape[:1]):
                raise ValueError(f"expected {layer} of {name} as {shape}, {shape[:1]}, got {got}: {_WAY_OUT}")
    return networks


def load_key(path: Path | str = KEY_FILE) -> dict[str, float]:
    """Which dial each suspect was trained at, {"A": dial, ...}; raises as `load_suspects` does."""
    with reading(path, "key", _WAY_OUT):
        key = {name: float(dial) for name, dial in json.loads(Path(path).read_bytes()).items()}
    if sorted(key) != list(NAMES) or sorted(key.values()) != list(DIALS):
        raise ValueError(f"expected a dial of {DIALS} for each of {NAMES}, got {key} in {Path(path).name}: {_WAY_OUT}")
    return key


def main(
    folder: Path = SUSPECTS_FILE.parent, *, steps: int = STEPS, images: int = TRAINING_COUNT, progress: bool = True
) -> list[Path]:
    """Train the suspects with PyTorch and mend the worst; store them, under names drawn by seed, and the key apart.

    steps, images : of each training; mending takes as many images, and `MENDING_STEPS` at most.
    """
    folder.mkdir(parents=True, exist_ok=True)
    trained = train_suspects(steps=steps, images=images, progress=progress)
    mended = mend(trained[max(DIALS)], images=images, steps=min(steps, MENDING_STEPS))
    dials = np.random.default_rng(SEED).permutation(DIALS)
    key = dict(zip(NAMES, dials.tolist(), strict=True))
    return [
        save_suspects({name: trained[dial] for name, dial in key.items()}, folder / SUSPECTS_FILE.name),
        save_suspects(mended, folder / MENDED_FILE.name),
        write_bytes(folder / KEY_FILE.name, (json.dumps(key, indent=1) + "\n").encode()),
    ]


if __name__ == "__main__":
    main()
