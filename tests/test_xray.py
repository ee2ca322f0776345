"""The X-ray: healthy networks get a clean bill, planted faults are found, nothing is lost or left behind."""

from __future__ import annotations

import copy
import importlib
import os
import pickle
import re
import subprocess
import sys
import warnings
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from days.common.datasets import SHAPE_NAMES, make_shapes
from days.common.images import IMAGE_NAMES, load_image
from days.common.paths import REPO_ROOT
from days.day17.code.backends import backend_of, capture
from days.day19.code.torch_backend import rectifies
from days.day23.code import network as clinic
from days.day23.code import patients, torch_backend
from days.day23.code.diagnosis import grade
from days.xray import controls, findings, illustration, loading, report, xray
from days.xray import torch_backend as looks
from days.xray.__main__ import main
from days.xray.anatomy import NormStatistics
from days.xray.examination import Trial, as_scores, examination_of
from days.xray.findings import findings_of
from days.xray.preprocessing import alternatives, pixels_from
from days.xray.subject import subject_of

SIZE = 24


def shapes(count: int, *, known: bool = True) -> loading.Photos:
    """The clinic's training images as photos, with or without their truth."""
    data = clinic.ward_images()
    folders = [SHAPE_NAMES[label] for label in data.labels[:count]] if known else None
    return loading.Photos(data.images[:count], [str(index) for index in range(count)], folders, [], 0)


def examined(model, photos, **how):
    """An examination of a model, or of its bare network where `how` says how it is fed."""
    network = model.network if how else model
    return examination_of(subject_of(network, size=32, labels=SHAPE_NAMES, **how), photos)


def judged(model, photos, **how):
    """What is found wrong with a model."""
    return findings_of(examined(model, photos, **how))


def small(channels: int = 3, *, inplace: bool = True) -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Conv2d(channels, 8, 3, padding=1), nn.ReLU(inplace), nn.Conv2d(8, 9, 3, padding=1), nn.ReLU(inplace)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(9, 4))


@pytest.fixture
def folder(tmp_path):
    """Six photos."""
    place = tmp_path / "photos"
    place.mkdir()
    for name in IMAGE_NAMES[:6]:
        pixels = (load_image(name, size=SIZE) * 255).astype(np.uint8)
        Image.fromarray(pixels).save(place / f"{name}.png")
    return place


@pytest.fixture(params=["torch", pytest.param("keras", marks=pytest.mark.slow)])
def clinic_backend(request):
    if request.param == "keras":
        pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    return importlib.import_module(f"days.day23.code.{request.param}_backend")


@pytest.fixture(scope="module")
def keras():
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    from days.common.frameworks import import_keras

    return import_keras()


class Page(HTMLParser):
    """What stands in a page: tags with their attributes, and headings by level."""

    def __init__(self, html: str):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


# ------------------------------------------------------------ healthy networks


def test_healthy_patients_get_a_clean_bill(clinic_backend):
    found = []
    for seed in range(20):
        patient, _ = patients.admit(seed, "healthy")
        statistics = patient.statistics if seed % 2 else None
        found += judged(clinic_backend.clinic_model(patient.weights, statistics), shapes(20))
    assert len(found) <= 1, found


@pytest.fixture(scope="module")
def seven(squeezenet):
    photos = loading.read_photos(IMAGE_NAMES, 224, 60)
    return photos, examination_of(subject_of(squeezenet), photos)


def test_squeezenet_gets_a_clean_bill(seven):
    assert findings_of(seven[1]) == ()
    assert len(seven[1].layers) == 26
    assert all(layer.convolution.rectified for layer in seven[1].layers)
    assert len(seven[1].facts[0].opposites) >= 3


def test_efficientnets_dead_channels_stay_dead_on_other_images():
    from days.common.models import load_model
    from days.day20.code.photographs import crops, photographs

    model = load_model("efficientnet_lite0")
    found = examination_of(subject_of(model), loading.read_photos(IMAGE_NAMES, 224, 60))
    told = findings_of(found)
    assert {one.kind for one in told} == {"dead"}  # seven photos are too few to speak of silence
    subject, layers = found.subject, {layer.name: layer for layer in found.layers}
    others = np.stack([crop.image for crop in crops(photographs(), 224, [1.0])[7:15]])
    _, seen, _ = looks.look(subject.network, [one.convolution for one in layers.values()], None, subject.batch(others))
    assert sum(len(one.far) for one in found.facts) < 0.7 * sum(len(one.silent) for one in found.facts)
    dead = next(one for one in told if one.kind == "dead").where
    assert sum(map(len, dead.values())) >= 4
    for name, channels in dead.items():
        assert seen[name].top[:, list(channels)].max() <= 0


# ------------------------------------------------------------ planted faults


@pytest.mark.parametrize(
    ("kind", "named", "spared"),
    [
        ("dead", {"dead", "silent"}, ()),
        ("redundant", {"redundant"}, ("near copy", "sign flipped")),
        ("noise", {"noise"}, ()),
        ("exploded", {"exploded"}, ()),
    ],
)
def test_planted_faults_are_found(kind, named, spared):
    planted = missed = 0
    for seed in range(5):
        patient, key = patients.admit(seed, kind)
        found = judged(torch_backend.clinic_model(patient.weights), shapes(20))
        told = {(layer, c) for one in found if one.kind in named for layer, cs in one.where.items() for c in cs}
        wanted = [fault for fault in key.faults if fault.cause not in spared]
        planted += len(wanted)
        missed += sum(not told & {(fault.layer, c) for c in fault.channels} for fault in wanted)
        assert told <= {(fault.layer, c) for fault in key.faults for c in fault.channels}
    assert planted >= 2
    assert missed == 0


def test_dead_is_proven_only_where_it_follows_from_the_weights():
    network = small()
    with torch.no_grad():
        network[0].weight[1] = 0
        network[0].bias[1] = 0
        network[0].bias[2] = -100
        network[2].bias[3] = -100
    found = examination_of(subject_of(network, size=32), shapes(20, known=False))
    kinds = {one.kind: one.where for one in findings_of(found)}
    assert kinds["dead"] == {"0": (1, 2)}
    assert kinds["silent"] == {"2": (3,)}


