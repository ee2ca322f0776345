"""The microscope: a page for every channel of a CNN, with its grown picture and what it does for the predictions.

    python -m days.microscope
    python -m days.microscope --images photos --layers fire9 --every 8

Data flows one way: source -> walls -> growing -> looking and wiring -> store -> page. `--help` lists the options.
"""
