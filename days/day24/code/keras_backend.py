"""The X-ray's looks into a Keras network. `torch_backend` has the same functions with the same signatures."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np

from days.common.errors import cannot_run
from days.common.frameworks import import_keras
from days.common.keras_models import load_weights_file
from days.day17.code.keras_backend import capture, channels_first, check_network, conv_layers, filters, named_layers
from days.day20.code.keras_backend import Ascent
from days.day22.code.attribution import check_scores
from days.day22.code.keras_backend import grad_cam, is_relu, run_watched
from days.day24.code.anatomy import NormStatistics, Place, Summary, Weights

keras = import_keras()

from tensorflow import errors  # noqa: E402  only after import_keras has quieted it

__all__ = ["Ascent", "capture", "filters", "grad_cam", "load_weights_file"]


def input_form(network) -> tuple[int, int | None]:
    """How many color channels the network takes, and the size it is bound to, if any.

    Raises ValueError for a network without convolutions, and for one of several inputs.
    """
    check_network(network)
    if len(network.inputs) > 1:
        names = ", ".join(one.name for one in network.inputs)
        raise ValueError(
            f"expected a network of one input, got {len(network.inputs)} ({names}): "
            "wrap it in a model that takes the image alone"
        )
    if not conv_layers(network):
        raise ValueError("expected a network with 2-d convolutions, got none: there are no filters to look at")
    _, height, width, channels = network.inputs[0].shape
    if height != width:
        raise ValueError(f"expected a network for square images or of any size, got {height} x {width}")
    return channels, height


def training_layers(network) -> int:
    """0: Keras is told at each call whether it trains, and the X-ray tells it that it does not."""
    return 0


def parameter_count(network) -> int:
    """How many numbers the network has learned, or could learn."""
    return network.count_params()


def to_batch(network, pixels: np.ndarray):
    """Preprocessed pixels (N, H, W, C) as the network takes them."""
    return keras.ops.convert_to_tensor(pixels)


def to_planes(batch) -> np.ndarray:
    """A batch as an array (N, C, H, W)."""
    return keras.ops.convert_to_numpy(batch).transpose(0, 3, 1, 2)


def places(network, batch) -> tuple[list[Place], str | None]:
    """The convolutions in forward order, and the name of the first batch norm, if any; read off the graph."""
    known = named_layers(network)
    readers = _readers(network)
    found = []
    for name in conv_layers(network):
        layer, watch = known[name], name
        follower = readers.get(id(layer.output))
        if isinstance(follower, keras.layers.BatchNormalization) and not is_relu(layer):
            watch = next(one for one, other in known.items() if other is follower)
            follower = readers.get(id(follower.output))
        grouped = isinstance(layer, keras.layers.DepthwiseConv2D) or getattr(layer, "groups", 1) > 1
        sees_pixels = layer.input is network.inputs[0]
        found.append(
            Place(name, watch, is_relu(layer) or (follower is not None and is_relu(follower)), grouped, sees_pixels)
        )
    norms = [name for name, one in known.items() if isinstance(one, keras.layers.BatchNormalization)]
    return found, next(iter(norms), None)


def _readers(network) -> dict[int, object]:
    """Which operation reads a tensor of the graph, by the tensor's id; of several the first."""
    readers = {}
    for operation in keras.Model(network.inputs, network.outputs).operations:
        for tensor in keras.tree.flatten(getattr(operation, "input", [])):
            readers.setdefault(id(tensor), operation)
        if isinstance(operation, keras.Model) and getattr(operation, "inputs", None):
            readers = _readers(operation) | readers
    return readers


def look(
    network, watched: Sequence[Place], norm: str | None, batch
) -> tuple[np.ndarray, dict[str, Summary], NormStatistics | None]:
    """One pass: the scores (N, categories), a summary for each place, and what the first batch norm sees.

    Maps are reduced as soon as they are there: never more than one layer's are held for it.
    """
    wanted = {place.watch: place.layer for place in watched}
    summaries: dict[str, Summary] = {}
    seen: list[NormStatistics] = []

    def keep(name, operation, answer):
        if name == norm and not seen:
            seen.append(_norm_statistics(operation, channels_first(name, answer)))
        if name in wanted and wanted[name] not in summaries:
            summaries[wanted[name]] = _summary(channels_first(name, answer))
        return getattr(operation, "_held_activation", _same)(answer)

    with _activations_held([named_layers(network)[place.layer] for place in watched if place.watch == place.layer]):
        try:
            scores = run_watched(network, batch, keep)
        except (ValueError, errors.OpError) as error:
            raise cannot_run(batch, error) from error
    check_scores(scores, len(batch))
    return np.asarray(scores, np.float64), summaries, seen[0] if seen else None


def _same(answer):
    return answer


@contextlib.contextmanager
def _activations_held(layers: Sequence) -> Iterator[None]:
    """ReLUs that are built into convolutions wait inside the `with`, so that what comes before them can be seen."""
    held = [layer for layer in layers if getattr(layer, "activation", None) is not None and is_relu(layer)]
    try:
        for layer in held:
            layer._held_activation, layer.activation = layer.activation, _same
        yield
    finally:
        for layer in held:
            layer.activation = layer._held_activation
            del layer._held_activation


def _norm_statistics(norm, answer: np.ndarray) -> NormStatistics:
    """What a batch norm (layer) sees, told from what it answers, (N, C, h, w)."""
    answer = answer.astype(np.float64)
    scale, shift = _fold(norm)
    with np.errstate(all="ignore"):
        mean = (answer.mean(axis=(0, 2, 3)) - shift) / scale
        variance = answer.var(axis=(0, 2, 3)) / scale**2
    stored = (keras.ops.convert_to_numpy(one) for one in (norm.moving_mean, norm.moving_variance))
    return NormStatistics(*(one.astype(np.float64) for one in stored), mean, variance)


def _fold(norm) -> tuple[np.ndarray, np.ndarray]:
    """A batch norm in inference mode as answer = scale * input + shift, (C,) each."""
    mean, variance = (
        keras.ops.convert_to_numpy(one).astype(np.float64) for one in (norm.moving_mean, norm.moving_variance)
    )
    scale = 1 / np.sqrt(variance + norm.epsilon)
    scale = scale * keras.ops.convert_to_numpy(norm.gamma) if norm.scale else scale
    return scale, (keras.ops.convert_to_numpy(norm.beta) if norm.center else 0) - mean * scale


def _summary(maps: np.ndarray) -> Summary:
    maps, axes = maps.astype(np.float32), (2, 3)
    parts = (
        np.maximum(maps, 0).mean(axes),
        maps.max(axes),
        maps.min(axes),
        (maps > 0).mean(axes),
        maps.mean(axes),
        (maps**2).mean(axes),
    )
    return Summary(*parts, maps.shape[2:])


def weights(network, place: Place) -> Weights:
    """The place's filters and bias, with the batch norm between convolution and watched answer folded in."""
    known = named_layers(network)
    values, layer, norm = filters(network, place.layer).astype(np.float64), known[place.layer], known[place.watch]
    bias = keras.ops.convert_to_numpy(layer.bias).astype(np.float64) if layer.use_bias else np.zeros(len(values))
    if norm is layer:
        return Weights(values, bias)
    scale, shift = _fold(norm)
    return Weights(values * scale[:, None, None, None], bias * scale + shift)
