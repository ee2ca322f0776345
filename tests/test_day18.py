"""Day 18: filters learn what is wanted, trainings repeat, frameworks agree, and what is wrong gets named."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import math
import os
import random
import signal
import subprocess
import sys

import limits
import numpy as np
import pytest
import torch
from torch import nn

from days.common.datasets import make_shapes
from days.common.images import load_image
from days.common.paths import REPO_ROOT
from days.day17.code.feature_maps import feature_map
from days.day18.code import filter_statistics, runs, storage, torch_backend, training
from days.day18.code import visualizations as viz
from days.day18.code.health import findings
from days.day18.code.lesson import SOBEL, Lesson
from days.day18.code.snapshots import Watch, interruptible, saturated_share
from days.day18.code.training import initial_weights


@pytest.fixture(params=["torch", "keras"])
def backend(request):
    """Day 18's backend, of one framework after the other."""
    if request.param == "torch":
        return torch_backend
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    from days.day18.code import keras_backend

    return keras_backend


@pytest.fixture(scope="module")
def data():
    return make_shapes(640, seed=0)


@pytest.fixture(scope="module")
def watched():
    return runs.watched_images()


@pytest.fixture(scope="module")
def stored():
    return storage.load_runs()


def same_weights(one, other, tolerance=0.0):
    return max(float(np.abs(a - b).max()) for name in one for a, b in zip(one[name], other[name], strict=True)) <= (
        tolerance
    )


# ------------------------------------------------------------ one filter that learns


def test_a_filters_gradient_is_what_autograd_says():
    generator = np.random.default_rng(0)
    for shape in ((3, 3), (2, 5), (1, 1)):
        image, student = generator.normal(size=(9, 11)), generator.normal(size=shape)
        target = generator.normal(size=feature_map(image, student).shape)
        loss, gradient = training.filter_gradient(image, student, target)
        weight = torch.tensor(student[None, None], requires_grad=True)
        answer = nn.functional.conv2d(torch.tensor(image[None, None]), weight)
        wanted = ((answer - torch.tensor(target)) ** 2).mean()
        wanted.backward()
        assert loss == pytest.approx(wanted.item(), rel=1e-12)
        np.testing.assert_allclose(gradient, weight.grad[0, 0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["chelsea", "coffee", "rocket"])
def test_the_learning_rate_has_the_bound_that_the_curvatures_give(name):
    image = load_image(name, size=48).mean(axis=2).astype(np.float64)
    image -= image.mean()
    target, start = feature_map(image, SOBEL), np.random.default_rng(1).normal(size=(3, 3))
    bound = 2 / training.curvatures(image, (3, 3))[-1]
    below = training.learn_filter(image, target, start, learning_rate=0.99 * bound, steps=400)[1]
    above = training.learn_filter(image, target, start, learning_rate=1.01 * bound, steps=400)[1]
    assert (np.diff(below) <= 0).all()
    assert below[-1] < 1e-3 * below[0]
    assert above[-1] > below[0]
    np.testing.assert_array_less(above[-50:-1], above[-49:])


def test_just_above_the_bound_the_loss_falls_before_it_rises():
    lesson = Lesson()
    losses = lesson.learned(lesson.gray_cat - lesson.gray_cat.mean(), share=1.02, steps=200)[1]
    lowest = int(np.argmin(losses))
    assert 3 < lowest < 150
    assert losses[lowest] < losses[0] / 2
    assert losses[-1] > 100 * losses[0]


def test_a_centered_photo_teaches_faster():
    lesson = Lesson()
    plain, centered = (
        lesson.learned(image)[0][-1] for image in (lesson.gray_cat, lesson.gray_cat - lesson.gray_cat.mean())
    )
    far = [np.linalg.norm(one - SOBEL) for one in (plain, centered)]
    assert far[1] < far[0] / 4


def test_a_learning_that_explodes_ends_with_finite_filters():
    image = np.random.default_rng(0).normal(size=(8, 8))
    filters, losses = training.learn_filter(image, np.zeros((6, 6)), np.ones((3, 3)), learning_rate=1e6, steps=500)
    assert len(filters) == len(losses) < 500
    assert np.isfinite(filters).all()


# ------------------------------------------------------------ measures


def test_drift_duplicates_and_neighbors():
    generator = np.random.default_rng(0)
    filters = generator.normal(size=(20, 3, 5, 5))
    np.testing.assert_allclose(filter_statistics.filter_drift(3 * filters, filters), 2)
    assert filter_statistics.filter_drift(filters, np.zeros_like(filters))[0] == math.inf
    assert filter_statistics.filter_drift(np.zeros_like(filters), np.zeros_like(filters))[0] == 0
    filters[7], filters[11] = 4 * filters[2], -filters[3]
    assert filter_statistics.near_duplicates(filters) == [(2, 7)]
    filters[2] = np.nan
    assert filter_statistics.near_duplicates(filters) == []
    assert abs(filter_statistics.neighbor_correlation(generator.normal(size=(40, 8, 3, 3)))) < 0.05
    smooth = np.cumsum(np.cumsum(generator.normal(size=(40, 8, 9, 9)), axis=2), axis=3)
    assert filter_statistics.neighbor_correlation(smooth) > 0.8
    with pytest.raises(ValueError, match=r"larger than 1x1, got \(4, 3, 1, 1\)"):
        filter_statistics.neighbor_correlation(np.ones((4, 3, 1, 1)))


def test_no_input_exceeds_the_largest_possible_answer():
    generator = np.random.default_rng(0)
    filters, biases = generator.normal(size=(6, 2, 3, 3)), generator.normal(size=6)
    most = filter_statistics.largest_possible(filters, biases, -1, 1)
    inputs = torch.tensor(generator.uniform(-1, 1, (50, 2, 9, 9)))
    answers = nn.functional.conv2d(inputs, torch.tensor(filters), torch.tensor(biases)).amax(dim=(0, 2, 3)).numpy()
    assert (answers <= most).all()
    best = torch.tensor(np.sign(filters))
    reached = nn.functional.conv2d(best, torch.tensor(filters), torch.tensor(biases))[range(6), range(6), 0, 0]
    np.testing.assert_allclose(reached, most)


def test_a_filter_that_is_dead_for_sure_is_dead_on_data(watched):
    weights = initial_weights(0)
    weights["conv1"][1][[3, 9]] = -100
    most = filter_statistics.largest_possible(*weights["conv1"], -1, 1)
    assert np.flatnonzero(most <= 0).tolist() == [3, 9]
    network = torch_backend.small_cnn(weights)
    watch = torch_backend.watch(network, torch_backend.to_batch(watched.images), watched.labels)
    assert watch.finish(0).layers["conv1"].dead == 2


def test_saturation_tells_a_tanh_at_its_ends_from_one_in_the_middle():
    values = np.random.default_rng(0).normal(size=(8, 4, 6, 6))
    assert saturated_share(np.tanh(20 * values)) > 0.8
    assert saturated_share(np.tanh(values / 2)) < 0.1
    assert saturated_share(np.maximum(values, 0)) < 0.1
    assert saturated_share(1 / (1 + np.exp(-50 * values))) > 0.8


def test_batches_take_each_image_once_before_any_twice():
    seen = np.concatenate(list(training.batches(10, size=4, steps=5, seed=0)))
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10))
    assert len(next(training.batches(3, size=8, steps=2, seed=0))) == 8


