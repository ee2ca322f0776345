"""Day 23, the clinic: planted faults, detectors that are graded against the key, the operation, both frameworks."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from days.common.datasets import make_shapes
from days.common.exercises import CORRECT, NOT_QUITE
from days.common.paths import REPO_ROOT
from days.day23.code import detectors, diagnosis, exercises, limits, network, patients
from days.day23.code import squeezenet_patients as large
from days.day23.code.diagnosis import grade
from days.day23.code.finding import Finding
from days.day23.code.network import LAYERS, SETTINGS, RunSettings
from days.day23.code.patients import FILTER_KINDS, KINDS, RUN_KINDS, WARD, Fault, Key, admit

WARD_IMAGES = network.ward_images().images
ROUNDING = 1e-5


@pytest.fixture(scope="module", params=["torch", "keras"])
def backend(request):
    if request.param == "keras":
        pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    return importlib.import_module(f"days.day23.code.{request.param}_backend")


@pytest.fixture(scope="module")
def new_images():
    return make_shapes(300, seed=77).images


@cache
def examined(seed, kind=None):
    patient, key = admit(seed, kind)
    return diagnosis.examine(patient, WARD_IMAGES), key


def off_by(got: np.ndarray, wanted: np.ndarray) -> float:
    assert got.shape == wanted.shape
    return float(np.abs(got - wanted).max() / np.abs(wanted).max())


# ------------------------------------------------------------ graded against the key


@pytest.fixture(scope="module")
def fifty():
    """The patients that no threshold was set on."""
    return diagnosis.tally(examined(seed) for seed in range(100, 150))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*KINDS, "all"])
def test_fifty_new_patients_are_diagnosed_to_95_percent(fifty, kind):
    assert fifty[kind].right >= 8
    assert fifty[kind].precision >= 0.95, fifty[kind].false_alarms
    assert fifty[kind].recall >= 0.95, fifty[kind].missed


@pytest.mark.slow
def test_the_fifty_are_given_no_other_findings(fifty):
    assert set(fifty) == {*KINDS, "all"}


def test_healthy_networks_get_a_clean_bill():
    found = [finding for seed in range(200, 220) for finding in examined(seed, "healthy")[0]]
    assert len(found) <= 1, found


@pytest.mark.parametrize("kind", KINDS)
def test_a_patient_of_one_kind_has_that_kind_and_no_other(kind):
    for seed in (300, 301):
        findings, key = examined(seed, kind)
        assert {fault.kind for fault in key.faults} == {kind}
        assert grade(findings, key)[kind].recall == 1


@pytest.mark.slow
def test_faults_do_not_share_a_channel_and_every_cause_is_drawn():
    causes = set()
    for seed in range(100, 150):
        faults = examined(seed)[1].faults
        places = [(one.layer, channel) for one in faults for channel in one.channels]
        assert len(set(places)) == len(places)
        causes |= {one.cause for one in faults}
    assert len(causes) == 3 + 4 + 1 + 1 + 1 + 1 + 3


def test_a_grade_counts_pairs_in_either_order_and_names_what_is_wrong():
    key = Key("x", (Fault("redundant", "conv1", (4, 2), "exact copy"), Fault("dead", "conv1", (1,), "zero weights")))
    found = [
        Finding("redundant", (("conv1", (2, 4)),), "weights", "pair"),
        Finding("dead", (("conv2", (1,)),), "data", "d"),
    ]
    grades = grade(found, key)
    assert (grades["redundant"].precision, grades["redundant"].recall) == (1, 1)
    assert (grades["dead"].precision, grades["dead"].recall) == (0, 0)
    assert grades["dead"].missed == ("conv1 1: dead (zero weights)",)
    assert grades["dead"].false_alarms == ("d",)
    assert grade([], Key("x", ())) == {}
    twice = diagnosis.tally([(found, key), ([], key)])
    assert (twice["redundant"].right, len(twice["redundant"].missed), twice["all"].right) == (1, 1, 1)


def test_new_findings_leaves_out_what_was_there_before_whatever_its_words():
    one, other = (Finding("dead", (("a", (c,)),), "data", "w") for c in (1, 2))
    before = [Finding("dead", (("a", (1,)),), "theorem", "v")]
    assert diagnosis.new_findings([one, other], before) == [other]


# ------------------------------------------------------------ patients


def test_a_seed_makes_one_patient_and_another_seed_another():
    (one, key), (same, same_key), (other, _) = admit(7), admit(7), admit(8)
    assert key == same_key
    assert one.sealed_settings == same.sealed_settings
    for layer in LAYERS:
        np.testing.assert_array_equal(one.weights[layer][0], same.weights[layer][0])
    assert one.weights["conv1"][0].tobytes() != other.weights["conv1"][0].tobytes()


@pytest.mark.parametrize("place", [0, 1])
def test_a_disguise_without_jitter_changes_no_score(place, new_images):
    weights = network.healthy_networks()[place]
    other = patients.disguised(weights, np.random.default_rng(5), jitter=0.0)
    assert off_by(other["conv1"][0], weights["conv1"][0]) > 0.1
    changed, most = diagnosis.predictions_changed(*(network.run(one, new_images).scores for one in (weights, other)))
    assert changed == 0
    assert most < ROUNDING


def test_nothing_but_its_faults_lies_between_a_patient_and_the_weights_before_them():
    (patient, key), before = admit(8), patients.before_faults(8)
    changed = {
        (layer, int(channel))
        for layer in LAYERS
        for channel in np.flatnonzero((patient.weights[layer][0] != before[layer][0]).any(axis=(1, 2, 3)))
    } | {
        (layer, int(channel))
        for layer in LAYERS
        for channel in np.flatnonzero(patient.weights[layer][1] != before[layer][1])
    }
    assert changed == {(fault.layer, fault.channels[-1]) for fault in key.faults if fault.layer}


def test_planting_leaves_the_healthy_weights_alone():
    before = [values.copy() for values, _ in network.healthy_networks()[0].values()]
    patients.plant(network.healthy_networks()[0], FILTER_KINDS, np.random.default_rng(0))
    for values, (after, _) in zip(before, network.healthy_networks()[0].values(), strict=True):
        np.testing.assert_array_equal(values, after)


def test_a_tuned_filter_answers_its_own_image_most():
    patient, key = admit(300, "tuned to one image")
    (fault,) = key.faults
    maps = network.run(patient.weights, WARD_IMAGES).activations[fault.layer][:, fault.channels[0]]
    assert maps.sum(axis=(1, 2)).argmax() == fault.number


# ------------------------------------------------------------ stored patients


def test_the_stored_patients_are_those_that_the_command_makes(tmp_path):
    command = [sys.executable, "-m", "days.day23.code.patients"]
    for folder in ("one", "two"):
        subprocess.run([*command, tmp_path / folder], cwd=REPO_ROOT, check=True, capture_output=True)
    for name in WARD:
        files = [tmp_path / folder / f"patients/{name}.safetensors" for folder in ("one", "two")]
        assert files[0].read_bytes() == files[1].read_bytes()
        made, stored = patients.load_patient(files[0]), patients.load_patient(name)
        assert (made.name, made.sealed_settings) == (stored.name, stored.sealed_settings)
        np.testing.assert_allclose(made.record, stored.record, rtol=1e-4, atol=1e-5)
        for layer, (values, bias) in stored.weights.items():
            np.testing.assert_allclose(made.weights[layer][0], values, rtol=1e-4)
            np.testing.assert_allclose(made.weights[layer][1], bias, rtol=1e-4)
        made, stored = patients.load_key(tmp_path / f"one/keys/{name}.json"), patients.load_key(name)
        assert [one.channels for one in made.faults] == [one.channels for one in stored.faults]


@pytest.mark.parametrize("name", WARD)
def test_stored_patients_are_small_and_diagnosed(name):
    assert (patients.CLINIC / f"patients/{name}.safetensors").stat().st_size < 150_000
    key = patients.load_key(name)
    grades = grade(diagnosis.examine(patients.load_patient(name), WARD_IMAGES), key)
    assert bool(grades) == (name != "06")
    assert all(one.precision == one.recall == 1 for one in grades.values())


def test_between_them_the_stored_patients_show_every_kind():
    assert {fault.kind for name in WARD for fault in patients.load_key(name).faults} == set(KINDS)


@pytest.mark.parametrize("name", WARD)
def test_no_patient_file_says_what_is_wrong(name):
    raw = (patients.CLINIC / f"patients/{name}.safetensors").read_bytes()
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    metadata, names = header.pop("__metadata__"), set(header)
    healthy = patients.load_patient("06")
    assert names == {"record", "scores.weight", "scores.bias"} | {
        f"{layer}.{part}" for layer in LAYERS for part in ("weight", "bias", "mean", "variance")
    }
    assert set(metadata) == {"patient"}
    words = {one for fault in patients.load_key(name).faults for one in (fault.kind, fault.cause)}
    assert not [one for one in words if one.encode() in raw]
    assert name == "06" or healthy.sealed_settings not in metadata["patient"]


@pytest.mark.parametrize("content", [b"", b"not a patient", None])
def test_a_file_that_is_no_patient_says_so(tmp_path, content):
    from safetensors.numpy import save

    (tmp_path / "x").write_bytes(save({"conv1": np.zeros(3)}) if content is None else content)
    with pytest.raises(ValueError, match=r"x holds no patient .*python -m days.day23.code.patients"):
        patients.load_patient(tmp_path / "x")
    with pytest.raises(ValueError, match=r"x holds no key .*python -m"):
        patients.load_key(tmp_path / "x")


def test_missing_patients_and_keys_say_which_there_are():
    for load in (patients.load_patient, patients.load_key):
        with pytest.raises(FileNotFoundError, match=r"no file 07: there are 01, 02, .*python -m"):
            load("07")
    with pytest.raises(FileNotFoundError, match=r"python -m days.day23.code.network makes it"):
        network.healthy_networks(REPO_ROOT / "nothing")


# ------------------------------------------------------------ dead


def test_dead_on_a_batch_on_the_data_and_everywhere_are_told_apart():
    maps = np.zeros((20, 4, 2, 2), np.float32)
    maps[:, 0] = 1
    maps[17, 1, 1, 1] = 1
    found = detectors.dead_channels(maps, batch=16, largest=np.array([5.0, 3.0, 2.0, -0.1]))
    assert [one.tolist() for one in (found.on_batch, found.on_data, found.everywhere)] == [[1, 2, 3], [2, 3], [3]]
    assert detectors.dead_channels(maps).everywhere.size == 0


def test_the_first_layers_bounds_are_reached_by_the_image_of_the_signs():
    values, bias = network.healthy_networks()[0]["conv1"]
    least, most = detectors.bounds({"conv1": (values, bias)})["conv1"]
    for sign, bound in ((1, most), (-1, least)):
        answers = network.convolve(sign * np.sign(values), values, bias)[..., 3, 3]
        np.testing.assert_allclose(np.diag(answers), bound, rtol=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_no_input_that_a_search_finds_leaves_the_bounds(seed):
    generator = np.random.default_rng(seed)
    weights, _ = patients.plant(network.healthy_networks()[seed % 2], ["dead", "noise"], generator)
    limits = detectors.bounds(weights)
    images = generator.random((60, 12, 12, 3)).round().astype(np.float32)
    for _ in range(25):  # climb towards the most that one channel of the last layer answers
        before = network.run(weights, images).before
        for layer, maps in before.items():
            assert (maps.max(axis=(0, 2, 3)) <= limits[layer][1]).all()
            assert (maps.min(axis=(0, 2, 3)) >= limits[layer][0]).all()
        best = images[before["conv3"][:, seed].max(axis=(1, 2)).argmax()]
        flips = generator.random(images.shape) < 0.05
        images = np.where(flips, 1 - best, best).astype(np.float32)


def test_bounds_follow_branches_that_are_laid_one_behind_the_other():
    one = np.ones((1, 1, 1, 1))
    weights = {"a": (one, np.array([1.0])), "b": (2 * one, np.array([0.0])), "c": (-one, np.array([0.5]))}
    weights["d"] = (np.array([[[[1.0]], [[10.0]]]]), np.array([0.0]))
    found = detectors.bounds(weights, 0, 3, {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")})
    assert [round(float(most[0]), 3) for _, most in found.values()] == [4, 8, 0.5, 13]
    assert found["c"][0][0] == pytest.approx(-3.5, abs=1e-4)


# ------------------------------------------------------------ redundant, noise, exploded


@pytest.mark.parametrize(
    ("scale", "noise", "found"),
    [(1, 0, True), (1, 0.1, True), (3, 0, True), (-1, 0, True), (1, 0.6, False), (0, 0, False)],
)
def test_redundant_pairs_are_told_by_direction(scale, noise, found):
    generator = np.random.default_rng(0)
    filters = generator.standard_normal((5, 4, 3, 3))
    filters[4] = scale * filters[1] + noise * generator.standard_normal((4, 3, 3))
    pairs = detectors.redundant_pairs(filters)
    assert [(one.first, one.second) for one in pairs] == ([(1, 4)] if found else [])
    if found:
        assert pairs[0].scale == pytest.approx(scale, abs=0.1)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_filters_that_are_zero_or_not_finite_are_nobodys_twins(value):
    filters = np.random.default_rng(0).standard_normal((4, 2, 3, 3))
    filters[1] = filters[2] = value
    assert detectors.redundant_pairs(filters) == []
    assert np.isnan(detectors.correlated_neighbors(np.where(np.isinf(filters), 0, filters))[1])


def test_other_biases_make_other_filters_and_huge_ones_no_twins():
    filters = np.ones((2, 1, 1, 2)) * [[[[1.0, 2.0]]]]
    assert detectors.redundant_pairs(filters, np.array([0.1, 0.1]))
    assert not detectors.redundant_pairs(filters, np.array([5.0, -5.0]))
    different = np.random.default_rng(0).standard_normal((6, 4, 3, 3))
    assert not detectors.redundant_pairs(different, np.full(6, -1e5))


@pytest.mark.parametrize("layer", LAYERS)
def test_noise_in_a_layer_has_a_closeness_of_zero_give_or_take_one(layer):
    filters = network.healthy_networks()[1][layer][0].copy()
    found, generator = [], np.random.default_rng(3)
    for _ in range(60):
        filters[0] = generator.standard_normal(filters[0].shape)
        found.append(detectors.closeness(filters)[0])
    assert abs(np.mean(found)) < 0.5
    assert 0.7 < np.std(found) < 1.3
    assert np.median(detectors.closeness(filters)[1:]) > detectors.A_FAMILY


@pytest.mark.parametrize("shape", [(16, 3, 7, 7), (32, 16, 3, 3), (40, 64, 1, 1)])
def test_where_all_is_noise_nobody_can_be_named(shape):
    assert detectors.noise_filters(np.random.default_rng(1).standard_normal(shape)).size == 0


def test_exploded_filters_are_told_by_their_length():
    filters = np.ones((6, 2, 3, 3))
    filters[1], filters[2], filters[3], filters[4] = 1e5, np.inf, np.nan, 0
    assert detectors.exploded_filters(filters).tolist() == [1, 2, 3]
    assert detectors.exploded_filters(np.zeros((3, 2, 3, 3))).size == 0
    assert detectors.exploded_filters(np.ones((3, 2, 3, 3)), np.array([0, np.nan, 1e9])).tolist() == [1]


@pytest.mark.parametrize(
    ("layer", "part", "which", "value"),
    [
        ("conv1", 0, slice(2, 3), np.nan),
        ("conv2", 1, slice(2, 3), np.inf),
        ("conv3", 0, slice(None), np.nan),
        ("conv3", 1, slice(None), np.nan),
    ],
)
def test_what_is_not_finite_is_named_and_hides_nothing_in_other_layers(layer, part, which, value):
    patient, key = admit(124)
    pair = [one.copy() for one in patient.weights[layer]]
    pair[part][which] = value
    found = diagnosis.examine(replace(patient, weights={**patient.weights, layer: tuple(pair)}), WARD_IMAGES)
    spoiled = {one.channels[0] for one in found if "not finite" in one.words and one.layer == layer}
    assert spoiled == set(range(len(pair[1]))[which])
    others = Key("", tuple(fault for fault in key.faults if fault.layer != layer))
    assert others.faults
    assert all(one.recall == 1 for kind, one in grade(found, others).items() if kind in ("noise", "redundant"))


def test_exploded_filters_are_brought_back_to_size(new_images):
    patient, key = admit(300, "exploded")
    (fault,) = key.faults
    treated = diagnosis.deflated(patient.weights, fault.layer, fault.channels)
    assert detectors.exploded_filters(treated[fault.layer][0]).size == 0
    assert np.isfinite(network.run(treated, new_images).scores).all()
    assert diagnosis.deflated(patient.weights, "conv1", []) is patient.weights


# ------------------------------------------------------------ distributions


def test_tuned_filters_and_their_images_are_named():
    maps = np.random.default_rng(0).random((30, 3, 2, 2)).astype(np.float32)
    maps[:, 1] = 0
    maps[12, 1] = 5
    maps[:, 2] = 0
    assert detectors.tuned_to_one_image(maps) == {1: 12}
    np.testing.assert_allclose(detectors.peak_shares(maps)[1:], [1, 0])


def test_drift_is_held_image_by_image_and_sees_what_distributions_do_not():
    before = np.random.default_rng(0).standard_normal((40, 3, 4, 4))
    means = [maps.mean(axis=(2, 3)) for maps in (before, before[::-1])]
    assert detectors.paired_drift(means[0], means[0]) == 0
    assert detectors.paired_drift(*means) > 0.5


# ------------------------------------------------------------ how it is run


@pytest.mark.parametrize("how", SETTINGS, ids=str)
def test_every_way_of_running_is_told_from_the_answers_to_the_chart(how):
    patient = patients.patient_of(network.healthy_networks()[0], how)
    kinds = {one.kind for one in diagnosis.examine_run(patient)}
    wanted = {RUN_KINDS[0]} if how.batch_norm_training else set()
    assert kinds == wanted | ({RUN_KINDS[1]} if how.preprocessing != "as trained" else set())


def test_what_no_known_cause_explains_is_called_unknown():
    patient = patients.patient_of(network.healthy_networks()[0])
    moved = patient.record + patient.record.std(axis=1, keepdims=True)
    (found,) = diagnosis.examine_run(replace(patient, record=moved))
    assert found.kind == "drift of unknown cause"


def test_only_batch_norm_in_training_mode_lets_an_image_depend_on_its_company():
    weights = network.healthy_networks()[0]
    assert diagnosis.company(patients.patient_of(weights), WARD_IMAGES) < ROUNDING
    assert diagnosis.company(patients.patient_of(weights, RunSettings(batch_norm_training=True)), WARD_IMAGES) > 0.1


# ------------------------------------------------------------ the operation


def operated(seed, kind, chosen, images):
    """Predictions changed by cutting out what the key's faults of a cause were, or None where there is none."""
    (findings, key), weights = examined(seed, kind), admit(seed, kind)[0].weights
    causes = {tuple(sorted(fault.channels)): fault.cause for fault in key.faults}
    findings = [one for one in findings if chosen(one, causes[one.channels])]
    done = diagnosis.ablate(weights, findings)
    if not done.done:
        return None
    return diagnosis.predictions_changed(*(network.run(one, images).scores for one in (weights, done.weights)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "chosen", "changed", "most"),
    [
        ("dead", lambda one, cause: one.sure == "theorem", 0, ROUNDING),
        ("redundant", lambda one, cause: cause in ("exact copy", "scaled copy"), 0, ROUNDING),
        ("dead", lambda one, cause: one.sure == "data", 1, 0.02),
        ("redundant", lambda one, cause: cause == "near copy", 30, 0.5),
    ],
    ids=["proven dead", "exact or scaled copy", "dead on the data", "near copy"],
)
def test_cutting_out_what_is_dead_or_redundant_changes_predictions_as_little_as_promised(
    kind, chosen, changed, most, new_images
):
    found = [operated(seed, kind, chosen, new_images) for seed in range(100, 110)]
    found = [one for one in found if one]
    assert len(found) >= 3
    assert max(count for count, _ in found) <= changed
    assert max(change for _, change in found) <= most


