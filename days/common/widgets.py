"""The one frame that all interactive figures share: controls, a picture that follows them, and errors in sight."""

from __future__ import annotations

import html
from collections.abc import Callable

import ipywidgets
from matplotlib.figure import Figure

from days.common.figures import picture_bytes


def explorer(controls: dict[str, ipywidgets.Widget], draw: Callable[..., Figure]) -> ipywidgets.VBox:
    """Controls above a picture that is drawn anew, by `draw(**values)`, whenever one of them changes.

    A figure's description goes below the picture, for those who read rather than see it. An error of `draw` is shown
    in place of the description (Jupyter would swallow it) and the last picture stays.
    """
    picture = ipywidgets.Image(format="png", layout=ipywidgets.Layout(max_width="100%"))
    caption = ipywidgets.HTML()
    picture.add_class("explorer-picture")

    def redraw(_=None):
        try:
            figure = draw(**{name: control.value for name, control in controls.items()})
            picture.value, caption.value = picture_bytes(figure), f"<i>{html.escape(figure.get_label())}</i>"
        except Exception as error:
            caption.value = f'<b role="alert">{type(error).__name__}: {html.escape(str(error))}</b>'

    for control in controls.values():
        control.observe(redraw, names="value")
    redraw()
    return ipywidgets.VBox([ipywidgets.HBox(list(controls.values())), picture, caption])