def test_initial_weights_pass_signals_on_at_their_size(watched):
    network = torch_backend.small_cnn(initial_weights(3))
    state = torch_backend.watch(network, torch_backend.to_batch(watched.images), watched.labels).finish(0).layers
    assert all(0.5 < state[layer].spread / watched.images.std() < 5 for layer in state)


# ------------------------------------------------------------ the two frameworks


def test_both_frameworks_are_one_network(data):
    keras_backend = pytest.importorskip("days.day18.code.keras_backend")
    weights = storage.load_weights()
    first, second = torch_backend.small_cnn(weights), keras_backend.small_cnn(weights)
    assert same_weights(torch_backend.weights_of(first), weights)
    assert same_weights(keras_backend.weights_of(second), weights)
    one, other = torch_backend.scores(first, data.images), keras_backend.scores(second, data.images)
    np.testing.assert_allclose(one, other, atol=1e-5 * np.abs(one).max())


@pytest.mark.parametrize(("steps", "tolerance"), [(1, 1e-6), (7, 1e-3)])
def test_both_frameworks_take_the_same_steps(data, steps, tolerance):
    """Seven steps are enough to reach the last seventh, with its smaller learning rate."""
    keras_backend = pytest.importorskip("days.day18.code.keras_backend")
    found = []
    for backend in (torch_backend, keras_backend):
        network = backend.small_cnn(initial_weights(0))
        backend.train(network, data, steps=steps, progress=False)
        found.append(backend.weights_of(network))
    assert same_weights(*found, tolerance=tolerance)
    assert not same_weights(found[0], initial_weights(0), tolerance=1e-3)


def test_both_watches_see_the_same(watched):
    keras_backend = pytest.importorskip("days.day18.code.keras_backend")
    states = []
    for backend in (torch_backend, keras_backend):
        network = backend.small_cnn(storage.load_weights())
        states.append(backend.watch(network, backend.to_batch(watched.images), watched.labels).finish(0))
    one, other = states
    assert one.loss == pytest.approx(other.loss, rel=1e-4)
    assert one.accuracy == other.accuracy
    for layer, state in one.layers.items():
        for field in dataclasses.fields(state):
            ours, theirs = getattr(state, field.name), getattr(other.layers[layer], field.name)
            assert ours == pytest.approx(theirs, rel=1e-3, abs=1e-6), (layer, field.name)
        np.testing.assert_allclose(one.maps[layer], other.maps[layer], atol=1e-4)


def test_the_gradient_is_that_of_the_loss(watched):
    """Against finite differences in double precision."""
    network = torch_backend.small_cnn(storage.load_weights()).double()
    batch, labels = torch_backend.to_batch(watched.images).double(), watched.labels
    seen = torch_backend.watch(network, batch, labels).measure()
    direction = np.random.default_rng(0).normal(size=seen.gradients["conv2"].shape)
    losses = []
    for sign in (1, -1):
        moved = copy.deepcopy(network)
        moved.conv2.weight.data += sign * 1e-6 * torch.tensor(direction)
        losses.append(torch_backend.watch(moved, batch, labels).finish(0).loss)
    slope = (losses[0] - losses[1]) / 2e-6
    assert (seen.gradients["conv2"] * direction).sum() == pytest.approx(slope, rel=1e-4)


# ------------------------------------------------------------ training


@pytest.fixture(scope="module")
def retrained():
    """The honest training, done anew by the command's own function."""
    return runs.train_recipe(runs.RECIPES["honest"], progress=False)


