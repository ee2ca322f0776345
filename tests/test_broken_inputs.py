"""What is handed in broken gets exactly one clear line that says the way out, and leaves nothing behind."""

from __future__ import annotations

import re

import numpy as np
import pytest

from days.common.frameworks import keras_is_installed
from days.day17.code.backends import capture
from days.day20.code.ascent import maximize
from days.day22.code.attribution import Rather
from days.day22.code.methods import grad_cam
from days.xray import xray

torch = pytest.importorskip("torch")

import awkward_torch  # noqa: E402  only where there is PyTorch
from torch import nn  # noqa: E402

HAS_KERAS = keras_is_installed()
if HAS_KERAS:
    import awkward_keras
    from awkward_keras import keras, tensorflow

PHOTOS = {str(seed): np.random.default_rng(seed).random((40, 36, 3)) for seed in range(2)}
FRAMEWORKS = ("torch", *(("keras",) if HAS_KERAS else ()))


@pytest.fixture(scope="module", params=FRAMEWORKS)
def framework(request):
    return request.param


@pytest.fixture(scope="module")
def network(framework):
    """A sound network: layers conv1, conv2 and three categories."""
    if framework == "torch":
        torch.manual_seed(0)
        return awkward_torch.Net()
    keras.utils.set_random_seed(0)
    return awkward_keras.graph(lambda: keras.layers.ReLU(name="relu"))()


def batch_of(network, values=None):
    """A batch of the network's framework, from an array (N, C, H, W)."""
    values = np.random.default_rng(0).random((1, 3, 32, 32), np.float32) if values is None else values
    if HAS_KERAS and isinstance(network, keras.Model):
        return tensorflow.constant(np.moveaxis(values, 1, -1) if values.ndim > 3 else values)
    return torch.from_numpy(values)


def state_of(network) -> list:
    """All that must not change."""
    if isinstance(network, nn.Module):
        return awkward_torch.torch_state(network)
    random_state = [repr(np.random.get_state()), torch.get_rng_state().numpy().tobytes()]
    if HAS_KERAS and isinstance(network, keras.Model):
        return random_state + awkward_keras.keras_state(network)
    return random_state


def refused(call, network, match: str) -> str:
    """What `call` says as it refuses: one line that matches, of an error of the course's own."""
    before = state_of(network)
    with pytest.raises(ValueError, match=r"(?i)" + match) as raised:
        call()
    assert state_of(network) == before, "the network or a random state has changed"
    words = str(raised.value)
    assert "\n" not in words
    assert len(words) < 500
    return words


# ---------------------------------------------------------------- networks


def net(forward):
    return awkward_torch.net(forward)


def ends(end):
    return lambda: awkward_torch.Ends(end)


def raises(error: Exception):
    def forward(self, x):
        raise error

    return forward


NO_NETWORK = "expected a torch or Keras network, got "
TORCH_NETWORKS = {
    "None": (lambda: None, NO_NETWORK + "NoneType: load_model"),
    "a class": (lambda: awkward_torch.Net, r"got the class Net: Net\(\) makes one"),
    "a state_dict": (lambda: awkward_torch.Net().state_dict(), "OrderedDict: if it holds weights.*load_state_dict"),
    "a name": (lambda: "resnet18", NO_NETWORK + "str: load_model"),
    "a list of networks": (lambda: [awkward_torch.Net()], NO_NETWORK + "list"),
    "a function": (lambda: lambda x: x, NO_NETWORK + "function"),
    "a tensor": (lambda: torch.ones(3), "expected a torch network, got Tensor"),
    "without layers": (lambda: nn.Sequential(), "no layer 'conv2' in this network|got none: there are no filters"),
    "on the meta device": (lambda: awkward_torch.Net().to("meta"), "meta device: its weights were never loaded"),
    "TorchScript": (lambda: torch.jit.script(awkward_torch.Net()), "got TorchScript.* load its weights into"),
    "two inputs": (net(awkward_torch.two_inputs), "wrap it in a module whose forward takes the image alone"),
    "raises KeyError": (net(raises(KeyError("missing"))), r"KeyError: 'missing'\); network\(batch\) shows where"),
    "raises without a word": (net(raises(OSError())), r"\(OSError\); network\(batch\) shows where"),
    "raises several lines": (net(raises(RuntimeError("one\ntwo"))), r"\(two\); network\(batch\) shows where"),
    "misses an attribute": (net(lambda self, x: self.nothing(x)), "AttributeError: .* has no attribute 'nothing'"),
    "complex": (lambda: awkward_torch.Net().to(torch.complex64), "cannot take a batch of shape"),
    "3-d convolutions": (lambda: nn.Sequential(nn.Conv3d(3, 4, 3)), "no layer 'conv2'|got none: there are no filters"),
}
"""Networks that no function can look into: how they are made, and what is said."""

