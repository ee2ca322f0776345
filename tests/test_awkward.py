"""One list of awkward networks, both frameworks: every public function is right on each, or refuses it in one line.

Right is judged by a plain reference: the network's own forward pass with one hook or one sub-model, and the framework's
own gradient. After every call the network, the random states and the learner's hooks are as they were.
"""

from __future__ import annotations

import re
import warnings
from functools import cached_property, partial

import numpy as np
import pytest

from days.common.answers import meaning
from days.common.frameworks import keras_is_installed
from days.xray import xray

torch = pytest.importorskip("torch")

from awkward_torch import TORCH, UNGUIDED, torch_state  # noqa: E402  only where there is PyTorch

KERAS = []
if keras_is_installed():
    from awkward_keras import KERAS, keras, keras_state, tensorflow


class TorchSubject:
    """An awkward network of PyTorch's, a batch for it, and the plain reference."""

    from days.day17.code import torch_backend as looking
    from days.day20.code import torch_backend as growing
    from days.day22.code import torch_backend as methods

    def __init__(self, awkward):
        torch.manual_seed(3)
        self.awkward, self.network = awkward, awkward.make()
        self.batch = torch.rand(1, awkward.channels, awkward.size, awkward.size)
        lazy = any(isinstance(one, torch.nn.UninitializedParameter) for one in self.network.parameters())
        if lazy and not awkward.refused:
            self.network.eval()(self.batch)
            self.network.train()

    @cached_property
    def wanted(self) -> dict[str, np.ndarray]:
        """Activations, scores and gradients, channels first, by one hook and autograd."""
        awkward, network = self.awkward, getattr(self.network, "_orig_mod", self.network)
        modes, kept = {module: module.training for module in network.modules()}, []

        def keep(module, inputs, output):
            if not kept:
                if awkward.dark:
                    torch.set_grad_enabled(True)  # the gradient may be there behind the layer
                    output = output.detach().requires_grad_()
                kept.append(output)
                return output.clone()

        handle = network.get_submodule(awkward.layer).register_forward_hook(keep)
        first = next(module for module in network.modules() if isinstance(module, torch.nn.Conv2d))
        pixels = self.batch.to(next(first.parameters()).dtype).requires_grad_()
        scores = network.eval()(pixels.clone())
        handle.remove()
        for module, training in modes.items():
            module.training = training
        found, score = {"activations": kept[0], "scores": scores}, scores[:, awkward.category].sum()
        if not awkward.dark:
            (found["pixels"],) = torch.autograd.grad(score, [pixels], retain_graph=True)
        if not (awkward.dark and awkward.dark_above):
            (found["gradient"],) = torch.autograd.grad(score, [kept[0]])
        return {name: one.detach().double().numpy() for name, one in found.items()}

    def twin(self, make):
        """What `make` makes, with the weights of the network."""
        network = make()
        network.load_state_dict(self.network.state_dict())
        return network

    def state(self) -> list:
        """All that must not change."""
        return torch_state(self.network)