@pytest.mark.slow
def test_the_shipped_weights_are_what_the_command_makes(retrained, stored):
    """Bit for bit on a processor that rounds alike. Elsewhere rounding grows into other filters that do the same."""
    weights, snapshots, history = retrained
    assert history.stopped == ""
    assert len(history.losses) == 3000
    early = [taken[1].filters["conv1"] for taken in (snapshots, stored["honest"])]
    assert snapshots[1].step == 75
    np.testing.assert_allclose(*early, atol=0.05)
    accuracies = [runs.accuracy(one) for one in (weights, storage.load_weights())]
    assert min(accuracies) >= 0.97
    assert abs(accuracies[0] - accuracies[1]) <= 0.01
    images = runs.held_out_images().images
    named = [
        torch_backend.scores(torch_backend.small_cnn(one), images).argmax(axis=1)
        for one in (weights, storage.load_weights())
    ]
    assert (named[0] == named[1]).mean() >= 0.95


@pytest.mark.slow
def test_keras_learns_it_as_well(retrained):
    pytest.importorskip("days.day18.code.keras_backend")
    weights, _, _ = runs.train_recipe(runs.RECIPES["honest"], framework="keras", progress=False)
    accuracy = runs.accuracy(weights, framework="keras")
    assert accuracy >= 0.97
    assert abs(accuracy - runs.accuracy(retrained[0])) <= 0.01


def test_the_shipped_files_are_small_and_hold_arrays_only():
    assert storage.WEIGHTS_FILE.stat().st_size < 500_000
    assert storage.RUNS_FILE.stat().st_size < 2_000_000
    assert {path.suffix for path in storage.WEIGHTS_FILE.parent.iterdir()} == {".safetensors"}


def test_held_out_images_are_not_among_those_trained_on():
    kept = {one.tobytes() for one in runs.training_images().images}
    for other in (runs.held_out_images(), runs.watched_images()):
        assert not kept & {one.tobytes() for one in other.images}


@pytest.mark.slow
def test_two_trainings_from_one_seed_are_equal_and_from_two_are_not(backend, data):
    found = []
    for seed in (0, 0, 1):
        network = backend.small_cnn(initial_weights(0))
        backend.train(network, data, steps=40, seed=seed, progress=False)
        found.append(backend.weights_of(network))
    assert same_weights(found[0], found[1])
    assert not same_weights(found[0], found[2], tolerance=1e-3)


def test_watching_changes_nothing_in_the_training(backend, data, watched):
    found = []
    for every in (0, 5):
        network = backend.small_cnn(initial_weights(0))
        watch = backend.watch(network, backend.to_batch(watched.images), watched.labels, every=every) if every else None
        backend.train(network, data, steps=25, callback=watch, progress=False)
        found.append(backend.weights_of(network))
    assert same_weights(*found)
    assert [one.step for one in watch.snapshots] == [0, 5, 10, 15, 20, 25]
    assert same_weights({"conv1": (watch.snapshots[-1].filters["conv1"],)}, {"conv1": (found[1]["conv1"][0],)})


def test_snapshots_are_copies(backend, data, watched):
    network = backend.small_cnn(initial_weights(0))
    watch = backend.watch(network, backend.to_batch(watched.images), watched.labels)
    first = watch.finish(0)
    filters, maps = first.filters["conv1"].copy(), first.maps["conv1"].copy()
    backend.train(network, data, steps=5, progress=False)
    np.testing.assert_array_equal(first.filters["conv1"], filters)
    np.testing.assert_array_equal(first.maps["conv1"], maps)
    np.testing.assert_array_equal(filters, initial_weights(0)["conv1"][0])


def test_no_global_state_is_changed_torch(data, watched):
    def state():
        return (
            torch.get_num_threads(),
            torch.get_num_interop_threads(),
            torch.is_grad_enabled(),
            torch.are_deterministic_algorithms_enabled(),
            torch.get_default_dtype(),
            torch.random.get_rng_state().tolist(),
            np.random.get_state()[1].tolist(),
            random.getstate(),
            signal.getsignal(signal.SIGINT),
        )

    before = state()
    network = torch_backend.small_cnn(initial_weights(0))
    network.conv2.train()
    modes = [module.training for module in network.modules()]
    watch = torch_backend.watch(network, torch_backend.to_batch(watched.images), watched.labels, every=3)
    with torch.no_grad():
        torch_backend.train(network, data, steps=7, callback=watch, progress=False)
        assert not torch.is_grad_enabled()
    assert state() == before
    assert [module.training for module in network.modules()] == modes
    assert not any(module._forward_hooks for module in network.modules())


def test_no_global_state_is_changed_keras(data, watched):
    keras_backend = pytest.importorskip("days.day18.code.keras_backend")
    tensorflow, keras = keras_backend.tensorflow, keras_backend.keras

    def state():
        return (
            tensorflow.config.threading.get_inter_op_parallelism_threads(),
            tensorflow.config.threading.get_intra_op_parallelism_threads(),
            tensorflow.config.functions_run_eagerly(),
            keras.config.floatx(),
            keras.config.image_data_format(),
            np.random.get_state()[1].tolist(),
            random.getstate(),
            signal.getsignal(signal.SIGINT),
        )

    tensorflow.random.set_seed(3)
    drawn = tensorflow.random.uniform((3,)).numpy()
    before = state()
    tensorflow.random.set_seed(3)
    network = keras_backend.small_cnn(initial_weights(0))
    watch = keras_backend.watch(network, keras_backend.to_batch(watched.images), watched.labels, every=3)
    keras_backend.train(network, data, steps=7, callback=watch, progress=False)
    assert state() == before
    np.testing.assert_array_equal(tensorflow.random.uniform((3,)).numpy(), drawn)


# ------------------------------------------------------------ the stop button


