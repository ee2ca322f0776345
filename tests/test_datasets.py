"""The shapes: what the documentation says varies, is independent, and is true to the pixel."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from days.common.datasets import BACKGROUND_NAMES, SHAPE_NAMES, make_shapes

KINDS = len(SHAPE_NAMES)


@pytest.fixture(scope="module")
def many():
    return make_shapes(6000, seed=0)


def test_has_the_documented_form(many):
    assert many.images.shape == (6000, 32, 32, 3)
    assert many.images.dtype == np.float32
    assert many.images.min() >= 0
    assert many.images.max() <= 1
    assert many.masks.shape == (6000, 32, 32)
    assert many.masks.dtype == bool
    assert many.labels.dtype == many.backgrounds.dtype == np.int64
    assert len(many) == 6000
    with pytest.raises(dataclasses.FrozenInstanceError):
        many.labels = None


def test_one_seed_gives_the_same_images_and_another_does_not():
    first, again, other = (make_shapes(300, seed=seed) for seed in (5, 5, 6))
    for field in dataclasses.fields(first):
        np.testing.assert_array_equal(getattr(first, field.name), getattr(again, field.name))
        assert not np.array_equal(getattr(first, field.name), getattr(other, field.name))


def test_leaves_numpys_random_numbers_alone():
    before = np.random.get_state()[1].copy()
    make_shapes(10, seed=0)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_labels_are_equally_frequent_and_independent_of_backgrounds(many):
    assert set(np.bincount(many.labels)) == {1000}
    table = np.histogram2d(many.labels, many.backgrounds, bins=(KINDS, len(BACKGROUND_NAMES)))[0]
    expected = table.sum(1, keepdims=True) * table.sum(0) / table.sum()
    chi_squared = ((table - expected) ** 2 / expected).sum()
    assert chi_squared < 52  # 25 degrees of freedom: exceeded once in a thousand times by chance


@pytest.mark.parametrize("what", ["area", "row", "column", "object red", "background brightness", "noise"])
def test_labels_are_independent_of(many, what):
    """The means of six groups of 1,000 differ by no more than chance allows: an F test at one in a thousand."""
    places = np.arange(32.0)
    area = many.masks.sum(axis=(1, 2)).astype(float)
    values = {
        "area": area,
        "row": (many.masks * places[:, None]).sum(axis=(1, 2)) / area,
        "column": (many.masks * places).sum(axis=(1, 2)) / area,
        "object red": (many.images[..., 0] * many.masks).sum(axis=(1, 2)) / area,
        "background brightness": (many.images.mean(axis=3) * ~many.masks).sum(axis=(1, 2)) / (1024 - area),
        "noise": np.abs(np.diff(many.images[:, :2], axis=1)).mean(axis=(1, 2, 3)),
    }[what]
    groups = np.stack([values[many.labels == label] for label in range(KINDS)])
    between = 1000 * groups.mean(axis=1).var(ddof=1)
    assert between / groups.var(axis=1, ddof=1).mean() < 4.2


@pytest.mark.parametrize("dial", [0.0, 0.25, 0.5, 0.9, 1.0])
def test_the_dial_is_the_share_of_backgrounds_that_go_with_the_label(dial):
    plain, dialed = make_shapes(3000, seed=1), make_shapes(3000, seed=1, background_correlation=dial)
    changed = plain.backgrounds != dialed.backgrounds
    assert (dialed.labels == dialed.backgrounds)[changed].all()
    expected = dial + (1 - dial) / len(BACKGROUND_NAMES)
    assert (dialed.labels == dialed.backgrounds).mean() == pytest.approx(expected, abs=0.03)
    if dial in (0, 1):
        assert ((dialed.labels == dialed.backgrounds).mean() == 1) == (dial == 1)


def test_another_dial_changes_the_backgrounds_and_nothing_else():
    plain, tied = make_shapes(400, seed=3), make_shapes(400, seed=3, background_correlation=1.0)
    half = make_shapes(400, seed=3, background_correlation=0.5)
    np.testing.assert_array_equal(plain.labels, tied.labels)
    np.testing.assert_array_equal(plain.masks, tied.masks)
    same = plain.backgrounds == tied.backgrounds
    np.testing.assert_array_equal(plain.images[same], tied.images[same])
    inside = plain.masks & np.roll(plain.masks, 1, 1) & np.roll(plain.masks, -1, 1)
    inside &= np.roll(inside, 1, 2) & np.roll(inside, -1, 2)
    np.testing.assert_array_equal(plain.images[inside], tied.images[inside])
    assert (half.backgrounds == tied.backgrounds)[half.backgrounds != plain.backgrounds].all()


def test_masks_are_true_to_the_pixel(many):
    """Inside its outline an object has one color but for the noise; just outside it has another."""
    data = many[:600]
    colors = (data.images * data.masks[..., None]).sum(axis=(1, 2)) / data.masks.sum(axis=(1, 2))[:, None]
    distance = np.linalg.norm(data.images - colors[:, None, None], axis=3)
    grown = data.masks.copy()
    shrunk = data.masks.copy()
    for axis in (1, 2):
        for shift in (1, -1):
            grown |= np.roll(data.masks, shift, axis)
            shrunk &= np.roll(data.masks, shift, axis)
    assert np.mean(distance[shrunk]) < 0.1
    assert np.mean(distance[~grown]) > 0.35
    assert not data.masks[:, [0, -1]].any()
    assert not data.masks[:, :, [0, -1]].any()


def test_shapes_of_one_size_have_one_area():
    """Sizes from 0.15 to 0.25 of the side: the mean area is that of a disc, for every shape."""
    data = make_shapes(3000, seed=2, size=64)
    mean_square = (0.15**2 + 0.15 * 0.25 + 0.25**2) / 3
    for label, name in enumerate(SHAPE_NAMES):
        area = data.masks[data.labels == label].mean()
        assert area == pytest.approx(np.pi * mean_square, rel=0.05), name


@pytest.mark.parametrize("size", [16, 33, 64])
def test_any_size(size):
    data = make_shapes(7, seed=0, size=size)
    assert data.images.shape == (7, size, size, 3)
    assert data.masks.any(axis=(1, 2)).all()


def test_some_of_the_images_keep_their_truth(many):
    chosen = many[many.labels == 2][:5]
    assert len(chosen) == 5
    assert set(chosen.labels) == {2}
    with pytest.raises(TypeError, match=r"\[3 : 3 \+ 1\] is one image"):
        many[3]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"count": 0}, "count as a whole number of at least 1, got 0"),
        ({"count": 2.5}, "count as a whole number of at least 1, got 2.5"),
        ({"seed": -1}, "seed as a whole number of at least 0, got -1"),
        ({"seed": None}, "seed as a whole number of at least 0, got None"),
        ({"size": 8}, "size as a whole number of at least 16, got 8"),
        ({"background_correlation": 1.2}, "from 0 to 1, got 1.2"),
        ({"background_correlation": float("nan")}, "from 0 to 1, got nan"),
    ],
)
def test_bad_input_gets_one_clear_error(arguments, words):
    with pytest.raises(ValueError, match=words):
        make_shapes(**{"count": 4, "seed": 0, **arguments})