class KerasSubject:
    """An awkward network of Keras', a batch for it, and the plain reference."""

    def __init__(self, awkward):
        from days.day17.code import keras_backend as looking
        from days.day20.code import keras_backend as growing
        from days.day22.code import keras_backend as methods

        self.looking, self.growing, self.methods = looking, growing, methods
        keras.utils.set_random_seed(3)
        self.awkward, self.network = awkward, awkward.make()
        generator = np.random.default_rng(3)
        self.batch = tensorflow.constant(generator.random((1, awkward.size, awkward.size, awkward.channels), "float32"))

    @cached_property
    def wanted(self) -> dict[str, np.ndarray]:
        """Activations, scores and gradients, channels first, by running the graph once more and a tape."""
        kept = {}

        def call(prefix, layer, *inputs, **options):
            if isinstance(layer, keras.Model) and layer.inputs:
                return walk(layer, f"{prefix}{layer.name}/", *inputs)
            quiet = {"training": False} if getattr(layer, "_call_has_training_arg", False) else {}
            answer = layer(*inputs, **(options | quiet))
            if prefix + layer.name == self.awkward.layer and self.awkward.layer not in kept:
                tape.watch(answer)  # the gradient may be there behind the layer
            kept.setdefault(prefix + layer.name, answer)
            return answer

        def walk(network, prefix, inputs):
            if isinstance(network, keras.Sequential):
                for layer in network.layers:
                    inputs = call(prefix, layer, inputs)
                return inputs
            return network._run_through_graph([inputs], operation_fn=lambda operation: partial(call, prefix, operation))

        plain = self.twin(self.awkward.make)
        with tensorflow.GradientTape() as tape:
            tape.watch(self.batch)
            scores = keras.tree.flatten(walk(plain, "", self.batch))[0]
            score = tensorflow.reduce_sum(scores[:, self.awkward.category])
        inside = kept[self.awkward.layer]
        gradients = tape.gradient(score, [self.batch, inside], unconnected_gradients="zero")
        turned = {"activations": inside, "pixels": gradients[0], "gradient": gradients[1]}
        wanted = {name: np.asarray(one, "float64").transpose(0, 3, 1, 2) for name, one in turned.items()}
        return wanted | {"scores": np.asarray(scores, "float64")}

    def twin(self, make):
        """What `make` makes, with the weights of the network."""
        network = make()
        network.set_weights(self.network.get_weights())
        return network

    def state(self) -> list:
        """All that must not change."""
        return keras_state(self.network)


@pytest.fixture(
    scope="module", params=[*TORCH, *KERAS], ids=lambda one: f"{one}-{'torch' if one in TORCH else 'keras'}"
)
def subject(request):
    kind = TorchSubject if request.param in TORCH else KerasSubject
    return kind(request.param)


def ask(subject, call, *, gradient: bool = False, scores: bool = True):
    """What `call` returns; None where the network is one that it must refuse, or warn of, and did.

    scores : the call runs the network to its end; one that does not may answer where the others must refuse.
    """
    before, message = subject.state(), ""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            answer = call()
        except ValueError as error:
            answer, message = None, str(error)
    assert subject.state() == before, "the network or a random state has changed"
    assert "\n" not in message
    awkward = subject.awkward
    if awkward.refused and not scores and answer is not None:
        return None
    owed = awkward.refused or (awkward.dark if gradient else None)
    if owed:
        words = " | ".join([message, *(str(one.message) for one in said if one.category is RuntimeWarning)])
        assert re.search(owed, words, re.IGNORECASE), f"said: {words}"
        return None
    assert not message
    return answer


def assert_close(got: np.ndarray, wanted: np.ndarray, tolerance: float, floor: float = 1e-12) -> None:
    """Equal up to `tolerance` of the largest value, or of `floor` where all are smaller."""
    assert got.shape == wanted.shape
    assert got.dtype == np.float32 or got.dtype == np.float64
    assert np.abs(got - wanted).max() <= tolerance * max(np.abs(wanted).max(), floor)


def test_layers_are_listed(subject):
    names = ask(subject, lambda: subject.looking.conv_layers(subject.network), scores=False)
    if names:
        assert subject.awkward.layer in names or "conv1" in names


def test_activations_are_those_of_a_plain_forward_pass(subject):
    awkward = subject.awkward
    found = ask(subject, lambda: subject.looking.capture(subject.network, awkward.layer, subject.batch), scores=False)
    if found:
        assert_close(found[awkward.layer], subject.wanted["activations"], awkward.tolerance)


def test_filters_are_those_that_the_layer_uses(subject):
    filters = ask(subject, lambda: subject.looking.filters(subject.network, subject.awkward.layer), scores=False)
    if filters is not None:
        assert filters.ndim == 4
        assert len(filters) in subject.wanted["activations"].shape


def test_saliency_is_the_gradient(subject):
    awkward = subject.awkward
    got = ask(
        subject, lambda: subject.methods.saliency(subject.network, subject.batch, awkward.category), gradient=True
    )
    if got is not None:
        assert_close(got, subject.wanted["pixels"][0].transpose(1, 2, 0), awkward.tolerance)


