"""The X-ray's looks into a Keras network. `torch_backend` has the same functions with the same signatures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from days.common.checks import check_scores
from days.common.errors import cannot_run
from days.common.keras_models import load_weights_file
from days.common.keras_private import run_watched
from days.day17.code.keras_backend import channels_first, check_network, conv_layers, filters, keras, named_layers
from days.xray.anatomy import Convolution, FoldedWeights, NormStatistics, Summary, folded

__all__ = ["load_weights_file"]


def input_form(network) -> tuple[int, int | None]:
    """How many color channels the network takes, and the size it is bound to, if any.

    Raises ValueError for a network without convolutions, and for one of several inputs.
    """
    check_network(network)
    if len(network.inputs) > 1:
        names = ", ".join(taken.name for taken in network.inputs)
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


def convolutions(network, batch) -> tuple[list[Convolution], str | None]:
    """The convolutions in forward order, and the name of the first batch norm, if any; read off the graph."""
    known, readers, found = named_layers(network), _readers(network), []
    for name in conv_layers(network):
        layer, watch, rectified = known[name], name, _rectifies(known[name].activation)
        follower = readers.get(id(layer.output))
        if isinstance(follower, keras.layers.BatchNormalization) and not rectified:
            watch = next(other for other, norm in known.items() if norm is follower)
            follower = readers.get(id(follower.output))
        grouped = isinstance(layer, keras.layers.DepthwiseConv2D) or getattr(layer, "groups", 1) > 1
        separable = isinstance(layer, keras.layers.SeparableConv2D)
        sees_pixels = layer.input is network.inputs[0]
        found.append(Convolution(name, watch, rectified or _is_relu(follower), grouped, separable, sees_pixels))
    norms = [name for name, layer in known.items() if isinstance(layer, keras.layers.BatchNormalization)]
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


def _is_relu(operation) -> bool:
    """Whether an operation of the graph is nothing but a ReLU, of whatever name: told by what it does."""
    own = type(operation).__module__.startswith("keras.")  # a learner's own layer may count its calls
    weightless = own and not getattr(operation, "weights", None) and not isinstance(operation, keras.Model)
    return weightless and _rectifies(operation)


def _rectifies(function: Callable) -> bool:
    """Whether a function is 0 where its input is not positive, nowhere below 0, and lets something through."""
    values = np.linspace(-8, 8, 64, dtype=np.float32).reshape(1, 4, 4, 4)
    try:
        answer = keras.ops.convert_to_numpy(function(keras.ops.convert_to_tensor(values)))
    except Exception:
        return False  # what takes no maps alone is no activation
    return answer.shape == values.shape and not answer[values <= 0].any() and bool((answer[values > 0] > 0).all())


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
    return np.asarray(scores, np.float64), summaries, seen[0] if seen else None


def _without_activation(layer):
    """The same layer with the same weights that answers before its activation; the learner's is not touched."""
    twin = object.__new__(type(layer))
    vars(twin).update(vars(layer), activation=keras.activations.linear)
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
    known = named_layers(network)
    values, layer, norm = filters(network, part.layer).astype(np.float64), known[part.layer], known[part.watch]
    bias = _double(layer.bias) if layer.use_bias else None
    return folded(values, bias) if norm is layer else folded(values, bias, *_scale_and_shift(norm))
