"""Which pixels decided, in Keras. `torch_backend` has the same functions with the same signatures and results.

All of them take a batch as `model.preprocess` makes it, and

- category: a number or a name, or a list of them: one for each image, or any number for one image.
- names: the categories' names, by number; ImageNet's for a network of 1000 categories, unless given.

One category of one image gives one map, anything else a map for each pair. Each function raises ValueError for a batch
of another form, and for a category that is unknown (the nearest names are listed) or out of range; each warns of a map
that is 0 everywhere or not finite. The network is a functional or sequential model; it runs in inference mode and is
not changed. Nothing is compiled: TensorFlow never lets go of a compiled graph entirely.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import numpy as np

from days.common.checks import check_layers, unknown_layer
from days.common.errors import cannot_run
from days.common.frameworks import import_keras
from days.day17.code.keras_backend import channels_first, check_batch, check_network, named_layers
from days.day22.code import attribution
from days.day22.code.attribution import Wanted
from days.day22.code.randomization import shuffled

keras = import_keras()

import tensorflow  # noqa: E402  only after import_keras has quieted it

Category = int | str | Sequence[int | str]


def grad_cam(
    network,
    batch,
    layer: str,
    category: Category,
    *,
    signed: bool = False,
    names: Sequence[str] | None = None,
) -> np.ndarray:
    """Where a layer's maps speak for a category: (h, w), at the layer's own resolution, not rescaled; or (n, h, w).

    The maps, each weighted by the mean gradient of the category's score for it, are added up; what is negative is cut
    off, unless `signed`. A layer that runs several times counts the first time.

    Raises ValueError also for a layer that does not exist or has no maps.

    Source: Selvaraju and others, "Grad-CAM: visual explanations from deep networks", 2017.
    """
    batch, known, found = _checked(network, batch), named_layers(network), {}
    if not isinstance(layer, str) or layer not in known:
        raise unknown_layer(layer, list(known))

    def keep(name, operation, answer):
        if name == layer:
            found.setdefault(layer, answer)
        return answer

    def run(pixels):
        answers = _answers(network, pixels, keep)
        if not keras.ops.is_tensor(found.get(layer)):
            raise ValueError(f"layer {layer!r} did not run in this forward pass, or gave no single tensor")
        return found[layer], answers

    inside, gradients, asked = _look(run, batch, category, names)
    maps, slopes = channels_first(layer, inside), gradients.transpose(0, 3, 1, 2)
    return attribution.grad_cam_maps(maps, slopes, asked, layer, signed)


def saliency(network, batch, category: Category, *, names: Sequence[str] | None = None) -> np.ndarray:
    """How a category's score changes with each value of the batch, signed: (H, W, 3), channels in the batch's order.

    Source: Simonyan and others, "Deep inside convolutional networks", 2013.
    """
    batch = _checked(network, batch)
    _, gradients, asked = _look(lambda pixels: (pixels, _answers(network, pixels)), batch, category, names)
    return attribution.handed_out(gradients, asked, "saliency")


def smooth_grad(
    network,
    batch,
    category: Category,
    *,
    samples: int = 25,
    spread: float = 0.15,
    seed: int = 0,
    names: Sequence[str] | None = None,
) -> np.ndarray:
    """The mean `saliency` of `samples` noisy copies: (H, W, 3). The noise is the same in both frameworks.

    spread : the noise's standard deviation, as a share of the range of the image's values in the batch.

    Source: Smilkov and others, "SmoothGrad: removing noise by adding noise", 2017.
    """
    pixels, asked = _asked(network, batch, category, names)
    copies, how = attribution.for_each(pixels, asked), {"samples": samples, "spread": spread, "seed": seed}
    maps = attribution.smooth_grad(_gradient(network), copies, asked.numbers, **how)
    return attribution.handed_out(maps, asked, "SmoothGrad")


def integrated_gradients(
    network,
    batch,
    category: Category,
    *,
    baseline=0.0,
    steps: int = 128,
    names: Sequence[str] | None = None,
) -> np.ndarray:
    """What each value adds to a category's score on the straight way from a baseline to the image: (H, W, 3).

    All values together add up to score(image) - score(baseline), up to the error of `steps` gradients along the way;
    an error above 1 % of the score is warned of.

    baseline : in the batch's own values: a number, or a batch of one image or of as many as are explained. 0 is the
    color that the preprocessing turns into 0: the training set's mean color for SqueezeNet, gray for Day 18's network.

    Source: Sundararajan and others, "Axiomatic attribution for deep networks", 2017.
    """
    pixels, asked = _asked(network, batch, category, names)
    copies = attribution.for_each(pixels, asked)
    baseline = attribution.check_baseline(np.asarray(baseline), copies.shape)
    functions, how = (_gradient(network), _scores_of(network)), {"baseline": baseline, "steps": steps}
    maps = attribution.integrated_gradients(*functions, copies, asked.numbers, **how)
    return attribution.handed_out(maps, asked, "integrated gradients")


def guided_backpropagation(network, batch, category: Category, *, names: Sequence[str] | None = None) -> np.ndarray:
    """`saliency` that drops, on its way back, everything negative at each ReLU: (H, W, 3).

    Every ReLU counts, a layer's own (`activation="relu"`), ReLU6's and those in nested models too.

    Source: Springenberg and others, "Striving for simplicity", 2015. It draws fine pictures and hardly cares for the
    category: Adebayo and others, 2018.
    """
    batch = _checked(network, batch)

    def guided(name, operation, answer):
        return _nothing_negative_back(answer) if is_relu(operation) else answer

    _, gradients, asked = _look(lambda pixels: (pixels, _answers(network, pixels, guided)), batch, category, names)
    return attribution.handed_out(gradients, asked, "guided backpropagation")


def occlusion(
    network,
    batch,
    category: Category,
    *,
    size: int = 32,
    stride: int = 16,
    fill: float | Sequence[float] = 0.0,
    names: Sequence[str] | None = None,
) -> np.ndarray:
    """By how much a category's score falls where squares cover the image, the mean over those on a pixel: (H, W).

    size, stride : of the squares, in pixels; stride is at most size. fill : what covers, in the batch's own values: a
    number, or one for each channel. One pass for each square: slow, and what the others are held against.

    Source: Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014.
    """
    pixels, asked = _asked(network, batch, category, names)
    maps = attribution.occlusion(_scores_of(network), pixels, asked, size=size, stride=stride, fill=fill)
    return attribution.handed_out(maps, asked, "occlusion")


def scores(network, batch) -> np.ndarray:
    """The scores before the softmax, (N, categories)."""
    return _answers(network, _checked(network, batch)).numpy()


def randomized(network, layers: str | Sequence[str], seed: int):
    """A copy of the network with the weights of these layers shuffled, each tensor by itself; see `shuffled`.

    A layer's name also stands for all layers inside it ("fire9"). The network itself stays as it is. Raises ValueError
    for a layer that does not exist or has no weights.
    """
    check_network(network)
    # Keras draws the seeds of new layers from Python's generator; the learner's own sequence must not notice.
    state = random.getstate()
    try:
        twin = keras.models.clone_model(network)
    finally:
        random.setstate(state)
    twin.set_weights(network.get_weights())
    known = named_layers(twin)
    for layer in check_layers(layers):
        inside = [name for name in known if name == layer or name.startswith((f"{layer}.", f"{layer}/"))]
        held = [name for name in inside if known[name].weights and not hasattr(known[name], "layers")]
        if not held:
            raise ValueError(f"layer {layer!r} does not exist or has no weights to shuffle: choose a convolution")
        for name in held:
            known[name].set_weights(_shuffled_weights(known[name], name, seed))
    return twin


def _shuffled_weights(layer, name: str, seed: int) -> list[np.ndarray]:
    """A layer's arrays, those that are trained shuffled as PyTorch lays them out."""
    trained, arrays = {id(one) for one in layer.trainable_variables}, []
    for variable, values in zip(layer.weights, layer.get_weights(), strict=True):
        axes = {4: (3, 2, 0, 1), 2: (1, 0)}.get(values.ndim, tuple(range(values.ndim)))
        kind = "weight" if variable.name in ("kernel", "gamma") else "bias"
        if id(variable) in trained or not layer.trainable:
            values = shuffled(values.transpose(axes), seed, f"{name}.{kind}").transpose(np.argsort(axes))
        arrays.append(values)
    return arrays