def test_grad_cam_is_worked_out_by_hand(subject):
    awkward = subject.awkward
    call = partial(subject.methods.grad_cam, subject.network, subject.batch, awkward.layer, awkward.category)
    got = ask(subject, partial(call, signed=True), gradient=awkward.dark_above)
    if got is not None:
        weights = subject.wanted["gradient"][0].mean(axis=(1, 2))
        maps = subject.wanted["activations"][0]
        # Behind a norm of each map a mean has no gradient but what rounding leaves.
        assert_close(got, np.einsum("c,chw->hw", weights, maps), awkward.tolerance, floor=1e-4 * np.abs(maps).max())
        assert awkward.flat != got.any()


def test_integrated_gradients_add_up(subject):
    awkward = subject.awkward
    call = partial(subject.methods.integrated_gradients, subject.network, subject.batch, awkward.category, steps=32)
    got = ask(subject, call, gradient=True)
    if got is not None:
        zero = ask(subject, lambda: subject.methods.scores(subject.network, subject.batch * 0))
        change = subject.wanted["scores"][0, awkward.category] - zero[0, awkward.category]
        assert abs(got.sum() - change) <= 0.05 * max(abs(change), 0.05)


def test_guided_backpropagation_tells_a_relu_by_what_it_does(subject):
    awkward, methods = subject.awkward, subject.methods
    if awkward.plain:
        got = ask(subject, lambda: methods.guided_backpropagation(subject.network, subject.batch, awkward.category))
        wanted = methods.guided_backpropagation(subject.twin(awkward.plain), subject.batch, awkward.category)
        assert_close(got, wanted, awkward.tolerance)
        saliency = methods.saliency(subject.network, subject.batch, awkward.category)
        assert np.abs(got - saliency).max() > 0.01 * np.abs(saliency).max()


@pytest.mark.parametrize("name", UNGUIDED)
def test_what_is_not_guided_is_named(name):
    make, words = UNGUIDED[name]
    torch.manual_seed(3)
    network, batch, methods = make(), torch.rand(1, 3, 32, 32), TorchSubject.methods
    assert warned(lambda: methods.saliency(network, batch, 1)) == []
    (said,) = warned(lambda: methods.guided_backpropagation(network, batch, 1))
    assert said.startswith(f"not guided: {words}")


def test_a_keras_network_without_a_relu_is_told():
    if not KERAS:
        pytest.skip("TensorFlow is not installed")
    network = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Conv2D(6, 3, activation="gelu")])
    network.add(keras.layers.GlobalAveragePooling2D())
    methods, batch = KerasSubject(KERAS[0]).methods, tensorflow.ones((1, 16, 16, 3))
    (said,) = warned(lambda: methods.guided_backpropagation(network, batch, 1))
    assert said.startswith("not guided: no ReLU ran")


def test_a_leaky_relu_of_operations_is_no_relu():
    if not KERAS:
        pytest.skip("TensorFlow is not installed")
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(6, 3)(inputs)
    x = keras.ops.maximum(x, 0.2 * x)
    network = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))
    methods, batch = KerasSubject(KERAS[0]).methods, tensorflow.ones((1, 16, 16, 3))
    (said,) = warned(lambda: methods.guided_backpropagation(network, batch, 1))
    assert said.startswith("not guided: no ReLU ran")


@pytest.mark.parametrize("method", ["hires_cam", "layer_cam"])
def test_kin_of_grad_cam_are_worked_out_by_hand(subject, method):
    awkward = subject.awkward
    how = {"signed": True} if method == "hires_cam" else {}
    call = partial(getattr(subject.methods, method), subject.network, subject.batch, awkward.layer, awkward.category)
    got = ask(subject, partial(call, **how), gradient=awkward.dark_above)
    if got is not None:
        slopes, maps = subject.wanted["gradient"][0], subject.wanted["activations"][0]
        wanted = (slopes * maps).sum(axis=0) if how else np.maximum((slopes.clip(min=0) * maps).sum(axis=0), 0)
        assert_close(got, wanted, awkward.tolerance, floor=1e-4 * np.abs(maps).max())


def test_a_copy_is_shuffled_and_the_network_is_not(subject):
    awkward = subject.awkward
    call = partial(subject.methods.randomized, subject.network, awkward.layer, seed=0)
    if not awkward.copied:
        before = subject.state()
        with pytest.raises(ValueError, match="cannot be copied"):
            call()
        assert subject.state() == before
        return
    twin = ask(subject, call, scores=False)
    if twin is not None and not awkward.refused:
        got = subject.looking.capture(twin, awkward.layer, subject.batch)[awkward.layer]
        assert np.isfinite(got).all()
        assert np.abs(got - subject.wanted["activations"]).max() > 0.01 * np.abs(got).max()


