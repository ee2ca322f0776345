"""The pictures of a report: where the network looked, some layers' filters and maps, what some channels love."""

from __future__ import annotations

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
from days.day22.code.methods import grad_cam
from days.xray import pictures
from days.xray.anatomy import Layer
from days.xray.examination import Examination, Track, untracked
from days.xray.loading import one_line
from days.xray.pictures import Picture
from days.xray.subject import Subject

LAYERS_SHOWN, LAYERS_LOVED = 8, 3
HEATMAPS_OF_A_KIND = 4
FAVORITES = 6
ASCENT_STEPS = 48
"""Far fewer than Day 20 takes: a picture shows what a channel goes for, and is no beauty."""
GROWN_SIDE, DEEP_NETWORK = 96, 60
"""Grown pictures have so many pixels a side; with more convolutions than this two thirds, as the way back is kept."""
UNMOVED = 0.03
"""A grown picture whose values spread less has stayed gray: its channel starts silent."""


@dataclass(frozen=True)
class Illustration:
    """All pictures, and what has to be said of them.

    heatmaps : photos with Grad-CAM. layers, favorites : {layer: its pictures}. remarks : sentences.
    """

    heatmaps: tuple[Picture, ...]
    layers: dict[str, tuple[Picture, ...]]
    favorites: dict[str, tuple[Picture, ...]]
    remarks: tuple[str, ...]


class Drawn(NamedTuple):
    """Some pictures, and what has to be said of them."""

    pictures: tuple[Picture, ...] = ()
    remarks: tuple[str, ...] = ()


def illustration_of(seen: Examination, track: Track = untracked) -> Illustration:
    """Draw all pictures of a report; what cannot be drawn is left out with a remark."""
    explained, remarks = _explained(seen)
    photos = [
        _drawn(_heatmap, f"heatmap of {seen.photos.names[index]}", seen, index)
        for index in track(explained, "where it looked")
    ]
    layers, favorites = {}, {}
    for layer in track(_spread(seen.layers, LAYERS_SHOWN), "filters and maps"):
        layers[layer.name] = _drawn(_layer_pictures, f"filters and maps of {layer.name}", seen, layer)
    loved = _spread(seen.layers[1:] or seen.layers, LAYERS_LOVED + 1)[-LAYERS_LOVED:]
    for layer in track(loved, "what channels love"):
        favorites[layer.name] = _drawn(_favorites, f"favorites of {layer.name}", seen, layer)
    said = [remark for drawn in (*photos, *layers.values(), *favorites.values()) for remark in drawn.remarks]
    return Illustration(
        tuple(picture for drawn in photos for picture in drawn.pictures),
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


def _explained(seen: Examination) -> tuple[list[int], tuple[str, ...]]:
    """Photos, by number, of wrong and right answers, or of unsure and sure ones; and how they are explained."""
    scores, truth, layer = seen.trials[0].scores, seen.truth, _looked_at(seen)
    if layer is None or not np.isfinite(scores).all():
        return [], ("No Grad-CAM: the scores are not finite, or no layer has maps of more than one place.",)
    order = np.argsort(-seen.trials[0].probabilities.max(axis=1), kind="stable")
    half = (len(order) + 1) // 2
    right = scores[order].argmax(axis=1) == truth[order] if truth is not None else np.arange(len(order)) < half
    wrong = order[~right] if truth is not None else order[~right][::-1]
    chosen = [*wrong[:HEATMAPS_OF_A_KIND], *order[right][:HEATMAPS_OF_A_KIND]]
    said = f"Grad-CAM is taken at {layer.convolution.watch}, and each map is scaled by itself."
    return list(map(int, chosen)), (said,)


def _heatmap(seen: Examination, index: int) -> Drawn:
    """One photo with what speaks for the category that the network names."""
    subject, trial, truth = seen.subject, seen.trials[0], seen.truth
    said, batch = int(trial.scores[index].argmax()), subject.batch(seen.photos.images[index : index + 1])
    watch = _looked_at(seen).convolution.watch
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", RuntimeWarning)
        if trial.outputs == 1 and said == 0:
            # The one number speaks for the second category: what speaks against it speaks for the first.
            heatmap = np.maximum(-grad_cam(subject.network, batch, watch, 0, signed=True), 0)
        else:
            heatmap = grad_cam(subject.network, batch, watch, said if trial.outputs > 1 else 0)
    words = f"says {subject.called(said)} ({trial.probabilities[index, said]:.0%})"
    if truth is not None:
        words += ": right" if said == truth[index] else f": wrong, it is {subject.called(int(truth[index]))}"
    name = seen.photos.names[index]
    picture = pictures.heatmap_picture(seen.photos.images[index], np.nan_to_num(heatmap), name, f"{name}: {words}")
    return Drawn((picture,), tuple(f"{name}: {warning.message}." for warning in warned))


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
    maps = _maps(seen, layer, photos.images[loved])
    shown = []
    for place, (number, index, favorite) in enumerate(zip(channels, loved, grown, strict=True)):
        name = photos.names[index]
        alt = f"{'' if favorite is None else 'A grown picture, and '}{name} lit where channel {number} answers."
        caption = f"channel {number}; of the photos it loves {name}"
        shown.append(pictures.channel_picture(favorite, photos.images[index], maps[place, number], alt, caption))
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
    said = f"{layer.name}: {still.sum()} channels moved no picture, as they start silent."
    return moved, (said,) if still.any() else ()


def _climbed(seen: Examination, layer: Layer, channels: np.ndarray) -> np.ndarray:
    """Pictures (n, size, size, 3), small ones where the network takes them, else of the photos' size."""
    subject = seen.subject
    # The convolution itself is asked, where no ReLU hides which way is up; a batch norm behind it may turn the sign.
    raw = filters(subject.network, layer.name)[channels]
    signs = np.where((raw * layer.weights.filters[channels]).sum(axis=(1, 2, 3)) < 0, -1, 1)
    wanted = [int(sign) * channel(layer.name, int(number)) for sign, number in zip(signs, channels, strict=True)]
    side = GROWN_SIDE if len(seen.layers) <= DEEP_NETWORK else GROWN_SIDE * 2 // 3
    small = subject.bound or min(side, subject.size)
    try:
        return _ascent(subject, wanted, small)
    except ValueError:
        if small == subject.size:
            raise
        return _ascent(subject, wanted, subject.size)


def _ascent(subject: Subject, wanted: Sequence[Objective], size: int) -> np.ndarray:
    preprocess = Preprocess(subject.pixels, partial(backend_of(subject.network).to_batch, subject.network))
    ascent = Ascent(subject.network, wanted, size=size, preprocess=preprocess)
    for _ in range(ASCENT_STEPS):
        if ascent.step() is None:
            break
    return ascent.images()
