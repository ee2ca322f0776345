"""What a learner has solved is noted, shown, collected for a class, and never in the way of a check."""

from __future__ import annotations

import csv
import datetime
import json
import re

import pytest
from notebook_tools import NOTEBOOKS, read

from days import progress as command
from days.common import progress
from days.common.exercises import CORRECT, NOT_QUITE
from days.common.paths import REPO_ROOT
from days.day23.code import exercises


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "mine" / "progress.json"
    monkeypatch.setenv("SEEING_CNNS_PROGRESS", str(path))
    return path


def test_what_passes_is_noted_once_and_what_does_not_is_not(file):
    assert exercises.twins.check(lambda filters, threshold: []).status == NOT_QUITE
    assert not file.exists()
    for _ in range(2):
        assert exercises.twins.check(exercises.twins.solve).status == CORRECT
    exercises.three_deaths.check(exercises.three_deaths.solve)
    today = datetime.date.today().isoformat()
    assert json.loads(file.read_text())["day23"] == {"9.1": today, "9.3": today}
    assert progress.solved() == {"day23": ["9.1", "9.3"]}


def test_a_file_of_the_first_version_is_read_and_goes_on(file):
    file.parent.mkdir()
    file.write_text('{"day17": ["9.1", "9.10", "9.2"]}')
    progress.note_solved("day17", "9.3")
    progress.note_solved("day17", "9.1")
    assert progress.solved() == {"day17": ["9.1", "9.2", "9.3", "9.10"]}
    kept = json.loads(file.read_text())
    assert kept["day17"]["9.1"] == ""
    assert {day: list(numbers) for day, numbers in kept.items()}["day17"], "the first version would read it, too"


def test_the_table_knows_every_exercise_of_every_day(file):
    found = progress.progress()
    assert list(found.days) == [f"day{number}" for number in range(17, 25)]
    assert list(found.days["day23"].exercises)[:8] == [f"9.{number}" for number in range(1, 9)]
    assert found.solved("day23") == []
    assert all(title and cell for day in found.days.values() for title, cell in day.exercises.values())
    progress.note_solved("day23", "9.2")
    progress.note_solved("day23", "9.99")  # of another time
    found = progress.progress()
    count, every = len(found.days["day23"].exercises), sum(len(day.exercises) for day in found.days.values())
    assert found.solved("day23") == ["9.2"]
    assert "23  ○✓○" in repr(found)
    assert f"all 1 of {every}" in repr(found)
    assert f">23</a></th><td>1&nbsp;of&nbsp;{count}</td>" in found._repr_html_()
    assert "○&nbsp;9.1 " in found._repr_html_()
    assert "✓&nbsp;9.2 " in found._repr_html_()


def test_every_exercise_is_a_link_to_its_text_or_its_cell(file):
    found = r'href="(day\d+/([^"#]+))#cell-id=(.+?)">.&nbsp;(\S+) '
    links = re.findall(found, progress.progress()._repr_html_())
    cells = {path.name: json.loads(path.read_text())["cells"] for path in NOTEBOOKS}
    assert len(links) == 1 + sum(len(day.exercises) for day in progress.course().values())
    for link, name, wanted, number in links:
        assert (REPO_ROOT / "days" / link).exists()
        [cell] = [cell for cell in cells[name] if cell["id"] == wanted]
        text = "".join(cell["source"])
        assert f"**{number} " in text or text.startswith((f"# Exercise {number} ", f"# Task {number} "))


def test_the_stored_start_page_names_and_links_todays_exercises(file):
    """A copy that has not been run shows it."""
    [stored] = [
        output.data["text/html"]
        for cell in read(REPO_ROOT / "days/start_here.ipynb").cells
        for output in cell.get("outputs", [])
    ]
    assert stored == progress.progress()._repr_html_(), "run days/start_here.ipynb anew with SEEING_CNNS_PROGRESS=none"


def test_next_is_the_first_open_exercise_of_a_day_that_was_begun(file):
    assert progress.progress().next_exercise == ("day17", "9.1")
    progress.note_solved("day19", "9.2")
    assert progress.progress().next_exercise == ("day19", "9.1")
    assert "Next: Day 19, 9.1 " in repr(progress.progress())
    for day, asks in progress.course().items():
        for number in asks.exercises:
            progress.note_solved(day, number)
    assert progress.progress().next_exercise is None
    assert "All are solved." in progress.progress()._repr_html_()


