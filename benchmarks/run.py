"""`make bench`: the course's code beside its floor and its peers, interleaved, as ratios of medians.

A ratio of 1.00 is the speed of what stands in the second column; below is faster. Absolute times depend on the machine,
ratios hardly do.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np

from days.common.frameworks import keras_is_installed
from days.common.images import load_image
from days.common.models import load_model

Row = tuple[str, Callable, str, Callable]


def compare(ours: Callable, theirs: Callable, *, seconds: float = 4.0) -> tuple[float, float]:
    """Median milliseconds of two functions that are run in turn, A B A B, for about `seconds`, after a warm-up."""
    times: tuple[list[float], list[float]] = ([], [])
    end = time.perf_counter() + seconds
    for function in (ours, theirs, ours, theirs):
        function()
    while time.perf_counter() < end or len(times[0]) < 19:
        for function, found in zip((ours, theirs), times, strict=True):
            start = time.perf_counter()
            function()
            found.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[0]), statistics.median(times[1])


def torch_rows() -> Iterator[Row]:
    """`capture` against the forward pass of the network cut at the same layer."""
    import torch

    from days.day17.code import torch_backend

    model = load_model("squeezenet")
    batch = model.preprocess(load_image("chelsea", size=224))
    names = [name for name, _ in model.network.named_children()]

    def bare(layer):
        cut = model.network[: names.index(layer) + 1]

        @torch.no_grad()
        def forward():
            return cut(batch)

        return forward

    for layers in (["conv1"], ["fire2"], ["fire5"], ["fire9"], ["fire2", "fire5", "fire9"]):
        yield (
            f"capture {' '.join(layers)}, torch",
            lambda layers=layers: torch_backend.capture(model.network, layers, batch),
            "bare forward pass",
            bare(layers[-1]),
        )


def keras_rows() -> Iterator[Row]:
    """The same in Keras."""
    from days.day17.code import keras_backend

    model = load_model("squeezenet", framework="keras")
    batch = model.preprocess(load_image("chelsea", size=224))
    for layer in ("conv1", "fire5", "fire9"):
        cut = keras_backend.keras.Model(model.network.inputs, model.network.get_layer(layer).output)
        yield (
            f"capture {layer}, keras",
            lambda layer=layer: keras_backend.capture(model.network, layer, batch),
            "bare forward pass",
            lambda cut=cut: cut(batch, training=False),
        )


def feature_map_rows() -> Iterator[Row]:
    """`feature_map` against scipy at 512 x 512."""
    from scipy.signal import correlate2d

    from days.day17.code.feature_maps import feature_map

    generator = np.random.default_rng(0)
    image = generator.normal(size=(512, 512))
    for size in (3, 11):
        kernel = generator.normal(size=(size, size))
        yield (
            f"feature_map {size}x{size} on 512x512",
            lambda kernel=kernel: feature_map(image, kernel),
            "scipy.signal.correlate2d",
            lambda kernel=kernel: correlate2d(image, kernel, mode="valid"),
        )


def watch_rows() -> Iterator[Row]:
    """A hundred steps of Day 18's training with a watch, a snapshot every 50 steps, against the same without."""
    from days.day18.code import runs, torch_backend, training

    backends = [torch_backend]
    if keras_is_installed():
        from days.day18.code import keras_backend

        backends.append(keras_backend)
    images, watched = runs.training_images(), runs.watched_images()
    for backend in backends:
        network = backend.small_cnn(training.initial_weights(0))
        watch = backend.watch(network, backend.to_batch(watched.images), watched.labels)
        descend = backend.descent(network)

        def train(look, descend=descend):
            for step, (chosen, rate) in enumerate(training.plan(12_000, size=64, steps=100, seed=0, learning_rate=0.1)):
                look(step)
                descend(images.images[chosen], images.labels[chosen], rate)

        def watched_training(train=train, watch=watch):
            watch.snapshots.clear()
            train(watch)

        name = backend.__name__.split(".")[-1].removesuffix("_backend")
        yield f"100 watched steps, {name}", watched_training, "100 steps", lambda train=train: train(lambda step: None)


def shapes_rows() -> Iterator[Row]:
    """Ten thousand images of 32x32 against ten thousand images' worth of random numbers."""
    from days.common.datasets import make_shapes

    generator = np.random.default_rng(0)
    yield (
        "make_shapes(10,000)",
        lambda: make_shapes(10_000, seed=0),
        "as many normal numbers",
        lambda: generator.standard_normal((10_000, 32, 32, 3), np.float32),
    )


def print_rows(rows: Iterator[Row]) -> None:
    """Measure, and print one Markdown row for each comparison."""
    for name, ours, peer, theirs in rows:
        one, other = compare(ours, theirs)
        print(f"| {name} | {peer} | {one:.2f} | {other:.2f} | {one / other:.2f} |", flush=True)


def main() -> None:
    """Print one Markdown row for each comparison as soon as it is measured."""
    print("| ours | beside | ms | ms beside | ratio |\n| --- | --- | --- | --- | --- |")
    keras = [keras_rows] if keras_is_installed() else []
    for rows in (feature_map_rows, torch_rows, *keras, shapes_rows, watch_rows):
        print_rows(rows())


if __name__ == "__main__":
    main()
