"""Looking into a Keras network: which layers, what they answer, what their filters are.

`torch_backend` has the same functions with the same signatures and the same array layout.
"""

from __future__ import annotations

import random
import warnings
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from days.common.checks import check_layers, check_maps, check_values, unknown_layer
from days.common.errors import cannot_run
from days.common.frameworks import import_keras
from days.common.keras_private import bare_copy, is_graph, run_watched, times_used

keras = import_keras()

CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D)

SMALL = 32
"""Images with a shorter side, in pixels, may be too small for a network's pooling."""

_submodels: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()
_of_any_size: weakref.WeakSet = weakref.WeakSet()


def conv_layers(network) -> list[str]:
    """Names of the convolutions in forward order, those of a nested model as "model/layer".

    Layers are told by their type: `'conv' in layer.name` would also match `conv1_pad` and `conv1_bn`. Convolutions
    inside layers of the learner's own, or inside wrappers, are out of sight; a warning names what holds them.
    """
    if hidden := out_of_sight(network):
        warnings.warn(f"not listed: {hidden}", RuntimeWarning, stacklevel=2)
    return [name for name, layer in named_layers(network).items() if isinstance(layer, CONVOLUTIONS)]


def out_of_sight(network) -> str:
    """Which convolutions cannot be looked into, since no graph of layers leads to them; "" where all can."""
    hidden = [
        f"{name!r} ({type(layer).__name__})"
        for name, layer in named_layers(network).items()
        if not is_graph(layer)
        and any(isinstance(part, CONVOLUTIONS) and part is not layer for part in layer._flatten_layers())
    ]
    return f"the convolutions inside {', '.join(hidden)}, where no graph of layers leads to" if hidden else ""


def capture(
    network, layers: str | Sequence[str], batch, *, grid: tuple[int, int] | None = None
) -> dict[str, np.ndarray]:
    """What `layers` answer to a batch: {layer: activations (N, C, H, W)}, in the order asked for.

    Runs a sub-model that ends at the layers asked for, in inference mode; it shares the network's weights and is
    kept for the next call. The arrays are copies, turned from Keras' (N, H, W, C) to channels first.

    Parameters
    ----------
    network : a functional or sequential model with one input, nested ones included.
    batch : (N, H, W, C) tensor, as `model.preprocess` makes it.
    grid : (rows, columns) of the tokens (N, T, C) of a transformer, which then come as maps.

    Raises
    ------
    ValueError : a layer that does not exist (the nearest names are listed) or has no maps; a batch of another shape
        or with NaN; a network that is no graph of layers.
    """
    layers = check_layers(layers)
    check_network(network)
    batch = check_batch(network, batch)
    found = live_answers(network, layers, batch)
    return {name: channels_first(name, answer, grid) for name, answer in found.items()}


def run_to(network, layer: str, batch):
    """One layer's answer as a live tensor (N, H, W, C), for gradients: no deeper layer runs."""
    return live_answers(network, [layer], batch)[layer]


def live_answers(network, layers: Sequence[str], batch) -> dict:
    """What `layers` answer, as live tensors (N, H, W, C), for gradients: no layer runs that is deeper than all of them.

    Raises ValueError for a layer that does not exist, a network that is no graph of layers, and a batch that it cannot
    take.
    """
    check_network(network)
    known = named_layers(network)
    for name in layers:
        if not isinstance(name, str) or name not in known:
            raise unknown_layer(name, list(known))
    part = submodel(network, list(layers))
    seen = _unchanged if network in _of_any_size else None
    return dict(zip(layers, keras.tree.flatten(run(part, batch, seen)), strict=True))


def of_any_size(network):
    """The same layers as a network that is bound to no size; what of them takes no other fails as it runs."""
    twin = keras.Model(network.inputs, network.outputs)
    _of_any_size.add(twin)
    return twin


def _unchanged(name: str, operation, answer):
    """The answer. A graph that is watched, if only by this, does not compare an image's size with its own."""
    return answer


