"""The exercises of Day 17. Each function below is a solution; the decorator makes it an exercise that checks itself."""

from __future__ import annotations

import numpy as np

from days.common import cases
from days.common.exercises import exercise
from days.common.tasks import task
from days.day17.code import ablation


def _networks(generator):
    """Small PyTorch networks whose first layer is called conv and is none; the first convolution is nested or not.

    One is in groups, with kernels that are not square, and one has kernels of a single pixel.
    """
    from collections import OrderedDict

    from torch import nn

    def network(depth, size, groups=1):
        channels, width = (groups * int(number) for number in generator.integers([1, 5], [4, 12]))
        body = [("patch", nn.Conv2d(channels, width, size, groups=groups)), ("activation", nn.ReLU())]
        for block in generator.choice(["stem", "body", "front", "entry"], depth, replace=False):
            body = [("scale", nn.Identity()), (str(block), nn.Sequential(OrderedDict(body)))]
        layers = [("conv_norm", nn.BatchNorm2d(channels)), *body, ("last", nn.Conv2d(width, 3, 1))]
        return nn.Sequential(OrderedDict(layers))

    return [(network(1, (2, 5), groups=2),), (network(2, int(generator.integers(2, 6))),), (network(0, 1),)]


def _first_4d_weight(network):
    key, weight = next((key, value) for key, value in network.state_dict().items() if value.ndim == 4)
    return key.removesuffix(".weight"), np.array(weight.shape)


@exercise(
    "9.1 · 5 min · ●○○",
    cases=_networks,
    truth=_first_4d_weight,
    mistakes=[
        "Only the layers at the top were looked at: a convolution may sit inside a block. named_modules() goes down.",
        ("named_modules", "named_children"),
        "That layer has 'conv' in its name and is a BatchNorm: ask for the type, isinstance(module, nn.Conv2d).",
        ("isinstance(module, torch.nn.Conv2d)", '"conv" in name'),
        "That is its name inside its block; from the network down it has a path, as named_modules() gives it.",
        ("return name", 'return name.split(".")[-1]'),
        "PyTorch stores filters as (out, in, kh, kw): the number of filters comes first.",
        ("weight.shape", "weight.transpose(0, 1).shape"),
    ],
    hints=[
        "network.named_modules() gives (path, module) for every layer, in the order of their registration.",
        "isinstance(module, torch.nn.Conv2d) is true for convolutions, whatever they are called.",
        "The filters are module.weight; tuple(module.weight.shape) is their shape.",
    ],
)
def first_convolution(network):
    """Path and filters' shape of a torch network's first convolution: ("a.b", (64, 3, 3, 3))."""
    import torch

    for name, module in network.named_modules():
        if isinstance(module, torch.nn.Conv2d):
            return name, tuple(module.weight.shape)


def _plane_by_plane(image):
    red, green, blue = np.moveaxis(image * 255.0, 2, 0)
    return np.array([[blue - 104, green - 117, red - 123]])


@exercise(
    "9.2 · 10 min · ●●○",
    cases=lambda generator: [
        (top * cases.planted(generator, generator.random((*sides, 3), np.float32), 5 * [0]),)
        for top, *sides in ((1, *generator.integers(5, 12, 2)), (0.8, 3, 250), (0.8, 250, 3))  # large ones are dim
    ],
    truth=_plane_by_plane,
    mistakes=[
        "The colors are still in RGB order: reverse the last axis first, image[:, :, ::-1].",
        ("[:, :, ::-1]", ""),
        "The values still run from 0 to 1: this network was trained on 0 to 255.",
        (" * 255", ""),
        "The mean is in BGR order and was taken from RGB: reverse the colors before subtracting.",
        ("104, 117, 123", "123, 117, 104"),
        "The batch axis is missing: end with [None].",
        ("[None]", ""),
        "reshape cuts the rows anew and mixes up pixels; moving an axis is transpose(2, 0, 1).",
        ("transpose(2, 0, 1)", "reshape(3, *image.shape[:2])"),
    ],
    hints=[
        "Four steps: RGB to BGR, 0-1 to 0-255, subtract (104, 117, 123), and turn (H, W, 3) into (1, 3, H, W).",
        "image[:, :, ::-1] reverses the colors. transpose(2, 0, 1) moves the last axis to the front.",
        "array[None] adds an axis of length 1 in front.",
    ],
)
def make_batch(image):
    """RGB (H, W, 3), 0 to 1 -> BGR (1, 3, H, W), 0 to 255, minus (104, 117, 123)."""
    pixels = image[:, :, ::-1] * 255 - np.array([104, 117, 123])
    return pixels.transpose(2, 0, 1)[None]


