"""Snapshots of a network in training: what is kept, when it is taken, and the loop that takes the steps.

Nothing here knows of a framework: a backend does a step, and hands over arrays.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from days.common.checks import unknown_layer
from days.common.datasets import Shapes
from days.day17.code.backends import backend_of
from days.day17.code.feature_maps import dead_channels
from days.day18.code import training
from days.day18.code.filter_statistics import near_duplicates


@dataclass(frozen=True)
class LayerState:
    """One layer at one moment, in numbers.

    channels : how many it has; dead : how many of them fire at no place of the watched images.
    spread : standard deviation of its activations. zeros : share of units that are exactly 0.
    saturated : share of units that sit at one end of the layer's range, within a hundredth of it, and are not 0.
    weights, gradient : length of all its filters taken as one vector, and of the loss's gradient for them.
    duplicates : pairs of filters that point the same way, cosine above 0.95.
    """

    channels: int
    dead: int
    spread: float
    zeros: float
    saturated: float
    weights: float
    gradient: float
    duplicates: int


@dataclass(frozen=True)
class Snapshot:
    """A network at one moment of its training.

    step : how many steps have been taken. loss, accuracy : on the watched images, whose spread is `input_spread`.
    layers : {convolution: LayerState}. filters : {convolution: (out, in, kh, kw)}.
    maps : {convolution: (C, h, w)} after the ReLU, of the first watched image.
    """

    step: int
    loss: float
    accuracy: float
    input_spread: float
    categories: int
    layers: dict[str, LayerState]
    filters: dict[str, np.ndarray] = field(repr=False)
    maps: dict[str, np.ndarray] = field(repr=False)


@dataclass(frozen=True)
class Measurement:
    """What a backend reads off a network for one snapshot; the dicts go by the convolutions' names.

    scores : (N, K) before the softmax. labels : (N,). input_spread : standard deviation of the watched batch.
    filters, gradients : (out, in, kh, kw), the gradient of the mean cross-entropy; NaN for frozen filters.
    activations : (N, C, h, w).
    """

    scores: np.ndarray
    labels: np.ndarray
    input_spread: float
    filters: dict[str, np.ndarray]
    activations: dict[str, np.ndarray]
    gradients: dict[str, np.ndarray]


@dataclass
class History:
    """How a training went: the loss of every batch, and why it ended before its last step, "" if it did not."""

    losses: list[float] = field(default_factory=list)
    stopped: str = ""


class Watch:
    """Takes snapshots of a network while any loop trains it: call it with the number of steps taken so far.

        watch = torch_backend.watch(network, batch, labels, every=50)
        for step in range(steps):
            watch(step)
            ...  # your own: a batch, forward, backward, optimizer.step()
        watch.finish(steps)

    `snapshots` holds what was taken. Between two snapshots a call costs a comparison.
    """

    def __init__(self, measure: Callable[[], Measurement], every: int):
        if every < 1:
            raise ValueError(f"expected a snapshot every 1 or more steps, got {every}")
        self.measure, self.every = measure, every
        self.snapshots: list[Snapshot] = []

    def __call__(self, step: int) -> Snapshot | None:
        """Take a snapshot if `step` is a multiple of `every`, and return it."""
        return self.finish(step) if step % self.every == 0 else None

    def finish(self, step: int) -> Snapshot:
        """Take a snapshot now, unless there is one of this very step, and return it."""
        if not self.snapshots or self.snapshots[-1].step != step:
            self.snapshots.append(summarize(step, self.measure()))
        return self.snapshots[-1]


def watch(network, batch, labels: np.ndarray, *, every: int = 50, layers: dict[str, str] | None = None) -> Watch:
    """A `Watch` over any classifier while any loop trains it: it looks at the same batch every `every` steps.

    It runs the network in evaluation mode and leaves weights, gradients, mode, hooks and random numbers alone.

    batch : preprocessed; some 60 images are enough. labels : (N,) whole numbers.
    layers : {convolution: layer whose answer is watched}. By itself it takes the activation that runs behind each
    convolution, or what comes last before it, such as a batch norm, where the activation is no layer.

    Raises ValueError for a network without convolutions, an unknown layer, or labels that do not fit.
    """
    return Watch(backend_of(network, 18).measurer(network, batch, labels, layers), every)


def summarize(step: int, seen: Measurement) -> Snapshot:
    """Turn what a backend has read, in 32 bits at least, into a snapshot: numbers, filters, maps of one image."""
    layers = {
        name: LayerState(
            channels=seen.activations[name].shape[1],
            dead=len(dead_channels(seen.activations[name])),
            spread=float(seen.activations[name].std()),
            zeros=float((seen.activations[name] == 0).mean()),
            saturated=saturated_share(seen.activations[name]),
            weights=_length(filters),
            gradient=_length(seen.gradients[name]),
            duplicates=len(near_duplicates(filters)),
        )
        for name, filters in seen.filters.items()
    }
    maps = {name: values[0].copy() for name, values in seen.activations.items()}
    accuracy = float((seen.scores.argmax(axis=1) == seen.labels).mean())
    loss, categories = cross_entropy(seen.scores, seen.labels), seen.scores.shape[1]
    return Snapshot(step, loss, accuracy, seen.input_spread, categories, layers, seen.filters, maps)


def _length(values: np.ndarray) -> float:
    return float(np.sqrt((values.astype(np.float64) ** 2).sum()))  # np.linalg.norm would wake BLAS' threads


def cross_entropy(scores: np.ndarray, labels: np.ndarray) -> float:
    """Mean over images of -log softmax(scores)[label]; (N, K) and (N,). Guessing blindly costs ln K.

    >>> round(cross_entropy(np.zeros((1, 6)), np.array([2])), 4)
    1.7918
    """
    scores = scores - scores.max(axis=1, keepdims=True)
    logarithms = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    return float(-logarithms[np.arange(len(labels)), labels].mean())


def saturated_share(activations: np.ndarray) -> float:
    """Share of units within a hundredth of the range's ends: near 1 for a sigmoid or tanh that is saturated.

    Zeros are left out, they are a ReLU's rest; and so is a lower end that lies just below 0, as of a leaky ReLU.

    >>> saturated_share(np.array([-1.0, 1.0, 1.0, 0.5]))
    0.75
    """
    low, high = activations.min(), activations.max()
    margin = (high - low) / 100
    ends = activations >= high - margin
    if low >= 0 or -low >= high / 10:
        ends |= activations <= low + margin
    return float((ends & (activations != 0)).mean())


def check_watched(
    layers: dict[str, str] | None, find: Callable[[], dict[str, str]], convolutions: list[str], known: list[str]
) -> dict[str, str]:
    """`layers`, or what `find` finds, if it leads from convolutions, at least one, to layers; else ValueError."""
    if not convolutions:
        raise ValueError("expected a network with convolutions, got one without: there are no filters to watch")
    if layers is not None and (not isinstance(layers, dict) or not layers):
        raise ValueError(f"expected layers as {{convolution: layer whose answer is watched}}, got {layers!r}")
    layers = layers or find()
    for name in layers:
        if name not in convolutions:
            raise unknown_layer(name, convolutions, kind="convolution")
        if layers[name] not in known:
            raise unknown_layer(layers[name], known)
    if not layers:
        raise ValueError(f"none of the convolutions {', '.join(convolutions[:4])} ran: name the layers yourself")
    return layers


def check_labels(labels, count: int, scores) -> np.ndarray:
    """`labels` as (count,) int64 that fit a network's `scores` (count, K), or ValueError."""
    shape = tuple(getattr(scores, "shape", ()))
    if len(shape) != 2 or shape[1] < 2:
        got = shape or type(scores).__name__
        raise ValueError(f"expected a network that gives scores (N, categories), got {got}: a classifier is wanted")
    labels = np.asarray(labels)
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise ValueError(f"expected {count} whole numbers as labels, one an image, got {labels.shape} {labels.dtype}")
    if labels.min() < 0 or labels.max() >= shape[1]:
        raise ValueError(f"expected labels from 0 to {shape[1] - 1}, got {labels.min()} to {labels.max()}")
    return labels.astype(np.int64)


