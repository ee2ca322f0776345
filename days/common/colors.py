"""The colors of lines, dots and words in all figures; maps take matplotlib's own color maps."""

INK = "#222222"
MUTED = "#6b6b6b"
ALARM = "#b3261e"
BLUE = "#2f6db5"
ORANGE = "#d9822b"
GREEN = "#2e7d4f"
VIOLET = "#7b4fa3"
