"""The pictures of an X-ray: filters and maps of a layer, photos with what decided, channels with what they love."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from days.common.figures import draw_panels, picture_bytes
from days.day17.code.feature_maps import color_patches
from days.day17.code.visualizations import draw_all_slices, draw_sheet, spotlight
from days.day22.code.maps import overlay

SHOWN, INPUTS = 24, 10
SIDE = 160


class Picture(NamedTuple):
    """A picture as a data URI, what is seen in it, and the words below it."""

    source: str
    alt: str
    caption: str


def filters_picture(
    filters: np.ndarray, channels: Sequence[int] | np.ndarray, layer: str, *, order: str | None
) -> Picture:
    """The filters (out, in, kh, kw) of these channels: in color if they see pixels, whose `order` is RGB or BGR."""
    chosen = filters[list(channels)]
    chosen = np.where(np.isfinite(chosen), chosen, 0).astype(np.float32)
    title, height = f"{layer}: filters of its {len(chosen)} strongest channels", filters.shape[2]
    inputs = np.argsort(-np.abs(chosen).sum(axis=(0, 2, 3)), kind="stable")[:INPUTS]
    some = "" if len(inputs) == filters.shape[1] else f", their {len(inputs)} strongest inputs"
    if order and filters.shape[1] == 3 and height > 1:
        patches = color_patches(chosen, order)
        figure = draw_panels(patches, title=f"{title} (mid-gray is 0)", labels=list(map(str, channels)), columns=12)
    elif filters.shape[1] == 1 and height > 1:
        figure = draw_panels(chosen[:, 0], title=title, unit="weight", labels=list(map(str, channels)), columns=12)
    elif filters.shape[2:] == (1, 1):
        figure = draw_sheet(chosen[:, inputs, 0, 0].T, f"{title}, a column each{some}")
    else:
        figure = draw_all_slices(chosen[:, inputs], f"{title}, a column each{some}")
    numbers = ", ".join(map(str, channels))
    alt = f"Weights of {len(chosen)} filters of {layer} as patches of color, channels {numbers}."
    return Picture(_uri(picture_bytes(figure), "png"), alt, f"Filters of channels {numbers}{some}.")


def maps_picture(maps: np.ndarray, channels: Sequence[int] | np.ndarray, layer: str, photo: str) -> Picture:
    """The maps (n, h, w) that these channels of a layer make of a photo, on one scale."""
    maps = np.where(np.isfinite(maps), maps, 0)
    dark = np.flatnonzero(np.ptp(maps, axis=(1, 2)) == 0).tolist()
    title = f"{layer}: its {len(maps)} strongest channels on one photo"
    figure = draw_panels(maps, title=title, labels=list(map(str, channels)), columns=min(len(maps), 8), alarm=dark)
    numbers = ", ".join(map(str, channels))
    alt = f"{len(maps)} maps of {layer} on one scale, channels {numbers}; {len(dark)} are uniform."
    return Picture(_uri(picture_bytes(figure), "png"), alt, f"Activations of these channels on {photo}.")


def heatmap_picture(
    photo: np.ndarray, heatmap: np.ndarray, shuffled: np.ndarray | None, name: str, caption: str, *, top: float
) -> Picture:
    """A photo (H, W, 3), the same with a Grad-CAM map (h, w) on it, and with that of the shuffled network, if there is.

    top : the value that is brightest, for the maps of all photos. The shuffled network's map is scaled by itself. Both
    are shown by their square root, so that weak maps can be seen beside the strongest, and an empty one stays dark.
    """
    row, column = np.unravel_index(int(heatmap.argmax()), heatmap.shape)
    down, across = (row + 0.5) / heatmap.shape[0], (column + 0.5) / heatmap.shape[1]
    alt = f"{name}, and Grad-CAM on it: strongest {down:.0%} from the top and {across:.0%} from the left."
    alt = alt if heatmap.max() > 0 else f"{name}, and an empty Grad-CAM map."
    shown = [photo, overlay(photo, np.sqrt(heatmap), 0.8, top=float(np.sqrt(top)))]
    return _beside(shown if shuffled is None else [*shown, overlay(photo, np.sqrt(shuffled), 0.8)], alt, caption)


def channel_picture(
    favorite: np.ndarray | None, photo: np.ndarray, feature_map: np.ndarray, alt: str, caption: str
) -> Picture:
    """A channel's grown favorite (size, size, 3), if there is one, beside a photo lit where its map (h, w) is high."""
    # The root lets weaker answers be seen beside the strongest.
    lit = spotlight(photo, np.sqrt(np.maximum(np.where(np.isfinite(feature_map), feature_map, 0), 0)))
    return _beside([lit] if favorite is None else [favorite, lit], alt, caption)


def _beside(images: Sequence[np.ndarray], alt: str, caption: str) -> Picture:
    """Square images side by side as one JPEG; small ones are shown with their pixels."""
    panels = []
    for image in images:
        how = Image.Resampling.NEAREST if len(image) < SIDE else Image.Resampling.BICUBIC
        panels.append(Image.fromarray((np.clip(image, 0, 1) * 255).round().astype(np.uint8)).resize((SIDE, SIDE), how))
    sheet = Image.new("RGB", (SIDE * len(panels) + 4 * (len(panels) - 1), SIDE), "white")
    for index, panel in enumerate(panels):
        sheet.paste(panel, (index * (SIDE + 4), 0))
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=85)
    return Picture(_uri(buffer.getvalue(), "jpeg"), alt, caption)


def _uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