NO_SCORES = r"expected scores \(\d, categories\) from the network, got {}: {}"
ALONE = "wrap it so that it returns them alone"
TORCH_ANSWERS = {
    "None": (ends(lambda x: None), NO_SCORES.format("NoneType", ALONE)),
    "a dictionary": (ends(lambda x: {"out": x}), NO_SCORES.format("dict", ALONE)),
    "a tuple": (ends(lambda x: (x, x)), NO_SCORES.format("tuple", ALONE)),
    "one number": (ends(lambda x: x.sum()), NO_SCORES.format("a single number", "let it return a row of scores")),
    "a score an image": (ends(lambda x: x[:, 0]), NO_SCORES.format(r"\(\d,\)", "wrap it so that both axes stay")),
    "no category": (ends(lambda x: x[:, :0]), NO_SCORES.format(r"\(\d, 0\)", ALONE)),
    "maps": (
        ends(lambda x: x[..., None, None]),
        NO_SCORES.format(r"\(\d, 3, 1, 1\)", "wrap it so that it returns the mean"),
    ),
}
"""Networks whose answer is no (N, categories): `capture` and `maximize` look no further than their layer."""

KERAS_NETWORKS, KERAS_ANSWERS = {}, {}
if HAS_KERAS:

    @keras.saving.register_keras_serializable("broken")
    class Failing(keras.layers.Layer):
        """A layer that can be built into a graph, and fails when it is given an image."""

        def call(self, x):
            raise KeyError("missing")

        def compute_output_spec(self, x):
            return keras.KerasTensor(x.shape, x.dtype)

    KERAS_NETWORKS = {
        "a class": (lambda: keras.Model, r"the class (Model|Functional): .*\(\) makes one"),
        "weights": (lambda: awkward_keras.graph()().get_weights(), NO_NETWORK + "list"),
        "a layer": (lambda: keras.layers.Conv2D(3, 3), "expected a Keras model, got Conv2D"),
        "subclassed": (awkward_keras.Subclassed, "a subclassed model has no graph of layers to cut"),
        "not built": (awkward_keras.unbuilt, "call it once on a batch, so that it is built"),
        "two inputs": (awkward_keras.two_inputs, "wrap it in a model that takes the image alone"),
        "whole numbers in": (awkward_keras.graph(dtype="uint8"), "input is uint8: build it with"),
        "channels first": (awkward_keras.graph(data_format="channels_first"), "channels last, got channels_first"),
        "fails inside": (awkward_keras.graph(Failing), r"KeyError: .*missing.*; network\(batch\) shows where"),
    }
    KERAS_ANSWERS = {
        "two answers": (awkward_keras.two_outputs, "expected .*one output.* got 1 and 2|expected scores.* got list"),
        "maps": (
            awkward_keras.graph(end=lambda x: keras.layers.Reshape((1, 1, 3))(x)),
            NO_SCORES.format(".*", "wrap it so that it returns the mean"),
        ),
    }

CALLS = {
    "capture": lambda network, layer: capture(network, layer, batch_of(network)),
    "grad_cam": lambda network, layer: grad_cam(network, batch_of(network), layer, 1),
    "maximize": lambda network, layer: maximize(network, layer, [0], size=32, steps=1, progress=False),
    "xray": lambda network, layer: xray(network, PHOTOS, size=32, progress=False, pictures=False),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("make", "match"),
    [
        *(pytest.param(*case, id=f"{name}-torch") for name, case in TORCH_NETWORKS.items()),
        *(pytest.param(*case, id=f"{name}-keras") for name, case in KERAS_NETWORKS.items()),
    ],
)
def test_broken_networks_are_refused(call, make, match):
    network = make()
    refused(lambda: CALLS[call](network, "conv2"), network, match)


