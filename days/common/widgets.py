"""The frame that all interactive figures share: controls, a picture that follows them, and errors in sight."""

from __future__ import annotations

import asyncio
import html
import io
from collections.abc import Callable
from functools import partial
from time import monotonic

import ipywidgets
import numpy as np
import traitlets
from ipywidgets import Layout
from PIL import Image

from days.common.images import IMAGE_NAMES, load_image
from days.common.live import LivePicture

PICTURES_A_SECOND = 13
"""Of a picture that grows, where its steps allow it: a picture comes when a step ends, so that 12 reach the page."""

SLIDERS = (ipywidgets.IntSlider, ipywidgets.FloatSlider)


class TitledPicture(ipywidgets.Image):
    """A picture with a title, its `tooltip`: ipywidgets gives pictures no alt text.

    Its code in the browser takes a tooltip only from what has a description, and fails where there is none.
    """

    description = traitlets.Unicode("").tag(sync=True)


class Frame(ipywidgets.VBox):
    """Controls, then rows of others, then a picture, hidden until there is one, and its description as a caption.

    controls : by name; sliders get a number box, and so reach each of their values. The description is also the
    picture's title, by which those know it who do not see it. What is stored of a frame reads as a sentence.
    """

    def __init__(self, controls: dict[str, ipywidgets.Widget], *rows: ipywidgets.Widget):
        self.controls = controls
        self.picture = TitledPicture(format="jpeg", layout=Layout(display="none", max_width="100%", margin="0"))
        self.caption = ipywidgets.HTML()
        super().__init__([_arranged(controls), *rows, self.picture, self.caption])

    def __repr__(self) -> str:
        return f"Run this cell to use the widget: {', '.join([*self.controls, 'a picture that follows'])}."

    def values(self) -> dict:
        """What the controls say, by name."""
        return {name: control.value for name, control in self.controls.items()}

    def show(self, live: LivePicture) -> None:
        """Show a picture and its description."""
        with self.picture.hold_sync():
            self.picture.value, self.picture.tooltip = live.jpeg, live.alt
        self.picture.layout.width, self.picture.layout.display = f"{live.width}px", None
        self.caption.value = f"<i>{html.escape(live.alt)}</i>"

    def alarm(self, error: Exception) -> None:
        """Show an error in place of the description; the last picture stays."""
        self.caption.value = alarming(f"{type(error).__name__}: {error}")


class Explorer(Frame):
    """A picture that is drawn anew, by `draw(**values)`, whenever a control changes.

    An error of `draw` is shown in place of the description (Jupyter would swallow it) and the last picture stays. In a
    notebook the kernel first hears all that has changed, and then draws once: while a picture is being drawn, only the
    newest wish waits.
    """

    def __init__(self, controls: dict[str, ipywidgets.Widget], draw: Callable[..., LivePicture]):
        super().__init__(controls)
        self.picture.add_class("explorer-picture")
        self._draw, self._asked = draw, False
        for control in controls.values():
            control.observe(self._ask, names="value")
        self._redraw()

    def _ask(self, _) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # outside of a kernel nothing else could be heard
            self._redraw()
        else:
            if not self._asked:
                loop.call_later(0.005, self._redraw)
            self._asked = True

    def _redraw(self) -> None:
        self._asked = False
        try:
            self.show(self._draw(**self.values()))
        except Exception as error:
            self.alarm(error)


class GrowingPicture(Frame):
    """A picture that grows step by step, with Start and Stop, a progress bar, and errors in sight.

    make_steps : `make_steps(**values)` does one step after the other and yields, for each, a function that draws it;
        of these about twelve a second are drawn, and the last.
    count : how many steps it does.

    The steps run in the kernel's event loop and give way after each, so that Stop is heard at once; what was last
    reached stays, and the kernel is free again.
    """

    def __init__(self, controls: dict[str, ipywidgets.Widget], make_steps: Callable, count: int):
        self.make_steps, self.count = make_steps, count
        self.start = ipywidgets.Button(description="Start")
        self.stop = ipywidgets.Button(description="Stop", disabled=True)
        self.bar = ipywidgets.IntProgress(0, 0, count - 1, layout=Layout(flex="1 1 100px", width="auto"))
        super().__init__(controls, ipywidgets.HBox([self.start, self.stop, self.bar], layout=_wrapped()))
        self.picture.add_class("growing-picture")
        self.caption.value = "<i>Choose, and press Start.</i>"
        self.start.on_click(lambda _: asyncio.ensure_future(self._work()) if self._claim() else None)
        self.stop.on_click(lambda _: setattr(self, "_stopped", True))
        self._running = self._stopped = False

    @property
    def box(self) -> GrowingPicture:
        """The widget itself, to be shown."""
        return self

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
        drawn = None
        try:
            for step, draw in enumerate(self.make_steps(**self.values())):
                tick = int(monotonic() * PICTURES_A_SECOND)  # of a clock that a late picture does not put off
                if tick != drawn or step == self.count - 1:
                    self.bar.value, drawn = step, tick
                    self.show(draw())
                await asyncio.sleep(0.001)
                if self._stopped:
                    self.bar.value = step
                    self.show(draw())
                    break
        except Exception as error:
            self.alarm(error)
        finally:
            self._running, self.start.disabled, self.stop.disabled = False, False, True


