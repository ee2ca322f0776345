"""The one frame that all interactive figures share: controls, a picture that follows them, and errors in sight."""

from __future__ import annotations

import asyncio
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
            _show(draw(**_values(controls)), picture, caption)
        except Exception as error:
            _alarm(error, caption)

    for control in controls.values():
        control.observe(redraw, names="value")
    redraw()
    return ipywidgets.VBox([ipywidgets.HBox(list(controls.values())), picture, caption])


class GrowingPicture:
    """A picture that grows step by step, with Start and Stop, a progress bar, and errors in sight.

    make_steps : `make_steps(**values)` does one step after the other and yields, for each, a function that draws it;
        only each `every`-th is drawn, and the last.
    count : how many steps it does.

    The steps run in the kernel's event loop and give way after each one, so that Stop is heard at once; what was last
    shown stays, and the kernel is free again.
    """

    def __init__(self, controls: dict[str, ipywidgets.Widget], make_steps: Callable, count: int, every: int = 5):
        self.controls, self.make_steps, self.count, self.every = controls, make_steps, count, every
        self.start = ipywidgets.Button(description="Start")
        self.stop = ipywidgets.Button(description="Stop", disabled=True)
        self.bar = ipywidgets.IntProgress(0, 0, count - 1, layout=ipywidgets.Layout(width="30%"))
        self.picture = ipywidgets.Image(format="png", layout=ipywidgets.Layout(max_width="100%"))
        self.picture.add_class("growing-picture")
        self.caption = ipywidgets.HTML("<i>Choose, and press Start.</i>")
        self.start.on_click(lambda _: asyncio.ensure_future(self._work()) if self._claim() else None)
        self.stop.on_click(lambda _: setattr(self, "_stopped", True))
        row = ipywidgets.HBox([self.start, self.stop, self.bar])
        self.box = ipywidgets.VBox([ipywidgets.HBox(list(controls.values())), row, self.picture, self.caption])
        self._running = self._stopped = False

    async def run(self) -> None:
        """What Start does, to be awaited: draw until the last step, Stop, or an error. Does nothing while it runs."""
        if self._claim():
            await self._work()

    def _claim(self) -> bool:
        """Take the widget for one run, at once, so that a second click finds it taken."""
        if self._running:
            return False
        self._running, self._stopped = True, False
        self.start.disabled, self.stop.disabled, self.bar.value = True, False, 0
        return True

    async def _work(self) -> None:
        try:
            for step, draw in enumerate(self.make_steps(**_values(self.controls))):
                self.bar.value = step
                if step % self.every == 0 or step == self.count - 1:
                    _show(draw(), self.picture, self.caption)
                await asyncio.sleep(0.001)
                if self._stopped:
                    break
        except Exception as error:
            _alarm(error, self.caption)
        finally:
            self._running, self.start.disabled, self.stop.disabled = False, False, True


def _values(controls: dict[str, ipywidgets.Widget]) -> dict:
    return {name: control.value for name, control in controls.items()}


def _show(figure: Figure, picture: ipywidgets.Image, caption: ipywidgets.HTML) -> None:
    picture.value, caption.value = picture_bytes(figure), f"<i>{html.escape(str(figure.get_label()))}</i>"


def _alarm(error: Exception, caption: ipywidgets.HTML) -> None:
    caption.value = f'<b role="alert">{type(error).__name__}: {html.escape(str(error))}</b>'