def run(network, batch, seen: Callable | None = None):
    """What the network answers in inference mode. Raises ValueError for whatever ends its forward pass.

    seen : what each operation answers goes through seen(name, operation, answer) first; see `keras_private`.
    """
    try:
        if min(batch.shape[1:3], default=SMALL) < SMALL:
            run_watched(network, batch, _with_places)
        return run_watched(network, batch, seen) if seen else network(batch, training=False)
    except Exception as error:
        raise cannot_run(batch, error, _way_out(network, batch)) from error


def _with_places(name: str, operation, answer):
    """The answer, unless it has no places. Some processors go on with such an answer and end in NaN; others stop."""
    if keras.ops.is_tensor(answer) and 0 in answer.shape:
        raise ValueError(f"nothing is left of the image at layer {name!r}, which answers {tuple(answer.shape)}")
    return answer


def classify(network, batch, seen: Callable | None = None):
    """A classifier's live scores; `seen` as of `run`. Raises ValueError for a network of several inputs or outputs."""
    ends = len(network.inputs), len(network.outputs)
    if ends != (1, 1):
        raise ValueError("expected a network of one input and one output, got {} and {}".format(*ends))
    return keras.tree.flatten(run(network, batch, seen))[0]  # one tensor, or a dictionary of one


def scores(network, batch) -> np.ndarray:
    """The network's answer to a batch as an array: (N, categories) of a classifier."""
    check_network(network)
    return keras.ops.convert_to_numpy(classify(network, batch))


def filters(network, layer: str) -> np.ndarray:
    """A copy of a convolution's filters, (out, in, kh, kw); Keras stores (kh, kw, in, out).

    A depthwise filter sees one channel: (out, 1, kh, kw). A separable one is given as the full filter that it equals. A
    learner's own kind of convolution may change its weights before it uses them; a warning says so.
    Raises ValueError for a name that is no convolution; the nearest ones are listed.
    """
    module = named_layers(network).get(layer)
    if not isinstance(module, CONVOLUTIONS):
        raise unknown_layer(layer, conv_layers(network), kind="convolution")
    if not module.built:
        raise ValueError(f"layer {layer!r} has no weights yet: call the network once on a batch")
    if not type(module).call.__module__.startswith("keras."):
        words = f"layer {layer!r} has a call of its own, and may use its weights otherwise than they are shown"
        warnings.warn(words, RuntimeWarning, stacklevel=2)
    if isinstance(module, keras.layers.SeparableConv2D):
        depthwise, pointwise = map(to_numpy, (module.depthwise_kernel, module.pointwise_kernel))
        return np.einsum("hwim,imo->oihw", depthwise, pointwise.reshape(*depthwise.shape[2:], -1))
    kernel = to_numpy(module.kernel)  # with LoRA's part, which the stored weights leave out
    if isinstance(module, keras.layers.DepthwiseConv2D):
        height, width, channels, multiplier = kernel.shape
        return kernel.reshape(height, width, channels * multiplier, 1).transpose(2, 3, 0, 1).copy()
    return kernel.transpose(3, 2, 0, 1).copy()


def named_layers(network, prefix: str = "") -> dict[str, Any]:
    """Every layer by its name, in forward order, those of a nested model as "model/layer"."""
    named = {}
    for layer in network.layers:
        named[prefix + layer.name] = layer
        if is_graph(layer):
            named |= named_layers(layer, f"{prefix}{layer.name}/")
    return named


def submodel(network, layers: list[str]):
    """The network cut at `layers`, from a store that is emptied when the network is gone or its layers change."""
    known_layers, store = _submodels.get(network, (None, {}))
    if known_layers != tuple(map(id, network.layers)):
        store = {}
        _submodels[network] = (tuple(map(id, network.layers)), store)
    if tuple(layers) not in store:
        store[tuple(layers)] = keras.Model(network.inputs, _tensors(network, layers))
    return store[tuple(layers)]