class PhotoChoice(ipywidgets.HBox):
    """A list of photos to which files from the learner's disk can be added; `value` is the name of what is chosen.

    size : of the bundled photos, as `load_image` takes it. whole : makes an added image (H, W, 3) fit, none of it cut
    off. A file that cannot be read is left out, and a line says why; what was chosen before stays.
    """

    value = traitlets.Unicode()

    def __init__(self, value: str, *, size=None, whole: Callable[[np.ndarray], np.ndarray]):
        self._loaders: dict[str, Callable[[], np.ndarray]] = {
            name: partial(load_image, name, size=size) for name in IMAGE_NAMES
        }
        self._whole = whole
        self.list = ipywidgets.Dropdown(options=IMAGE_NAMES, value=value, description="photo")
        self.upload = ipywidgets.FileUpload(accept="image/*", description="own photo", multiple=True)
        self.note = ipywidgets.HTML()
        super().__init__([self.list, self.upload, self.note], layout=_wrapped(), value=value)
        self.list.observe(self._choose, "value")
        self.upload.observe(self._take, "value")

    def image(self, name: str) -> np.ndarray:
        """The image of that name in the list."""
        return self._loaders[name]()

    def _choose(self, change) -> None:
        self.note.value, self.value = "", change.new

    def _take(self, change) -> None:
        """Put the uploaded files into the list, and choose the last that can be read."""
        for upload in change.new:
            try:
                image = self._whole(_image_in(upload))
            except ValueError as error:
                self.note.value = alarming(f"{error}: it is left out")
            else:
                self._add(upload["name"], image)
        if change.new:
            self.upload.value = ()

    def _add(self, name: str, image: np.ndarray) -> None:
        same = sum(known == name or known.startswith(f"{name} (") for known in self._loaders)
        name = f"{name} ({same + 1})" if same else name
        self._loaders[name] = lambda: image
        self.list.unobserve(self._choose, "value")  # a list with new options chooses its first
        self.list.options = tuple(self._loaders)
        self.list.value = self.value
        self.list.observe(self._choose, "value")
        self.list.value = name


def alarming(message: str) -> str:
    """A message as HTML that screen readers read out at once."""
    return f'<b role="alert">{html.escape(message)}</b>'


def _image_in(upload: dict) -> np.ndarray:
    """The image (H, W, 3) in a file as `FileUpload` holds it. Raises ValueError for what is no readable picture."""
    try:
        with Image.open(io.BytesIO(bytes(upload["content"]))) as picture:
            return load_image(picture)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{upload['name']} is not a readable picture ({error})") from error


def _wrapped() -> Layout:
    """A row that goes on in the next line where the page is narrow."""
    return Layout(flex_flow="row wrap", align_items="center", max_width="100%", overflow="visible")


def _arranged(controls: dict[str, ipywidgets.Widget]) -> ipywidgets.VBox:
    """Lists and buttons in rows as wide as the page, and below them each slider in a row of its own; all have names."""
    for name, control in controls.items():
        if control.has_trait("description") and not control.description:
            control.description = name
    sliders = [control for control in controls.values() if isinstance(control, SLIDERS)]
    others = [control for control in controls.values() if control not in sliders]
    for control in others:
        control.layout.flex, control.layout.max_width = "0 0 auto", "100%"
    return ipywidgets.VBox([ipywidgets.HBox(others, layout=_wrapped()), *map(_with_number, sliders)])


def _with_number(slider) -> ipywidgets.HBox:
    """A slider behind a number box that is tied to it and bears its name, with steppers, for each single value."""
    box = ipywidgets.BoundedIntText if isinstance(slider, ipywidgets.IntSlider) else ipywidgets.BoundedFloatText
    how = {"min": slider.min, "max": slider.max, "step": slider.step, "description": slider.description}
    number = box(slider.value, **how, layout=Layout(flex="0 0 auto", width="180px"))
    slider.description, slider.readout = "", False
    slider.layout = Layout(flex="1 1 160px", width="auto")
    traitlets.link((slider, "max"), (number, "max"))
    traitlets.link((slider, "value"), (number, "value"))
    return ipywidgets.HBox([number, slider], layout=_wrapped())
