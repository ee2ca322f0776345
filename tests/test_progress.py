"""What a learner has solved is noted, shown, and never in the way of a check."""

from __future__ import annotations

import json

import pytest

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
    assert json.loads(file.read_text()) == {"day23": ["9.1", "9.3"]}


def test_the_table_knows_every_exercise_of_every_day(file):
    found = progress.progress()
    assert list(found.days) == [f"day{number}" for number in range(17, 25)]
    assert found.days["day23"] == ([], [f"9.{number}" for number in range(1, 9)])
    progress.note_solved("day23", "9.2")
    progress.note_solved("day23", "9.99")  # of another time
    found = progress.progress()
    assert found.days["day23"][0] == ["9.2"]
    assert "23  ○✓○○○○○○" in repr(found)
    assert f"all 1 of {sum(len(every) for _, every in found.days.values())}" in repr(found)
    assert '<th scope="row">23</th><td>1 of 8</td>' in found._repr_html_()
    assert "○&nbsp;9.1 ✓&nbsp;9.2" in found._repr_html_()


@pytest.mark.parametrize("text", ["{", "[]", '{"day17": 3}'])
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