def test_an_operation_shrinks_the_network_and_leaves_opposite_twins():
    findings, patient = examined(24)[0], admit(24)[0]
    done = diagnosis.ablate(patient.weights, findings)
    assert [one.split(":")[0] for one in done.done] == ["conv2 15"]
    assert len(done.left) == 1
    assert "of the other sign" in done.left[0]
    assert len(done.weights["conv2"][1]) == len(patient.weights["conv2"][1]) - 1
    assert done.weights["conv3"][0].shape[1] == len(done.weights["conv2"][1])
    assert diagnosis.ablate(patient.weights, findings, ["noise"]).done == ("conv3 23: cut out (noise)",)


# ------------------------------------------------------------ wrong predictions, overfitting


def test_wrong_predictions_are_sorted_by_where_the_network_looked():
    masks = np.zeros((4, 8, 8), bool)
    masks[:, 2:6, 2:6] = True
    maps = np.ones((4, 8, 8))  # the first as chance would have it: a quarter on the object
    maps[1, 0, 0] = 2
    maps[2:, 3, 3] = 2
    scores = np.eye(3)[[1, 1, 1, 0]]
    found = diagnosis.wrong_predictions(scores, np.zeros(4, int), maps, masks)
    assert [one.tolist() for one in found] == [[0, 1], [2]]


