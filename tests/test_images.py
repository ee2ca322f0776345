"""Pictures of every kind become the same kind of array, or one clear error."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from days.common.images import IMAGE_NAMES, check_image, load_image

RAMP = np.arange(0, 240, dtype=np.uint8).reshape(10, 8, 3)


@pytest.mark.parametrize("name", IMAGE_NAMES)
def test_bundled_photos(name):
    image = load_image(name)
    assert image.dtype == np.float32
    assert image.ndim == 3
    assert image.min() >= 0
    assert image.max() > 0.8
    assert load_image(name, size=64).shape == (64, 64, 3)


def test_file_array_and_picture_agree(photo_file):
    path = photo_file(RAMP, "ramp.png")
    wanted = RAMP.astype(np.float32) / 255
    for source in (path, str(path), RAMP, Image.open(path), wanted, wanted.astype(np.float64)):
        np.testing.assert_allclose(load_image(source), wanted, atol=1e-6)


def test_gray_and_boolean_become_three_equal_channels(photo_file):
    gray = RAMP[:, :, 0]
    for source in (gray, gray[:, :, None], photo_file(gray, "gray.png")):
        image = load_image(source)
        np.testing.assert_allclose(image, np.repeat(gray[:, :, None] / 255, 3, axis=2), atol=1e-6)
    assert load_image(gray > 100).max() == 1


def test_transparent_pixels_are_laid_on_white(photo_file):
    rgba = np.zeros((2, 2, 4), np.uint8)
    rgba[0, 0] = [255, 0, 0, 255]  # opaque red; all others are black but see-through
    rgba[1, 1] = [0, 0, 0, 51]
    for source in (rgba, photo_file(rgba, "rgba.png")):
        image = load_image(source)
        np.testing.assert_allclose(image[0, 0], [1, 0, 0], atol=1e-6)
        np.testing.assert_allclose(image[0, 1], 1, atol=1e-6)
        np.testing.assert_allclose(image[1, 1], 0.8, atol=1e-2)


def test_palette_with_a_transparent_color(photo_file):
    picture = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    picture.putpalette([0, 0, 255, 255, 0, 0])
    image = load_image(photo_file(picture, "palette.png", transparency=0))
    np.testing.assert_allclose(image[0], [[1, 1, 1], [1, 0, 0]], atol=1e-6)


def test_sixteen_bits_are_rescaled_and_not_cut_off(photo_file):
    deep = np.array([[0, 32768, 65535]], np.uint16)
    for source in (deep, photo_file(Image.fromarray(deep), "deep.png"), photo_file(Image.fromarray(deep), "deep.tif")):
        np.testing.assert_allclose(load_image(source)[0, :, 0], [0, 0.5, 1], atol=1e-4)


def test_cmyk_and_rotated_jpegs(photo_file):
    red = Image.new("RGB", (8, 4), (255, 0, 0))
    image = load_image(photo_file(red.convert("CMYK"), "cmyk.jpg"))
    assert image.shape == (4, 8, 3)
    assert image[0, 0, 0] > 0.9
    assert image[0, 0, 1] < 0.1
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    assert load_image(photo_file(red, "upright.jpg", exif=exif)).shape == (8, 4, 3)


def test_small_and_large():
    assert load_image(np.full((1, 1, 3), 0.5)).shape == (1, 1, 3)
    assert load_image(np.full((1, 1, 3), 0.5), size=224).shape == (224, 224, 3)
    twenty_megapixels = np.zeros((4000, 5000, 3), np.uint8)
    assert load_image(twenty_megapixels, size=128).shape == (128, 128, 3)


def test_resizing_crops_and_never_stretches():
    wide = np.zeros((10, 30, 3), np.float32)
    wide[:, 10:20] = 1  # the middle square
    np.testing.assert_allclose(load_image(wide, size=10), 1, atol=1e-6)
    assert load_image(wide, size=(20, 60)).shape == (20, 60, 3)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (np.zeros((3, 8, 8)), r"transpose\(1, 2, 0\)"),
        (np.zeros((1, 8, 8, 3)), "drop the batch axis"),
        (np.zeros((8, 8, 2)), "got \\(8, 8, 2\\)"),
        (np.zeros((0, 8, 3)), "with pixels"),
        (np.full((4, 4, 3), np.nan), "finite"),
        (np.full((4, 4, 3), 200.0), "divide by 255"),
        (np.zeros((4, 4, 3), np.int64), "int64"),
        ("no such file.png", "no picture"),
        ("chelsae", "'chelsea'"),
    ],
)
def test_bad_sources(source, said):
    with pytest.raises((ValueError, FileNotFoundError), match=said):
        load_image(source)


@pytest.mark.parametrize("content", [b"", b"no picture at all", None], ids=["empty", "text", "cut short"])
def test_broken_files_name_themselves(content, photo_file, tmp_path):
    path = photo_file((np.random.default_rng(0).random((64, 64, 3)) * 255).astype(np.uint8), "broken.png")
    path.write_bytes(path.read_bytes()[:2000] if content is None else content)
    with pytest.raises(ValueError, match=r"broken\.png is not a readable picture"):
        load_image(path)


@pytest.mark.parametrize("size", [0, -1, (0, 5), 2.5, "224", (1, 2, 3)])
def test_bad_sizes(size):
    with pytest.raises(ValueError, match="size"):
        load_image(RAMP, size=size)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (RAMP, "load_image"),
        (np.zeros((1, 4, 4, 3)), "drop the batch axis"),
        (np.full((4, 4, 3), np.inf), "finite"),
        (np.full((4, 4, 3), 255.0), "divide by 255"),
        ("chelsea", "got str"),
    ],
)
def test_check_image(image, said):
    with pytest.raises(ValueError, match=said):
        check_image(image)


def test_every_shape_and_size_fits_the_crop():
    generator = np.random.default_rng(0)
    for _ in range(300):
        height, width, size = (int(number) for number in generator.integers(1, 600, 3))
        assert load_image(np.zeros((height, width, 3), np.float32), size=min(size, 90)).shape[2] == 3
    assert load_image("chelsea", 73).shape == (73, 73, 3)


@pytest.mark.parametrize("alpha", [np.nan, np.inf, 255, -1])
def test_a_bad_transparency_is_refused(alpha):
    rgba = np.full((2, 2, 4), 0.5)
    rgba[:, :, 3] = alpha
    with pytest.raises(ValueError, match="values"):
        load_image(rgba)


def test_wide_gray_files_keep_one_scale_or_are_refused(photo_file, tmp_path):
    (tmp_path / "dark.pgm").write_bytes(b"P5 1 1 65535 " + (200).to_bytes(2, "big"))
    np.testing.assert_allclose(load_image(tmp_path / "dark.pgm"), 200 / 65535, atol=1e-6)
    for pixels, words in (
        (np.array([[120, 250]], np.int32), "do not say how much is white"),
        (np.array([[120, 260]], np.int32), "do not say how much is white"),
        (np.array([[-5, 9]], np.int32), "do not say how much is white"),
        (np.array([[0.0, 1.2]], np.float32), "expected"),
        (np.array([[0, np.inf]], np.float32), "expected"),
    ):
        with pytest.raises(ValueError, match=words):
            load_image(photo_file(Image.fromarray(pixels), "odd.tif"))