@pytest.mark.parametrize("call", ["grad_cam", "xray"])
@pytest.mark.parametrize(
    ("make", "match"),
    [
        *(pytest.param(*case, id=f"{name}-torch") for name, case in TORCH_ANSWERS.items()),
        *(pytest.param(*case, id=f"{name}-keras") for name, case in KERAS_ANSWERS.items()),
    ],
)
def test_answers_that_are_no_scores_are_refused(call, make, match):
    network = make()
    layer = "net.conv2" if isinstance(network, nn.Module) else "conv1"
    refused(lambda: CALLS[call](network, layer), network, match)


def test_scores_as_arrays_have_no_gradient():
    network = awkward_torch.Ends(lambda x: x.detach().numpy())
    refused(lambda: CALLS["grad_cam"](network, "net.conv2"), network, "torch tensor from the network, got ndarray")


def norm_net():
    """A batch norm of 1-d features, which in training mode refuses a single image."""
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.BatchNorm1d(4)]
    return nn.Sequential(*layers, nn.Linear(4, 3)).train()


class Unused(awkward_torch.Net):
    """A layer that its forward leaves out."""

    def forward(self, x):
        return self.last(self.conv1(x).mean((2, 3)).repeat(1, 2)[:, :8])


SOUND = {
    "training mode, a batch norm and one image": (norm_net, "0"),
    "double": (lambda: awkward_torch.Net().double(), "conv2"),
    "half": (lambda: awkward_torch.Net().half(), "conv2"),
    "answers NaN": (ends(lambda x: x * float("nan")), "net.conv2"),
    "an unused layer beside it": (Unused, "conv1"),
    "in float16, frozen": (lambda: awkward_torch.Net().half().requires_grad_(False), "conv1"),
}


@pytest.mark.filterwarnings("ignore:.*(not finite|is 0 everywhere):RuntimeWarning")
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("make", "layer"), SOUND.values(), ids=SOUND)
def test_unusual_networks_are_looked_into_and_left_alone(call, make, layer):
    network = make()
    before = state_of(network)
    CALLS[call](network, layer)
    assert state_of(network) == before


def test_scores_that_are_not_finite_are_a_finding():
    """They may be all that is wrong: no layer with maps shows it."""
    found = xray(awkward_torch.Ends(lambda x: x * float("nan")), PHOTOS, size=32, progress=False, pictures=False)
    assert [finding.kind for finding in found.findings] == ["not finite"]
    assert found.findings[0].evidence == ("the scores of 2 of 2 images",)
    broken = awkward_torch.Net()
    nn.init.constant_(broken.conv2.weight, float("nan"))
    found = xray(broken, PHOTOS, size=32, progress=False, pictures=False)
    assert [(finding.kind, len(finding.evidence)) for finding in found.findings] == [("not finite", 1)]
    assert "conv2" in found.findings[0].evidence[0]


@pytest.mark.parametrize("call", ["capture", "grad_cam", "maximize"])
def test_a_layer_that_does_not_run_has_no_maps(call):
    network = Unused()
    refused(lambda: CALLS[call](network, "conv2"), network, "layer 'conv2' did not run")


# ---------------------------------------------------------------- batches


def plain(*shape, fill: float = 0.5, kind=np.float32):
    return lambda network: batch_of(network, np.full(shape, fill, kind))


def one_spoiled(network):
    values = np.full((2, 3, 32, 32), 0.5, np.float32)
    values[1, 2, 3, 4] = np.nan
    return batch_of(network, values)


def exchanged(network):
    """Channels where the other framework has them."""
    if isinstance(network, nn.Module):
        return torch.full((1, 32, 32, 3), 0.5)
    return tensorflow.fill((1, 3, 32, 32), 0.5)