PHOTOS = {str(seed): np.random.default_rng(seed).random((32, 32, 3)) for seed in range(5)}


def test_the_xray_says_nothing_false(subject):
    awkward = subject.awkward
    if awkward.channels > 3:
        with pytest.raises(ValueError, match=f"got {awkward.channels} input channels"):
            xray(subject.network, PHOTOS, size=32, progress=False, pictures=False)
        return
    call = partial(xray, subject.network, PHOTOS, size=awkward.size, progress=False, pictures=False)
    report = ask(subject, call)
    if report is not None:
        said = {finding.kind for finding in report.findings if not finding.sure.startswith("possible")}
        assert said <= {"untrained", "random", "training mode", *awkward.found}


@pytest.mark.parametrize("method", ["smooth_grad", "guided_backpropagation", "occlusion"])
def test_other_methods_give_finite_maps(subject, method):
    how = {"smooth_grad": {"samples": 2}, "occlusion": {"size": 16, "stride": 16}}.get(method, {})
    call = partial(getattr(subject.methods, method), subject.network, subject.batch, subject.awkward.category, **how)
    got = ask(subject, call, gradient=method != "occlusion")
    if got is not None:
        assert got.shape[:2] == (subject.awkward.size,) * 2
        assert np.isfinite(got).all()


def test_one_step_of_maximization_gives_a_picture(subject):
    awkward = subject.awkward
    how = {"size": awkward.size, "steps": 1, "progress": False, "transforms": ()}
    if awkward.channels != 3:
        how["preprocess"] = None
    call = partial(subject.growing.maximize, subject.network, awkward.layer, [0], **how)
    if awkward.channels != 3 and not awkward.refused:
        with pytest.raises(ValueError, match=f"{awkward.channels}"):
            call()
        return
    found = ask(subject, call, gradient=awkward.dark_below, scores=False)
    if found:
        assert found[0].shape == (1, awkward.size, awkward.size, 3)
        assert np.isfinite(found[0]).all()


def warned(call) -> list[str]:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", RuntimeWarning)
        call()
    return [str(one.message) for one in said if one.category is RuntimeWarning]


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("a convolution in a plain list", "not listed: the convolutions in 'more', a list: nn.ModuleList"),
        ("a convolution by function", "not listed: convolutions that its forward calls as functions: nn.Conv2d"),
        ("TorchScript inside", "not listed: what is inside 'conv2', which is TorchScript$"),
        ("pruned", None),
    ],
)
def test_what_is_out_of_sight_is_named(name, match):
    network = next(one for one in TORCH if one.name == name).make()
    said = warned(lambda: TorchSubject.looking.conv_layers(network))
    assert [bool(re.match(match, words)) for words in said] == [True] if match else not said
    if name == "TorchScript inside":
        said = warned(lambda: TorchSubject.methods.guided_backpropagation(network, torch.rand(1, 3, 32, 32), 1))
        assert said == ["not guided: any ReLU inside 'conv2', which is TorchScript"]


