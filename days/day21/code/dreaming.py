"""DeepDream in NumPy: octaves, jitter, tiles and steps. A framework is asked for gradients and for nothing else.

Source: Mordvintsev, Olah and Tyka, "Inceptionism: going deeper into neural networks", 2015, and the notebook that they
published with it; Burt and Adelson, "The Laplacian pyramid as a compact image code", 1983, for bands and lost detail.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from days.common.checks import check_integer, is_number
from days.common.images import check_image
from days.day20.code import objectives
from days.day20.code.objectives import Objective

SMALLEST = 32
"""The shortest side, in pixels, of any picture that a network is shown."""
ALIGNMENT = 32
"""Tiles begin at multiples of this, so that every layer's grid of units lies as it does on the whole picture."""
MARGIN = 64
"""How many pixels a tile sees beyond its own, on each side: up to SqueezeNet's fire5 that is all that matters."""
GUIDE_SIDE = 224
LEVELS = np.float32(65536)

Ask = Callable[[np.ndarray], tuple[float, np.ndarray]]
"""Picture (H, W, 3) -> the objective and its gradient (H, W, 3)."""


@dataclass(frozen=True)
class Moment:
    """One step: `value` is the objective before it, `picture` (h, w, 3) what the step made, at its octave's size."""

    octave: int
    step: int
    value: float
    picture: np.ndarray


def last_picture(ask: Ask, image: np.ndarray, **settings) -> np.ndarray:
    """The last picture of `grow`, which takes the same arguments; with 0 steps it is the image itself."""
    moments = grow(ask, image, **settings)
    picture = np.clip(image, 0, 1).astype(np.float32)
    for moment in moments:
        picture = moment.picture
    return picture


def grow(
    ask: Ask,
    image: np.ndarray,
    *,
    octaves: int = 4,
    octave_scale: float = 1.4,
    steps: int = 20,
    step_size: float = 0.004,
    bands: int = 2,
    jitter: int = 32,
    seed: int = 0,
    tile: int = 640,
    progress: bool = False,
) -> Iterator[Moment]:
    """Dream, and hand out every step: from the smallest octave to the largest, `steps` steps in each.

    An octave's picture is the photo at its size, plus what the octave before it added, enlarged. So the photo's detail
    that the smaller size had lost is put back:

        picture = resize(smaller picture) + (photo - resize(smaller photo))

    ask : what `deepdream.slope` returns.
    image : (H, W, 3) in [0, 1], any size from 32 x 32.
    octaves, octave_scale : how many sizes, each larger than the last by this factor; the last is the image's own.
    step_size : how far the values of a picture move in one step, on average.
    bands : into how many bands, from fine to coarse, the gradient is split and evened out; see `balanced`.
    jitter : before each step the picture is rolled by up to this many pixels each way, and rolled back after it.
    seed : draws the shifts.
    tile : pictures with a longer side are taken in tiles of at most this, a multiple of 32; see `gradient_of`.

    Raises ValueError for anything else, before the first step.
    """
    counts = {"octaves": (octaves, 1), "steps": (steps, 0), "bands": (bands, 1), "jitter": (jitter, 0)}
    image = _checked(image, counts | {"seed": (seed, 0)}, tile, octave_scale, step_size)
    sizes = octave_sizes(image.shape[:2], octaves, octave_scale)

    def moments() -> Iterator[Moment]:
        generator, photo = np.random.default_rng(seed), shrunk(image, sizes[0])
        picture = photo
        with tqdm(total=len(sizes) * steps, desc="dream", unit="step", disable=not progress) as bar:
            for octave, size in enumerate(sizes):
                smaller_photo, photo = photo, shrunk(image, size)
                picture = photo + resize(picture - smaller_photo, size)
                for step in range(steps):
                    shift = draw_shift(generator, size, jitter, tile)
                    value, picture = ascent_step(ask, picture, step_size, shift=shift, bands=bands, tile=tile)
                    bar.set_postfix(octave=octave, objective=f"{value:.3g}", refresh=False)
                    bar.update()
                    yield Moment(octave, step, value, picture)

    return moments()


