"""A prediction is kept with how sure, opens when the lesson has measured, and never stops a notebook."""

from __future__ import annotations

import re

import ipywidgets
import limits
import pytest
from IPython.utils.capture import capture_output
from jupyter_client.manager import start_new_kernel

from days.common import predictions
from days.common.paths import REPO_ROOT
from days.common.predictions import predict, reveal
from days.common.progress import progress, progress_file


@pytest.fixture(autouse=True)
def _a_new_kernel(monkeypatch):
    monkeypatch.setattr(predictions, "_asked", {})


def ask(**more):
    return predict("17.3", "Which <channel> is strongest?", ["111", "426"], **more)


def shown(prediction) -> list[dict]:
    """What a notebook displays for it."""
    from IPython.core.interactiveshell import InteractiveShell

    InteractiveShell.instance()
    with capture_output() as captured:
        prediction._ipython_display_()
    return [output.data for output in captured.outputs]


def kept() -> dict:
    return predictions.predictions()["17.3"]


@pytest.mark.parametrize(("said", "right", "mark"), [("426", True, "✓ Right"), ("111", False, "✗ Not so")])
def test_what_is_said_is_kept_and_held_to_what_is_measured(said, right, mark, capsys):
    asked = ask(answer=said, sure=70)
    assert kept().items() >= {"said": said, "sure": 70}.items()
    assert "right" not in kept()
    reveal("17.3", "426")
    assert kept().items() >= {"measured": "426", "right": right}.items()
    line = f"You said {said}, 70 % sure; measured: 426. {mark}."
    assert capsys.readouterr().out == f"{line}\n"
    assert line in shown(asked)[0]["text/html"]
    assert len(shown(asked)) == 1, "what is measured cannot be answered any more"


def test_after_run_all_an_answer_still_counts_and_then_stands(capsys):
    asked = ask()
    reveal("17.3", "426")
    assert capsys.readouterr().out == "Measured: 426\n"
    assert not progress_file().exists()
    predict("17.3", answer="111", sure=90)
    assert kept()["right"] is False
    predict("17.3", answer="426", sure=90)
    assert kept()["said"] == "111"
    assert "what you said first stands" in repr(asked)


@pytest.mark.parametrize(("said", "right"), [("52", True), ("62 %", False), ("51,9", True), ("42", True)])
def test_a_number_is_right_within_its_margin(said, right):
    predict("18.2", "How much?", within=10, answer=said, sure=50)
    reveal("18.2", 51.5)
    assert predictions.predictions()["18.2"]["right"] is right


@pytest.mark.parametrize(
    ("answer", "sure", "problem"),
    [
        ("112", 70, "expected one of 111, 426, got 112"),
        ("", 70, "expected one of 111, 426, got nothing"),
        ("111", 75, "expected how sure you are, 50, 70, 90 (%), got 75"),
        ("111", None, "got nothing"),
    ],
)
def test_a_wrong_answer_is_told_in_the_box_and_stops_nothing(answer, sure, problem):
    asked = ask(answer=answer, sure=sure)
    assert problem in repr(asked)
    assert problem in shown(asked)[0]["text/html"]
    assert not progress_file().exists()
    predict("17.3", answer="111", sure=50)
    assert problem not in repr(asked)


def test_a_text_is_no_number():
    assert "expected a number, got many" in repr(predict("18.2", "How many?", within=1, answer="many", sure=50))


def test_a_damaged_file_is_named_and_stops_nothing(capsys):
    progress_file().write_text("{")
    asked = ask(answer="426", sure=70)
    reveal("17.3", "426")
    assert "Not kept: cannot read the progress" in repr(asked)
    assert "Measured: 426" in capsys.readouterr().out
    assert progress_file().read_text() == "{"