@pytest.mark.parametrize("training", [True, False])
def test_a_head_that_only_training_runs_is_not_listed(training):
    """GoogLeNet and Inception have such heads, and are in training mode when they are made."""

    class Helped(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.aid, self.end = (torch.nn.Conv2d(count, 3, 3) for count in (3, 3, 3))

        def forward(self, x):
            x = self.stem(x)
            scores = self.end(x).mean((2, 3))
            return (scores, self.aid(x).mean((2, 3))) if self.training else scores

    network = Helped().train(training)
    names = TorchSubject.looking.conv_layers(network)
    assert names == ["stem", "end"]
    assert list(TorchSubject.looking.capture(network, names, torch.rand(1, 3, 16, 16))) == names
    assert network.training == training


def test_the_convolution_that_sees_the_images_is_the_first_one_that_runs():
    """Not the first that was registered, where `forward` cannot be traced."""

    class Backwards(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.second, self.first = torch.nn.Conv2d(6, 3, 3), torch.nn.Conv2d(3, 6, 3)

        def forward(self, x):
            for _ in range(len(x)):
                pass
            return self.second(self.first(x)).mean((2, 3))

    network = Backwards()
    assert "second" in xray(network, PHOTOS, size=32, progress=False, pictures=False).html
    with pytest.raises(ValueError, match=r"its first convolution takes 3 channels, and the batch has 1$"):
        TorchSubject.looking.capture(network, "first", torch.rand(1, 1, 32, 32))


# ---------------------------------------------------------------- channels last inside


@pytest.fixture(scope="module")
def swin():
    """A small Swin: its blocks answer (N, H, W, C), 16 x 16 x 8 of images of 64 pixels."""
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    how = {"patch_size": [4, 4], "embed_dim": 8, "depths": [1, 1], "num_heads": [2, 2], "window_size": [4, 4]}
    return torchvision.models.SwinTransformer(**how, num_classes=3).eval()


def swin_calls(network, layer, size=64, grid=None):
    from days.day19.code.gradients import maps_and_gradients

    batch, looking, methods = torch.rand(1, 3, size, size), TorchSubject.looking, TorchSubject.methods
    calls = [
        lambda: looking.capture(network, layer, batch, grid=grid)[layer],
        lambda: methods.grad_cam(network, batch, layer, 1, signed=True, grid=grid),
    ]
    if grid is None:
        calls.append(lambda: TorchSubject.growing.maximize(network, layer, [0], size=size, steps=1, progress=False))
        calls.append(lambda: maps_and_gradients(network, layer, batch.numpy(), 1))
    return batch, calls


@pytest.mark.parametrize(
    ("layer", "size", "match"),
    [
        ("features.1", 64, r"got \(1, 16, 16, 8\), .* last: .* with grid=\(16, 16\)"),
        ("features.3.0.norm1", 64, r"got \(1, 8, 8, 16\), .* last: .* with grid=\(8, 8\)"),
        ("features.1", 32, "first or last in this network: give images of another size"),
    ],
)
def test_maps_with_channels_last_are_refused_in_one_line(swin, layer, size, match):
    for call in swin_calls(swin, layer, size)[1]:
        with pytest.raises(ValueError, match=match) as raised:
            call()
        assert "\n" not in str(raised.value)


def test_maps_with_channels_last_are_turned_when_their_grid_is_named(swin):
    batch, (capture, grad_cam) = swin_calls(swin, "features.1", grid=(16, 16))
    kept = []
    handle = swin.features[1].register_forward_hook(lambda module, inputs, output: kept.append(output))
    score = swin(batch)[0, 1]
    handle.remove()
    (gradient,) = torch.autograd.grad(score, kept)
    weights = gradient[0].mean(dim=(0, 1))
    assert_close(capture(), kept[0].detach().permute(0, 3, 1, 2).numpy(), 1e-5)
    assert_close(grad_cam(), (kept[0][0] @ weights).detach().numpy(), 1e-4)
    for call in swin_calls(swin, "features.1", grid=(8, 8))[1]:
        with pytest.raises(ValueError, match=r"grid of \(8, 8\) from layer 'features.1', got .*, which does not fit"):
            call()


@pytest.mark.parametrize("layer", ["features.0.0", "permute"])
def test_maps_with_channels_first_of_such_a_network_are_taken_as_they_are(swin, layer):
    for size in (32, 64):
        _, calls = swin_calls(swin, layer, size)
        for call in calls:
            call()


def test_images_that_are_not_square_tell_the_axes_apart():
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 5, stride=4), torch.nn.ReLU())
    found = TorchSubject.looking.capture(network, ["0", "1"], torch.rand(1, 3, 33, 97))
    assert {maps.shape for maps in found.values()} == {(1, 8, 8, 24)}


def test_a_last_layer_of_zeros_is_called_no_saturated_softmax():
    """A vision transformer of torchvision's comes with such a head."""
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    network.append(torch.nn.Linear(4, 3))
    torch.nn.init.zeros_(network[3].weight)
    torch.nn.init.zeros_(network[3].bias)
    with pytest.warns(RuntimeWarning, match="is 0 everywhere: the gradient is 0 there: a small change") as said:
        TorchSubject.methods.grad_cam(network, torch.rand(1, 3, 16, 16), "0", 1)
    assert not re.search("softmax|sigmoid", str(said[0].message))