@pytest.mark.parametrize("text", ["{", "[]", '{"day17": 3}', '{"predictions": {"17.1": {"said": "a"}}}'])
def test_a_damaged_file_is_named_and_the_verdict_stands(file, text):
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(ValueError, match=r"cannot read the progress in .*delete it to begin anew"):
        progress.solved()
    verdict = exercises.twins.check(exercises.twins.solve)
    assert verdict.status == CORRECT
    assert "your progress was not noted: cannot read" in verdict.message
    assert file.read_text() == text


def test_a_folder_that_cannot_be_written_does_not_spoil_the_verdict(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SEEING_CNNS_PROGRESS", str(tmp_path / "file" / "progress.json"))
    verdict = exercises.twins.check(exercises.twins.solve)
    assert verdict.status == CORRECT
    assert "your progress was not noted: cannot write" in verdict.message
    assert "SEEING_CNNS_PROGRESS" in verdict.message


def test_the_file_lies_outside_of_the_repository(monkeypatch):
    monkeypatch.delenv("SEEING_CNNS_PROGRESS")
    assert not progress.progress_file().is_relative_to(REPO_ROOT)


def learner(folder, file, name: str, exercises: list[tuple[str, str]], guesses: dict) -> None:
    """A file of a learner, as `export` writes it."""
    file.unlink(missing_ok=True)
    for day, number in exercises:
        progress.note_solved(day, number)
    for prediction, what in guesses.items():
        progress.note_prediction(prediction, **what)
    assert command.main(["export", "--name", name, str(folder / f"{name}.json")]) == 0


def test_a_class_becomes_a_table_and_bad_files_one_line_each(file, tmp_path, capsys):
    folder = tmp_path / "class"
    folder.mkdir()
    right = {"said": "a", "sure": 90, "measured": "a", "right": True}
    learner(folder, file, "Zoë Müller", [("day17", "9.1"), ("day17", "9.2")], {"17.1": right})
    learner(folder, file, "ada", [], {"17.1": right | {"right": False}, "17.2": {"said": "b", "sure": 50}})
    (folder / "half.json").write_text("{")
    (folder / "nameless.json").write_text("{}")
    (folder / "other.json").write_bytes(b"\xff\xfe")
    (folder / "list.json").write_text('["day17"]')
    capsys.readouterr()
    assert command.main(["class", str(folder), "--csv", str(tmp_path / "class.csv")]) == 0
    said = capsys.readouterr()
    assert [line.split()[0] for line in said.out.splitlines()] == ["name", "ada", "Zoë"]
    assert [line.split(" left out: ")[0] for line in said.err.splitlines()] == [
        f"{name}.json" for name in ("half", "list", "nameless", "other")
    ]
    ada, zoe = csv.DictReader((tmp_path / "class.csv").read_text(encoding="utf-8-sig").splitlines())
    assert zoe.items() >= {"name": "Zoë Müller", "solved": "2", "predicted": "1", "right": "1"}.items()
    assert zoe["last"] == datetime.date.today().isoformat()
    assert ada.items() >= {"solved": "0", "predicted": "2", "measured": "1", "right": "0"}.items()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["export", "--name", "  "], "expected a name with letters or digits, got '  '"),
        (["export", "--name", "Ada", "missing/ada.json"], "cannot write missing/ada.json"),
        (["class", "missing"], "found no *.json in missing"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(file, tmp_path, monkeypatch, capsys, arguments, problem):
    monkeypatch.chdir(tmp_path)
    assert command.main(arguments) == 1
    said = capsys.readouterr()
    assert problem in said.err
    assert said.err.count("\n") == 1
    assert not said.out


def test_a_file_is_named_after_the_learner(file, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert command.main(["export", "--name", "../Ada Lovelace"]) == 0
    assert capsys.readouterr().out == "progress_Ada_Lovelace.json\n"
    assert json.loads((tmp_path / "progress_Ada_Lovelace.json").read_text())["name"] == "../Ada Lovelace"
    assert command.main([]) == 0
    assert "Next: Day 17, 9.1" in capsys.readouterr().out