class PressStop:
    """A callback that presses the stop button, once or twice, at a step."""

    def __init__(self, step, times=1):
        self.step, self.times = step, times

    def __call__(self, step):
        if step == self.step:
            for _ in range(self.times):
                os.kill(os.getpid(), signal.SIGINT)


def test_the_stop_button_leaves_a_usable_model_and_history(backend, data):
    handler = signal.getsignal(signal.SIGINT)
    network, whole = backend.small_cnn(initial_weights(0)), backend.small_cnn(initial_weights(0))
    history = backend.train(network, data, steps=200, callback=PressStop(9), progress=False)
    assert history.stopped == "interrupted after step 9"
    assert len(history.losses) == 10
    assert signal.getsignal(signal.SIGINT) is handler
    descend = backend.descent(whole)
    for indices, rate in training.plan(len(data), size=64, steps=200, seed=0, learning_rate=0.15):
        descend(data.images[indices], data.labels[indices], rate)
        history.losses.pop()
        if not history.losses:
            break
    assert same_weights(backend.weights_of(network), backend.weights_of(whole))
    assert backend.train(network, data, steps=3, progress=False).stopped == ""


def test_pressed_twice_it_interrupts_at_once(data):
    network = torch_backend.small_cnn(initial_weights(0))
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        torch_backend.train(network, data, steps=200, callback=PressStop(4, times=2), progress=False)
    assert signal.getsignal(signal.SIGINT) is handler
    assert all(torch.isfinite(weight).all() for weight in network.parameters())


def test_outside_the_main_thread_the_handler_is_left_alone():
    import threading

    found = []

    def work():
        with interruptible() as pressed:
            found.append(pressed())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]