# ---------------------------------------------------------------- what the answers mean

ENDS = {
    "scores": (3, lambda x: x),
    "scores of a high temperature": (3, lambda x: x / 1000),
    "scores after a ReLU": (10, "relu"),
    "probabilities": (3, "softmax"),
    "sigmoids": (3, "sigmoid"),
    "score": (1, lambda x: x),
    "probability": (1, "sigmoid"),
}
STARTS = 30


def torch_start(end, outputs):
    """A network in training mode, with a batch norm and a last layer whose scores tend to lie between 0 and 1."""
    nn = torch.nn
    layers = [nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout(0.2), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    network = nn.Sequential(*layers, nn.Linear(6, outputs))
    nn.init.constant_(network[-1].bias, 0.5)
    ends = {"relu": nn.functional.relu, "softmax": partial(torch.softmax, dim=1), "sigmoid": torch.sigmoid}
    network.register_forward_hook(lambda module, inputs, answer: ends.get(end, end)(answer))
    return network, torch_state


def keras_start(end, outputs):
    """The same in Keras."""
    layers, inputs = keras.layers, keras.Input((16, 16, 3))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(6, 3)(inputs)))
    x = layers.GlobalAveragePooling2D()(layers.Dropout(0.2)(x))
    x = layers.Dense(outputs, bias_initializer=keras.initializers.Constant(0.5))(x)
    return keras.Model(inputs, layers.Activation(end)(x) if isinstance(end, str) else end(x)), keras_state


@pytest.mark.parametrize("framework", ["torch", "keras"])
@pytest.mark.parametrize("name", ENDS)
def test_what_the_answers_mean_is_told_from_any_random_start(name, framework):
    """By the values alone of three faint photos, many scores would be taken for sigmoids."""
    if framework == "keras" and not KERAS:
        pytest.skip("TensorFlow is not installed")
    from days.day17.code.backends import backend_of, meaning_of

    told, alone = set(), set()
    for seed in range(STARTS):
        outputs, end = ENDS[name]
        torch.manual_seed(seed)
        if framework == "keras":
            keras.utils.set_random_seed(seed)
        network, state_of = (torch_start if framework == "torch" else keras_start)(end, outputs)
        photos = np.random.default_rng(seed).uniform(0, 0.5, (3, 16, 16, 3)).astype(np.float32)
        batch, before = backend_of(network).to_batch(network, photos), state_of(network)
        answers = backend_of(network).scores(network, batch)
        told.add(meaning_of(network, batch, answers))
        alone.add(meaning(answers))
        assert state_of(network) == before
    assert told == {name.split(" of ")[0].split(" after ")[0]}
    if name.startswith("score"):
        assert alone - told, "the values alone are never misjudged, so this shows nothing"


def test_what_a_network_cannot_take_tells_nothing_of_its_answers():
    """NaN or an exception at inputs that are too strong leaves what was seen of the photos."""
    from days.day17.code.backends import meaning_of

    def nan_above(x):
        return torch.full((len(x), 2), float("nan")) if x.abs().max() > 1 else torch.softmax(x.mean((2, 3))[:, :2], 1)

    def refuses_above(x):
        assert x.abs().max() <= 1
        return torch.softmax(x.mean((2, 3))[:, :2], 1)

    for forward in (nan_above, refuses_above):
        network, batch = torch.nn.Conv2d(3, 3, 1), torch.rand(2, 3, 8, 8)
        network.forward = forward
        assert meaning_of(network, batch, network(batch).numpy()) == "probabilities"
    assert meaning_of(network, batch, np.full((2, 3), np.nan)) == "scores"


def test_a_category_that_a_last_relu_silences_is_no_saturated_sigmoid():
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 1), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    network.append(torch.nn.ReLU())
    with torch.no_grad():
        network[0].weight.fill_(0.1)
        network[0].bias.copy_(torch.tensor([0.1, -9.0, 0.1]))
    with pytest.warns(RuntimeWarning, match="is 0 everywhere") as said:
        TorchSubject.methods.grad_cam(network, torch.rand(1, 3, 16, 16), "0", 1)
    assert not re.search("softmax|sigmoid", str(said[0].message))
