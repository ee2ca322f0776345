"""The widget of Day 22: photo, category, method and layer; where the network looked, and how strongly that is drawn."""

from __future__ import annotations

import warnings
from functools import lru_cache

import ipywidgets
import numpy as np
from matplotlib.figure import Figure

from days.common.figures import describe
from days.common.images import IMAGE_NAMES, load_image
from days.common.models import Model
from days.common.widgets import explorer
from days.day21.code.explorer import uploaded_image, within_336
from days.day22.code.lesson import LAYERS, SIZE, visible
from days.day22.code.scoring import standard_methods
from days.day22.code.visualizations import draw_explanation

STEPS = 32
"""Of integrated gradients: a quarter of what the lesson takes, so that nobody has to wait long."""


def attribution_explorer(model: Model) -> ipywidgets.VBox:
    """Choose, and see the photo, the map on it, and the map alone.

    The category may be typed, as a name or a number; an unknown one is answered with the nearest names. An uploaded
    photo goes before the chosen one, whole, its longer side made 336 pixels. What a method warns of stands below the
    picture.
    """
    names = list(dict.fromkeys(model.categories))
    controls = {
        "photo": ipywidgets.Dropdown(options=IMAGE_NAMES, value="chelsea", description="photo"),
        "category": ipywidgets.Combobox(
            value="Egyptian cat", options=names, description="category", continuous_update=False
        ),
        "method": ipywidgets.Dropdown(options=[*standard_methods("")], value="Grad-CAM", description="method"),
        "layer": ipywidgets.Dropdown(options=LAYERS, value="fire9", description="layer"),
        "strength": ipywidgets.FloatSlider(0.8, min=0, max=1, step=0.1, description="strength"),
        "own": ipywidgets.FileUpload(accept="image/*", description="own photo"),
    }

    @lru_cache(maxsize=32)
    def look(shape: tuple, pixels: bytes, category: int | str, method: str, layer: str) -> tuple[np.ndarray, str]:
        image = np.frombuffer(pixels, np.float32).reshape(shape)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            methods = standard_methods(layer, steps=STEPS, names=model.categories)
            heatmap = methods[method](model.network, model.preprocess(image), category)
        return heatmap, " ".join(str(one.message) for one in caught)

    def draw(photo, category, method, layer, strength, own) -> Figure:
        image = within_336(uploaded_image(own)) if own else load_image(photo, size=SIZE)
        # Two categories are called "cardigan": they can be asked for by their numbers only.
        category = int(category) if category.strip().isdecimal() else category.strip()
        heatmap, warned = look(image.shape, image.astype(np.float32).tobytes(), category, method, layer)
        name = own[0]["name"] if own else photo
        title = f"{name}, {category}" + (f", {layer}" if method == "Grad-CAM" else "")
        heatmap, top = visible(heatmap, method)
        figure = draw_explanation(image, heatmap, title, method, strength, top=top)
        return describe(figure, f"{figure.get_label()} {warned}".strip())

    return explorer(controls, draw)