def test_a_filter_that_knows_the_training_images_alone_has_a_gap():
    generator = np.random.default_rng(0)
    labels = np.arange(120) % 3
    seen, new = (generator.random((120, 3, 2, 2)) for _ in range(2))
    for maps, knows in ((seen, (0, 1)), (new, (1,))):  # filter 0 has learned by heart, 1 has understood, 2 neither
        for channel in knows:
            maps[labels == 1, channel] += 3
    gap = diagnosis.activation_gap(seen, new, labels, labels)
    assert gap[0] > 1.5
    assert np.abs(gap[1:]).max() < 0.5


# ------------------------------------------------------------ both frameworks


@pytest.mark.parametrize("how", SETTINGS, ids=str)
def test_run_is_numpys_in_both_frameworks(backend, how):
    patient, _ = admit(203, "healthy")
    ours, theirs = (
        one.run(patient.weights, WARD_IMAGES[:12], statistics=patient.statistics, settings=how)
        for one in (network, backend)
    )
    assert off_by(theirs.scores, ours.scores) < 1e-4
    for layer in LAYERS:
        assert off_by(theirs.before[layer], ours.before[layer]) < 1e-4


def test_run_needs_no_statistics_and_running_twice_gives_the_same(backend):
    patient, _ = admit(203, "healthy")
    ours = network.run(patient.weights, WARD_IMAGES[:5]).scores
    assert off_by(backend.run(patient.weights, WARD_IMAGES[:5]).scores, ours) < 1e-4
    how = {"statistics": patient.statistics, "settings": RunSettings(batch_norm_training=True)}
    first, second = (backend.run(patient.weights, WARD_IMAGES[:5], **how).scores for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", WARD)
def test_a_diagnosis_is_the_same_in_both_frameworks(backend, name):
    patient = patients.load_patient(name)
    ours, theirs = (diagnosis.examine(patient, WARD_IMAGES, run=one.run) for one in (network, backend))
    assert [(one.kind, one.layer, one.channels, one.sure) for one in theirs] == [
        (one.kind, one.layer, one.channels, one.sure) for one in ours
    ]


def test_a_patient_is_a_model_that_day_22_explains(backend):
    day22 = importlib.import_module(backend.__name__.replace("day23", "day22"))
    patient, image = patients.load_patient("02"), WARD_IMAGES[3]
    model = backend.clinic_model(patient.weights, patient.statistics)
    scores = network.run(patient.weights, image[None]).scores
    assert off_by(np.asarray(model.logits(model.preprocess(image))), scores) < 1e-4
    assert model.predict(image, top=1)[0][0] == model.categories[scores.argmax()]
    number = int(scores.argmax())
    found = day22.grad_cam(model.network, model.preprocess(image), "conv3_activation", number, signed=True)
    maps = network.run(patient.weights, image[None]).activations["conv3"][0]
    # Behind conv3 come a mean and one linear layer, where Grad-CAM is CAM.
    cam = np.einsum("c,chw->hw", patient.weights["scores"][0][number], maps) / maps[0].size
    assert off_by(found, cam) < 1e-4


# ------------------------------------------------------------ SqueezeNet


@pytest.fixture(scope="module")
def well(backend):
    return large.examine_squeezenet(large.healthy_squeezenet(), backend.squeezenet_answers)


def test_a_healthy_squeezenet_shows_what_its_page_says(well):
    said = [(one.kind, one.layer, one.channels) for one in well if one.kind != "redundant"]
    assert said == [("dead", "fire5.expand1x1", (9,))]
    pairs = [one for one in well if one.kind == "redundant"]
    assert len(pairs) == 5
    assert all(one.layer == "conv1" and one.scale < 0 for one in pairs)


@pytest.mark.slow
def test_faults_in_squeezenet_are_found(backend, well):
    def examined(seed):
        weights, key = large.admit_squeezenet(seed, backend.squeezenet_answers)
        found = large.examine_squeezenet(weights, backend.squeezenet_answers)
        return diagnosis.new_findings(found, well), key

    found = diagnosis.tally(examined(seed) for seed in range(100, 106))
    assert set(found) == {*large.KINDS, "all"}
    assert all(found[kind].right >= 6 for kind in large.KINDS)
    assert found["all"].precision >= 0.95, found["all"].false_alarms
    assert found["all"].recall >= 0.95, found["all"].missed


def test_squeezenets_bounds_hold_and_its_model_is_the_courses(backend, squeezenet):
    weights = large.healthy_squeezenet()
    answers = backend.squeezenet_answers(weights, large.LAYERS)
    for layer, (least, most) in large.squeezenet_bounds(weights).items():
        if layer in answers:
            assert (answers[layer].max(axis=(0, 2, 3)) <= most).all()
            assert (answers[layer].min(axis=(0, 2, 3)) >= least).all()
    model, photo = backend.squeezenet_model(weights), large.photos()[0]
    wanted = squeezenet.logits(squeezenet.preprocess(photo))
    assert off_by(np.asarray(model.logits(model.preprocess(photo))), wanted) < 1e-4


def test_the_sites_are_the_layers_that_are_families():
    layers = {name: one[0] for name, one in large.healthy_squeezenet().items() if one[0].shape[-1] == 3}
    medians = {name: np.median(detectors.closeness(one)) for name, one in layers.items()}
    assert {name for name, one in medians.items() if one >= detectors.A_FAMILY} == set(large.SITES)


def test_squeezenets_bounds_know_which_channels_a_layer_hears():
    weights = dict(large.healthy_squeezenet())
    weights["fire2.expand1x1"] = (np.zeros((64, 16, 1, 1)), np.full(64, -1.0))
    values = np.zeros((16, 128, 1, 1))
    values[:8, :64] = values[8:, 64:] = 1
    weights["fire3.squeeze"] = (values, np.full(16, 0.5))
    most = large.squeezenet_bounds(weights)["fire3.squeeze"][1]
    np.testing.assert_allclose(most[:8], 0.5, rtol=1e-2)
    assert most[8:].min() > 1000


@pytest.mark.parametrize("layers", [[], ["conv10"], ["fire1"]])
def test_squeezenet_patients_refuse_other_layers(layers):
    with pytest.raises(ValueError, match=r"expected layers out of conv1, "):
        large.admit_squeezenet(0, lambda weights, layers: {}, layers)


# ------------------------------------------------------------ bad input


MAPS = np.ones((20, 2, 3, 3))
SCORES = np.eye(4)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: admit(0, "flu"), "expected a kind out of dead, .* got 'flu'"),
        (lambda: diagnosis.examine(admit(0)[0], WARD_IMAGES[:19]), "at least 20 images, got 19"),
        (lambda: network.run({}, np.zeros((8, 8, 3))), r"\(N, H, W, 3\).*\[None\]"),
        (lambda: network.run({}, np.zeros((0, 8, 8, 3))), r"\(N, H, W, 3\)"),
        (lambda: network.run({}, np.full((1, 8, 8, 3), 255.0)), "from 0 to 1, got 255"),
        (lambda: network.run({}, np.full((1, 8, 8, 3), np.nan)), "from 0 to 1, got nan"),
        (lambda: network.run({}, WARD_IMAGES, settings=SETTINGS[-1]), "expected statistics"),
        (lambda: detectors.dead_channels(MAPS, batch=0), "at least 1 image, got 0"),
        (lambda: detectors.dead_channels(MAPS, largest=np.ones(3)), "each of 2 channels, got 3"),
        (lambda: detectors.bounds({}, 1, -1), "expected low <= high"),
        (lambda: detectors.redundant_pairs(np.ones((3, 4))), r"\(out, in, kh, kw\), got \(3, 4\)"),
        (lambda: detectors.tuned_to_one_image(MAPS[:5]), "at least 20 images, got 5"),
        (lambda: detectors.peak_shares(MAPS[0]), r"got \(2, 3, 3\): keep the batch axis"),
        (lambda: detectors.paired_drift(np.ones((3, 2)), np.ones((2, 2))), "of the same images"),
        (lambda: diagnosis.ablate({}, [], "dead"), "expected kinds out of dead, "),
        (lambda: diagnosis.predictions_changed(SCORES, SCORES[:2]), r"\(4, 4\) and \(2, 4\)"),
        (lambda: diagnosis.predictions_changed(SCORES, SCORES * np.inf), "expected finite scores"),
        (lambda: diagnosis.wrong_predictions(SCORES, [0], [], []), "as many labels, maps and masks as scores, 4"),
        (lambda: diagnosis.activation_gap(MAPS, MAPS, [0] * 20, [0] * 20), "two or more categories"),
        (lambda: diagnosis.activation_gap(MAPS, MAPS, [0, 1], [0, 1]), r"each of 20 images, got \(2,\)"),
        (lambda: diagnosis.activation_gap(MAPS, MAPS[:, :1], [0, 1] * 10, [0, 1] * 10), "got 2 and 1 channels"),
        (lambda: patients.settings_of(patients.Patient("x", {}, {}, MAPS, "y")), "a seal that is not its own"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_bad_input_gets_one_clear_error(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_the_backends_refuse_what_numpy_refuses(backend):
    weights = network.healthy_networks()[0]
    with pytest.raises(ValueError, match="from 0 to 1"):
        backend.run(weights, WARD_IMAGES * 255)
    with pytest.raises(ValueError, match="expected statistics"):
        backend.run(weights, WARD_IMAGES[:2], settings=SETTINGS[-1])


# ------------------------------------------------------------ what the lesson adds


def test_copies_and_noise_are_found_until_they_are_too_faint():
    found = limits.copies_found((0, 0.2, 0.5), seeds=range(3))
    np.testing.assert_array_equal(found, [1, 1, 0])
    found = limits.noise_found((0, 0.3, 1), seeds=range(3))
    np.testing.assert_array_equal(found, [0, 0, 1])


def test_a_patient_is_heard_as_it_is_run_now():
    images = network.ward_images().images[:12]
    ill, _ = patients.admit(0, "batch norm in training mode")
    well, _ = patients.admit(6, "healthy")
    rightly = [network.run(one.weights, images).scores for one in (ill, well)]
    assert np.abs(patients.scores(ill, images) - rightly[0]).max() > 0.1
    np.testing.assert_array_equal(patients.scores(well, images), rightly[1])


def test_every_way_of_running_is_held_against_what_is_observed():
    patient, _ = patients.admit(8)
    remains = diagnosis.explanations(patient, diagnosis.observe(patient))
    assert set(remains) == set(network.SETTINGS)
    assert [how for how, left in remains.items() if left < diagnosis.EXPLAINED] == [patients.settings_of(patient)]


def test_a_network_that_crammed_shows_larger_gaps():
    from days.day23.code.lesson import Lesson

    gaps = Lesson().gaps(count=150)
    assert np.median(gaps["300 images"]) > 3 * np.median(gaps["12,000 images"]) > 0


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        (("dead", 4), r"expected \('dead', layer, channel, evidence\), got \('dead', 4\)"),
        (("asleep", "conv1", 4), "begins with a kind out of dead, redundant, .* got \\('asleep'"),
        (("redundant", "conv2", 3), r"expected \('redundant', layer, channel, channel, evidence\), got"),
        (("dead", "conv2", 3), r"expected \('dead', layer, channel, evidence\), got"),
        ("wrong preprocessing", r"expected \('wrong preprocessing', evidence\), got"),
        (("batch norm in training mode", False), r"expected \('batch norm in training mode',\), got"),
        (("batch norm in training mode", None), "of your 1 claims none is right"),
        (("dead", "scores", 3, 0.5), "expected a layer out of conv1, conv2, conv3 in a claim, got 'scores'"),
        (("dead", "conv1", 2.5, 0.5), "expected a channel in a claim as a whole number .* got 2.5"),
        (("noise", "conv1", 1, 0.5), "of your 1 claims none is right"),
    ],
    ids=str,
)
def test_a_claim_about_a_patient_is_answered(claim, said):
    verdict = exercises.diagnose_01.check(lambda patient: [claim])
    assert verdict.status == NOT_QUITE
    assert re.search(said, verdict.message)