@tensorflow.custom_gradient
def _nothing_negative_back(answer):
    return tensorflow.identity(answer), lambda gradient: tensorflow.maximum(gradient, 0)


def run_watched(network, inputs, seen: Callable, prefix: str = ""):
    """The network's answer; what each operation answers goes through seen(name, operation, answer) first."""

    def watched(operation):
        name = prefix + operation.name
        nested = isinstance(operation, keras.Model) and getattr(operation, "inputs", None)

        def run(*values, **options):
            if nested:
                return seen(name, operation, run_watched(operation, values, seen, f"{name}/"))
            # A layer that was told to train when the graph was made must not do so here.
            how = {"training": False} if getattr(operation, "_call_has_training_arg", False) else {}
            return seen(name, operation, operation(*values, **(options | how)))

        return run

    # This is what calling the graph does, too; it makes no new nodes, so that the layers stay as they were.
    graph = keras.Model(network.inputs, network.outputs)
    answer = keras.tree.flatten(graph._run_through_graph(inputs, operation_fn=watched))
    return answer[0] if len(answer) == 1 else answer


def is_relu(operation) -> bool:
    """Whether an operation of a graph is a ReLU, or has one built in."""
    if type(operation).__name__ in ("ReLU", "Relu", "Relu6"):  # a layer, or keras.ops.relu without one
        return True
    return getattr(operation, "activation", None) in (keras.activations.relu, keras.activations.relu6)