def test_silence_that_rarity_explains_is_no_finding(squeezenet):
    """On one photo many channels are silent, and all others wake on this one alone: so nothing can be said."""
    photos = loading.read_photos(["chelsea"], 224, 60)
    found = examination_of(subject_of(squeezenet), photos)
    assert sum(len(fact.silent) for fact in found.facts) > 50
    assert sum(len(fact.far) for fact in found.facts) == 0


def test_filters_that_are_not_finite_are_told_first(folder):
    network = small()
    with torch.no_grad():
        network[2].weight[0, 0, 0, 0] = float("nan")
    found = xray(network, folder, size=SIZE, progress=False).findings
    assert found[0].kind == "not finite"
    assert "2" in found[0].where


@pytest.mark.parametrize("wrong", [{"mean": 0.5 / 255, "std": 0.5 / 255}, {"mean": 0, "std": 1}, {}])
@pytest.mark.parametrize("known", [True, False])
def test_wrong_preprocessing_is_told_by_the_first_batch_norm(clinic_backend, wrong, known):
    patient, _ = patients.admit(3, "healthy")
    model = clinic_backend.clinic_model(patient.weights, patient.statistics)
    found = judged(model, shapes(20, known=known), **(wrong or {"order": "rgb"}))
    assert found[0].kind == "preprocessing"
    assert "values from -1 to 1" in found[0].words
    assert judged(model, shapes(20, known=known), mean=0.5, std=0.5) == ()


@pytest.mark.parametrize("how", [{"mean": 0, "std": 1}, {}])
def test_squeezenet_fed_small_numbers_is_told_without_truth_or_batch_norm(squeezenet, seven, how):
    found = examination_of(subject_of(squeezenet.network, labels=squeezenet.categories, order="rgb", **how), seven[0])
    (finding,) = findings_of(found)
    assert finding.kind == "preprocessing"
    assert "255" in finding.words


def test_photos_of_one_thing_are_no_sign_of_wrong_preprocessing(squeezenet):
    cup = load_image("coffee")
    crops = [cup[20 * index : 300 + 10 * index, 60 : 400 + 20 * index] for index in range(8)]
    found = examination_of(subject_of(squeezenet), loading.read_photos(crops, 224, 60))
    assert "preprocessing" not in {one.kind for one in findings_of(found)}


def trial(name, rights, truth, norm=None):
    scores = np.zeros((len(truth), 3))
    scores[np.arange(len(truth)), np.where(rights, truth, (truth + 1) % 3)] = 8
    return Trial(name, scores, norm, 3)


def test_accuracy_speaks_only_where_chance_does_not():
    truth = np.arange(20) % 3
    given = trial("given", np.arange(20) >= 8, truth)
    assert findings.about_feeding([given, trial("other", np.arange(20) >= 6, truth)], truth) == []
    (found,) = findings.about_feeding([given, trial("other", np.arange(20) >= 0, truth)], truth)
    assert "12 of 20 images right" in found.evidence[0]
    assert "other" in found.advice


def test_norm_distance_by_hand():
    one = NormStatistics(np.zeros(3), np.full(3, 4.0), np.full(3, 6.0), np.full(3, 4.0))
    assert one.distance == pytest.approx(3)
    assert one._replace(mean=np.zeros(3), variance=np.full(3, 4 * np.e**2)).distance == pytest.approx(1)


# ------------------------------------------------------------ any network


def watched(network, channels=3):
    return looks.convolutions(network.eval(), torch.randn(1, channels, SIZE, SIZE))[0]


class Functional(nn.Module):
    """A nested network with a batch norm and ReLUs as functions, one of them in place."""

    def __init__(self):
        super().__init__()
        self.inner = nn.ModuleDict({"first": nn.Conv2d(3, 8, 3), "norm": nn.BatchNorm2d(8)})
        self.second, self.third, self.last = nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 3), nn.Linear(8, 4)

    def forward(self, image):
        x = functional.relu(self.inner["norm"](self.inner["first"](image)), inplace=True)
        x = self.second(x)
        return self.last(torch.sigmoid(self.third(x + torch.relu(x))).mean(dim=(2, 3)))


@pytest.mark.parametrize("inplace", [True, False])
def test_what_follows_a_convolution_is_found(inplace):
    assert [(one.layer, one.watch, one.rectified) for one in watched(small(inplace=inplace))] == [
        ("0", "0", True),
        ("2", "2", True),
    ]
    assert [(one.layer, one.watch, one.rectified, one.sees_pixels) for one in watched(Functional())] == [
        ("inner.first", "inner.norm", True, True),
        ("second", "second", False, False),  # a sum reads it, too, and no ReLU silences that
        ("third", "third", False, False),
    ]


def test_summaries_are_what_capture_gives():
    network, batch = Functional().eval(), torch.randn(3, 3, SIZE, SIZE)
    network.inner["norm"].running_mean += 0.3
    parts, norm = looks.convolutions(network, batch[:1])
    _, seen, statistics = looks.look(network, parts, norm, batch)
    maps = capture(network, "inner.norm", batch)["inner.norm"]
    summary = seen["inner.first"]
    for got, wanted in (
        (summary.mean, np.maximum(maps, 0).mean(axis=(2, 3))),
        (summary.top, maps.max(axis=(2, 3))),
        (summary.active, (maps > 0).mean(axis=(2, 3))),
    ):
        np.testing.assert_allclose(got, wanted, atol=1e-6)
    np.testing.assert_allclose(summary.spread, maps.std(axis=(0, 2, 3)), rtol=1e-4)
    folded = looks.folded_weights(network, parts[0])
    by_hand = functional.conv2d(batch, *(torch.from_numpy(one).float() for one in folded[:2]))
    np.testing.assert_allclose(by_hand.numpy(), maps, atol=1e-5)
    assert statistics.mean.shape == (8,)


@pytest.mark.parametrize("network", [small(), small(1), Functional(), nn.Sequential(nn.Sequential(small()))])
def test_any_torch_network_comes_back_as_it_was(network, folder):
    network.train()
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    before = copy.deepcopy(network.state_dict())
    found = xray(network, folder, size=SIZE, progress=False)
    assert all(module.training for module in network.modules())
    assert not any(module._forward_hooks for module in network.modules())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(parameter.requires_grad for parameter in network.parameters())
    has_norm = any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    assert ("training mode" in {one.kind for one in found.findings}) == has_norm
    assert "<h2>Layers</h2>" in found.html