NO_TENSOR = r"expected a (torch|TensorFlow) tensor, got {}: model.preprocess\(image\) makes one"
FLOATS = r"expected a batch of floats, got (torch\.)?{}: model.preprocess\(image\) makes one"
FINITE = "expected finite values in the batch, got NaN or infinity: look at the image and its scaling"
BATCHES = {
    "None": (lambda network: None, NO_TENSOR.format("NoneType")),
    "an array": (lambda network: np.zeros((1, 3, 32, 32), np.float32), NO_TENSOR.format("ndarray")),
    "a list": (lambda network: [batch_of(network)], NO_TENSOR.format("list")),
    "the name of a file": (lambda network: "cat.png", NO_TENSOR.format("str")),
    "a number": (lambda network: 3, NO_TENSOR.format("int")),
    "3-d": (lambda network: batch_of(network)[0], r"add the batch axis with batch\[None\]"),
    "5-d": (lambda network: batch_of(network)[None], r"expected a \(N, .* batch, got \(1, 1, .*: model.preprocess"),
    "2-d": (lambda network: batch_of(network)[0, 0], r"expected a \(N, .* batch, got .*: model.preprocess"),
    "no image": (plain(0, 3, 32, 32), "expected at least one image in the batch, got none"),
    "bytes": (plain(1, 3, 32, 32, kind=np.uint8), FLOATS.format("uint8")),
    "whole numbers": (plain(1, 3, 32, 32, kind=np.int64), FLOATS.format("int64")),
    "truth values": (plain(1, 3, 32, 32, kind=bool), FLOATS.format("bool")),
    "complex numbers": (plain(1, 3, 32, 32, kind=np.complex64), FLOATS.format("complex64")),
    "all NaN": (plain(1, 3, 32, 32, fill=np.nan), FINITE),
    "one NaN": (one_spoiled, FINITE),
    "infinity": (plain(1, 3, 32, 32, fill=-np.inf), FINITE),
    "gray": (plain(1, 1, 32, 32), r"takes 3 channels, and the batch has 1|\(N, H, W, 3\) batch, got \(1, 32, 32, 1\)"),
    "four channels": (plain(1, 4, 32, 32), r"and the batch has 4|\(N, H, W, 3\) batch, got \(1, 32, 32, 4\)"),
    "axes exchanged": (exchanged, r"permute\(0, 3, 1, 2\)|transpose\(batch, \(0, 2, 3, 1\)\)"),
    "one pixel": (plain(1, 3, 1, 1), "load_image|it was built for images of 32 x 32 pixels: give that size"),
    "no pixel": (plain(1, 3, 0, 0), "load_image|it was built for images of 32 x 32 pixels: give that size"),
}
TORCH_BATCHES = {
    "on the meta device": (lambda network: batch_of(network).to("meta"), "plain floats, got a meta tensor"),
    "sparse": (lambda network: batch_of(network).to_sparse(), "plain floats, got a sparse tensor"),
    "too large for single": (plain(1, 3, 32, 32, fill=1e300, kind=np.float64), FINITE),
    "quantized": (
        lambda network: torch.quantize_per_tensor(batch_of(network), 0.1, 0, torch.quint8),
        "plain floats, got a quantized tensor",
    ),
}


@pytest.mark.filterwarnings("ignore:.*quantize_per_tensor.*:UserWarning")
@pytest.mark.parametrize("call", ["capture", "grad_cam"])
@pytest.mark.parametrize("case", [*BATCHES, *TORCH_BATCHES])
def test_broken_batches_are_refused(network, framework, call, case):
    if framework == "keras" and case in TORCH_BATCHES:
        pytest.skip("PyTorch's own")
    make, match = (BATCHES | TORCH_BATCHES)[case]
    batch = make(network)
    calls = {
        "capture": lambda: capture(network, "conv2", batch),
        "grad_cam": lambda: grad_cam(network, batch, "conv2", 1),
    }
    refused(calls[call], network, match)


# ---------------------------------------------------------------- layers, categories, channels, grids