def test_the_evidence_for_an_exploded_filter_is_how_long_it_is():
    patient = patients.load_patient("04")
    (fault,) = (one for one in patients.load_key("04").faults if one.kind == "exploded")
    lengths = np.linalg.norm(patient.weights[fault.layer][0].reshape(len(patient.weights[fault.layer][1]), -1), axis=1)
    wanted = lengths[fault.channels[0]] / np.median(lengths[lengths > 0])
    assert exercises._proven((fault.kind, fault.layer, *fault.channels), patient, "") == pytest.approx(wanted)


def test_a_mistake_is_named_only_where_its_evidence_is_the_same():
    """The correlation on the first image alone, 0.99648, is no cosine of weights, 0.99647."""

    def first_image(patient):
        before = network.run(patient.weights, network.ward_images().images[:1]).before
        return [
            (*claim[:-1], np.corrcoef(*(before[claim[1]][0, c].ravel() for c in claim[2:4]))[0, 1])
            if claim[0] == "redundant"
            else claim
            for claim in exercises.diagnose_02.solve(patient)
        ]

    verdict = exercises.diagnose_02.check(first_image)
    assert "wrong evidence" in verdict.message
    assert "cosine" not in verdict.message


def test_findings_are_no_claims_and_false_alarms_are_counted():
    solve = exercises.diagnose_01.solve
    findings = diagnosis.examine(patients.load_patient("01"), network.ward_images().images)
    assert exercises.diagnose_01.check(lambda patient: findings).status == NOT_QUITE
    assert exercises.diagnose_01.check(solve).status == CORRECT
    others = [("noise", "conv3", 1, 0.5), ("dead", "conv3", 2, -1.0)]
    verdict = exercises.diagnose_01.check(lambda patient: [*solve(patient), *others])
    assert "false alarms: 2 (dead conv3 2, noise conv3 1)" in verdict.message
    without_evidence = [(*claim[:-1], 0.0) for claim in solve(patients.load_patient("01"))]
    assert "wrong evidence: 3" in exercises.diagnose_01.check(lambda patient: without_evidence).message
