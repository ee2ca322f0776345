"""A convolution on small arrays as tables of numbers: for a place of the map, the window times the kernel.

Without a script it shows one place; `book.js` shows any other, from the numbers in the tables.
"""

from __future__ import annotations

import numpy as np


def windows(image: np.ndarray, kernel: np.ndarray, answer: np.ndarray) -> str:
    """HTML of image (H, W), kernel (h, w), window times kernel (h, w) and map (H - h + 1, W - w + 1), at one place.

    The place is the first at which the map is largest; its window in the image is marked.
    """
    row, column = (int(place) for place in np.unravel_index(answer.argmax(), answer.shape))
    height, width = kernel.shape
    products = image[row : row + height, column : column + width] * kernel + 0.0  # no minus before a zero
    marked = [(row + y, column + x) for y in range(height) for x in range(width)]
    tables = [
        table("image", image, marked),
        table("kernel", kernel),
        table("window × kernel", products),
        table("feature map", answer, [(row, column)]),
    ]
    said = " + ".join(f"({value:g})" if value < 0 else f"{value:g}" for value in products.flat)
    return (
        '<figure class="windows"><div>'
        + "\n".join(tables)
        + f'</div>\n<p aria-live="polite">row {row + 1}, column {column + 1}: {said} = {answer[row, column]:g}</p>\n'
        "<figcaption>The marked window of the image times the kernel, number by number, sums to the marked place of "
        'the map.<span class="script"> Point at another place of it, or choose it with Tab and the arrow keys.</span>'
        "</figcaption></figure>\n"
    )


def table(name: str, values: np.ndarray, marked=()) -> str:
    """An array (H, W) as a table; positive numbers are red, negative blue, and places (row, column) may be marked."""
    rows = [
        "<tr>"
        + "".join(
            f'<td style="--v:{value:g}"{" class=on" if (row, column) in marked else ""}>{value:g}</td>'
            for column, value in enumerate(line)
        )
        + "</tr>"
        for row, line in enumerate(values)
    ]
    return f"<table><caption>{name} {values.shape}</caption><tbody>{''.join(rows)}</tbody></table>"
