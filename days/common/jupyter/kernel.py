"""What a kernel of `make lab` runs before its first cell: errors are short, and long cells say so, from then on."""

import contextlib

with contextlib.suppress(ImportError):  # a kernel of another environment
    import days  # noqa: F401
