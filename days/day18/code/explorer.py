"""The widgets of Day 18: a dashboard for any training loop, and trainings that one can start, watch and stop."""

from __future__ import annotations

import html
import time
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import ipywidgets

from days.common.live import LivePicture, curves, live_picture
from days.common.widgets import Frame, GrowingPicture
from days.day18.code.health import TrainingWarning, findings
from days.day18.code.runs import RECIPES, images_for, watched_images
from days.day18.code.snapshots import Snapshot, Watch
from days.day18.code.training import initial_weights, plan
from days.day18.code.visualizations import DASHBOARD_PANELS, dashboard_curves, describe_dashboard


class Dashboard:
    """The state of a training, drawn while it runs. Show `.box`, and call it from your loop in place of the watch.

        dashboard = Dashboard(torch_backend.watch(network, batch, labels))
        dashboard.box            # last line of a cell
        for step in range(steps):
            dashboard(step)
            ...                  # your own
        dashboard.finish(steps)

    It draws at most every `pause` seconds, and never more than a tenth of the time, so that it hardly slows the loop.
    What it found stands below the picture, one sentence a line.
    """

    def __init__(self, watch: Watch, *, title: str = "training", pause: float = 1.0):
        self.watch, self.title, self.pause = watch, title, pause
        self.box = Frame({})
        self.picture, self.words = self.box.picture, self.box.caption
        self.picture.add_class("dashboard-picture")
        self.words.value = "<i>No snapshot yet.</i>"
        self._rest_until = 0.0

    def __call__(self, step: int) -> None:
        """Let the watch look, and draw if it took a snapshot and the last picture is old enough."""
        if self.watch(step) and time.monotonic() >= self._rest_until:
            self.draw()

    def finish(self, step: int) -> None:
        """Take a last snapshot and draw it."""
        self.watch.finish(step)
        self.draw()

    def draw(self) -> None:
        """Draw the snapshots taken so far, if there are any."""
        if not self.watch.snapshots:
            return
        began = time.monotonic()
        found = findings(self.watch.snapshots)
        self.box.show(live_dashboard(self.watch.snapshots, found, self.title))
        lines = [f"<li>⚠ {html.escape(one.sentence)}</li>" for one in found]
        self.words.value = f"<ul>{''.join(lines) or '<li>Nothing suspicious in what was watched.</li>'}</ul>"
        now = time.monotonic()
        self._rest_until = now + max(self.pause, 9 * (now - began))


def live_dashboard(snapshots: Sequence[Snapshot], found: Sequence[TrainingWarning], title: str) -> LivePicture:
    """As `visualizations.draw_dashboard`, without the sentences, which stand in the caption."""
    now, steps = snapshots[-1], [snapshot.step for snapshot in snapshots]
    panels = ({"": [snapshot.loss for snapshot in snapshots]}, *dashboard_curves(snapshots))
    looks: tuple[dict[str, Any], ...] = ({}, {"limits": (0, 100)}, {"log": True}, {"log": True})
    parts = [
        curves(name, lines, steps=steps, **look)
        for name, lines, look in zip(DASHBOARD_PANELS, panels, looks, strict=True)
    ]
    head = f"{title}, step {now.step}: {now.accuracy:.0%} right, loss {now.loss:.2f}"
    return live_picture(head, parts, describe_dashboard(snapshots, found, title))


def training_explorer(framework: str = "torch", *, steps: int = 150) -> GrowingPicture:
    """Choose one of the day's trainings, press Start, and watch its first `steps` steps; `.box` is what to show.

    framework : "torch" or "keras". The training is done anew, in the kernel, and Stop is heard at once.
    """
    backend = import_module(f"days.day18.code.{framework}_backend")
    recipe = ipywidgets.Dropdown(options=list(RECIPES), value="too fast", description="training")

    def make_steps(training):
        chosen = RECIPES[training]
        network = backend.small_cnn(initial_weights(chosen.seed, scale=chosen.scale))
        data, watched = images_for(chosen), watched_images()
        watch = backend.watch(network, backend.to_batch(watched.images), watched.labels, every=5)
        descend, taken = backend.descent(network), 0

        def draw():
            return live_dashboard(watch.snapshots, findings(watch.snapshots), training)

        todo = plan(len(data), size=64, steps=chosen.steps, seed=0, learning_rate=chosen.learning_rate)
        for taken, (indices, rate) in zip(range(steps), todo, strict=False):
            watch(taken)
            yield draw
            descend(data.images[indices], data.labels[indices], rate)
        watch.finish(taken + 1)
        yield draw

    return GrowingPicture({"training": recipe}, make_steps, steps + 1)
