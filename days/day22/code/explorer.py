"""The widget of Day 22: photo, category, method and layer; where the network looked, and how strongly that is drawn."""

from __future__ import annotations

import warnings
from functools import lru_cache

import ipywidgets
import numpy as np

from days.common.figures import ColorScale
from days.common.live import LivePicture, live_picture, panel
from days.common.models import Model
from days.common.widgets import Explorer, PhotoChoice
from days.day21.code.explorer import within_336
from days.day22.code.lesson import LAYERS, SIZE, visible
from days.day22.code.maps import overlay
from days.day22.code.scoring import standard_methods
from days.day22.code.visualizations import describe_explanation

STEPS = 32
"""Of integrated gradients: a quarter of what the lesson takes, so that nobody has to wait long."""


def attribution_explorer(model: Model) -> Explorer:
    """Choose, and see the photo, the map on it, and the map alone.

    A new photo sets the category to the network's own answer. It may be typed, as a name or a number; an unknown one is
    answered with the nearest names. An added photo stays whole, its longer side made 336 pixels. The network's three
    best answers stand below the picture, and what a method warns of.
    """
    photos = PhotoChoice("chelsea", size=SIZE, whole=within_336)
    image = lru_cache(photos.image)
    answers = lru_cache(lambda photo: model.predict(image(photo), top=3))
    controls = _controls(photos, list(dict.fromkeys(model.categories)))

    def set_category(_=None):
        best = answers(photos.value)[0][0]
        # Two categories are called "cardigan": they can be asked for by their numbers only.
        if model.categories.count(best) > 1:
            best = str(model.logits(model.preprocess(image(photos.value)))[0].argmax())
        controls["category"].value = best

    @lru_cache(maxsize=64)
    def look(photo: str, category: int | str, method: str, layer: str) -> tuple[np.ndarray, str]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            methods = standard_methods(layer, steps=STEPS, names=model.categories)
            heatmap = methods[method](model.network, model.preprocess(image(photo)), category)
        return heatmap, " ".join(str(one.message) for one in caught)

    def draw(photo, category, method, layer, strength) -> LivePicture:
        category = int(category) if category.strip().isdecimal() else category.strip()
        heatmap, warned = look(photo, category, method, layer)
        title = f"{photo}, {category}" + (f", {layer}" if method == "Grad-CAM" else "")
        said = ", ".join(f"{name} {share:.0%}" for name, share in answers(photo))
        note = f"The network's answers: {said}. {warned}"
        return live_explanation(image(photo), *visible(heatmap, method), title, method, strength, note)

    set_category()
    # Before the explorer observes the photo, so that no map is computed for the category of the photo before.
    photos.observe(set_category, "value")
    return Explorer(controls, draw)


def _controls(photos: PhotoChoice, categories: list[str]) -> dict[str, ipywidgets.Widget]:
    return {
        "photo": photos,
        "category": ipywidgets.Combobox(options=categories, description="category", continuous_update=False),
        "method": ipywidgets.Dropdown(options=[*standard_methods("")], value="Grad-CAM", description="method"),
        "layer": ipywidgets.Dropdown(options=LAYERS, value="fire9", description="layer"),
        "strength": ipywidgets.FloatSlider(0.8, min=0, max=1, step=0.1, description="strength"),
    }


def live_explanation(
    photo: np.ndarray, heatmap: np.ndarray, top: float, title: str, method: str, strength: float, note: str = ""
) -> LivePicture:
    """As `visualizations.draw_explanation`: a photo, the heatmap (h, w) on it, and alone. note : ends the alt."""
    parts = [
        panel("image", photo),
        panel(f"{method} on it", overlay(photo, heatmap, strength, top=top)),
        panel(f"the map, {heatmap.shape[0]} x {heatmap.shape[1]}", heatmap, ColorScale("inferno", 0.0, top), ""),
    ]
    return live_picture(title, parts, f"{describe_explanation(heatmap, title, method)} {note}".strip())
