"""Predictions before surprises: a box with the question, what the learner said and how sure, and what came of it.

A lesson asks with `predict` and answers, in a later cell, with `reveal`, from what that cell has computed. What was
said is kept in the learner's file of progress (`days.common.progress`). Nothing here stops a notebook that runs on.
"""

from __future__ import annotations

import html
import os
import re
import sys
from dataclasses import dataclass, field
from typing import Any

from days.common.folding import Folded, is_folded_cell
from days.common.progress import SURE, note_prediction, predictions

_BOX = "border:1px solid #6b7fa3;border-left-width:5px;border-radius:4px;padding:.4em .9em;margin:.2em 0;max-width:60em"
_asked: dict[str, Prediction] = {}  # the latest last
_held: dict[str, Folded] = {}  # of the cell that runs


@dataclass
class Prediction:
    """A question of a lesson; in a notebook a box, and below it what it takes to answer.

    choices : the possible answers. Without them the answer is a number.
    within : how far a number may be off and still be right.
    """

    name: str
    question: str
    choices: tuple[str, ...] = ()
    within: float | None = None
    _measured: str | None = field(default=None, init=False, repr=False, compare=False)
    _problem: str = field(default="", init=False, repr=False, compare=False)
    _boxes: list = field(default_factory=list, init=False, repr=False, compare=False)
    _controls: Any = field(default=None, init=False, repr=False, compare=False)
    _folded: list[Folded] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self):
        self.choices = tuple(self.choices)
        if not re.fullmatch(r"\d+\.\d+", self.name):
            raise ValueError(f"expected a name such as '17.3' (day and number), got {self.name!r}")
        if (len(set(self.choices)) < 2) == (self.within is None):
            raise ValueError(f"{self.name}: expected two or more choices, or a number and `within`, not both")

    def keep(self, said, sure) -> None:
        """Keep an answer. What is wrong with it, or with the file, is said in the box and is no error."""
        try:
            if "measured" in predictions().get(self.name, {}):
                raise ValueError("this prediction has been measured: what you said first stands")
            note_prediction(self.name, **self._checked(said, sure))
            self._problem = ""
            while self._folded:
                self._folded.pop().unfold()
        except (OSError, ValueError) as error:
            self._problem = f"Not kept: {error}."
        self._settle()

    def measure(self, value: str | float) -> str:
        """Note what the lesson has measured, open the answer's line, and return it."""
        self._measured = value if isinstance(value, str) else f"{value:g}"
        self._settle()
        known = self._known()
        return _said(known) if "measured" in known else f"Measured: {self._measured}"

    def __repr__(self) -> str:
        return "\n".join(filter(None, [f"Predict {self.name}: {self.question}", *self._ways(), self._line()]))

    def _ipython_display_(self) -> None:
        from IPython.display import display

        self._boxes.append(display(self._box(), raw=True, display_id=True))
        if "measured" not in self._known():
            *choices, sure = map(html.escape, self._ways())
            items = "".join(f"<li>{choice}</li>" for choice in choices)
            data = {
                "text/html": f'<div style="{_BOX}"><ul>{items}</ul>{sure}</div>',
                "text/plain": "\n".join(self._ways()),
            }
            display(self._widget() | data, raw=True)

    def _checked(self, said, sure) -> dict:
        said = str(said).strip()
        if self.choices and said not in self.choices:
            raise ValueError(f"expected one of {', '.join(self.choices)}, got {said or 'nothing'}")
        if not self.choices:
            said = f"{_number(said):g}"
        if sure not in SURE:
            raise ValueError(f"expected how sure you are, {', '.join(map(str, SURE))} (%), got {sure or 'nothing'}")
        return {"said": said, "sure": sure}

    def _settle(self) -> None:
        """Hold what was said to what was measured, once there are both, and show it."""
        known = self._known()
        if known and self._measured is not None and "measured" not in known:
            right = known["said"] == self._measured
            if self.within is not None:
                right = abs(_number(known["said"]) - _number(self._measured)) <= self.within
            try:
                note_prediction(self.name, measured=self._measured, right=right)
            except (OSError, ValueError) as error:
                self._problem = f"Not kept: {error}."
        if self._controls and "measured" in self._known():
            self._controls.layout.display = "none"
        for box in self._boxes if self._line() else []:
            box.update(self._box(), raw=True)

    def _known(self) -> dict:
        try:
            return predictions().get(self.name, {})
        except ValueError as error:
            self._problem = f"Not kept: {error}."
            return {}

    def _ways(self) -> list[str]:
        """The choices, or what to type, and how sure one may be, as lines."""
        number = f"A number; up to {self.within:g} away counts as right." if self.within else "A number, exactly."
        return [*(self.choices or [number]), f"How sure are you: {', '.join(map(str, SURE))} %?"]

    def _line(self) -> str:
        return " ".join(filter(None, [_said(self._known()), self._problem]))

    def _box(self) -> dict:
        """The question and what came of it, for Jupyter to display."""
        line = f'<div role="status">{html.escape(self._line())}</div>'
        question = f"<b>Predict {self.name}</b> · {html.escape(self.question)}"
        text = "\n".join(filter(None, [f"Predict {self.name}: {self.question}", self._line()]))
        return {
            "text/html": f'<div class="prediction" style="{_BOX}">{question}{line}</div>',
            "text/plain": text,
        }

    def _widget(self) -> dict:
        """The live controls, for Jupyter to display; {} where there are no widgets.

        Their id is fixed, so that a notebook which is run and stored again stays the same.
        """
        try:
            import ipywidgets
        except ImportError:
            return {}
        if self._controls is None:
            known, how = self._known(), {"layout": {"width": "auto"}, "style": {"description_width": "auto"}}
            shares = [(f"{share} %", share) for share in SURE]
            sure = ipywidgets.RadioButtons(
                options=shares, value=known.get("sure"), description="How sure?", orientation="horizontal", **how
            )
            if self.choices:
                said = ipywidgets.RadioButtons(
                    options=self.choices, value=known.get("said"), description="I say:", **how
                )
            else:
                said = ipywidgets.Text(known.get("said", ""), placeholder="a number", description="I say:", **how)
            button = ipywidgets.Button(description="Keep my prediction", layout={"width": "auto"})
            button.on_click(lambda _: self.keep("" if said.value is None else said.value, sure.value))
            row = {"flex_flow": "row wrap", "align_items": "center", "grid_gap": "0 2em"}
            controls = ipywidgets.HBox([said, sure, button], layout=row)
            self._controls = ipywidgets.VBox([controls], model_id=f"prediction-{self.name.replace('.', '-')}")
            self._controls.add_class("prediction-controls")
        return self._controls._repr_mimebundle_()