LAYERS = {
    "None": (None, "expected a layer's name|no layer None"),
    "a number": (3, "expected a layer's name|no layer 3"),
    "unknown": ("conv9", "no layer 'conv9' in this network.*near it: .*conv"),
    "empty": ("", "no layer ''"),
    "a blank too many": ("conv2 ", "no layer 'conv2 '.* near it: conv2"),
    "a weight": ("conv1.weight", "no layer 'conv1.weight'"),
    "bytes": (b"conv1", "expected a layer's name|no layer b'conv1'"),
    "no name in it": ([None], r"expected a layer's name|no layer \[None\]"),
    "an empty list": ([], r"expected a layer's name|no layer \[\]"),
    "a dictionary": ({"conv1": 1}, "expected a layer's name|no layer {'conv1': 1}"),
    "the layer itself": (nn.Sequential(nn.ReLU(), nn.ReLU()), "expected a layer's name"),
}


@pytest.mark.parametrize("call", ["capture", "grad_cam", "maximize"])
@pytest.mark.parametrize("case", LAYERS)
def test_broken_layers_are_refused(network, call, case):
    layer, match = LAYERS[case]
    refused(lambda: CALLS[call](network, layer), network, match)


@pytest.mark.parametrize("call", ["capture", "grad_cam", "maximize"])
def test_a_layer_without_maps_is_refused(network, framework, call):
    layer = "last" if framework == "torch" else network.layers[-1].name
    refused(lambda: CALLS[call](network, layer), network, r"expected maps .*, got \(1, 3\): choose an earlier layer")


@pytest.mark.parametrize("category", [3, -1, 1.0, 1.5, True, None, float("nan"), {1}, 10**30, [0, 3], [[0]]], ids=repr)
def test_broken_categories_are_refused(network, category):
    wrong = category if not isinstance(category, list) else category[-1]
    match = "expected a name, or a category from 0 to 2, got " + re.escape(repr(wrong))
    refused(lambda: grad_cam(network, batch_of(network), "conv2", category), network, match)


@pytest.mark.parametrize(
    ("category", "how", "match"),
    [
        ("cat", {}, "names of this network's 3 categories are not known: names=model.categories"),
        ("", {"names": ["a", "b", "c"]}, "no category '' among 3; near it: a"),
        ("a", {"names": ["a"]}, "expected 3 names, one for each category, got 1"),
        ("a", {"names": "abc"}, "expected 3 names, one for each category, got 'abc'"),
        ("a", {"names": 3}, "expected 3 names, one for each category, got 3"),
        ("a", {"names": [1, 2, 3]}, "expected 3 names, .* got 3 of type int"),
        ("a", {"names": ["a", "a", "b"]}, "'a' is the name of the categories 0 and 1: give the number"),
        ([], {}, "expected one category, or one for each of the 1 images, got 0"),
        (Rather(1, 1), {}, "expected two categories to tell apart, got 1 twice"),
        (Rather(0, 9), {}, "expected a name, or a category from 0 to 2, got 9"),
    ],
)
def test_broken_names_are_refused(network, category, how, match):
    refused(lambda: grad_cam(network, batch_of(network), "conv2", category, **how), network, match)


@pytest.mark.parametrize("call", [capture, grad_cam])
@pytest.mark.parametrize("grid", [3, (3,), (1, 2, 3), "ab", (0, 3), (1.5, 2), (7, 7)], ids=repr)
def test_broken_grids_are_refused(network, call, grid):
    more = (batch_of(network),) if call is capture else ()
    order = ("conv2", *more) if call is capture else (batch_of(network), "conv2", 1)
    match = r"expected (a grid as \(rows, columns\)|each side of the grid|maps on a grid of)"
    refused(lambda: call(network, *order, grid=grid), network, match)


WHOLE = "expected channels as whole numbers, got "
CHANNELS = {
    "none": (None, "expected channels of 'conv2', got none: name some"),
    "negative": (-1, "expected a channel as a whole number of at least 0, got -1"),
    "negative among others": ([0, -1], "expected a channel as a whole number of at least 0, got -1"),
    "out of range": (8, "expected a channel of 'conv2' from 0 to 7, got 8"),
    "a float": (1.0, WHOLE + "1.0"),
    "NaN": (float("nan"), WHOLE + "nan"),
    "text": ("0", WHOLE + "'0'"),
    "an empty list": ([], WHOLE + r"\[\]"),
    "nested": ([[0]], WHOLE + r"\[\[0\]\]"),
    "a truth value": (True, WHOLE + "True"),
    "nothing": ([None], WHOLE + r"\[None\]"),
    "a set": ({0}, WHOLE + "{0}"),
    "huge": (10**30, WHOLE + "1000"),
    "an array of weights": (np.zeros((9, 9)), WHOLE + r"\[0., 0., 0., 0.\] \.\.\. of shape \(9, 9\)"),
}


