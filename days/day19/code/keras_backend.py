"""The gradient, asked of a Keras network: the only place where it is taken. `torch_backend` has the same names."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from days.common.checks import unknown_layer
from days.common.keras_private import as_functions, is_graph
from days.day17.code.keras_backend import check_batch, classify, keras, live_answers, named_layers, run, to_numpy
from days.day19.code.gradients import NO_RELU, Look, Objective, maps_and_gradients, value_and_gradient

# isort: split
import tensorflow  # after the lines above, which import it without its noise

__all__ = ["constant", "is_relu", "look", "maps_and_gradients", "mean", "objective_and_gradient", "recorded", "total"]
__all__ += ["live_maps", "rectifies", "value_and_gradient"]

mean, total = tensorflow.reduce_mean, tensorflow.reduce_sum


def constant(values: np.ndarray, answer):
    """An array as a tensor beside `answer`."""
    return tensorflow.constant(values)


def recorded(function: Callable, start) -> tuple:
    """What function(start) gives, and the tape that leads back from it: tape.gradient(value, at)."""
    with _tape() as tape:
        tape.watch(start)
        return function(start), tape


_tape = partial(tensorflow.GradientTape, persistent=True, watch_accessed_variables=False)


def live_maps(network, layers: Sequence[str], batch) -> dict:
    """What `layers` answer, live, maps with channels first; half precision, whose sums overflow, as single."""
    found = {}
    for name, answer in live_answers(network, layers, batch).items():
        answer = tensorflow.cast(answer, "float32") if answer.dtype.size < 4 else answer
        found[name] = tensorflow.transpose(answer, (0, 3, 1, 2)) if len(answer.shape) == 4 else answer
    return found


def objective_and_gradient(network, batch, of: Objective, layers: Sequence[str]) -> tuple[float, np.ndarray]:
    """An objective of what `layers` answer, and how it changes with each value of the batch, (N, C, H, W)."""
    batch = check_batch(network, batch)
    value, tape = recorded(lambda pixels: of(live_maps(network, layers, pixels)), batch)
    found = tape.gradient(value, batch)
    if found is None:
        raise no_gradient(network, batch, layers)
    return float(value), found.numpy().transpose(0, 3, 1, 2)


def no_gradient(network, batch, layers: Sequence[str]) -> ValueError:
    """The error for an objective of what `layers` answer that no gradient leads back from to the batch."""
    cut = _cut(network, batch[:1], None, layers[0])
    return ValueError(f"expected an objective that depends on the picture, got one without a gradient: {cut}")


def look(network, batch, layer: str | None = None, *, guided: bool = False) -> Look:
    """One pass through a classifier that can be asked for gradients: at a layer's maps, or at the batch's values.

    guided : what flows back through any ReLU is cut off below 0; a warning names layers that cannot be looked into.
    Nothing is compiled: TensorFlow never lets go of a compiled graph entirely.
    """
    batch, known = tensorflow.convert_to_tensor(check_batch(network, batch)), named_layers(network)
    if layer is not None and (not isinstance(layer, str) or layer not in known):
        raise unknown_layer(layer, list(known))
    found, guides = dict[str, Any](), list[str]()
    closed = _closed(known) if guided else {}

    def seen(name, operation, answer):
        if name == layer and layer not in found:
            found[layer] = answer
            if keras.ops.is_tensor(answer):
                tape.watch(answer)  # what leads up to it need not be recorded
        relu = guided and name not in closed and is_relu(operation)
        guides.extend([name] * relu)
        return _nothing_negative_back(answer) if relu else answer

    with _tape() as tape:
        if layer is None:
            tape.watch(batch)
        answers = classify(network, batch, seen if guided or layer is not None else None)
    if guided and not (guides or closed):
        warnings.warn(f"not guided: {NO_RELU}", RuntimeWarning, stacklevel=4)
    inside = batch if layer is None else found.get(layer)
    if not keras.ops.is_tensor(inside):
        raise ValueError(f"layer {layer!r} did not run in this forward pass, or gave no single tensor")

    def gradient(targets: np.ndarray) -> np.ndarray:
        slopes = tape.gradient(answers, inside, output_gradients=tensorflow.cast(targets, answers.dtype))
        if slopes is None and (cut := _cut(network, batch[:1], layer)):
            raise ValueError(f"no gradient leads from the score back to {layer or 'the image'}: {cut}")
        return _first(tensorflow.zeros_like(inside) if slopes is None else slopes)

    scores = _first(answers) if keras.ops.is_tensor(answers) else answers
    return Look(_first(inside), scores, gradient, partial(_why_flat, tape, answers, inside))


def _why_flat(tape, answers, inside) -> str:
    connected = tape.gradient(answers, inside) is not None
    return "" if connected else "no operation that TensorFlow records leads from it to the score"


def _cut(network, batch, layer: str | None, end: str | None = None) -> str:
    """Which operation between a layer, or the batch, and another one, or the scores, lets no gradient pass.

    The way out is said, too.
    """
    passed: list[tuple] = []

    def seen(name, operation, answer):
        if keras.ops.is_tensor(answer) and answer.dtype.is_floating and end not in [name for name, *_ in passed]:
            tape.watch(answer)
            passed.append((name, type(operation).__name__, answer))
        return answer

    with _tape() as tape:
        run(network, batch, seen)
    start = 0 if layer is None else next(place for place, (name, *_) in enumerate(passed) if name == layer)
    behind = passed[start:]
    reached = [step for step in behind if tape.gradient(passed[-1][2], step[2]) is not None]
    name, kind, _ = next(iter(reached), behind[-1])
    return f"nothing passes {name!r} ({kind}), which stops gradients, rounds or casts; leave it out"


def _closed(known: dict[str, Any]) -> dict[str, str]:
    """The layers that no graph shows the inside of, each in words; a warning names them."""
    closed = {name: f"{name!r} ({type(layer).__name__})" for name, layer in known.items() if _is_closed(layer)}
    if closed:
        words = f"not guided: any ReLU inside {', '.join(closed.values())}, which is no graph of layers"
        warnings.warn(words, RuntimeWarning, stacklevel=5)
    return closed


def _is_closed(layer) -> bool:
    """Whether a layer may hold a ReLU that no graph shows: a learner's own, or one around other layers."""
    return not is_graph(layer) and (
        not type(layer).__module__.startswith("keras.") or len(list(layer._flatten_layers())) > 1
    )


def _first(answer) -> np.ndarray:
    values = to_numpy(answer)
    return values.transpose(0, 3, 1, 2) if values.ndim == 4 else values


@tensorflow.custom_gradient
def _nothing_negative_back(answer):
    return tensorflow.identity(answer), lambda gradient: tensorflow.maximum(gradient, 0)


def is_relu(operation) -> bool:
    """Whether an operation of a graph is a ReLU, or has one built in, of whatever name: told by what it does."""
    if callable(activation := getattr(operation, "activation", None)):
        return rectifies(activation)
    return any(map(rectifies, as_functions(operation)))


def rectifies(function: Callable) -> bool:
    """Whether a function is 0 where its input is not positive, and positive elsewhere."""
    values = np.linspace(-8, 8, 64, dtype=np.float32).reshape(1, 4, 4, 4)
    try:
        answer = keras.ops.convert_to_numpy(function(keras.ops.convert_to_tensor(values)))
    except Exception:
        return False  # what takes no maps alone is no activation
    return answer.shape == values.shape and not answer[values <= 0].any() and bool((answer[values > 0] > 0).all())