def ascent_step(
    ask: Ask,
    picture: np.ndarray,
    step_size: float,
    *,
    shift: tuple[int, int] = (0, 0),
    bands: int = 1,
    tile: int = 640,
) -> tuple[float, np.ndarray]:
    """The objective, and the picture one step up: roll, ask, roll back, even the gradient out, add, clip, round.

    Values are kept to 1/65536, finer than a picture file has them, so that not every rounding of a processor lives on.

    A gradient that is 0 everywhere (a dead channel) leaves the picture as it is, with a warning. Raises ValueError for
    one that is not finite.
    """
    value, gradient = gradient_of(ask, np.roll(picture, shift, axis=(0, 1)), tile)
    if not (math.isfinite(value) and np.isfinite(gradient).all()):
        raise ValueError("expected a finite gradient, got NaN or infinite values: does the network hold such weights?")
    if not gradient.any():
        warnings.warn("the gradient is 0 everywhere: nothing answers, and nothing moves", RuntimeWarning, stacklevel=2)
        return value, np.clip(picture, 0, 1)
    direction = balanced(np.roll(gradient, (-shift[0], -shift[1]), axis=(0, 1)), bands)
    moved = np.clip(picture + np.float32(step_size) * direction, 0, 1)
    return value, np.round(moved * LEVELS) / LEVELS