@pytest.mark.parametrize("case", CHANNELS)
def test_broken_channels_are_refused(network, case):
    channels, match = CHANNELS[case]
    refused(lambda: maximize(network, "conv2", channels, size=32, steps=1, progress=False), network, match)


@pytest.mark.parametrize(
    ("knob", "match"),
    [
        *(({"size": size}, "expected size as a whole number of at least 2") for size in (0, -5, 32.5, "32", None)),
        *(({"steps": steps}, "expected steps as a whole number of at least 1") for steps in (0, 1.5, None, "5")),
        *(({"seed": seed}, "expected seed as a whole number of at least 0") for seed in (-1, 0.5, None)),
        *(({"learning_rate": rate}, "expected a learning_rate above 0, got") for rate in (0, -1, float("nan"), "a")),
        *(({"transforms": some}, "expected transforms such as") for some in (None, 3, ["a"])),
        *(({"diversity": some}, "expected (a diversity|two pictures)") for some in (-1, 0.5, "a")),
        ({"parameterization": "x"}, "expected a parameterization of fourier, pixel, sphere, got 'x'"),
        *(({"preprocess": some}, "expected preprocess as a function of an image, got") for some in (3, "x")),
        ({"preprocess": lambda image: image}, "expected a .* tensor, got ndarray"),
        ({"preprocess": lambda image: None}, "expected a .* tensor, got NoneType"),
        ({"size": 2}, "load_image|built for images of 32 x 32 pixels: give that size"),
    ],
)
def test_broken_knobs_of_maximize_are_refused(network, knob, match):
    how = {"size": 32, "steps": 1, "progress": False} | knob
    refused(lambda: maximize(network, "conv2", [0], **how), network, match)


# ---------------------------------------------------------------- the X-ray


def photo(fill=0.5, shape=(40, 40, 3), kind=np.float64):
    return np.full(shape, fill).astype(kind)