def _tensors(network, layers: list[str]) -> list:
    """The symbolic outputs of `layers`, on the network's own inputs."""
    direct = {layer.name: layer for layer in network.layers}
    # A layer that is used in several places has several outputs, and `.output` is the oldest, of whatever network.
    used_once = all(times_used(layer) == 1 for layer in network.layers)
    if used_once and all(name in direct for name in layers):
        return [direct[name].output for name in layers]
    found: dict[str, Any] = {}

    def call(layer, *inputs, **options):
        inside = [name for name in layers if name.startswith(f"{layer.name}/")]
        if inside:
            deeper = _tensors(layer, [name.removeprefix(f"{layer.name}/") for name in inside])
            *answers, output = keras.Model(layer.inputs, [*deeper, *layer.outputs])(*inputs)
            for name, answer in zip(inside, answers, strict=True):
                found.setdefault(name, answer)
        else:
            output = layer(*inputs, **options)
        found.setdefault(layer.name, output)
        return output

    # A nested model's layers are no part of the outer graph, so the outer graph is called again, layer by layer.
    if isinstance(network, keras.Sequential):
        x = network.inputs[0]
        for layer in network.layers:
            x = call(layer, x)
    else:
        keras.models.clone_model(
            network, input_tensors=network.input, clone_function=lambda layer: layer, call_function=call
        )
    return [found[name] for name in layers]


def check_network(network) -> None:
    """Raise ValueError for anything but a functional or built sequential model with channels last."""
    if not isinstance(network, keras.Model):
        raise ValueError(f"expected a Keras model, got {type(network).__name__}: load_model(...).network is one")
    if not is_graph(network):
        way_out = (
            "call it once on a batch, so that it is built"
            if type(network) is keras.Sequential
            else "a subclassed model has no graph of layers to cut; "
            "x = keras.Input((224, 224, 3)); keras.Model(x, network.call(x)) has one"
        )
        raise ValueError(
            f"expected a functional or a built sequential Keras model, got {type(network).__name__}: {way_out}"
        )
    _check_input(network)
    known = named_layers(network)
    turned = [name for name, layer in known.items() if getattr(layer, "data_format", "") == "channels_first"]
    if turned:
        raise ValueError(
            f"expected layers with channels last, got channels_first in {turned[:3]}: "
            'build it with data_format="channels_last", which takes the same weights'
        )


def _check_input(network) -> None:
    """Raise ValueError unless the network takes one batch of images, as floats."""
    if len(network.inputs) > 1:
        names = ", ".join(given.name for given in network.inputs)
        raise ValueError(
            f"expected a network of one input, got {len(network.inputs)} ({names}): "
            "wrap it in a model that takes the image alone"
        )
    if len(network.inputs[0].shape) != 4:
        raise ValueError(
            f"expected a network that takes images (N, H, W, C), got one that takes {network.inputs[0].shape}: "
            "put a keras.Input((height, width, channels)) and a Reshape before it, or cut out what takes one image"
        )
    if not keras.backend.is_float_dtype(network.inputs[0].dtype):
        raise ValueError(
            f"expected a network that takes floats, got one whose input is {network.inputs[0].dtype}: build it with "
            'keras.Input(..., dtype="float32"), since whole numbers have no gradient'
        )


def check_batch(network, batch):
    """The batch, if it is a finite (N, H, W, C) tensor of floats that fits the network; else ValueError."""
    check_network(network)
    if not keras.ops.is_tensor(batch):
        raise ValueError(f"expected a TensorFlow tensor, got {type(batch).__name__}: model.preprocess(image) makes one")
    channels = network.inputs[0].shape[-1]
    if len(batch.shape) != 4 or batch.shape[3] != channels:
        way_out = "model.preprocess(image) makes one"
        if len(batch.shape) == 3:
            way_out = "add the batch axis with batch[None]"
        elif len(batch.shape) == 4 and batch.shape[1] == channels:
            way_out = "channels go last in Keras, so keras.ops.transpose(batch, (0, 2, 3, 1))"
        raise ValueError(f"expected a (N, H, W, {channels}) batch, got {tuple(batch.shape)}: {way_out}")
    kind = keras.backend.standardize_dtype(batch.dtype)
    check_values(True, keras.backend.is_float_dtype(kind), len(batch), kind)
    finite = bool(keras.ops.isfinite(keras.ops.sum(batch)) or keras.ops.all(keras.ops.isfinite(batch)))
    check_values(finite, True, len(batch), kind)
    return batch