def keras_network(keras, channels=3, *, nested=False, size=SIZE):
    layers = keras.layers
    start = x = keras.Input((size, size, channels))
    x = layers.Conv2D(8, 3, activation="relu", name="first")(x)
    if nested:
        inside = keras.Input((None, None, 8))
        part = layers.BatchNormalization(name="norm")(layers.Conv2D(8, 3, name="second")(inside))
        x = keras.Model(inside, layers.ReLU(name="relu")(part), name="block")(x)
    x = layers.Dense(4, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(start, x)


@pytest.mark.parametrize(("channels", "nested"), [(3, True), (1, False)])
def test_any_keras_network_comes_back_as_it_was(keras, folder, channels, nested):
    network = keras_network(keras, channels, nested=nested)
    network.trainable = False
    before = [one.copy() for one in network.get_weights()]
    report = xray(network, folder, progress=False)
    assert all((now == then).all() for now, then in zip(network.get_weights(), before, strict=True))
    assert network.get_layer("first").activation is keras.activations.relu
    assert not hasattr(network.get_layer("first"), "_held_activation")
    assert ("block/second" in report.html) == nested


def test_keras_sees_what_torch_sees(keras):
    keras_looks = importlib.import_module("days.xray.keras_backend")
    network = keras_network(keras, nested=True)
    photos = loading.read_photos(IMAGE_NAMES[:3], SIZE, 9)
    with torch.no_grad():
        twin = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8, eps=1e-3), nn.ReLU())
        twin = nn.Sequential(*twin, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4), nn.Softmax(1)).eval()
        values = network.get_weights()
        for module, (kernel, bias) in ((twin[0], values[:2]), (twin[2], values[2:4])):
            module.weight.copy_(torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy()))
            module.bias.copy_(torch.from_numpy(bias))
        twin[7].weight.copy_(torch.from_numpy(values[8].T.copy()))
        twin[7].bias.zero_()
    seen = []
    for one, backend in ((network, keras_looks), (twin, looks)):
        batch = backend_of(one).to_batch(one, pixels_from(3)(photos.images))
        parts, norm = backend.convolutions(one, batch[:1])
        scores, summaries, statistics = backend.look(one, parts, norm, batch)
        seen.append((scores, statistics, [part[2:] for part in parts], list(summaries.values())))
    assert seen[0][2] == seen[1][2] == [(True, False, False, True), (True, False, False, False)]
    np.testing.assert_allclose(seen[0][0], seen[1][0], atol=1e-5)
    np.testing.assert_allclose(seen[0][1], seen[1][1], atol=1e-4)
    for one, other in zip(seen[0][3], seen[1][3], strict=True):
        for got, wanted in zip(one[:6], other[:6], strict=True):
            np.testing.assert_allclose(got, wanted, atol=1e-4)


def test_a_batch_norm_that_was_never_trained_is_told(folder):
    network = Functional().eval()
    assert [one.kind for one in xray(network, folder, size=SIZE, progress=False).findings] == ["untrained"]
    network.inner["norm"].running_mean += 1e-3
    assert xray(network, folder, size=SIZE, progress=False).findings == []


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, left, right):
        return self.conv(left + right)


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (TwoInputs(), r"one input, got 2 \(left, right\)"),
        (nn.Sequential(nn.Flatten(), nn.Linear(3, 2)), "2-d convolutions, got none"),
        (nn.Sequential(nn.Conv2d(4, 4, 3), nn.Flatten()), "got 4 input channels"),
        (nn.Sequential(nn.Conv2d(3, 4, 3)), r"expected scores \(1, categories\)|expected scores \(4, categories\)"),
        ("squeezenet", "expected a torch or Keras network, got str"),
    ],
)
def test_what_cannot_be_looked_at_is_refused(network, words, folder):
    with pytest.raises(ValueError, match=words):
        xray(network, folder, size=SIZE, progress=False)


def test_several_inputs_in_keras_are_refused(keras, folder):
    inputs = [keras.Input((SIZE, SIZE, 3)) for _ in range(2)]
    with pytest.raises(ValueError, match="one input, got 2"):
        xray(keras.Model(inputs, keras.layers.Add()(inputs)), folder, progress=False)
    with pytest.raises(ValueError, match=f"bound to, got {SIZE + 8}"):
        xray(keras_network(keras), folder, size=SIZE + 8, progress=False)


@pytest.mark.parametrize("answers", [[[0.2], [0.9]], [[-1.4], [2.2]], [[0.8, 0.2], [0.1, 0.9]], [[3.0, 1.0], [0, 2]]])
def test_answers_of_any_kind_become_scores(answers):
    scores = as_scores(np.array(answers))
    assert scores.shape == (2, 2)
    assert scores.argmax(axis=1).tolist() == [0, 1]


def test_fewer_steps_are_taken_where_a_step_takes_many_multiplications(folder, monkeypatch):
    found = examination_of(subject_of(small(), size=SIZE), loading.read_photos(folder, SIZE, 60))
    per_photo = (8 * 3 + 9 * 8) * 3 * 3 * SIZE**2
    assert illustration.multiplications(found.layers) == per_photo
    steps, step = [], illustration.Ascent.step
    monkeypatch.setattr(illustration.Ascent, "step", lambda ascent: steps.append(ascent) or step(ascent))
    for afforded, wanted in ((100, 48), (30, 30), (1, 16)):
        monkeypatch.setattr(illustration, "AFFORDED", (afforded + 0.5) * 2 * per_photo)
        steps.clear()
        illustration._climbed(found, found.layers[1], np.array([0, 1]))
        assert len(steps) == wanted


@pytest.mark.slow
@pytest.mark.parametrize("network", ["deep", "wide"])
def test_deep_and_wide_networks_stay_readable(network, folder):
    torch.manual_seed(0)
    if network == "deep":
        middle = [layer for _ in range(199) for layer in (nn.Conv2d(6, 6, 3, padding=1), nn.ReLU(True))]
        layers, last = [nn.Conv2d(3, 6, 3), nn.ReLU(True), *middle], 6
    else:
        layers, last = [nn.Conv2d(3, 1000, 3), nn.ReLU(True), nn.Conv2d(1000, 1000, 1), nn.ReLU(True)], 1000
    whole = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(last, 4))
    page = Page(xray(whole, folder, size=SIZE, progress=False).html)
    assert len(page.all("img")) <= 8 * 2 + 8 + 18
    assert sum(len(one["src"]) for one in page.all("img")) < 6e6
    assert len(page.all("h3")) < 20
    assert len(page.all("details")) >= (network == "deep")