def _look(run: Callable, batch, category: Category, names) -> tuple[object, np.ndarray, Wanted]:
    """What is inside, (N, ...), the gradients there of the scores asked for, (n, ...), and what was asked for.

    run : a function from a batch to the tensor inside and the scores, both live.
    """
    with tensorflow.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(batch)
        inside, answers = run(batch)
        count = attribution.check_scores(answers, len(batch))
        asked = attribution.wanted(category, len(batch), count, names)
        sums = [tensorflow.reduce_sum(tensorflow.gather(answers, one, axis=1, batch_dims=1)) for one in asked.rounds()]
    gradients = [tape.gradient(one, inside, unconnected_gradients="zero") for one in sums]
    return inside, np.concatenate([np.asarray(one) for one in gradients]), asked


def _gradient(network) -> attribution.Gradient:
    def gradient(batch, numbers):
        pixels = tensorflow.constant(batch)
        with tensorflow.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(pixels)
            score = tensorflow.reduce_sum(tensorflow.gather(_answers(network, pixels), numbers, axis=1, batch_dims=1))
        return tape.gradient(score, pixels, unconnected_gradients="zero").numpy()

    return gradient


def _scores_of(network) -> Callable[[np.ndarray], np.ndarray]:
    return lambda batch: _answers(network, tensorflow.constant(batch)).numpy()


def _answers(network, batch, seen: Callable | None = None):
    """What the network answers, `seen` as of `run_watched`. Raises ValueError for a batch that it cannot take."""
    try:
        answer = run_watched(network, batch, seen) if seen else network(batch, training=False)
    except (ValueError, tensorflow.errors.OpError) as error:
        raise cannot_run(batch, error) from error
    return keras.tree.flatten(answer)[0]  # one tensor, or a dictionary of one


def _asked(network, batch, category: Category, names) -> tuple[np.ndarray, Wanted]:
    """The batch as an array (N, H, W, C), and what is asked for; one image tells how many categories there are."""
    pixels = _checked(network, batch).numpy()
    count = attribution.check_scores(_scores_of(network)(pixels[:1]), 1)
    return pixels, attribution.wanted(category, len(pixels), count, names)


def _checked(network, batch):
    check_network(network)
    ends = len(network.inputs), len(network.outputs)
    if ends != (1, 1):
        raise ValueError("expected a network of one input and one output, got {} and {}".format(*ends))
    return tensorflow.convert_to_tensor(check_batch(network, batch))
