"""How long a test waits before it gives up, in seconds.

A limit is there so that a test which hangs ends at all; nothing may fail for being slow. So each limit is meant to be
at least ten times what a quiet machine with two cores takes. That time stands beside it: LESSON's was measured there,
the others are estimates.
"""

from __future__ import annotations

CELL = 1200  # one cell of a notebook: 20
OUTPUT = 120  # the last output of a cell that has answered: 0.1
KERNEL = 300  # a kernel that starts: 2
LESSON = 1800  # all cells of a notebook in JupyterLab: 65
SERVER = 300  # JupyterLab that starts: 4
OPEN = 300  # a notebook that opens in JupyterLab, with its kernel: 6
WIDGET = 300  # whatever follows a click or a key on a page: 4
REQUEST = 120  # an answer of JupyterLab's server: 0.5
NEWS = 15  # a box that lies over a page without being asked, waited for in vain: 1
STOP = 60  # JupyterLab that ends: 1
COMMAND = 600  # a command in a process of its own: 30
