"""The pictures of a report: where the network looked, some layers' filters and maps, what some channels love."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from days.common.preprocessing import Preprocess
from days.day17.code.backends import backend_of, capture, filters
from days.day20.code.ascent import Ascent
from days.day20.code.objectives import Objective, channel
from days.xray import controls, pictures
from days.xray.anatomy import Layer
from days.xray.controls import Controlled, Question
from days.xray.examination import Examination, Track, untracked
from days.xray.loading import one_line
from days.xray.pictures import Picture
from days.xray.subject import Subject

LAYERS_SHOWN, LAYERS_LOVED = 8, 3
HEATMAPS_OF_A_KIND = 4
FAVORITES = 6
ASCENT_STEPS, FEWEST_STEPS = 48, 16
"""Far fewer than Day 20 takes: a picture shows what a channel goes for, and is no beauty."""
AFFORDED = 1e11
"""Multiplications on the way to a layer, over all steps, from which on there are fewer steps: some seven seconds."""
GROWN_SIDE, DEEP_NETWORK = 96, 60
"""Grown pictures have so many pixels a side; with more convolutions than this two thirds, as the way back is kept."""
UNMOVED = 0.03
"""A grown picture whose values spread less has stayed gray: its channel starts silent."""


@dataclass(frozen=True)
class Illustration:
    """All pictures, and what has to be said of them.

    heatmaps : photos with Grad-CAM and its controls. controls : what these say. layers, favorites : {layer: its
    pictures}. remarks : sentences.
    """

    heatmaps: tuple[Picture, ...]
    controls: str
    layers: dict[str, tuple[Picture, ...]]
    favorites: dict[str, tuple[Picture, ...]]
    remarks: tuple[str, ...]


class Drawn(NamedTuple):
    """Some pictures, and what has to be said of them."""

    pictures: tuple[Picture, ...] = ()
    remarks: tuple[str, ...] = ()


NOTHING = Illustration((), "", {}, {}, ("No pictures: --quick leaves them out.",))


def illustration_of(seen: Examination, track: Track = untracked) -> Illustration:
    """Draw all pictures of a report; what cannot be drawn is left out with a remark."""
    explained, controls, remarks = _looks(seen, track)
    top = max((found.heatmap.max() for found in explained.values()), default=0) or 1.0
    photos = [
        _drawn(partial(_heatmap, found=found, top=top), f"heatmap of {seen.photos.names[index]}", seen, index)
        for index, found in explained.items()
    ]
    layers, favorites = {}, {}
    for layer in track(_spread(seen.layers, LAYERS_SHOWN), "filters and maps"):
        layers[layer.name] = _drawn(_layer_pictures, f"filters and maps of {layer.name}", seen, layer)
    loved = _spread(seen.layers[1:] or seen.layers, LAYERS_LOVED + 1)[-LAYERS_LOVED:]
    for layer in track(loved, "what excites the channels"):
        favorites[layer.name] = _drawn(_favorites, f"pictures that excite {layer.name}", seen, layer)
    said = [remark for drawn in (*photos, *layers.values(), *favorites.values()) for remark in drawn.remarks]
    return Illustration(
        tuple(picture for drawn in photos for picture in drawn.pictures),
        controls,
        {name: drawn.pictures for name, drawn in layers.items()},
        {name: drawn.pictures for name, drawn in favorites.items()},
        tuple(dict.fromkeys((*remarks, *said))),
    )


def _drawn(draw: Callable[..., Drawn], what: str, seen: Examination, part: Layer | int) -> Drawn:
    """What `draw` gives; nothing but a remark where it fails."""
    try:
        return draw(seen, part)
    except Exception as error:  # the learner's own forward may raise anything
        return Drawn(remarks=(f"No {what}: {one_line(error)}.",))


def _spread(layers: Sequence[Layer], count: int) -> list[Layer]:
    """At most `count` layers, the first and the last among them."""
    chosen = np.unique(np.linspace(0, len(layers) - 1, min(count, len(layers))).round().astype(int))
    return [layers[index] for index in chosen]


# ---------------------------------------------------------------- where it looked


def _looked_at(seen: Examination) -> Layer | None:
    """The last convolution that still has maps of more than one place."""
    return next((layer for layer in reversed(seen.layers) if min(layer.summary.size) > 1), None)


def _chosen(seen: Examination) -> list[int]:
    """Photos, by number, of wrong and right answers, or of unsure and sure ones."""
    scores, truth = seen.trials[0].scores, seen.truth
    order = np.argsort(-seen.trials[0].probabilities.max(axis=1), kind="stable")
    half = (len(order) + 1) // 2
    right = scores[order].argmax(axis=1) == truth[order] if truth is not None else np.arange(len(order)) < half
    wrong = order[~right] if truth is not None else order[~right][::-1]
    return list(map(int, [*wrong[:HEATMAPS_OF_A_KIND], *order[right][:HEATMAPS_OF_A_KIND]]))


def _looks(seen: Examination, track: Track) -> tuple[dict[int, Controlled], str, tuple[str, ...]]:
    """{photo's number: its map with its controls}, what the controls say together, and remarks."""
    layer, found = _looked_at(seen), {}
    if layer is None or not np.isfinite(seen.trials[0].scores).all():
        return {}, "", ("No Grad-CAM: the scores are not finite, or no layer has maps of more than one place.",)
    remarks = [f"Grad-CAM is taken at {layer.convolution.watch}."]
    try:
        shuffled = controls.with_late_layers_shuffled(seen.subject, layer)
    except Exception as error:  # a learner's network may be one that cannot be copied
        shuffled = None
        remarks.append(f"No map of the network with shuffled layers: {one_line(error)}.")
    for index in track(_chosen(seen), "where it looked"):
        name, photo = seen.photos.names[index], seen.photos.images[index]
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", RuntimeWarning)
            try:
                found[index] = controls.controlled(seen.subject, photo, layer, _asked(seen, index), shuffled, index)
            except Exception as error:  # the learner's own forward may raise anything
                remarks.append(f"No heatmap of {name}: {one_line(error)}.")
        remarks += [f"{name}: {warning.message}." for warning in warned if warning.category is RuntimeWarning]
    return found, controls.verdict([*found.values()]) if found else "", tuple(remarks)


def _asked(seen: Examination, index: int) -> Question:
    """The category that the network names. A single output speaks for the second one, and against the first."""
    said = int(seen.trials[0].scores[index].argmax())
    return Question(said, 1) if seen.trials[0].outputs > 1 else Question(0, 1 if said else -1)


def _heatmap(seen: Examination, index: int, *, found: Controlled, top: float) -> Drawn:
    """One photo with what speaks for the category that the network names, and the controls in words."""
    subject, trial, truth, name = seen.subject, seen.trials[0], seen.truth, seen.photos.names[index]
    said = int(trial.scores[index].argmax())
    words = f"{name}: predicted {subject.called(said)} ({trial.probabilities[index, said]:.0%})"
    if truth is not None:
        words += ", right" if said == truth[index] else f", wrong: it is {subject.called(int(truth[index]))}"
    words += f". Map strength {found.heatmap.max() / top:.2g} of the strongest. "
    words += f"Brightest tenth covered: score {-found.fall:+z.2f}; elsewhere: {-found.elsewhere.mean():+z.2f}"
    if np.isfinite(found.likeness):
        words += f". Rank correlation with the shuffled network's map: {found.likeness:.2f}"
    photo = seen.photos.images[index]
    return Drawn((pictures.heatmap_picture(photo, found.heatmap, found.shuffled, name, words, top=top),))


# ---------------------------------------------------------------- layers, and what their channels love


def _maps(seen: Examination, layer: Layer, images: np.ndarray) -> np.ndarray:
    """A layer's maps (N, C, h, w) of some images, after the ReLU if one follows."""
    watch = layer.convolution.watch
    maps = capture(seen.subject.network, watch, seen.subject.batch(images))[watch]
    return np.maximum(maps, 0) if layer.convolution.rectified else maps


def _layer_pictures(seen: Examination, layer: Layer) -> Drawn:
    """A layer's strongest filters, and what they make of the photo that the layer answers most strongly."""
    subject, photos = seen.subject, seen.photos
    channels = np.sort(layer.summary.strongest(pictures.SHOWN))
    index = int(np.nan_to_num(layer.summary.mean[:, channels].sum(axis=1)).argmax())
    exchanged = np.argmax(subject.pixels.matrix[0]) == 2
    order = ("BGR" if exchanged else "RGB") if layer.convolution.sees_pixels else None
    raw = filters(subject.network, layer.name)
    maps = _maps(seen, layer, photos.images[index : index + 1])[0, channels]
    return Drawn(
        (
            pictures.filters_picture(raw, channels, layer.name, order=order),
            pictures.maps_picture(maps, channels, layer.name, photos.names[index]),
        )
    )


def _favorites(seen: Examination, layer: Layer) -> Drawn:
    """A layer's strongest channels: for each a grown picture, and the photo that excites it most, lit by its map."""
    channels, photos = layer.summary.strongest(FAVORITES), seen.photos
    loved = np.nan_to_num(layer.summary.top[:, channels]).argmax(axis=0)
    grown, remarks = _grown(seen, layer, channels)
    maps = {index: _maps(seen, layer, photos.images[index : index + 1])[0] for index in set(loved.tolist())}
    shown = []
    for number, index, favorite in zip(channels, loved, grown, strict=True):
        name = photos.names[index]
        alt = f"{'' if favorite is None else 'A grown picture, and '}{name}, bright where channel {number} is active."
        caption = f"channel {number}; most excited by {name}"
        shown.append(pictures.channel_picture(favorite, photos.images[index], maps[index][number], alt, caption))
    return Drawn(tuple(shown), remarks)


def _grown(
    seen: Examination, layer: Layer, channels: np.ndarray
) -> tuple[Sequence[np.ndarray | None], tuple[str, ...]]:
    """A picture that excites each channel, by a short ascent; None, with a remark, where there is none to be had."""
    none, why = [None] * len(channels), f"No pictures are grown for {layer.name}"
    if len(seen.subject.pixels.matrix) != 3:
        return none, (f"{why}: the network sees gray images.",)
    try:
        images = _climbed(seen, layer, channels)
    except Exception as error:  # the learner's own forward may raise anything
        return none, (f"{why}: {one_line(error)}.",)
    still = images.std(axis=(1, 2, 3)) < UNMOVED
    moved = [None if unmoved else image for unmoved, image in zip(still, images, strict=True)]
    said = (
        f"{layer.name}: {still.sum()} channels are silent on the starting picture, so nothing could be grown for them."
    )
    return moved, (said,) if still.any() else ()


def _climbed(seen: Examination, layer: Layer, channels: np.ndarray) -> np.ndarray:
    """Pictures (n, size, size, 3), small ones where the network takes them, else of the photos' size."""
    subject = seen.subject
    # The convolution itself is asked, where no ReLU hides which way is up; a batch norm behind it may turn the sign.
    raw = filters(subject.network, layer.name)[channels]
    signs = np.where((raw * layer.weights.filters[channels]).sum(axis=(1, 2, 3)) < 0, -1, 1)
    wanted = [int(sign) * channel(layer.name, int(number)) for sign, number in zip(signs, channels, strict=True)]
    side = GROWN_SIDE if len(seen.layers) <= DEEP_NETWORK else GROWN_SIDE * 2 // 3
    before = seen.layers[: [one.name for one in seen.layers].index(layer.name) + 1]
    work = len(channels) * multiplications(before) / subject.size**2
    if side < subject.size:
        with contextlib.suppress(ValueError):
            return _ascent(subject, subject.backend.of_any_size(subject.network), wanted, side, work)
    return _ascent(subject, subject.network, wanted, subject.size, work)


def multiplications(layers: Sequence[Layer]) -> int:
    """How many multiplications these convolutions take for one photo; depthwise halves of separable ones are few."""
    weights = [np.prod(layer.shape[:2] if layer.convolution.separable else layer.shape) for layer in layers]
    return sum(int(count * np.prod(layer.summary.size)) for count, layer in zip(weights, layers, strict=True))


def _ascent(subject: Subject, network, wanted: Sequence[Objective], size: int, work: float) -> np.ndarray:
    """Pictures (n, size, size, 3). work : multiplications of a step for each pixel."""
    preprocess = Preprocess(subject.pixels, partial(backend_of(network).to_batch, network))
    ascent = Ascent(network, wanted, size=size, preprocess=preprocess)
    for _ in range(int(np.clip(AFFORDED / (work * size**2), FEWEST_STEPS, ASCENT_STEPS))):
        if ascent.step() is None:
            break
    return ascent.images()
