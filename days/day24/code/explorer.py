"""The widget of Day 24: a suspect, an image, a background, a method; what it says, and what spoke for that."""

from __future__ import annotations

from functools import lru_cache

import ipywidgets
import numpy as np
from matplotlib.figure import Figure

from days.common.datasets import BACKGROUND_NAMES, SHAPE_NAMES, Shapes
from days.common.live import LivePicture
from days.common.widgets import Explorer
from days.day18.code.runs import HELD_OUT_SEED, answers
from days.day18.code.training import Weights
from days.day22.code.explorer import live_explanation
from days.day22.code.scoring import share_inside
from days.day22.code.visualizations import draw_explanation
from days.day24.code import bias_lab

IMAGES = 60


def suspect_explorer(suspects: dict[str, Weights], *, framework: str = "torch") -> Explorer:
    """Choose, and see the image, the map on it for the true shape, and the map alone.

    suspects : weights by name, which run in `framework`, "torch" or "keras".
    """
    three = bias_lab.on_three_backgrounds(IMAGES, seed=HELD_OUT_SEED)
    controls = {
        "suspect": ipywidgets.Dropdown(options=list(suspects), description="suspect"),
        "background": ipywidgets.Dropdown(options=list(three), description="background"),
        "image": ipywidgets.IntSlider(0, 0, IMAGES - 1, description="image"),
        "method": ipywidgets.Dropdown(options=bias_lab.METHODS, description="method"),
    }

    @lru_cache(maxsize=256)
    def draw(suspect, background, image, method) -> LivePicture:
        shapes = three[background][image : image + 1]
        shown, title = _judged(suspects, suspect, shapes, method, framework)
        top = max(float(shown.max()), 1e-12)
        return live_explanation(shapes.images[0], shown, top, title, f"{method}, positive part", 0.85)

    return Explorer(controls, draw)


def draw_suspect(
    suspects: dict[str, Weights], name: str, shapes: Shapes, method: str, *, framework: str = "torch"
) -> Figure:
    """What a suspect calls one image, (1, H, W, 3), and the map of what spoke for the true shape."""
    shown, title = _judged(suspects, name, shapes, method, framework)
    return draw_explanation(shapes.images[0], shown, title, f"{method}, positive part", 0.85)


def _judged(suspects, name: str, shapes: Shapes, method: str, framework: str) -> tuple[np.ndarray, str]:
    """The map (H, W), blurred, of what spoke for the true shape of one image, and what the suspect calls it."""
    answer = answers(suspects[name], shapes.images, framework=framework)[0]
    heatmap = bias_lab.relevance(suspects[name], shapes, [method], framework=framework)[method]
    inside = share_inside(heatmap, shapes.masks)[0]
    where = f"{SHAPE_NAMES[shapes.labels[0]]} on {BACKGROUND_NAMES[shapes.backgrounds[0]]}"
    title = f"{name} calls the {where} '{SHAPE_NAMES[answer]}'; {inside:.0%} of the map inside"
    return bias_lab.blurred(heatmap)[0], title