def test_without_a_widget_the_box_and_the_choices_can_be_read(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ipywidgets", None)
    box, ways = shown(ask())
    assert "Which &lt;channel&gt; is strongest?" in box["text/html"]
    assert "border:" in box["text/html"]
    assert re.findall("<li>(.+?)</li>", ways["text/html"]) == ["111", "426"]
    assert "How sure are you: 50, 70, 90 %?" in ways["text/html"]
    assert list(ways) == ["text/html", "text/plain"]


def test_the_buttons_keep_what_is_chosen():
    asked = ask()
    assert shown(asked)[1]["application/vnd.jupyter.widget-view+json"]["model_id"] == "prediction-17-3"
    said, sure, button = asked._controls.children[0].children
    assert isinstance(button, ipywidgets.Button)
    button.click()
    assert "got nothing" in repr(asked)
    said.value, sure.value = "426", 90
    button.click()
    assert kept().items() >= {"said": "426", "sure": 90}.items()
    reveal("17.3", "426")
    assert asked._controls.layout.display == "none"


def test_a_cell_that_runs_again_keeps_its_answer_and_its_measurement():
    ask(answer="426", sure=90)
    reveal("17.3", "426")
    assert ask() is predict("17.3")
    predictions._asked.clear()  # another day
    assert "✓ Right" in repr(ask())


def test_a_question_that_was_edited_gets_controls_of_its_own():
    old, new = ask(), predict("17.3", "Which is weakest?", ["a", "b"])
    shown(old)
    newest = predict("17.3", "Which is second?", ["a", "b"])
    shown(new)
    shown(newest)
    assert newest._controls is not new._controls
    assert newest._controls.model_id == "prediction-17-3"


def test_an_answer_without_its_question_says_what_to_do(capsys):
    with pytest.raises(ValueError, match="run the cell that asks it first"):
        predict("17.3", answer="426", sure=70)
    reveal("17.3", 4)
    assert capsys.readouterr().out == "Measured: 4\n"


def test_an_answers_results_begin_with_a_heading_and_other_cells_do_not():
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    with capture_output() as captured:
        for source in ("ask()", "print('426 it is')\nreveal('17.3', '426')".replace("'", '"'), "1 + 1"):
            shell.push({"ask": ask, "reveal": reveal})
            shell.run_cell(source)
    assert captured.stdout.split("Prediction 17.3\n")[1].startswith("426 it is\nMeasured: 426\n")
    assert captured.stdout.count("Prediction 17.3\n") == 1


FOLDED = {"jupyter": {"outputs_hidden": True}}
ANSWER = """
from IPython.display import HTML
print("426 <it> is")
display(HTML("<i>a figure</i>"))
reveal("17.3", "426")
1 / divisor
"""


def shown_by_jupyterlab(cells, monkeypatch):
    """What a kernel of JupyterLab shows for cells, each with its metadata: [(kind of message, content), ...]."""
    monkeypatch.setenv("JPY_SESSION_NAME", "lesson.ipynb")
    monkeypatch.setenv("PYTHONPATH", str(REPO_ROOT))
    manager, client = start_new_kernel(startup_timeout=limits.KERNEL)
    messages = []
    try:
        for code, metadata in cells:
            content = {"code": code, "silent": False, "store_history": True, "stop_on_error": True}
            message = client.session.msg("execute_request", content, metadata=metadata)
            client.shell_channel.send(message)
            said = client.get_iopub_msg(timeout=limits.CELL)
            while said["content"].get("execution_state") != "idle":
                messages.append((said["msg_type"], said["content"]))
                said = client.get_iopub_msg(timeout=limits.CELL)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return [message for message in messages if message[0] not in ("status", "execute_input")]


def test_what_a_cell_tells_before_the_prediction_is_folded_until_it_is_made(monkeypatch):
    question = 'from days.common.predictions import *\npredict("17.3", "Which?", ["111", "426"])\ndivisor = 1'
    later = 'predict("17.3", answer="426", sure=70)\nNone'
    cells = [(question, {}), (ANSWER, FOLDED), ("print('other')", {}), (later, {}), (ANSWER, FOLDED)]
    said = shown_by_jupyterlab(cells, monkeypatch)
    (_, folded), (_, other), *after = [one for one in said if "prediction" not in str(one)]
    html = folded["data"]["text/html"]
    assert html.startswith("Prediction 17.3\n<details><summary>")
    assert re.search(r"426 &lt;it&gt; is.*<i>a figure</i>.*Measured: 426.*1\.0", html, re.DOTALL)
    assert other["text"] == "other\n"
    opened = next(content for kind, content in after if kind == "update_display_data")
    assert opened["data"]["text/html"] == html.replace("<details>", "<details open>")
    assert opened["transient"] == folded["transient"]
    assert [kind for kind, _ in after][-4:] == ["stream", "display_data", "stream", "execute_result"]


def test_what_a_failed_cell_told_is_not_folded(monkeypatch):
    question = 'from days.common.predictions import *\npredict("17.3", "Which?", ["111", "426"])\ndivisor = 0'
    said = shown_by_jupyterlab([(question, {}), (ANSWER, FOLDED)], monkeypatch)
    assert said[-2][0] == "error"
    assert "<details open>" in said[-1][1]["data"]["text/html"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("17", "Which?", ["a", "b"]), r"expected a name such as '17.3'"),
        (("17.3", "Which?", ["a"]), "two or more choices"),
        (("17.3", "Which?"), "two or more choices"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(arguments, problem):
    with pytest.raises(ValueError, match=problem):
        predict(*arguments)


def test_the_start_page_shows_hit_rate_and_calibration():
    for number, (said, sure) in enumerate([("a", 70), ("a", 70), ("b", 70), ("a", 90)], 1):
        predict(f"17.{number}", "Which?", ["a", "b"], answer=said, sure=sure)
        reveal(f"17.{number}", "a")
    predict("18.1", "Which?", ["a", "b"], answer="a", sure=50)
    lines = [
        "Predictions: 3 of 4 right (75%).",
        "Of 3 made 70 % sure, 2 right: 67%.",
        "Of 1 made 90 % sure, 1 right: 100%.",
    ]
    found = progress()
    assert repr(found).splitlines()[-3:] == lines
    assert all(f"<li>{line}</li>" in found._repr_html_() for line in lines)
    assert re.search(r"4 of \d made, 3 right", found._repr_html_())
    assert re.search(r"1 of \d made, 0 right", found._repr_html_())
