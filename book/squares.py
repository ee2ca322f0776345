"""Small square pictures of the days for the README, each a part of a stored picture.

python -m book.squares     cuts them anew, into docs/squares/
"""

from __future__ import annotations

from PIL import Image

from days.common.paths import REPO_ROOT

SIDE = 192  # pixels
PARTS = {  # day: a stored picture, and the part's left, top and side as shares of the picture's width
    17: ("09_parts_of_a_cat.jpg", 0.004, 0.026, 0.116),
    18: ("04_filters_over_time.png", 0.068, 0.400, 0.225),
    19: ("05_dreams.jpg", 0.679, 0.055, 0.315),
    20: ("09_gallery_squeezenet.jpg", 0.256, 0.617, 0.209),
    21: ("00_dream.jpg", 0.599, 0.405, 0.327),
    22: ("00_six_methods.jpg", 0.680, 0.080, 0.118),
    23: ("00_filters.png", 0.1305, 0.1825, 0.0510),
    24: ("00_suspects.png", 0.356, 0.050, 0.215),
}


def square(day: int) -> Image.Image:
    """The square picture of a day."""
    name, left, top, side = PARTS[day]
    with Image.open(REPO_ROOT / "days" / f"day{day}" / "outputs" / name) as picture:
        wide = picture.width
        box = (wide * left, wide * top, wide * (left + side), wide * (top + side))
        return picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS, box=box)


def main() -> None:
    """Write all squares."""
    for day in PARTS:
        path = REPO_ROOT / "docs" / "squares" / f"day{day}.jpg"
        path.parent.mkdir(exist_ok=True)
        square(day).save(path, quality=88, optimize=True)
        print(path)


if __name__ == "__main__":
    main()