# ------------------------------------------------------------ no false certainty, nothing passed over


@pytest.mark.parametrize("kind", ["dead", "redundant", "noise", "exploded"])
def test_the_clinics_grade_takes_the_xrays_findings(kind):
    right = 0
    for seed in range(5):
        patient, key = patients.admit(seed, kind)
        found = judged(torch_backend.clinic_model(patient.weights), shapes(20))
        # What Day 23 calls dead on its data the X-ray calls silent.
        told = grade([replace(one, kind="dead") if one.kind == "silent" else one for one in found], key)
        right += told[kind].right if kind in told else 0
        assert kind not in told or told[kind].precision == 1
    assert right >= 2


class Binary(nn.Module):
    """One number: red speaks for category 0, blue for category 1."""

    def __init__(self):
        super().__init__()
        self.conv, self.last = nn.Conv2d(3, 2, 3, padding=1), nn.Linear(2, 1, bias=False)
        with torch.no_grad():
            self.conv.weight.zero_()
            self.conv.bias.zero_()
            self.conv.weight[0, 0, 1, 1] = self.conv.weight[1, 2, 1, 1] = 1
            self.last.weight[:] = torch.tensor([[-4.0, 4.0]])

    def forward(self, image):
        return self.last(torch.relu(self.conv(image)).mean((2, 3)))


def test_one_number_is_explained_for_the_category_that_it_speaks_for(monkeypatch):
    red, blue = np.zeros((2, 32, 32, 3), np.float32)
    red[:16, :16, 0] = blue[16:, 16:, 2] = 1
    shown, draw = {}, illustration.pictures.heatmap_picture

    def seen(photo, heatmap, shuffled, name, caption, *, top):
        shown[name] = heatmap, caption
        return draw(photo, heatmap, shuffled, name, caption, top=top)

    monkeypatch.setattr(illustration.pictures, "heatmap_picture", seen)
    xray(Binary(), {"red": red, "blue": blue}, size=32, mean=0, std=1, progress=False)
    for name, category, place in (("red", 0, slice(0, 16)), ("blue", 1, slice(16, 32))):
        heatmap, caption = shown[name]
        assert f"category {category}" in caption
        assert heatmap[place, place].sum() > 0.9 * heatmap.sum() > 0


class Residual(nn.Module):
    """A block whose last batch norm starts at 0, as many libraries start it."""

    def __init__(self):
        super().__init__()
        self.stem, self.conv, self.norm = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.last = nn.Linear(8, 4)
        nn.init.zeros_(self.norm.weight)

    def forward(self, image):
        x = torch.relu(self.stem(image))
        return self.last(torch.relu(x + self.norm(self.conv(x))).mean((2, 3)))


def test_filters_that_the_first_step_wakes_are_neither_dead_nor_silent():
    torch.manual_seed(0)
    found = findings_of(examination_of(subject_of(Residual().eval(), size=32), shapes(24, known=False)))
    assert {one.kind for one in found} == {"untrained", "constant"}


class Pooled(nn.Module):
    """A ReLU behind max pooling, as in many tutorials."""

    def __init__(self):
        super().__init__()
        self.conv, self.drop, self.last = nn.Conv2d(3, 8, 3), nn.Dropout2d(), nn.Linear(8, 4)
        nn.init.constant_(self.conv.bias[:1], -1000)

    def forward(self, image):
        return self.last(torch.relu(functional.max_pool2d(self.drop(self.conv(image)), 2)).mean((2, 3)))


def test_a_dead_filter_is_found_before_pooling():
    found = findings_of(examination_of(subject_of(Pooled().eval(), size=32), shapes(4, known=False)))
    assert [one.where for one in found if one.kind == "dead"] == [{"conv": (0,)}]


@pytest.mark.parametrize("activation", [functional.gelu, functional.silu, functional.hardswish, functional.hardshrink])
def test_an_activation_is_no_relu_where_it_is_only_shown_numbers_far_below_0(activation):
    """There it answers 0, too, and a filter that these photos leave there was called dead."""
    before = torch.tensor([[-200.0, -300.0]])
    assert rectifies(before, functional.relu(before), functional.relu)
    assert not rectifies(before, activation(before), activation)
    mixed = torch.tensor([[-200.0, 1.0]])
    assert rectifies(mixed, functional.relu(mixed), functional.relu)
    assert not rectifies(mixed, activation(mixed), activation)


def test_activations_of_keras_are_told_by_what_they_do(keras):
    tensorflow = importlib.import_module("tensorflow")
    looks, layers = importlib.import_module("days.xray.keras_backend"), keras.layers
    for activation, is_relu in (
        (layers.ReLU(), True),
        (layers.ReLU(6.0), True),
        (layers.ReLU(negative_slope=0.2), False),
        (layers.LeakyReLU(), False),
        (layers.Activation(tensorflow.nn.relu), True),
        (layers.Activation(keras.ops.relu), True),
        (layers.Lambda(lambda x: keras.ops.maximum(x, 0)), True),
        (layers.Activation("gelu"), False),
        (layers.Activation("softmax"), False),
    ):
        start = keras.Input((8, 8, 3))
        last = layers.GlobalAveragePooling2D()(activation(layers.Conv2D(4, 3)(start)))
        (part,), _ = looks.convolutions(keras.Model(start, last), None)
        assert part.rectified is is_relu, activation


def test_separable_filters_before_training_are_not_called_noise(keras):
    keras.utils.set_random_seed(0)
    layers, relu = keras.layers, keras.layers.ReLU
    middle = [layer for _ in range(2) for layer in (layers.SeparableConv2D(96, 3, use_bias=False), relu())]
    network = keras.Sequential([layers.Input((32, 32, 3)), layers.Conv2D(32, 3), relu(), *middle])
    network = keras.Sequential([*network.layers, layers.GlobalAveragePooling2D(), layers.Dense(5)])
    network.build((None, 32, 32, 3))
    found = findings_of(examination_of(subject_of(network), shapes(4, known=False)))
    assert "noise" not in {one.kind for one in found}


