"""The start page's small square pictures, cut from the stored figures of the days: python -m days.thumbnails."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from days.common.paths import REPO_ROOT, write_bytes

SIZE = 160
PIECES = {  # day: figure, side of a piece, and the left and top of one piece or of four
    17: ("09_parts_of_a_cat.jpg", 110, [(4, 27), (244, 27), (4, 189), (244, 189)]),
    18: ("04_filters_over_time.png", 48, [(66, 47), (290, 47), (66, 552), (290, 552)]),
    19: ("05_dreams.jpg", 300, [(6, 394)]),
    20: ("09_gallery_squeezenet.jpg", 80, [(206, 491), (460, 582), (545, 582), (460, 675)]),
    21: ("00_dream.jpg", 312, [(511, 389)]),
    22: ("00_six_methods.jpg", 112, [(68, 81), (655, 81), (68, 200), (655, 200)]),
    23: ("00_filters.png", 50, [(5, 176), (65, 176), (125, 176), (185, 176)]),
    24: ("01_swap.png", 146, [(167, 46), (327, 46), (167, 234), (327, 234)]),
}


def thumbnail(day: int) -> Image.Image:
    """A day's picture, SIZE x SIZE: one piece of a figure, or four pieces with a white cross between them."""
    name, side, corners = PIECES[day]
    figure = Image.open(REPO_ROOT / "days" / f"day{day}" / "outputs" / name).convert("RGB")
    pieces = [figure.crop((left, top, left + side, top + side)) for left, top in corners]
    if len(pieces) == 1:
        return pieces[0].resize((SIZE, SIZE), Image.Resampling.LANCZOS)
    sheet, half = Image.new("RGB", (SIZE, SIZE), "white"), SIZE // 2 - 2
    for place, piece in enumerate(pieces):
        resized = piece.resize((half, half), Image.Resampling.LANCZOS)
        sheet.paste(resized, (place % 2 * (half + 4), place // 2 * (half + 4)))
    return sheet


def thumbnail_path(day: int) -> Path:
    """Where a day's picture is stored; the same way up from days/ and from a learner's copies of the notebooks."""
    return REPO_ROOT / "days" / "outputs" / f"day{day}.jpg"


def main() -> None:
    """Store all of them."""
    for day in PIECES:
        data, path = io.BytesIO(), thumbnail_path(day)
        thumbnail(day).save(data, "JPEG", quality=85)
        path.parent.mkdir(exist_ok=True)
        print(write_bytes(path, data.getvalue()))


if __name__ == "__main__":
    main()