def balanced(gradient: np.ndarray, bands: int = 1) -> np.ndarray:
    """A gradient (H, W, 3) made so large that its |values| have the mean 1; before that, its bands made equally strong.

    With one band nothing else happens. With more, the gradient is split as a Laplacian pyramid splits a picture: what
    halving the size loses is the finest band, what halving it again loses the next, and what is left is the last.
    """
    rest, sum_of_bands = gradient, np.zeros_like(gradient)
    for _ in range(bands - 1):
        smaller = resize(rest, tuple((side + 1) // 2 for side in rest.shape[:2]))
        sum_of_bands += resize(scaled(rest - resize(smaller, rest.shape[:2])), gradient.shape[:2])
        rest = smaller
    return scaled(sum_of_bands + resize(scaled(rest), gradient.shape[:2]))


def scaled(gradient: np.ndarray) -> np.ndarray:
    """A gradient divided by the mean of its |values|; one that is 0 everywhere stays so."""
    size = np.abs(gradient).mean(dtype=np.float64)
    return gradient if size == 0 else (gradient / size).astype(np.float32)


# ---------------------------------------------------------------- octaves


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An array (H, W, 3) of any values at another size (height, width), bicubic, averaged where it shrinks.

    Linear, so that resize(a) + resize(b) is resize(a + b), and the same for both frameworks.
    """
    if image.shape[:2] == tuple(size):
        return image.astype(np.float32)
    channels = [Image.fromarray(np.ascontiguousarray(image[:, :, index], np.float32)) for index in range(3)]
    resized = [one.resize((size[1], size[0]), Image.Resampling.BICUBIC) for one in channels]
    return np.stack([np.asarray(one) for one in resized], axis=2)


def shrunk(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An image at another size (height, width), still in [0, 1], which `resize` overshoots at hard edges."""
    return np.clip(resize(image, size), 0, 1)


def octave_sizes(size: tuple[int, int], octaves: int = 4, scale: float = 1.4) -> list[tuple[int, int]]:
    """The sizes (height, width) of a dream's octaves, smallest first, `size` itself last.

    Those with a side below 32 pixels are left out.

    >>> octave_sizes((280, 420), 3, 1.4)
    [(143, 214), (200, 300), (280, 420)]
    """
    factors = [scale**power for power in reversed(range(octaves))]
    sizes = [(round(size[0] / factor), round(size[1] / factor)) for factor in factors]
    return [one for one in sizes if min(one) >= SMALLEST or one == tuple(size)]


# ---------------------------------------------------------------- tiles and jitter


def tiles(length: int, tile: int = 640) -> tuple[list[int], int, int]:
    """How one side of a picture is cut: where tiles start, how long each is, and the margin that each sees beyond.

    A side of at most `tile` stays whole, without a margin. All tiles are equally long, so the last may reach beyond the
    end, where the picture begins again.

    >>> tiles(640), tiles(1000), tiles(100, 64)
    (([0], 640, 0), ([0, 512], 512, 64), ([0, 64], 64, 64))
    """
    count = math.ceil(length / tile)
    core = math.ceil(length / count / ALIGNMENT) * ALIGNMENT
    return list(range(0, length, core)), core, MARGIN if count > 1 else 0


def gradient_of(ask: Ask, picture: np.ndarray, tile: int = 640) -> tuple[float, np.ndarray]:
    """The objective and its gradient (H, W, 3), asked for tile by tile; the objective is the tiles' mean.

    Each tile is seen with its margin, and of the answer only the tile's own part is kept. What lies beyond a picture's
    end is its other end, as after a roll.
    """
    height, width = picture.shape[:2]
    (tops, down, above), (lefts, across, before) = tiles(height, tile), tiles(width, tile)
    gradient, values = np.empty_like(picture), []
    for top in tops:
        rows = np.arange(top - above, top + down + above) % height
        for left in lefts:
            columns = np.arange(left - before, left + across + before) % width
            value, found = ask(picture[rows[:, None], columns])
            part = gradient[top : top + down, left : left + across]
            part[...] = found[above : above + part.shape[0], before : before + part.shape[1]]
            values.append(value)
    return float(np.mean(values)), gradient


def draw_shift(generator: np.random.Generator, size: tuple[int, int], jitter: int, tile: int = 640) -> tuple[int, int]:
    """How far to roll before a step, (down, right): up to `jitter` either way, and up to half a tile along a cut side.

    So the seams between tiles hardly ever lie in the same place twice. With jitter 0 nothing is rolled.
    """
    cuts = [tiles(side, tile) for side in size]
    reach = [max(jitter, core // 2) if jitter and len(starts) > 1 else jitter for starts, core, _ in cuts]
    down, right = (int(generator.integers(-one, one + 1)) for one in reach)
    return down, right


def zoom(
    ask: Ask, image: np.ndarray, *, frames: int = 30, closer: float = 1.04, steps: int = 4, seed: int = 0, **how
) -> Iterator[np.ndarray]:
    """A flight into a dream: dream a little, cut off the border, enlarge, dream on; hands out `frames` images.

    closer : by how much each picture is enlarged. For all else see `grow`; each frame has a seed of its own.
    Raises ValueError as `grow` does, with the first frame.
    """
    height, width = check_image(image).shape[:2]
    frames, seed = check_integer(frames, 1, "frames"), check_integer(seed, 0, "seed")
    if not (is_number(closer) and 1 <= closer <= min(height, width)):
        raise ValueError(f"expected closer from 1, for not at all, to {min(height, width)}, got {closer!r}")
    inner = round(height / closer), round(width / closer)
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    picture = image
    for frame in range(frames):
        picture = last_picture(ask, picture, steps=steps, seed=seed + frame, **({"octaves": 2} | how))
        yield picture
        picture = shrunk(picture[top : top + inner[0], left : left + inner[1]], (height, width))


# ---------------------------------------------------------------- what is dreamed of


def wanted_objective(layer: str | Objective, guide: np.ndarray | None) -> Objective:
    """The objective that `layer` stands for. Raises ValueError for one that looks at a single place."""
    wanted = objectives.layer(layer) if isinstance(layer, str) else layer
    if not isinstance(wanted, Objective):
        raise ValueError(f"expected a layer's name or an objective, got {type(layer).__name__}")
    for term in wanted.terms:
        if term.kind in ("unit", "logit"):
            looks_everywhere = "an objective that looks everywhere (layer, channel, direction)"
            raise ValueError(f"expected {looks_everywhere}, got {term.kind}: Day 20's maximize grows those")
    if guide is not None and not isinstance(layer, str):
        raise ValueError("expected a layer's name beside a guide, got an objective: leave one of the two out")
    return wanted


def guide_image(guide: np.ndarray) -> np.ndarray:
    """The guide as the network sees it: its longer side at most 224 pixels. Raises ValueError if it is no image."""
    height, width = check_image(guide).shape[:2]
    shrink = min(1.0, GUIDE_SIDE / max(height, width))
    return shrunk(guide, (round(height * shrink), round(width * shrink)))


def features_of(answer: np.ndarray) -> np.ndarray:
    """What a layer answered to one image, (1, C, h, w), as one column for each place, (C, h * w)."""
    return answer[0].reshape(answer.shape[1], -1)


def guide_matches(answer: np.ndarray, guide: np.ndarray) -> np.ndarray:
    """For each place of an answer (1, C, h, w), the guide's feature that it is most like, (1, C, h, w).

    guide : features (C, n), one for each place of the guide. Alike is the dot product over the channels.
    """
    features = features_of(answer)
    chosen = [(guide.T @ part).argmax(axis=0) for part in np.array_split(features, 1 + features.shape[1] // 2048, 1)]
    return guide[:, np.concatenate(chosen)].reshape(answer.shape)


# ---------------------------------------------------------------- numbers about what was added


def median_wavelength(added: np.ndarray) -> float:
    """The wavelength, in pixels, that halves the power of what was added: half lies in longer waves, half in shorter.

    added : (H, W, 3), dream minus photo. Its brightness is taken, faded out towards the border.
    """
    gray = added.mean(axis=2, dtype=np.float64)
    window = np.outer(np.hanning(gray.shape[0]), np.hanning(gray.shape[1]))
    power = np.abs(np.fft.fft2((gray - gray.mean()) * window)) ** 2
    frequency = np.hypot(np.fft.fftfreq(gray.shape[0])[:, None], np.fft.fftfreq(gray.shape[1])[None]).ravel()
    order = np.argsort(frequency, kind="stable")
    total = np.cumsum(power.ravel()[order])
    with np.errstate(divide="ignore"):  # a picture that is the same everywhere is one wave without end
        return float(1 / frequency[order][np.searchsorted(total, total[-1] / 2)])


def gathered_share(added: np.ndarray, block: int = 16) -> float:
    """The share of a change (H, W, 3), squared, that lies in the tenth of all blocks that changed most.

    Blocks are `block` x `block` pixels; a change that is even everywhere gives 0.1, one that is all in one place 1.
    """
    rows, columns = (side // block for side in added.shape[:2])
    squares = (added[: rows * block, : columns * block].astype(np.float64) ** 2).sum(axis=2)
    blocks = np.sort(squares.reshape(rows, block, columns, block).sum(axis=(1, 3)).ravel())[::-1]
    return float(blocks[: max(1, round(len(blocks) / 10))].sum() / blocks.sum())


def gram(activations: np.ndarray) -> np.ndarray:
    """Which channels respond together, (C, C): the mean over all positions of the product of each two.

    activations : (1, C, h, w). Positions are lost; what is left is texture. Source: Gatys, Ecker and Bethge, "Texture
    synthesis using convolutional neural networks", 2015.
    """
    features = features_of(activations).astype(np.float64)
    return features @ features.T / features.shape[1]


def texture_similarity(first: np.ndarray, second: np.ndarray) -> float:
    """The cosine of two Gram matrices (C, C): 1 for the same texture."""
    return float((first * second).sum() / np.linalg.norm(first) / np.linalg.norm(second))


# ---------------------------------------------------------------- what is refused


def _checked(image, counts: dict, tile, octave_scale, step_size) -> np.ndarray:
    if min(check_image(image).shape[:2]) < SMALLEST:
        raise ValueError(
            f"expected an image of at least {SMALLEST} x {SMALLEST} pixels, got {image.shape[0]} x {image.shape[1]}: "
            "load_image(..., size=224) makes a larger one"
        )
    for name, (count, least) in counts.items():
        check_integer(count, least, name)
    if check_integer(tile, ALIGNMENT, "tile") % ALIGNMENT:
        raise ValueError(f"expected a tile of {ALIGNMENT} pixels or a multiple of it, got {tile!r}")
    for name, value, least, usual in (("octave_scale", octave_scale, 1, 1.4), ("step_size", step_size, 0, 0.004)):
        if not (is_number(value) and value > least):
            raise ValueError(f"expected {name} above {least}, got {value!r}: {usual} is usual")
    return np.clip(image, 0, 1).astype(np.float32)