def _montage(maps, columns):
    from skimage.util import montage

    return montage(maps, fill=0, grid_shape=(int(np.ceil(len(maps) / columns)), columns))


@exercise(
    "9.3 · 10 min · ●●○",
    cases=lambda generator: [
        (cases.maps(generator, 8, 2, 6), 4),
        (cases.maps(generator, 6, 5, 2, silent=1), 2),
        cases.edge("the maps do not fill the last row", cases.maps(generator, 7, 4, 5, silent=1), 3),
        cases.edge("the maps do not fill the last row", cases.maps(generator, 12, 3, 4), 5),
        cases.edge("there are fewer maps than columns", cases.maps(generator, 2, 3, 4), 3),
    ],
    truth=_montage,
    mistakes=[
        "The maps behind the last full row are lost: round the number of rows up, -(-count // columns).",
        ("-(-count // columns)", "count // columns", "(maps)", "(maps[: rows * columns])"),
        "The maps run down the columns; map 1 belongs to the right of map 0.",
        ("row, column = divmod(i, columns)", "column, row = divmod(i, rows)"),
        "reshape alone tears the maps apart: place each one with its own slice, or swap the middle axes first.",
        ("return sheet", "return np.resize([*maps.ravel(), *np.zeros(sheet.size - maps.size)], sheet.shape)"),
    ],
    hints=[
        "Start from zeros of shape (rows * H, columns * W), with rows = -(-len(maps) // columns), which rounds up.",
        "Map i stands in row i // columns and column i % columns; divmod(i, columns) gives both.",
        "sheet[row * H : (row + 1) * H, column * W : (column + 1) * W] = maps[i]",
    ],
)
def mosaic(maps, columns):
    """Maps (C, H, W) in reading order, `columns` to a row: (rows * H, columns * W), rest 0."""
    count, height, width = maps.shape
    rows = -(-count // columns)  # rounded up
    sheet = np.zeros((rows * height, columns * width))
    for i, values in enumerate(maps):
        row, column = divmod(i, columns)
        sheet[row * height : (row + 1) * height, column * width : (column + 1) * width] = values
    return sheet


def _activations(generator, *, relu=True):
    """Maps (20, 20, 20), most pixels zero after a ReLU, a few channels with one hot pixel and a small mean."""
    maps = cases.maps(generator, 20, 20, 20, levels=(-2, 2), relu=relu)
    # Silent at most places, and strongest by its mean, or among the strongest: no median finds them.
    for channel, height in zip(generator.choice(20, 2, replace=False), (6.0, 4.0), strict=True):
        maps[channel] = height * (generator.random((20, 20)) < 0.45)
    maps[generator.choice(20, 3, replace=False), 5, 5] += generator.uniform(20, 30, 3)
    if not relu:  # loud both ways, and weak by its mean
        maps[generator.integers(20)] = generator.normal(-1, 12, (20, 20))
    return maps


def _with_silent(generator, draw, **relu):
    """Layers drawn alike, in which the same two channels are silent."""
    layers, silent = np.array(draw(generator, **relu)), generator.choice(20, 2, replace=False)
    layers[..., silent, :, :] = 0
    return layers


@exercise(
    "9.4 · 5 min · ●○○",
    cases=lambda generator: [
        *((_activations(generator), count) for count in (6, 4)),
        cases.edge("two channels are silent, and equal", _with_silent(generator, _activations), 20),
        cases.edge("activations are below 0, too", _activations(generator, relu=False), 9),
    ],
    truth=lambda activations, count: np.array(
        sorted(range(len(activations)), key=lambda channel: -sum(activations[channel].ravel()))[:count]
    ),
    look=lambda answer, activations, count: cases.silent_in_order(answer, activations),
    mistakes=[
        "These are the weakest: argsort counts upwards, so turn it round with [::-1] or sort the negative.",
        ("[::-1]", ""),
        "These are the largest, but the smallest of them first: turn the order round.",
        ("[::-1][:count]", "[-count:]"),
        "The mean ran over the channels: axis 0 counts them, so average over axes 1 and 2.",
        ("axis=(1, 2)", "axis=(0, 1)"),
        "That ranks by the hottest pixel; the exercise asks for the mean.",
        (".mean(", ".max("),
        "These are the means themselves; wanted are the channels' numbers: argsort instead of sort.",
        ("argsort", "sort"),
    ],
    hints=[
        "activations.mean(axis=(1, 2)) is one number a channel.",
        "np.argsort gives the indices that would sort an array, the smallest first.",
    ],
)
def strongest_channels(activations, count):
    """Indices of the `count` channels of (C, H, W) with the largest mean, the largest first."""
    means = activations.mean(axis=(1, 2))
    return np.argsort(means)[::-1][:count]


def _two_photos(generator, relu=True):
    """Two answers of one layer; in some channels the pattern only moved, and their means are nearly the same."""
    first = _activations(generator, relu=relu)
    second = first * generator.uniform(0.2, 1.9, (20, 1, 1)) - generator.uniform(0, 0.3, (20, 1, 1))
    second = np.maximum(second, 0) if relu else second
    moved = generator.choice(20, 6, replace=False)
    second[moved] = np.roll(first[moved], 7, axis=2) * 1.001
    if not relu:  # one mean changes its sign alone
        turned = np.abs(first.mean(axis=(1, 2))).argmax()
        second[turned] = -first[turned]
    return first, second


@exercise(
    "9.5 · 10 min · ●●○",
    cases=lambda generator: [
        *((*_two_photos(generator), count) for count in (5, 4)),
        (*_two_photos(generator, relu=False), 8),
        cases.edge("two channels are silent, and equal", *_with_silent(generator, _two_photos), 20),
    ],
    truth=lambda first, second, count: np.array(
        sorted(range(len(first)), key=lambda channel: -abs(sum((second - first)[channel].ravel())))[:count]
    ),
    look=lambda answer, first, second, count: cases.silent_in_order(answer, first, second),
    mistakes=[
        "Only the channels that grew are found: one that fell silent changed as well, so take np.abs.",
        ("np.abs(difference)", "difference"),
        "Pixel against pixel, a pattern that only moved counts as a change: average first, subtract then.",
        ("second.mean(axis=(1, 2)) - first.mean(axis=(1, 2))", "np.abs(second - first).mean(axis=(1, 2))"),
        "These changed least: argsort counts upwards.",
        ("[::-1]", ""),
    ],
    hints=[
        "One mean a channel for each photo, then their difference.",
        "Both directions count: np.abs.",
        "Then as in 9.4: argsort, turned round, the first `count`.",
    ],
)
def changed_channels(first, second, count):
    """Indices of the `count` channels of two (C, H, W) whose mean changed most, either way."""
    difference = second.mean(axis=(1, 2)) - first.mean(axis=(1, 2))
    return np.argsort(np.abs(difference))[::-1][:count]


@exercise(
    "9.6 · 5 min · ●○○",
    cases=lambda generator: [
        (generator.normal(size=(*sides, *generator.integers(2, 6, 2))),) for sides in ((3, 3), (2, 5), (1, 1))
    ],
    truth=lambda kernel: np.einsum("yxio->oiyx", kernel),
    mistakes=[
        "The shape is right and the numbers are not: reshape only reads them out anew. Move the axes: transpose.",
        ("transpose(3, 2, 0, 1)", "reshape(*kernel.shape[:1:-1], *kernel.shape[:2])"),
        "Reversing all four axes also swaps rows and columns: every filter lies on its side.",
        ("3, 2, 0, 1", "3, 2, 1, 0"),
        "That is (in, out, kh, kw): the filters' count comes first in PyTorch.",
        ("3, 2, 0, 1", "2, 3, 0, 1"),
    ],
    hints=[
        "Name the four axes: Keras (kh, kw, in, out) = 0, 1, 2, 3. PyTorch wants them as (out, in, kh, kw).",
        "transpose takes the old axes in their new order.",
    ],
)
def to_oihw(kernel):
    """Keras' (kh, kw, in, out) as PyTorch's (out, in, kh, kw)."""
    return kernel.transpose(3, 2, 0, 1)


def _networks_with_inplace_relu(generator):
    import torch
    from torch import nn

    def case(training, **options):
        network = nn.Sequential(nn.Conv2d(3, 4, 3, **options), nn.ReLU(inplace=True), nn.Conv2d(4, 2, 1))
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.copy_(torch.from_numpy(generator.normal(0, 0.5, parameter.shape)))
        for layer in network:  # hooks of somebody else, which must stay
            layer.register_forward_hook(lambda module, inputs, output: None)
        return network.train(training), torch.from_numpy(generator.normal(size=(2, 3, 8, 9)).astype(np.float32))

    return [case(True, stride=2, padding=1), case(False, bias=False)]


def _convolved(network, batch):
    from torch.nn.functional import conv2d

    first = network[0]
    return conv2d(batch, first.weight, first.bias, first.stride, first.padding).detach().numpy()


@exercise(
    "9.7 · 10 min · ●●●",
    cases=_networks_with_inplace_relu,
    truth=_convolved,
    mistakes=[
        "No value is negative: that is after the ReLU. One that works in place writes over the layer's output, so a "
        "hook has to store output.detach().clone().",
        (".clone()", ""),
        "That is the answer of the whole network to the batch, with all that comes after the first layer.",
        lambda network, batch: network(batch).detach().numpy(),
        "That is what goes into the first layer; wanted is what comes out of it, the hook's third argument.",
        ("output.detach()", "inputs[0].detach()"),
    ],
    hints=[
        "A hook is called as hook(module, inputs, output); put what you need into a dictionary outside it.",
        "The next layer writes its result over this one's output: a copy is output.detach().clone().",
        "register_forward_hook returns a handle; after the forward pass call handle.remove().",
    ],
)
def maps_before_relu(network, batch):
    """What network[0] answers, before the ReLU: a NumPy array (N, C, H, W). No hook stays."""
    store = {}

    def hook(module, inputs, output):
        store["maps"] = output.detach().clone()

    handle = network[0].register_forward_hook(hook)
    network(batch)
    handle.remove()
    return store["maps"].numpy()


@task(
    "9.8 · 30 min · ●●●",
    rubric=ablation.rubric,
    wrong=[
        "numbers that nobody measured",
        lambda: {
            "layer": "fire8",
            "channel": 492,
            "photo": "coffee",
            "speaks_for": "espresso",
            "falls": 1.0,
            "speaks_against": "Egyptian cat",
            "rises": 1.0,
            "elsewhere": 0,
        },
        "a fall that is off by more than its rounding",
        ("float(change[most])", "float(change[most]) + 0.02"),
        "a rise that is rounded to one decimal place",
        ("-float(change[least])", "round(-float(change[least]), 1)"),
        "for and against exchanged",
        ("change = changes[channel]", "change = -changes[channel]"),
        "a category that the channel hardly touches",
        ("change.argmax()", "np.abs(change).argmin()"),
        "a weak channel, well measured, that matters no more than others",
        ("[:8]", "[300:304]"),
        "only the photo that was chosen: no other was looked at",
        ("int((elsewhere > 0.1).sum())", "0"),
        "the chosen photo counted among the others",
        (' if name != "coffee"', ""),
    ],
    hints=[
        "Begin with the channels of one layer that respond most strongly to your photo, and take each away in turn.",
        "Compare all 1,000 logits before and after: the category that loses most is what the channel speaks for.",
        "If a point about other views or other channels is missed, the effect was chance: choose another channel.",
    ],
)
def take_away():
    """-> your report on one channel: a dict as described above."""
    from days.common.images import IMAGE_NAMES, load_image
    from days.common.models import load_model
    from days.day17.code.ablation import logits_without
    from days.day17.code.backends import capture
    from days.day17.code.feature_maps import rank_channels

    model, layer, photo = load_model("squeezenet"), "fire8", load_image("coffee", size=224)

    def lost(channel, photos):
        return logits_without(model, layer, [], photos) - logits_without(model, layer, channel, photos)

    strongest = rank_channels(capture(model.network, layer, model.preprocess(photo))[layer][0])[:8]
    changes = {int(channel): lost(int(channel), [photo])[0] for channel in strongest}
    channel = max(changes, key=lambda one: changes[one].max())
    change = changes[channel]
    most, least = int(change.argmax()), int(change.argmin())
    elsewhere = lost(channel, [load_image(name, size=224) for name in IMAGE_NAMES if name != "coffee"])[:, most]
    return {
        "layer": layer,
        "channel": channel,
        "photo": "coffee",
        "speaks_for": model.categories[most],
        "falls": float(change[most]),
        "speaks_against": model.categories[least],
        "rises": -float(change[least]),
        "elsewhere": int((elsewhere > 0.1).sum()),
    }