NONE_READ = "expected at least one readable picture in the list of 1, got none"
IMAGES: dict[str, tuple] = {
    "None": (None, "expected a folder, or a list or dictionary of pictures, got NoneType"),
    "a number": (3, "expected a folder, or a list or dictionary of pictures, got int"),
    "a function": (photo, "expected a folder, or a list or dictionary of pictures, got function"),
    "bytes": (b"cat", "expected a folder, or a list or dictionary of pictures, got bytes"),
    "an empty name": ("", "expected a folder of pictures, got an empty name"),
    "a missing folder": ("nowhere/at/all", "no folder 'nowhere/at/all': name one that holds pictures"),
    "a file": ("cat.png", "expected a folder of pictures, got the file '.*cat.png': name its folder"),
    "an empty folder": ("empty", "readable picture in .*empty, got none"),
    "a folder of junk": ("junk", "readable picture in .*junk, got none .*a.png is not a readable picture"),
    "an empty list": ([], "expected at least one readable picture in the list of 0, got none"),
    "an empty dictionary": ({}, "expected at least one readable picture in the dict of 0, got none"),
    "nothing in a list": (
        [None],
        NONE_READ + r" \(photo 0: expected a name, a path, a picture or an array, got NoneType",
    ),
    "a missing file": (["nowhere.png"], NONE_READ + ".*no picture 'nowhere.png'"),
    "objects": ([object()], NONE_READ + ".*got object"),
    "NaN": ([photo(np.nan)], NONE_READ + ".*expected finite values, got 4800 NaN"),
    "infinity": ([photo(np.inf)], NONE_READ + ".*expected finite values"),
    "above 1": ([photo(300.0)], NONE_READ + r".*expected values in \[0, 1\].*rescale"),
    "below 0": ([photo(-5.0)], NONE_READ + r".*expected values in \[0, 1\].*rescale"),
    "whole numbers": ([photo(3, kind=np.int64)], NONE_READ + r".*got int64: .*astype\('uint8'\)"),
    "complex numbers": ([photo(kind=np.complex64)], NONE_READ + ".*got complex64"),
    "text": ([np.array("abc")], NONE_READ),
    "two channels": ([photo(shape=(40, 40, 2))], NONE_READ + r".*got \(40, 40, 2\): one gray, three RGB"),
    "5-d": ([photo(shape=(1, 1, 40, 40, 3))], NONE_READ + r".*got \(1, 1, 40, 40, 3\)"),
    "a batch": ([photo(shape=(1, 40, 40, 3))], NONE_READ + r".*drop the batch axis with array\[0\]"),
    "channels first": ([photo(shape=(3, 40, 40))], NONE_READ + r".*channels go last, so array.transpose\(1, 2, 0\)"),
    "no pixel": ([photo(shape=(0, 0, 3))], NONE_READ + ".*expected a picture with pixels"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with an empty one, one of junk, and a picture."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("broken")
    for name in ("empty", "junk"):
        (folder / name).mkdir()
    (folder / "junk" / "a.png").write_text("no picture")
    Image.new("RGB", (40, 40)).save(folder / "cat.png")
    return folder


@pytest.mark.parametrize("case", IMAGES)
def test_broken_photos_are_refused(network, folder, monkeypatch, case):
    monkeypatch.chdir(folder)
    images, match = IMAGES[case]
    refused(lambda: xray(network, images, size=32, progress=False, pictures=False), network, match)


def test_photos_of_one_pixel_bytes_and_truth_values_are_taken(network):
    images = [photo(1, (1, 1, 3)), photo(9, kind=np.uint8), photo(1, kind=bool), photo(shape=(40, 40)), photo(np.nan)]
    before = state_of(network)
    html = xray(network, images, size=32, progress=False, pictures=False).html
    assert "4 photos of" in html
    assert "expected finite values" in html
    assert state_of(network) == before


LABELS = "expected labels as a list of names, one a category, got "


@pytest.mark.parametrize(
    ("knob", "match"),
    [
        *(({"size": size}, "expected (the )?size") for size in (0, -1, 7, 1.5, "32", (32, 32))),
        *(
            ({"mean": mean}, "expected mean as 1 or 3 numbers, got")
            for mean in ("abc", [1, 2], float("nan"), [None], PHOTOS)
        ),
        *(({"std": std}, "expected std above 0, got") for std in (0, -1, [1, 1, 0])),
        ({"std": float("inf")}, "expected std as 1 or 3 numbers, got inf"),
        *(({"order": order}, "expected the order 'rgb' or 'bgr', got") for order in ("xyz", 3)),
        ({"labels": ["a"]}, "expected 3 labels, one a category, got 1"),
        *(({"labels": labels}, LABELS) for labels in ("labels.txt", 3, [1, 2, 3], [])),
        *(({"limit": limit}, "expected limit as a whole number of at least 1") for limit in (0, 1.5, None, "a")),
        *(({"output": where}, "cannot write .*: expected the name of a file") for where in ("nowhere/x.html", ".", "")),
        ({"output": 3}, "expected the name of a file as output, got 3"),
    ],
)
def test_broken_knobs_of_the_xray_are_refused(network, knob, match):
    how = {"size": 32, "progress": False, "pictures": False} | knob
    refused(lambda: xray(network, PHOTOS, **how), network, match)


def test_the_size_is_advised_only_where_it_is_wrong():
    fixed = awkward_torch.net(awkward_torch.fixed_size)()
    refused(lambda: xray(fixed, PHOTOS, size=64, progress=False), fixed, r"for the X-ray, size \(--size\) says how")
    flat = nn.Sequential(nn.Conv2d(3, 2, 7), nn.Flatten(), nn.Linear(2 * 26 * 26, 3))
    for size, usual in ((64, True), (224, False)):
        said = refused(lambda size=size: xray(flat, PHOTOS, size=size, progress=False), flat, "that it was made for")
        assert ("224 is usual" in said) == usual
    failing = awkward_torch.net(awkward_torch.failing)()
    assert "--size" not in refused(lambda: xray(failing, PHOTOS, progress=False), failing, "KeyError")