@contextlib.contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Inside the `with`, the stop button (Ctrl-C) only raises a flag, so that a step is never cut in half.

    Gives a function that says whether it was pressed. Pressed a second time it interrupts at once. The usual handler
    comes back afterwards. Outside the main thread, which signals never reach, nothing changes.
    """
    pressed = threading.Event()

    def note(number, frame):
        if pressed.is_set():
            raise KeyboardInterrupt
        pressed.set()

    if threading.current_thread() is not threading.main_thread():
        yield pressed.is_set
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def train(
    network,
    data: Shapes,
    *,
    steps: int = 3000,
    batch: int = 64,
    learning_rate: float = 0.15,
    seed: int = 0,
    callback: Callable[[int], object] | None = None,
    progress: bool = True,
) -> History:
    """Train the small network in place by gradient descent with momentum and weight decay.

    Both frameworks see the same batches in the same order, drawn from `seed`. The stop button ends it after the step it
    is in, and a loss that is not finite does: the history says so. No global state is changed, and the mode comes back.

    learning_rate : a tenth of it holds in the last seventh of the steps.
    callback : called with the number of steps taken, before each step and after the last; a `Watch`, for example.
    """
    from tqdm.auto import tqdm

    backend, history = backend_of(network, 18), History()
    plan = training.plan(len(data), size=batch, steps=steps, seed=seed, learning_rate=learning_rate)
    bar = tqdm(total=steps, desc="training", unit="step", disable=not progress)
    with backend.training_mode(network), interruptible() as pressed, bar:
        descend = backend.descent(network)
        for step, (indices, rate) in enumerate(plan):
            if callback:
                callback(step)
            history.losses.append(descend(data.images[indices], data.labels[indices], rate))
            bar.update()
            if not np.isfinite(history.losses[-1]):
                history.stopped = f"the loss was {history.losses[-1]} in step {step}"
            elif pressed() and step + 1 < steps:
                history.stopped = f"interrupted after step {step}"
            if history.stopped:
                break
        if callback:
            getattr(callback, "finish", callback)(len(history.losses))
    return history