def test_a_keras_layer_is_not_touched_even_for_the_time_of_the_look(keras):
    """Its own activation stands there while the X-ray sees what comes before it, and whatever is raised."""
    looks, seen = importlib.import_module("days.xray.keras_backend"), []
    start = keras.Input((SIZE, SIZE, 3))
    first = keras.layers.Conv2D(4, 3, activation="relu")
    spy = keras.layers.Lambda(lambda x: seen.append(first.activation) or x)
    network = keras.Model(start, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(spy(first(start)))))
    before, parts = dict(vars(first)), looks.convolutions(network, None)[0]
    batch = keras.ops.convert_to_tensor(np.random.default_rng(0).standard_normal((2, SIZE, SIZE, 3), np.float32))
    _, summaries, _ = looks.look(network, parts, None, batch)
    assert parts[0].rectified
    assert summaries[first.name].low.min() < 0
    assert seen[-1] is keras.activations.relu
    with pytest.raises(ValueError, match="cannot take a batch"):
        looks.look(network, parts, None, batch[..., :2])
    assert vars(first) == before


class Fixed(nn.Module):
    """It takes one size alone, and when it is asked for gradients it may fail altogether."""

    def __init__(self, *, no_gradients: bool):
        super().__init__()
        self.body, self.last, self.no_gradients = small()[:4], nn.Linear(9, 4), no_gradients

    def forward(self, image):
        assert image.shape[-2:] == (128, 128), "Input size doesn't match model (128)."
        if self.no_gradients and image.requires_grad:
            raise KeyError("no gradients")
        return self.last(self.body(image).mean((2, 3)))


def test_a_picture_that_fails_never_breaks_the_report(monkeypatch):
    monkeypatch.setattr(illustration, "ASCENT_STEPS", 1)
    monkeypatch.setattr(illustration, "UNMOVED", 0)
    photos = {name: name for name in IMAGE_NAMES[:3]}
    html = xray(Fixed(no_gradients=False), photos, size=128, progress=False).html
    assert "No pictures are grown" not in html
    assert html.count("A grown picture") == 6
    html = xray(Fixed(no_gradients=True), photos, size=128, progress=False).html
    assert "No pictures are grown for body.2" in html
    assert "<h2>How to read this</h2>" in html
    monkeypatch.setattr(illustration, "capture", lambda *arguments: 1 / 0)
    assert "No filters and maps of 0: division by zero." in xray(small(), photos, size=32, progress=False).html
    with pytest.raises(ValueError, match=r"size \(--size\) says how large, now 64"):
        xray(Fixed(no_gradients=False), photos, size=64, progress=False)


def photo(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8))
    picture.save(path, None if path.suffix else "PNG")


@pytest.mark.parametrize("side", ["__MACOSX/._0.png", ".ipynb_checkpoints/0-checkpoint.png", "annotations/0.xml"])
@pytest.mark.parametrize("folders", [(), ("cat", "dog"), ("train/cat", "train/dog", "val/cat", "val/dog")])
def test_folders_are_taken_as_people_have_them(tmp_path, side, folders):
    root = tmp_path / "photos"
    for place in folders or [""]:
        for index in range(2):
            photo(root / place / f"{index}.png")
    (root / side).parent.mkdir()
    (root / side).write_bytes(b"\0\5\x16\7")
    photos = loading.read_photos(root, 32, 60)
    assert len(photos.names) == 2 * max(1, len(folders))
    assert photos.skipped == ([(side, "lies in a folder without pictures")] if side.endswith("xml") else [])
    assert photos.folders == ([name.split("/")[-2] for name in photos.names] if folders else None)
    truth, words = loading.truth_of(photos.folders, None, 2, photos.below)
    assert (truth is not None) == bool(folders)
    assert ("inside train and val" in words) == ("train/cat" in folders)


BESIDE, NO_PICTURES = "lies beside the photos", "lies in a folder without pictures"
FOLDERS = {
    "a model beside": ("a.png b.png weights/model.h5", "", {"weights/model.h5": NO_PICTURES}, ""),
    "a paper beside": ("a.png b.png docs/paper.pdf", "", {"docs/paper.pdf": NO_PICTURES}, ""),
    "thumbnails of a file server": ("a.png b.png @eaDir/a.png/thumb.png", "", {}, ""),
    "predictions beside": ("a.png b.png c.png runs/detect/a.png", "", {"runs/detect/a.png": BESIDE}, ""),
    "as many crops beside": (
        "a.png b.png crops/a.png crops/b.png",
        "",
        {"crops/a.png": BESIDE, "crops/b.png": BESIDE},
        "",
    ),
    "a folder around": ("PetImages/Cat/1.png PetImages/Dog/1.png", "Cat Dog", {}, "PetImages"),
    "folders around splits": ("a/b/train/cat/1.png a/b/val/dog/1.png", "cat dog", {}, "a/b/train a/b/val"),
    "splits by other names": (
        "d/training_set/cat/1.png d/test_set/dog/1.png",
        "dog cat",
        {},
        "d/test_set d/training_set",
    ),
    "a test set without labels": (
        *("train/cat/1.png train/dog/1.png test1/1.png", "cat dog"),
        *({"test1/1.png": "lies beside the folders whose names are the truth"}, "train"),
    ),
    "splits without labels": ("train/cat.1.png train/dog.1.png test1/1.png", "", {}, ""),
    "a figure beside splits": (
        *("train/cat/1.png val/cat/1.png docs/figure.png", "cat cat"),
        *({"docs/figure.png": "lies beside the folders whose names are the truth"}, "train val"),
    ),
    "a category that is called train": ("bus/1.png train/1.png", "bus train", {}, ""),
    "folders inside categories": ("cat/2020/1.png dog/pug/old/1.png", "cat dog", {}, ""),
    "pictures without an ending": ("cat/1 dog/1", "cat dog", {}, ""),
    "endings in capitals, and a table": (
        *("cat/1.JPG dog/1.JPeG labels.csv", "cat dog"),
        *({"labels.csv": "lies beside the folders whose names are the truth"}, ""),
    ),
    "two spellings": ("Cat/1.png cat/1.png", "Cat cat", {}, ""),
}
"""Files, the labels of those that are used, why others are not, and what the labels' folders lie in."""