def test_the_kernels_own_stop_button(tmp_path):
    """A real kernel: a training is interrupted as JupyterLab does it, and the next cell goes on with the network."""
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(cwd=str(REPO_ROOT), env={**os.environ, "PYTHONPATH": str(REPO_ROOT)})
    try:
        setup = (
            "from days.common.datasets import make_shapes\n"
            "from days.day18.code import torch_backend, training\n"
            "network = torch_backend.small_cnn(training.initial_weights(0))\n"
            "data = make_shapes(640, seed=0)"
        )
        assert client.execute_interactive(setup, timeout=limits.COMMAND)["content"]["status"] == "ok"
        printed = []

        def hear(message):
            if message["msg_type"] == "stream":
                printed.append(message["content"]["text"])
                if "now" in message["content"]["text"]:
                    manager.interrupt_kernel()

        training_cell = (
            "say = lambda step: print('now', flush=True) if step == 5 else None\n"
            "history = torch_backend.train(network, data, steps=100_000, callback=say, progress=False)\n"
            "print('stopped:', history.stopped, len(history.losses))"
        )
        reply = client.execute_interactive(training_cell, timeout=limits.COMMAND, output_hook=hear)
        assert reply["content"]["status"] == "ok"
        assert "stopped: interrupted after step" in "".join(printed)
        after = "scores = torch_backend.scores(network, data.images); assert scores.shape == (640, 6)"
        assert client.execute_interactive(after, timeout=limits.COMMAND)["content"]["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_a_loss_that_is_no_number_ends_the_training(data):
    network = torch_backend.small_cnn(initial_weights(0, scale=1e15))
    history = torch_backend.train(network, data, steps=50, learning_rate=1e10, progress=False)
    assert "the loss was" in history.stopped
    assert len(history.losses) < 50


# ------------------------------------------------------------ a learner's own loop and network


class Own(nn.Module):
    """As learners write them: batch norm, an in-place ReLU used twice, one functional ReLU, dropout."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.second, self.third = nn.Conv2d(8, 12, 3), nn.Conv2d(12, 10, 3)
        self.drop, self.head = nn.Dropout(0.5), nn.Linear(10, 6)

    def forward(self, x):
        x = self.relu(self.norm(self.first(x)))
        x = torch.relu(self.second(x))
        x = self.relu(self.third(x))
        return self.head(self.drop(x.mean(dim=(2, 3))))


def test_a_learners_own_torch_loop(data):
    torch.manual_seed(0)
    network = Own().train()
    optimizer = torch.optim.Adam(network.parameters())
    batch, labels = torch_backend.to_batch(data.images[:60]), data.labels[:60]
    watch = torch_backend.watch(network, batch, labels, every=2)
    for step in range(5):
        watch(step)
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(batch), torch.from_numpy(labels)).backward()
        gradients = [parameter.grad.clone() for parameter in network.parameters()]
        state = {name: value.clone() for name, value in network.state_dict().items()}
        random_state = torch.random.get_rng_state()
        watch.finish(1000 + step)
        watch.snapshots.pop()
        assert all(torch.equal(one.grad, kept) for one, kept in zip(network.parameters(), gradients, strict=True))
        assert all(torch.equal(network.state_dict()[name], value) for name, value in state.items())
        assert torch.equal(torch.random.get_rng_state(), random_state)
        optimizer.step()
    watch.finish(5)
    assert [one.step for one in watch.snapshots] == [0, 2, 4, 5]
    assert all(module.training for module in network.modules())
    assert not any(module._forward_hooks for module in network.modules())
    assert list(watch.snapshots[0].layers) == ["first", "second", "third"]
    # The ReLU module behind `first` is seen there; `second` has none of its own, and `third` shares the first one.
    assert watch.snapshots[0].layers["first"].zeros > 0.3
    assert watch.snapshots[0].layers["second"].zeros == 0
    assert watch.snapshots[0].maps["third"].shape == (10, 26, 26)
    assert watch.snapshots[0].maps["third"].min() < 0


def test_layers_can_be_named(data):
    network = torch_backend.small_cnn(initial_weights(0))
    batch = torch_backend.to_batch(data.images[:10])
    watch = torch_backend.watch(network, batch, data.labels[:10], layers={"conv2": "pool2"})
    state = watch.finish(0)
    assert list(state.layers) == ["conv2"]
    assert state.maps["conv2"].shape == (32, 8, 8)


def test_frozen_filters_have_no_gradient_and_raise_no_alarm(data):
    network = torch_backend.small_cnn(initial_weights(0))
    network.conv1.requires_grad_(False)
    watch = torch_backend.watch(network, torch_backend.to_batch(data.images[:60]), data.labels[:60])
    assert math.isnan(watch.finish(0).layers["conv1"].gradient)
    assert findings(watch.snapshots) == []


def test_model_fit_carries_the_watch(data):
    keras_backend = pytest.importorskip("days.day18.code.keras_backend")
    keras = keras_backend.keras
    network = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Conv2D(8, 3, activation="relu", name="one"),
            keras.layers.Conv2D(8, 3, use_bias=False, name="two"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.ReLU(name="two_relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(6, activation="softmax"),
        ]
    )
    network.compile("adam", "sparse_categorical_crossentropy")
    batch = keras_backend.to_batch(data.images[:60])
    watch = keras_backend.watch(network, batch, data.labels[:60], every=4)
    images = keras_backend.to_batch(data.images[:320])
    network.fit(images, data.labels[:320], epochs=2, verbose=0, callbacks=[keras_backend.WatchFit(watch)])
    assert [one.step for one in watch.snapshots] == [0, 4, 8, 12, 16, 20]
    last = watch.snapshots[-1]
    assert last.layers["two"].zeros > 0.1  # seen behind its batch norm and ReLU
    assert last.layers["one"].gradient > 0
    expected = float(network.evaluate(batch, data.labels[:60], verbose=0))
    assert last.loss == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("which", ["torch", "keras"])
def test_what_cannot_be_watched_gets_one_clear_error(which, data):
    module = torch_backend if which == "torch" else pytest.importorskip("days.day18.code.keras_backend")
    network = module.small_cnn(initial_weights(0))
    batch, labels = module.to_batch(data.images[:10]), data.labels[:10]
    for arguments, words in (
        ({"labels": labels[:4]}, "expected 10 whole numbers as labels"),
        ({"labels": labels + 0.5}, "whole numbers"),
        ({"labels": labels + 6}, "labels from 0 to 5"),
        ({"batch": data.images[:10]}, "expected a .* tensor"),
        ({"every": 0}, "every 1 or more steps, got 0"),
        ({"layers": {"conv9": "conv1"}}, "no convolution 'conv9'"),
        ({"layers": {"conv1": "conv9"}}, "no layer 'conv9'"),
    ):
        with pytest.raises(ValueError, match=words):
            module.watch(network, **{"batch": batch, "labels": labels, **arguments}).finish(0)


def test_a_network_without_filters_or_scores_gets_one_clear_error(data):
    batch, labels = torch_backend.to_batch(data.images[:10]), data.labels[:10]
    with pytest.raises(ValueError, match="expected a network with convolutions"):
        torch_backend.watch(nn.Sequential(nn.Flatten(), nn.Linear(3072, 6)), batch, labels)
    with pytest.raises(ValueError, match="a classifier is wanted"):
        torch_backend.watch(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), batch, labels)


def test_squeezenet_can_be_watched(squeezenet, cat):
    batch = squeezenet.preprocess(cat)
    watch = torch_backend.watch(squeezenet.network, batch, np.array([285]))
    state = watch.finish(0)
    assert len(state.layers) == 26
    assert state.accuracy == 1
    assert [one.kind for one in findings(watch.snapshots) if one.kind in ("exploding", "not finite")] == []


# ------------------------------------------------------------ what is wrong gets named


def test_healthy_trainings_get_no_warning(stored):
    for snapshots in (stored["honest"], stored["other start"]):
        for count in range(1, len(snapshots) + 1):
            assert findings(snapshots[:count]) == []
    assert findings([]) == []


@pytest.mark.slow
def test_a_healthy_training_done_anew_gets_no_warning(retrained):
    for count in range(1, len(retrained[1]) + 1):
        assert findings(retrained[1][:count]) == []


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ("too fast", {("dead", "conv2"), ("dead", "conv3"), ("no gradient", "conv1")}),
        ("faint start", {("dead", "conv3"), ("vanishing", "conv2"), ("no gradient", "conv1")}),
        ("shuffled", {("overconfident", "")}),
        ("few images", {("overconfident", "")}),
    ],
)
def test_bad_trainings_get_theirs(stored, run, expected):
    assert {(one.kind, one.layer) for one in findings(stored[run])} == expected


def test_a_layer_that_was_starved_gets_other_advice_than_one_that_was_killed(stored):
    """The layer before conv3 has faded in the faint start; after too large steps it is dead itself."""
    advice = {run: findings(stored[run][:13])[-1] for run in ("faint start", "too fast")}
    assert {(one.kind, one.layer) for one in advice.values()} == {("dead", "conv3")}
    assert "start with larger weights" in advice["faint start"].sentence
    assert "lower the learning rate" not in advice["faint start"].sentence
    assert "lower the learning rate" in advice["too fast"].sentence
    assert "lower the learning rate" in findings(stored["too fast"][:13])[1].sentence  # conv2, behind a living conv1


def test_negative_biases_kill_a_layer_only_where_its_input_is_faint(watched):
    """Section 8: conv3 after 40 steps, as it is and with biases of 0."""
    dead = {}
    for name in ("faint start", "honest"):
        weights, snapshots, _ = runs.train_recipe(runs.RECIPES[name], steps=40, progress=False)
        filters, biases = weights["conv3"]
        assert biases.mean() < -0.01
        network = torch_backend.small_cnn(weights | {"conv3": (filters, 0 * biases)})
        again = torch_backend.watch(network, torch_backend.to_batch(watched.images), watched.labels).finish(40)
        dead[name] = snapshots[-1].layers["conv3"].dead, again.layers["conv3"].dead
    assert dead["faint start"][0] > 55
    assert dead["faint start"][1] == 0
    assert dead["honest"][0] < 10


def spoiled(change, activation=nn.ReLU):
    """The findings for the small network after `change(network)`, with another activation if need be."""
    network = torch_backend.small_cnn(initial_weights(0))
    for name in training.CONVOLUTIONS:
        setattr(network, f"{name}_activation", activation())
    change(network)
    watched = runs.watched_images()
    watch = torch_backend.watch(network, torch_backend.to_batch(watched.images), watched.labels)
    watch.finish(7)
    return {(one.kind, one.layer): one.sentence for one in findings(watch.snapshots)}


def test_each_planted_fault_gets_its_own_sentence():
    def kill(network):
        network.conv2.bias.data[:20] = -1e4

    def swell(network):
        network.conv1.weight.data *= 100

    def copy_filters(network):
        network.conv2.weight.data[:] = network.conv2.weight.data[:1]

    def poison(network):
        network.conv3.weight.data[0] = math.nan

    assert "20 of 32 channels are dead" in spoiled(kill)["dead", "conv2"]
    assert "times as wide as the input" in spoiled(swell)["exploding", "conv1"]
    assert "496 pairs of its 32 filters" in spoiled(copy_filters)["duplicates", "conv2"]
    assert "The loss is nan" in spoiled(poison)["not finite", ""]
    assert ("not finite", "conv3") in spoiled(poison)
    assert "sit at the ends of their range" in spoiled(swell, nn.Tanh)["saturated", "conv1"]
    assert spoiled(lambda network: None) == {}
    assert spoiled(lambda network: None, nn.Tanh) == {}


def test_the_slow_and_the_dead_have_one_loss_and_only_the_slow_has_a_gradient(stored):
    at = {name: next(one for one in stored[name] if one.step == 300) for name in viz.LETTERS.values()}
    assert all(abs(one.loss - math.log(6)) < 0.05 for one in at.values())
    gradients = {name: [state.gradient for state in one.layers.values()] for name, one in at.items()}
    assert min(gradients["honest"]) > 0
    assert gradients["faint start"] == gradients["too fast"] == [0, 0, 0]


def test_the_first_question_is_drawn_at_the_same_steps_for_all(stored):
    figure = viz.draw_question({letter: stored[name] for letter, name in viz.LETTERS.items()})
    curves = [axes.lines[0] for axes in figure.axes]
    assert {tuple(curve.get_xdata()) for curve in curves} == {(0, 75, 150, 225, 300)}
    assert {curve.get_marker() for curve in curves} == {"o"}


def test_conv2_and_conv3_become_quieter_in_the_first_150_steps(stored):
    first, last = (stored["honest"][at].layers for at in (0, 2))
    assert all(last[layer].spread < first[layer].spread / 2 for layer in ("conv2", "conv3"))


def test_the_strongest_filters_become_smooth_first(stored):
    filters = stored["honest"][6].filters["conv1"]
    order = np.argsort(-np.linalg.norm(filters.reshape(16, -1), axis=1))
    smooth = [filter_statistics.neighbor_correlation(filters[[number]]) for number in order]
    assert min(smooth[:5]) > max(smooth[5:])


def test_a_finding_says_since_when(stored):
    dead = next(one for one in findings(stored["too fast"]) if one.layer == "conv3")
    assert dead.since == 5
    assert "warning since step 5" in dead.sentence


# ------------------------------------------------------------ storing


def test_runs_survive_storing(tmp_path, watched):
    network = torch_backend.small_cnn(initial_weights(0))
    watch = torch_backend.watch(network, torch_backend.to_batch(watched.images), watched.labels)
    watch.finish(0)
    path = storage.save_runs(
        {"a run": watch.snapshots},
        tmp_path / "r.safetensors",
        layer="conv2",
        channels={"a run": {"conv3": [5, 2]}},
        results={"a run": {"held out": 0.5}},
    )
    (again,) = storage.load_runs(path)["a run"]
    assert again.layers == watch.snapshots[0].layers
    assert list(again.filters) == ["conv2"]
    assert storage.load_results(path) == {"a run": {"held out": 0.5}}
    np.testing.assert_allclose(again.filters["conv2"], watch.snapshots[0].filters["conv2"], atol=1e-3)
    np.testing.assert_allclose(again.maps["conv3"], watch.snapshots[0].maps["conv3"][[5, 2]], rtol=1e-3, atol=1e-4)


def test_damaged_or_foreign_files_get_one_clear_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="makes it anew"):
        storage.load_weights(tmp_path / "none.safetensors")
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(storage.WEIGHTS_FILE.read_bytes()[:5000])
    with pytest.raises(ValueError, match="is damaged"):
        storage.load_weights(broken)
    with pytest.raises(ValueError, match="holds no runs"):
        storage.load_runs(storage.WEIGHTS_FILE)
    with pytest.raises(ValueError, match="expected weights of the shapes"):
        storage.load_weights(storage.RUNS_FILE)


def test_the_model_reads_as_any_other(backend, watched):
    model = backend.shapes_model()
    right = sum(
        model.predict(image)[0][0] == model.categories[label]
        for image, label in zip(watched.images, watched.labels, strict=True)
    )
    assert right >= 57
    assert model.name == "shapes"


# ------------------------------------------------------------ widgets


def test_the_dashboard_follows_a_learners_loop(data, watched):
    from days.day18.code.explorer import Dashboard

    network = torch_backend.small_cnn(initial_weights(0))
    watch = torch_backend.watch(network, torch_backend.to_batch(watched.images), watched.labels, every=5)
    dashboard = Dashboard(watch, pause=0)
    assert "No snapshot yet" in dashboard.words.value
    torch_backend.train(network, data, steps=20, learning_rate=1.5, callback=dashboard, progress=False)
    assert bytes(dashboard.picture.value).startswith(b"\xff\xd8")
    assert "channels are dead" in dashboard.words.value
    assert [one.step for one in watch.snapshots] == [0, 5, 10, 15, 20]


@pytest.mark.slow
def test_the_dashboard_draws_at_most_a_tenth_of_the_time(data, watched, monkeypatch):
    from days.day18.code import explorer

    clock = iter(range(1, 10**6))
    monkeypatch.setattr(explorer.time, "monotonic", lambda: next(clock))
    network = torch_backend.small_cnn(initial_weights(0))
    watch = torch_backend.watch(network, torch_backend.to_batch(watched.images), watched.labels, every=1)
    drawn = []
    dashboard = explorer.Dashboard(watch, pause=0)
    draw = explorer.live_dashboard
    monkeypatch.setattr(explorer, "live_dashboard", lambda *given: drawn.append(1) or draw(*given))
    for step in range(30):
        dashboard(step)
    assert 2 <= len(drawn) <= 4  # a look at the clock is a second here: one second of drawing, nine of rest


@pytest.mark.slow
@pytest.mark.parametrize("which", ["torch", "keras"])
def test_the_training_explorer_trains_draws_and_stops(which):
    pytest.importorskip(f"days.day18.code.{which}_backend")
    from days.day18.code.explorer import training_explorer

    explorer = training_explorer(which, steps=12)
    asyncio.run(explorer.run())
    assert "too fast, step 12" in explorer.caption.value
    assert "channels are dead" in explorer.caption.value
    assert bytes(explorer.picture.value).startswith(b"\xff\xd8")
    explorer.controls["training"].value = "honest"
    asyncio.run(explorer.run())
    assert "honest, step 12." in explorer.caption.value
    assert "Nothing suspicious" in explorer.caption.value


def test_a_dashboard_of_many_layers_stays_readable(squeezenet, cat):
    watch = torch_backend.watch(squeezenet.network, squeezenet.preprocess(cat), np.array([285]))
    watch.finish(0)
    figure = viz.draw_dashboard(watch.snapshots, findings(watch.snapshots))
    assert max(figure.get_size_inches()) <= 12


# ------------------------------------------------------------ what the lesson says


def test_the_command_says_what_it_does():
    code = "from days.day18.code.runs import RECIPES, main; assert callable(main); print(len(RECIPES))"
    run = subprocess.run([sys.executable, "-c", code], cwd=REPO_ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "6"
    assert "torch" not in run.stderr


def test_neighbor_correlation_tells_pretrained_from_random_in_every_layer():
    for layer, (trained, untrained) in Lesson().correlations().items():
        assert trained > 0.15, layer
        assert abs(untrained) < 0.03, layer


def test_shuffled_labels_are_the_same_labels_handed_to_others():
    few, shuffled = (runs.images_for(runs.RECIPES[name]) for name in ("few images", "shuffled"))
    np.testing.assert_array_equal(few.images, shuffled.images)
    np.testing.assert_array_equal(np.sort(few.labels), np.sort(shuffled.labels))
    assert (few.labels == shuffled.labels).mean() < 0.3


def test_a_watch_is_called_between_snapshots_for_nothing():
    calls = []
    watch = Watch(lambda: calls.append(1), every=10)
    for step in (1, 2, 9, 11):
        assert watch(step) is None
    assert calls == []


# ------------------------------------------------------------ defects that were found once


def behind(network, images=2, size=32):
    """Which layer is watched for each convolution of a torch network that gives scores."""
    return torch_backend._activations_behind(network, torch.zeros(images, 3, size, size))


def test_what_runs_next_is_not_what_is_fed_torch():
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.relu_a, self.relu_b = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 5, 1), nn.ReLU(), nn.ReLU()
            self.c, self.norm, self.late = nn.Conv2d(9, 6, 1), nn.BatchNorm2d(6), nn.ReLU()

        def forward(self, x):
            a, b = self.a(x), self.b(x)
            a, b = self.relu_a(a), self.relu_b(b)
            x = torch.max_pool2d(torch.relu(self.c(torch.cat([a, b], 1))), 2)
            return self.late(self.norm(x)).mean(dim=(2, 3))

    assert behind(Branches()) == {"a": "relu_a", "b": "relu_b", "c": "c"}


def test_what_is_listed_next_is_not_what_is_fed_keras(keras_squeezenet):
    from days.day18.code import keras_backend

    found = keras_backend._activations_behind(keras_squeezenet.network)
    for block in ("fire2", "fire9"):
        for part in ("squeeze", "expand1x1", "expand3x3"):
            assert found[f"{block}.{part}"] == f"{block}.{part}_activation"


def test_the_loss_is_that_of_the_networks_output_even_if_it_is_an_operation(data):
    keras_backend = pytest.importorskip("days.day18.code.keras_backend")
    keras = keras_backend.keras
    start = keras.Input((32, 32, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(8, 3, activation="relu")(start))
    network = keras.Model(start, keras.layers.Dense(6)(pooled) * 20.0 - 3.0)
    batch, labels = keras_backend.to_batch(data.images[:60]), data.labels[:60]
    expected = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, network(batch))
    assert keras_backend.watch(network, batch, labels).finish(0).loss == pytest.approx(float(expected), rel=1e-5)


def test_gradients_that_were_there_before_do_not_count(data):
    found = []
    for stale in (False, True):
        network = torch_backend.small_cnn(initial_weights(0))
        if stale:
            network(torch_backend.to_batch(data.images[:10])).square().sum().backward()
        torch_backend.train(network, data, steps=3, progress=False)
        found.append(torch_backend.weights_of(network))
    assert same_weights(*found)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"batch": 0}, "batches of at least one, got 640 and 0"),
        ({"learning_rate": math.nan}, "finite learning rate of at least 0, got nan"),
        ({"learning_rate": -0.1}, "finite learning rate of at least 0, got -0.1"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(backend, data, arguments, words):
    network = backend.small_cnn(initial_weights(0))
    with pytest.raises(ValueError, match=words):
        backend.train(network, data, steps=2, progress=False, **arguments)
    with pytest.raises(ValueError, match="expected at least one image"):
        backend.train(network, data[:0], steps=2, progress=False)


def test_a_learning_rate_of_0_changes_nothing(backend, data):
    network = backend.small_cnn(initial_weights(0))
    assert backend.train(network, data, steps=3, learning_rate=0, progress=False).stopped == ""
    assert same_weights(backend.weights_of(network), initial_weights(0))


def test_a_leaky_relu_is_not_called_saturated():
    values = np.random.default_rng(0).normal(size=(8, 4, 6, 6))
    assert saturated_share(np.where(values > 0, values, 0.01 * values)) < 0.1


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_half_precision_is_summed_in_full(kind, data):
    network = torch_backend.small_cnn(initial_weights(0))
    batch, labels = torch_backend.to_batch(data.images[:60]), data.labels[:60]
    full = torch_backend.watch(network, batch, labels).finish(0)
    half = torch_backend.watch(network.to(kind), batch, labels).finish(0)
    assert half.layers["conv1"].spread == pytest.approx(full.layers["conv1"].spread, rel=0.02)
    assert half.loss == pytest.approx(full.loss, rel=0.02)


def test_a_constant_input_raises_no_alarm_about_its_spread(data):
    network = torch_backend.small_cnn(initial_weights(0))
    network.conv1.bias.data += 1
    watch = torch_backend.watch(network, torch.full((10, 3, 32, 32), -1.0), data.labels[:10])
    watch.finish(0)
    assert "exploding" not in {one.kind for one in findings(watch.snapshots)}


def test_parametrized_filters_are_watched_and_unchanged(data):
    convolution = nn.utils.parametrizations.spectral_norm(nn.Conv2d(3, 8, 3))
    network = nn.Sequential(convolution, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 6)).train()
    state = {name: value.clone() for name, value in network.state_dict().items()}
    watch = torch_backend.watch(network, torch_backend.to_batch(data.images[:60]), data.labels[:60])
    assert watch.finish(0).layers["0"].gradient > 0
    assert all(torch.equal(network.state_dict()[name], value) for name, value in state.items())


def test_a_dropout_that_always_draws_leaves_the_random_numbers_alone(data):
    class Draws(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.head = nn.Conv2d(3, 8, 3), nn.Linear(8, 6)

        def forward(self, x):
            return self.head(nn.functional.dropout(torch.relu(self.conv(x)).mean(dim=(2, 3)), 0.5))

    before = torch.random.get_rng_state()
    network = Draws()
    torch.random.set_rng_state(before)
    torch_backend.watch(network, torch_backend.to_batch(data.images[:10]), data.labels[:10]).finish(0)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_frozen_later_or_separable_layers_have_no_gradient_keras(data):
    keras_backend = pytest.importorskip("days.day18.code.keras_backend")
    keras = keras_backend.keras
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(4, 3, activation="relu", name="one"),
            layers.SeparableConv2D(6, 3, activation="relu", name="two"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(6),
        ]
    )
    watch = keras_backend.watch(network, keras_backend.to_batch(data.images[:60]), data.labels[:60])
    first = watch.finish(0).layers
    assert first["one"].gradient > 0
    assert math.isnan(first["two"].gradient)
    network.get_layer("one").trainable = False
    assert math.isnan(watch.finish(1).layers["one"].gradient)


def test_stopped_in_the_last_step_is_not_stopped(data):
    network = torch_backend.small_cnn(initial_weights(0))
    assert torch_backend.train(network, data, steps=4, callback=PressStop(3), progress=False).stopped == ""


def test_a_dashboard_takes_any_title_and_nothing_to_draw(stored):
    from days.common.figures import picture_bytes
    from days.day18.code.explorer import Dashboard

    Dashboard(Watch(lambda: None, every=5)).draw()
    assert picture_bytes(viz.draw_dashboard(stored["honest"][:2], [], "a $x^{ b$"))


def test_no_color_of_a_star_runs_over_its_tips():
    """Where the outline is far, the background of the same image without an object is all there is."""
    from days.common.datasets import _star

    y, x = np.mgrid[-3:3:0.01, -3:3:0.01]
    distance, radius = _star(x, y), np.hypot(x, y)
    assert (distance[radius > 1.673 + 0.01] > 0).all()
    assert (distance >= radius - 1.673 - 1e-6).all()