def predict(name: str, question: str = "", choices=(), *, within=None, answer=None, sure=None) -> Prediction:
    """Ask for a prediction before a cell shows what is right; at the end of a cell it is a box.

    name : day and number, "17.3".
    choices : two or more texts. Without them the answer is a number, right if it is at most `within` away.
    answer, sure : an answer typed in place of the buttons: `predict("17.3", answer="426", sure=70)`.

    Raises ValueError for a question that cannot be answered, or that was not asked; a learner's answer raises nothing.
    """
    _head_answers()
    if question:
        new = Prediction(name, question, choices, within)
        old = _asked.get(name)
        if old != new:
            if old and old._controls:
                old._controls.close()  # the new ones have the same id
            _asked[name] = new
        _asked[name] = _asked.pop(name)
    elif name not in _asked:
        raise ValueError(f"no prediction {name!r} was asked: run the cell that asks it first")
    if answer is not None:
        _asked[name].keep(answer, sure)
    return _asked[name]


def reveal(name: str, value: str | float) -> None:
    """Print what the lesson has measured, beside what was said, and open the line in the question's box.

    value : the right choice, or a number.
    """
    asked = _asked.get(name)
    print(asked.measure(value) if asked else f"Measured: {value}")


def _head_answers() -> None:
    """From now on, what tells an answer is folded when it runs, too, until the learner has predicted.

    Elsewhere than in JupyterLab a cell with a `reveal` in it prints a heading first: where stored results are folded,
    their first line is still shown, and must not be the answer.
    """
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell and not hasattr(shell, "seeing_cnns_answers"):
        shell.seeing_cnns_answers = True  # the module may be loaded anew
        shell.events.register("pre_run_cell", lambda cell: _before(shell, cell))
        shell.events.register("post_run_cell", _after)


def _before(shell, cell) -> None:
    """Fold what the cell gives, if it tells an answer that is still to be predicted; or print a heading."""
    names = re.findall(r'^ *reveal\("(\d+\.\d+)"', cell.raw_cell or "", re.MULTILINE)
    told = next(iter([*names, *reversed(_asked)]), "")
    # Jupyter's server names the session; what other programs run and store is not folded.
    if told in _asked and os.environ.get("JPY_SESSION_NAME") and is_folded_cell(shell) and not _asked[told]._known():
        summary = "What this cell gives (it opens when you predict, or at a click)"
        _held[told] = Folded(shell, f"Prediction {told}", summary)
    else:
        for name in names:
            print(f"Prediction {name}")


def _after(result) -> None:
    """Show what was folded; where the cell failed, unfolded."""
    while _held:
        name, folded = _held.popitem()
        folded.release(unfolded=not result.success)
        _asked[name]._folded.append(folded)


def _said(known: dict) -> str:
    if not known:
        return ""
    said = f"You said {known['said']}, {known['sure']} % sure"
    if "measured" not in known:
        return f"{said}. Run on: a cell below measures it."
    return f"{said}; measured: {known['measured']}. {'✓ Right.' if known['right'] else '✗ Not so.'}"


def _number(text: str) -> float:
    try:
        return float(text.replace(",", ".").replace("%", ""))
    except ValueError as error:
        raise ValueError(f"expected a number, got {text or 'nothing'}") from error
