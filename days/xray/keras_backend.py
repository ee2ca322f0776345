"""The X-ray's looks into a Keras network. `torch_backend` has the same functions with the same signatures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from days.common.checks import check_scores
from days.common.errors import cannot_run
from days.common.keras_models import load_weights_file
from days.common.keras_private import bare_copy, is_graph, run_watched
from days.day17.code.keras_backend import (
    channels_first,
    check_network,
    conv_layers,
    filters,
    keras,
    named_layers,
    of_any_size,
    out_of_sight,
)
from days.day19.code.keras_backend import is_relu, rectifies
from days.xray.anatomy import Convolution, FoldedWeights, NormStatistics, Summary, folded

__all__ = ["load_weights_file", "of_any_size", "out_of_sight"]

PASSES = (keras.layers.MaxPooling2D, keras.layers.Dropout, keras.layers.SpatialDropout2D)
"""What a ReLU behind these layers silences, it would silence before them."""


def input_form(network) -> tuple[int, int | None]:
    """How many color channels the network takes, and the size it is bound to, if any.

    Raises ValueError for a network without convolutions, and for one of several inputs.
    """
    check_network(network)
    if not conv_layers(network):
        why = out_of_sight(network)
        why = f"cannot look into {why}" if why else "got none: there are no filters to look at"
        raise ValueError(f"expected a network with 2-d convolutions, {why}")
    _, height, width, channels = network.inputs[0].shape
    if height != width:
        raise ValueError(f"expected a network for square images or of any size, got {height} x {width}")
    return channels, height


def weighted_layers(network) -> list[str]:
    """Names of the layers that hold weights themselves, in forward order."""
    known: dict[str, Any] = named_layers(network)
    return [name for name, layer in known.items() if layer.weights and not hasattr(layer, "layers")]


def training_layers(network) -> int:
    """0: Keras is told at each call whether it trains, and the X-ray tells it that it does not."""
    return 0


def parameter_count(network) -> int:
    """How many numbers the network has learned, or could learn."""
    return network.count_params()


def convolutions(network, batch) -> tuple[list[Convolution], str | None]:
    """The convolutions in forward order, and the name of the first batch norm, if any; read off the graph."""
    known: dict[str, Any] = named_layers(network)
    readers, found = _readers(network), []
    for name in conv_layers(network):
        layer, watch, rectified = known[name], name, rectifies(known[name].activation)
        followers = readers.get(id(layer.output), [])
        if len(followers) == 1 and isinstance(followers[0], keras.layers.BatchNormalization) and not rectified:
            watch = next(other for other, norm in known.items() if norm is followers[0])
            followers = readers.get(id(followers[0].output), [])
        while len(followers) == 1 and isinstance(followers[0], PASSES):
            followers = readers.get(id(followers[0].output), [])
        if followers and None not in followers:
            rectified = rectified or all(map(is_relu, followers))
        grouped = isinstance(layer, keras.layers.DepthwiseConv2D) or getattr(layer, "groups", 1) > 1
        separable = isinstance(layer, keras.layers.SeparableConv2D)
        sees_pixels = layer.input is network.inputs[0]
        found.append(Convolution(name, watch, rectified, grouped, separable, sees_pixels))
    norms = [name for name, layer in known.items() if isinstance(layer, keras.layers.BatchNormalization)]
    return found, next(iter(norms), None)


def _readers(network) -> dict[int, list]:
    """Which operations read a tensor of the graph, by the tensor's id; None stands for whatever reads the answer."""
    readers: dict[int, list] = {id(tensor): [None] for tensor in network.outputs}
    for operation in keras.Model(network.inputs, network.outputs).operations:
        for tensor in keras.tree.flatten(getattr(operation, "input", [])):
            readers.setdefault(id(tensor), []).append(operation)
        if is_graph(operation):
            readers = _readers(operation) | readers
    return readers


def look(
    network, watched: Sequence[Convolution], norm: str | None, batch
) -> tuple[np.ndarray, dict[str, Summary], NormStatistics | None]:
    """One pass: the scores (N, categories), a summary for each convolution, and what the first batch norm sees.

    Maps are reduced as soon as they are there: never more than one layer's are held for it.
    """
    wanted, known = {part.watch: part.layer for part in watched}, named_layers(network)
    summaries: dict[str, Summary] = {}
    seen: list[NormStatistics] = []
    # ReLUs that are built into convolutions wait, so that what comes before them can be seen.
    waiting = [known[part.layer] for part in watched if part.watch == part.layer and part.rectified]
    plain = {id(layer): _without_activation(layer) for layer in waiting}

    def keep(name, operation, answer):
        if name == norm and not seen:
            seen.append(_norm_statistics(operation, channels_first(name, answer)))
        if name in wanted and wanted[name] not in summaries:
            summaries[wanted[name]] = _summary(channels_first(name, answer))
        return operation.activation(answer) if id(operation) in plain else answer

    try:
        scores = run_watched(network, batch, keep, instead=plain)
    except Exception as error:
        raise cannot_run(batch, error) from error
    check_scores(scores, len(batch))
    return _double(scores), summaries, seen[0] if seen else None


def _without_activation(layer):
    """The same layer with the same weights that answers before its activation; the learner's is not touched."""
    twin = bare_copy(layer)
    vars(twin).update(activation=keras.activations.linear)
    return twin


def _norm_statistics(norm, answer: np.ndarray) -> NormStatistics:
    """What a batch norm (layer) sees, told from what it answers, (N, C, h, w)."""
    answer = answer.astype(np.float64)
    scale, shift = _scale_and_shift(norm)
    with np.errstate(all="ignore"):
        mean = (answer.mean(axis=(0, 2, 3)) - shift) / scale
        variance = answer.var(axis=(0, 2, 3)) / scale**2
    return NormStatistics(_double(norm.moving_mean), _double(norm.moving_variance), mean, variance)


def _scale_and_shift(norm) -> tuple[np.ndarray, np.ndarray]:
    """A batch norm in inference mode as answer = scale * input + shift, (C,) each."""
    scale = (_double(norm.gamma) if norm.scale else 1) / np.sqrt(_double(norm.moving_variance) + norm.epsilon)
    return scale, (_double(norm.beta) if norm.center else 0) - _double(norm.moving_mean) * scale


def _double(values) -> np.ndarray:
    return keras.ops.convert_to_numpy(values).astype(np.float64)


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


def folded_weights(network, part: Convolution) -> FoldedWeights:
    """Filters and bias, with the batch norm between the convolution and its watched answer folded in."""
    known: dict[str, Any] = named_layers(network)
    values, layer, norm = filters(network, part.layer), known[part.layer], known[part.watch]
    bias = _double(layer.bias) if layer.use_bias else None
    return folded(values, bias) if norm is layer else folded(values, bias, *_scale_and_shift(norm))