@pytest.mark.parametrize(("files", "labels", "skipped", "below"), FOLDERS.values(), ids=FOLDERS)
def test_more_folders_are_taken_as_people_have_them(tmp_path, files, labels, skipped, below):
    root = tmp_path / "photos"
    for name in files.split():
        if name.endswith((".h5", ".pdf", ".csv")):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(b"%PDF")
        else:
            photo(root / name)
    photos = loading.read_photos(root, 32, 60)
    assert photos.folders == (labels.split() or None)
    assert dict(photos.skipped) == skipped
    hidden = sum("@eaDir" in name for name in files.split())
    assert len(photos.names) + len(skipped) + hidden == len(files.split())
    assert photos.below == tuple(below.split())
    truth, _ = loading.truth_of(photos.folders, None, 2, photos.below)
    assert truth is None if len(set(labels.split())) < 2 else sorted(truth) == [0, 1]


def test_pictures_that_nothing_here_can_read_are_told(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.heic").write_bytes(b"no picture for Pillow")
    with pytest.raises(ValueError, match=r"got none \(cat/1.heic: .*is not a readable picture"):
        loading.read_photos(tmp_path, 32, 60)


# ------------------------------------------------------------ photos, labels, weights


def test_files_that_are_no_pictures_are_listed(folder):
    (folder / "torn.jpg").write_bytes((folder / "chelsea.png").read_bytes()[:300])
    (folder / "notes.txt").write_text("no picture")
    report = xray(small(), folder, size=SIZE, progress=False)
    for name in ("torn.jpg", "notes.txt"):
        assert f'<th scope="row">{name}</th>' in report.html
    assert str(folder) not in report.html
    assert "6 photos" in report.html
    assert "4 more photos were left out" in xray(small(), folder, size=SIZE, limit=4, progress=False).html


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least one readable picture"):
        loading.read_photos(tmp_path, SIZE, 9)
    with pytest.raises(ValueError, match="no folder"):
        loading.read_photos(tmp_path / "none", SIZE, 9)


def test_folders_are_the_truth(tmp_path):
    tmp_path = tmp_path / "photos"
    data = make_shapes(12, seed=5)
    for index, label in enumerate(data.labels):
        place = tmp_path / SHAPE_NAMES[label]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray((data.images[index] * 255).astype(np.uint8)).save(place / f"{index}.png")
    (tmp_path / "beside.png").write_bytes(b"")
    photos = loading.read_photos(tmp_path, 32, 60)
    assert photos.skipped == [("beside.png", "lies beside the folders whose names are the truth")]
    patient, _ = patients.admit(0, "healthy")
    found = examined(torch_backend.clinic_model(patient.weights), photos)
    assert [SHAPE_NAMES[one] for one in found.truth] == photos.folders
    assert found.trials[0].right(found.truth).mean() > 0.8
    # Without names, six folders are six categories in alphabetical order.
    assert loading.truth_of(photos.folders, None, 6)[0].max() == 5
    assert loading.truth_of(["disc", "dog"], SHAPE_NAMES, 6) == (
        None,
        "The truth is not known: the folders dog are no categories of the network; see --labels.",
    )


def test_a_network_that_guesses_is_told():
    found = examined(torch_backend.clinic_model(clinic.healthy_networks()[0]), shapes(30))
    swapped = (found.truth + 1) % 6
    kinds = {one.kind for one in findings.about_answers(found.trials[0], swapped, 0)}
    assert kinds == {"guessing"}
    assert findings.about_answers(found.trials[0], found.truth, 0) == []


def test_text_from_labels_and_file_names_is_escaped(tmp_path):
    names = ["<script>alert(1)</script>", "<img src=y onerror=alert(2)>", "&amp;", '"><b>']
    place = tmp_path / "photos"
    place.mkdir()
    Image.fromarray((load_image("chelsea", size=SIZE) * 255).astype(np.uint8)).save(place / '"><script>a.png')
    (place / "<i>.txt").write_text("")
    report = xray(small(), place, size=SIZE, labels=names, progress=False)
    page = Page(report.html)
    assert not any(page.all(tag) for tag in ("script", "i", "b"))
    assert all(one["src"].startswith("data:image/") and len(one["alt"]) > 10 for one in page.all("img"))
    assert "srcdoc=" in report._repr_html_()
    assert [name for name, _ in Page(report._repr_html_()).tags] == ["iframe"]


class Trap:
    """Unpickled, it would leave a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("suffix", [".pt", ".pkl"])
def test_a_weights_file_that_would_run_code_is_refused(tmp_path, folder, suffix, capsys, monkeypatch):
    sprung = tmp_path / "sprung"
    file = tmp_path / f"weights{suffix}"
    file.write_bytes(pickle.dumps({"0.weight": Trap(sprung)}))
    monkeypatch.setattr(sys, "path", [*sys.path, str(REPO_ROOT / "tests")])
    assert main([*command("small", folder, tmp_path / "r.html"), "--weights", str(file)]) == 2
    assert "does not hold weights" in capsys.readouterr().err
    assert not sprung.exists()
    assert not (tmp_path / "r.html").exists()


def test_whole_keras_models_are_refused_as_weights(keras, tmp_path):
    network = keras_network(keras)
    network.save(tmp_path / "whole.keras")
    with pytest.raises(ValueError, match=r"save_weights\('name\.weights\.h5'\)"):
        loading.load_weights(network, str(tmp_path / "whole.keras"))
    network.save_weights(tmp_path / "alone.weights.h5")
    other = keras_network(keras)
    loading.load_weights(other, str(tmp_path / "alone.weights.h5"))
    assert all((one == two).all() for one, two in zip(network.get_weights(), other.get_weights(), strict=True))


# ------------------------------------------------------------ preprocessing


def test_preprocessings_do_what_their_names_say():
    images = np.random.default_rng(0).random((2, 4, 4, 3)).astype(np.float32)
    named = {one.name: one(images) for one in alternatives(pixels_from(3, 0.1, 0.2))}
    np.testing.assert_allclose(named["values from 0 to 255"], images * 255, rtol=1e-5)
    np.testing.assert_allclose(named["values from -1 to 1"], images * 2 - 1, atol=1e-6)
    np.testing.assert_allclose(named["red and blue exchanged"], (images[..., ::-1] - 0.1) / 0.2, atol=1e-5)
    caffe = named["0 to 255 minus Caffe's mean, BGR"]
    np.testing.assert_allclose(caffe, images[..., ::-1] * 255 - [104, 117, 123], atol=1e-3)
    gray = {one.name: one(images) for one in alternatives(pixels_from(1, 0, 1))}
    np.testing.assert_allclose(gray["black and white exchanged"], 1 - pixels_from(1, 0, 1)(images), atol=1e-6)
    assert "values from 0 to 1" not in gray
    low, high = pixels_from(3, 0.5, 0.5).reach
    assert (low.tolist(), high.tolist()) == ([-1, -1, -1], [1, 1, 1])


@pytest.mark.parametrize(
    "how", [{"mean": [1, 2]}, {"std": 0}, {"mean": "red"}, {"std": float("nan")}, {"order": "gbr"}, {"channels": 4}]
)
def test_preprocessings_that_make_no_sense_are_refused(how):
    with pytest.raises(ValueError, match="expected"):
        pixels_from(**{"channels": 3, **how})


def test_a_models_own_preprocessing_is_read_off(squeezenet, cat):
    subject = subject_of(squeezenet)
    np.testing.assert_allclose(subject.batch(cat[None]), squeezenet.preprocess(cat), atol=1e-3)


# ------------------------------------------------------------ the command line, and what is written


def command(factory: str, images, output) -> list[str]:
    model = f"test_day24_networks:{factory}"
    return [model, "--images", str(images), "-o", str(output), "--size", str(SIZE)]


@pytest.fixture(autouse=True)
def _networks(monkeypatch, tmp_path):
    """A module of the learner's own in the current folder."""
    code = (
        "import torch\nfrom torch import nn\n"
        "def small():\n"
        "    torch.manual_seed(0)\n"
        "    layers = [nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)]\n"
        "    return nn.Sequential(*layers)\n"
        "def broken():\n"
        "    raise KeyError('no such\\nthing')\n"
        "number = 3\n"
    )
    home = tmp_path / "home"
    home.mkdir()
    (home / "test_day24_networks.py").write_text(code)
    monkeypatch.chdir(home)
    monkeypatch.syspath_prepend(str(home))
    monkeypatch.delitem(sys.modules, "test_day24_networks", raising=False)


def test_the_command_line_writes_one_file(folder, tmp_path, capsys):
    before = {path for path in tmp_path.rglob("*") if "__pycache__" not in path.parts}
    assert main(command("small", folder, tmp_path / "report.html")) == 0
    after = {path for path in tmp_path.rglob("*") if "__pycache__" not in path.parts}
    assert after - before == {tmp_path / "report.html"}
    assert "report.html" in capsys.readouterr().out
    page = Page((tmp_path / "report.html").read_text())
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == len(page.all("main")) == 1
    assert not any(page.all(tag) for tag in ("script", "link"))
    assert all(one.get("scope") in ("col", "row") for one in page.all("th"))


def test_the_command_line_as_a_process(folder, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(REPO_ROOT)}
    whole = [sys.executable, "-m", "days.xray", *command("small", folder, tmp_path / "r.html")]
    done = subprocess.run(whole, env=environment, cwd=tmp_path / "home", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "X-ray" in done.stderr
    assert (tmp_path / "r.html").stat().st_size > 20_000
    old_address = [sys.executable, "-m", "days.day24.code.xray", "--help"]
    asked = subprocess.run(old_address, env=environment, capture_output=True, text=True)
    assert "examples:squeezenet --images photos -o r.html" in " ".join(asked.stdout.split())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({0: "no_colon"}, "package.module:callable"),
        ({0: "no_such_module:f"}, "cannot import 'no_such_module'"),
        ({0: "test_day24_networks:none"}, "no 'none' in"),
        ({0: "test_day24_networks:number"}, "got int"),
        ({0: "test_day24_networks:broken"}, "failed: KeyError: 'no such"),
        ({2: "/no/such/folder"}, "no folder"),
        ({4: "/no/such/folder/report.html"}, "folder that exists"),
        ({6: "0"}, "size"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(folder, tmp_path, capsys, change, words):
    arguments = command("small", folder, tmp_path / "report.html")
    for index, value in change.items():
        arguments[index] = value
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert re.search(words, said.splitlines()[-1])
    assert "Traceback" not in said
    assert not (tmp_path / "report.html").exists()


def test_labels_come_from_a_file(folder, tmp_path, capsys):
    labels = tmp_path / "labels.txt"
    labels.write_text("ant\nbee\ncat\n<dog>\n\n")
    assert main([*command("small", folder, tmp_path / "r.html"), "--labels", str(labels)]) == 0
    assert re.search("ant|bee|cat|&lt;dog&gt;", (tmp_path / "r.html").read_text())
    labels.write_text("ant\nbee\n")
    assert main([*command("small", folder, tmp_path / "r.html"), "--labels", str(labels)]) == 2
    assert "expected 4 labels" in capsys.readouterr().err


@pytest.mark.parametrize("where", ["examination_of", "illustration._heatmap", "illustration.Ascent"])
def test_an_interrupted_run_leaves_what_was_there(folder, tmp_path, monkeypatch, capsys, where):
    output = tmp_path / "report.html"
    output.write_text("the last report")

    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"days.xray.{where}", interrupted)
    assert main(command("small", folder, output)) == 130
    assert output.read_text() == "the last report"
    assert [path.name for path in tmp_path.iterdir() if "report" in path.name] == ["report.html"]
    assert "nothing was written" in capsys.readouterr().err


def test_the_stop_button_is_not_swallowed_while_pictures_grow(folder, monkeypatch):
    def interrupted(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(illustration.Ascent, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        xray(small(), folder, size=SIZE, progress=False)


def test_silence_on_few_photos_is_no_finding():
    patient, _ = patients.admit(104)
    model = torch_backend.clinic_model(patient.weights, patient.statistics)
    images = list(clinic.ward_images().images)
    few, many = (xray(model, images[:count], size=32, progress=False).findings for count in (19, 20))
    assert "silent" in [one.kind for one in many]
    assert "silent" not in [one.kind for one in few]


def test_no_photo_is_shown_twice_and_the_size_is_named_where_it_does_not_fit():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 30 * 30, 5))
    images = dict(zip("abcde", clinic.ward_images().images[:5], strict=True))
    html = xray(network, images, size=32, progress=False).html
    for name in images:
        assert html.count(f"{name}: predicted") == 1
    with pytest.raises(ValueError, match=r"size \(--size\) says how large, now 224"):
        xray(network, images, progress=False)


# ------------------------------------------------------------ controls


class LooksLeft(nn.Module):
    """The score of category 1 is how red the left half of the image is, or nothing at all."""

    def __init__(self, weight: float):
        super().__init__()
        self.conv, self.last = nn.Conv2d(3, 1, 1, bias=False), nn.Linear(1, 2, bias=False)
        with torch.no_grad():
            self.conv.weight[:] = torch.tensor([1.0, 0, 0])[None, :, None, None]
            self.last.weight[:] = torch.tensor([[0.0], [weight]])

    def forward(self, image):
        maps = functional.relu(self.conv(image))
        return self.last(maps[:, :, :, : maps.shape[3] // 2].mean((2, 3)))


def test_covering_what_decided_costs_more_than_covering_as_much_elsewhere():
    photo = np.full((40, 40, 3), 0.2, np.float32)
    photo[5:15, 2:18, 0] = 1
    seen = []
    for weight in (10.0, 0.0):
        network = LooksLeft(weight)
        subject = subject_of(network, size=40, mean=0, std=1)
        (layer,) = examination_of(subject, loading.read_photos([photo], 40, 1)).layers
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            seen.append(controls.controlled(subject, photo, layer, controls.Question(1, 1), None, seed=0))
    looks_left, blind = seen
    # All 160 pixels of the bright patch are covered by the mean red, 0.28: 160 * 0.72 of 800 pixels, times 10.
    assert looks_left.fall == pytest.approx(160 * (1 - photo[..., 0].mean()) / 800 * 10, rel=1e-4)
    assert looks_left.counts_more
    assert blind.fall == 0
    assert not blind.counts_more
    assert "do not rely on them" in controls.verdict([blind, blind, looks_left])
    assert "do not rely on them" not in controls.verdict([looks_left])


def test_patches_elsewhere_have_the_size_and_shape_of_the_brightest_tenth():
    masks = controls.patches(np.random.default_rng(0).random((7, 7)), (30, 50), seed=1)
    assert masks.shape == (1 + controls.ELSEWHERE, 30, 50)
    assert masks.sum(axis=(1, 2)).tolist() == [150] * len(masks)
    assert len({mask.tobytes() for mask in masks}) == len(masks)


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_shuffled_late_layers_draw_another_map_and_leave_the_network_alone(framework, request, cat):
    model = request.getfixturevalue("squeezenet" if framework == "torch" else "keras_squeezenet")
    subject = subject_of(model)
    layer = next(
        one for one in examination_of(subject, loading.read_photos([cat], 224, 1)).layers if "fire9" in one.name
    )
    names = subject.backend.weighted_layers(model.network)
    shuffled = controls.with_late_layers_shuffled(subject, layer)
    looking = backend_of(model.network)
    for name in [one for one in looking.conv_layers(model.network) if one in names]:
        same = np.array_equal(looking.filters(model.network, name), looking.filters(shuffled, name))
        assert same == (names.index(name) < names.index(layer.name))
    found = controls.controlled(subject, cat, layer, controls.Question(285, 1), shuffled, seed=0)
    assert found.likeness < 0.9
    assert found.fall > found.elsewhere.mean()


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_an_untrained_network_without_batch_norm_is_recognized(framework, request):
    network = small()
    if framework == "keras":
        keras = request.getfixturevalue("keras")
        keras.utils.set_random_seed(0)
        layers = [keras.layers.Conv2D(count, 3, activation="relu") for count in (8, 9)]
        network = keras.Sequential(
            [keras.Input((SIZE, SIZE, 3)), *layers, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(4)]
        )
    photos = [np.random.default_rng(number).random((SIZE, SIZE, 3)).astype(np.float32) for number in range(3)]
    found = {one.kind: one for one in xray(network, photos, size=SIZE, progress=False, pictures=False).findings}
    assert "random" in found
    assert "certain" not in found["random"].sure


def test_quick_leaves_out_the_pictures_alone(folder, tmp_path):
    paths = [tmp_path / name for name in ("all.html", "quick.html")]
    for path, more in zip(paths, ([], ["--quick"]), strict=True):
        assert main([*command("small", folder, path), *more]) == 0
    full, quick = (path.read_text() for path in paths)
    assert "<img" in full
    assert "<img" not in quick
    for words in ("Findings", "Predictions", "Convolutions in forward order", "--quick leaves them out"):
        assert words in quick


def test_the_network_of_a_factory_is_not_blamed_for_training_mode(folder, tmp_path, capsys):
    """A new torch network is in training mode; that a function has just made it is no fault of it."""
    main([*command("small", folder, tmp_path / "r.html"), "--quick"])
    assert "training mode" not in capsys.readouterr().out


def test_the_worst_category_stands_first_with_what_it_is_taken_for(seven):
    seen = seven[1]
    said = seen.trials[0].scores.argmax(axis=1)
    truth = said.copy()
    truth[:2] = said[2]  # two of three images of that category are told wrong
    table = report._mistakes(replace(seen, truth=truth))
    worst = table.rows[0]
    assert worst[0] == seen.subject.called(int(said[2]))
    assert worst[1].split() == ["1", "of", "3"]
    assert all(seen.subject.called(int(number)) in worst[2] for number in said[:2])
    assert report._mistakes(replace(seen, truth=None)) is None


# ------------------------------------------------------------ the widget


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_the_suspects_widget_follows_its_controls(framework):
    from days.day24.code import bias_lab
    from days.day24.code.explorer import suspect_explorer

    if framework == "keras":
        pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    explorer = suspect_explorer(bias_lab.load_suspects(), framework=framework)
    controls, picture, caption = explorer.controls, explorer.picture, explorer.caption
    for name, value, said in (
        ("suspect", "C", "C calls the"),
        ("background", "swapped", "C calls the"),
        ("image", 3, "C calls the"),
        ("method", "occlusion", "occlusion, positive part"),
    ):
        before, controls[name].value = picture.value, value
        assert said in caption.value
        assert picture.value != before