def channels_first(name: str, answer, grid: tuple[int, int] | None = None) -> np.ndarray:
    """What layer `name` answered, as an array (N, C, H, W). Raises ValueError where that holds no maps."""
    if keras.ops.is_tensor(answer):
        answer = to_numpy(answer)
        answer = answer.transpose(0, 3, 1, 2) if answer.ndim == 4 else answer
    return check_maps(name, answer, grid)


def check_axes(network, layer: str, answer, batch) -> None:
    """Nothing: what a Keras layer answers has its channels last, and was turned."""


def _way_out(network, batch) -> str:
    """What to do where the network was built for another size; else nothing."""
    given = network.inputs[0].shape
    if len(given) != 4 or len(batch.shape) != 4:
        return ""
    if all(wanted in (None, got) for wanted, got in zip(given[1:3], batch.shape[1:3], strict=True)):
        return ""
    return f"it was built for images of {given[1]} x {given[2]} pixels: give that size"


# ---------------------------------------------------------------- to and from the network's layout


def to_numpy(answer) -> np.ndarray:
    """A live answer as an array, half precision as single."""
    values = keras.ops.convert_to_numpy(answer)
    return values.astype(np.float32) if values.dtype.name in ("bfloat16", "float16") else values


def to_batch(network, pixels: np.ndarray):
    """Preprocessed pixels (N, H, W, C) as the network takes them, in its own precision or in single."""
    return keras.ops.convert_to_tensor(pixels, "float64" if network.inputs[0].dtype == "float64" else "float32")


def from_planes(planes: np.ndarray):
    """An array (N, C, H, W) as a batch (N, H, W, C), in single precision where it was in double."""
    values = np.moveaxis(planes, 1, -1)
    return keras.ops.convert_to_tensor(values.astype(np.float32) if values.dtype == np.float64 else values)


def to_pixels(batch) -> np.ndarray:
    """A batch as an array (N, H, W, C)."""
    return keras.ops.convert_to_numpy(batch)


def altered(network, layers: str | Sequence[str], change: Callable[[np.ndarray, str], np.ndarray]):
    """A copy of the network in which each tensor of these layers that is trained is change(values, "layer.weight").

    The values come and go as PyTorch lays them out. A layer's name also stands for all layers inside it ("fire9"). The
    network itself stays as it is. Raises ValueError for a layer that does not exist or has no weights.
    """
    check_network(network)
    # Keras draws the seeds of new layers from Python's generator; the learner's own sequence must not notice.
    state = random.getstate()
    try:
        twin = keras.models.clone_model(network, clone_function=_made_again, recursive=True)
        twin.set_weights(network.get_weights())
    except Exception as error:
        raise ValueError(
            f"the network cannot be copied ({type(error).__name__}): does a layer of your own lack a get_config()?"
        ) from error
    finally:
        random.setstate(state)
    known = named_layers(twin)
    for layer in check_layers(layers):
        inside = [name for name in known if name == layer or name.startswith((f"{layer}.", f"{layer}/"))]
        held = [name for name in inside if known[name].weights and not hasattr(known[name], "layers")]
        if not held:
            raise ValueError(f"layer {layer!r} does not exist or has no weights to shuffle: choose a convolution")
        for name in held:
            known[name].set_weights(_altered_arrays(known[name], name, change))
    return twin


def _made_again(layer):
    """A new layer of the same form; where it does not say how it is made, as a Lambda, and has no weights, its twin."""
    try:
        return type(layer).from_config(layer.get_config())
    except Exception:
        if layer.weights:
            raise
        return bare_copy(layer)


def _altered_arrays(layer, name: str, change: Callable[[np.ndarray, str], np.ndarray]) -> list[np.ndarray]:
    """A layer's arrays, those that are trained changed as PyTorch lays them out."""
    trained, arrays = {id(variable) for variable in layer.trainable_variables}, []
    for variable, values in zip(layer.weights, layer.get_weights(), strict=True):
        axes = {4: (3, 2, 0, 1), 2: (1, 0)}.get(values.ndim, tuple(range(values.ndim)))
        part = "weight" if variable.name in ("kernel", "gamma") else "bias"
        if id(variable) in trained or not layer.trainable:
            values = change(values.transpose(axes), f"{name}.{part}").transpose(np.argsort(axes))
        arrays.append(values)
    return arrays
