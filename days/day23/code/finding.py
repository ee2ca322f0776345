"""What is found wrong with a network: one form for Day 23's examination and for the X-ray, so that both are graded."""

from __future__ import annotations

from dataclasses import dataclass

Place = tuple[str, tuple[int, ...]]
"""(layer, channels): the one channel of a fault; (kept, its copy) if redundant; none where the whole layer is meant."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, in words and for programs.

    kind : what is wrong: of `patients.KINDS`, or another. places : where, one for each fault of this kind; () says that
    it is the network as a whole. sure : how sure it is; Day 23 says "theorem", "weights" (told from the weights alone)
    or "data" (said of the images that were shown). words : a plain sentence. scale : a copy is about this many times
    the filter that it repeats; 0 for other kinds. For a report: severity, 3 (serious), 2 (worth a look) or 1 (a note);
    title; evidence, lines with the numbers that it rests on; advice, what to try.
    """

    kind: str
    places: tuple[Place, ...]
    sure: str
    words: str
    scale: float = 0.0
    severity: int = 0
    title: str = ""
    evidence: tuple[str, ...] = ()
    advice: str = ""

    @property
    def layer(self) -> str:
        """The layer of the first fault; "" for the whole network."""
        return self.places[0][0] if self.places else ""

    @property
    def channels(self) -> tuple[int, ...]:
        """The channels of the first fault; () for the whole network."""
        return self.places[0][1] if self.places else ()

    @property
    def where(self) -> dict[str, tuple[int, ...]]:
        """All faulty channels, {layer: channels}; of a pair only the copy.

        >>> Finding("redundant", (("conv1", (2, 7)), ("conv1", (2, 5))), "weights", "").where
        {'conv1': (5, 7)}
        """
        named: dict[str, set[int]] = {}
        for layer, channels in self.places:
            named.setdefault(layer, set()).update(channels[-1:])
        return {layer: tuple(sorted(channels)) for layer, channels in named.items()}
