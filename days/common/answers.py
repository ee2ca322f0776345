"""What a classifier's answers (N, outputs) mean: scores or probabilities, of each category or of one and the rest."""

from __future__ import annotations

import numpy as np

SATURATED = 1e-6
"""A probability this near to 0 or 1, or nearer, leaves a softmax or sigmoid no slope that a map could show."""

ROUNDING = 1e-2
"""By so much the probabilities of half precision may miss 1 when they are added up."""


def meaning(answers: np.ndarray) -> str:
    """ "scores", "probabilities" (a softmax's), "sigmoids" (each category by itself), "score" or "probability".

    The last two are one number for two categories. Told by the values: probabilities add up to 1, sigmoids lie from 0
    to 1 and do not. Images whose answers are not finite are left out; if no others are there, the answers count as
    scores. Scores of a few images may lie from 0 to 1 by accident: `meaning_of` of Day 17 asks the network for more.

    >>> meaning(np.array([[0.25, 0.75], [1.0, 0.0]])), meaning(np.array([[0.2]])), meaning(np.array([[-3.0]]))
    ('probabilities', 'probability', 'score')
    """
    answers = answers[np.isfinite(answers).all(axis=1)]
    within = bool(len(answers)) and answers.min() >= 0 and answers.max() <= 1 + ROUNDING
    if answers.shape[1] == 1:
        return "probability" if within else "score"
    if not within:
        return "scores"
    return "probabilities" if np.allclose(answers.sum(axis=1), 1, atol=ROUNDING) else "sigmoids"


def as_scores(answers: np.ndarray, kind: str = "") -> np.ndarray:
    """Answers as scores before a softmax, (N, categories), whatever the network ends in; one number becomes two.

    Probabilities become their logarithms, up to which scores are known. The sigmoids of several categories stay.
    kind : what the answers mean, where that is known better than these answers tell it.

    >>> as_scores(np.array([[2.0]]))
    array([[0., 2.]])
    """
    kind = kind or meaning(answers)
    if kind == "score":
        return np.hstack([0 * answers, answers])
    if kind == "probability":
        answers = np.hstack([1 - answers, answers])
    return answers if kind in ("scores", "sigmoids") else np.log(np.maximum(answers, 1e-30))


def why_saturated(answers: np.ndarray, number: int, kind: str) -> str:
    """One line where the answers for a category, of this `kind`, are probabilities with no slope left; else "".

    Answers that are all 0 may as well be the scores of a last layer whose weights are 0.
    """
    if kind in ("scores", "score") or not answers.any():
        return ""
    probability = answers[:, number]
    if (probability * (1 - probability) > SATURATED).any():
        return ""
    return (
        f"the network ends in a softmax or sigmoid, which is saturated here (it answers {probability[0]:.6g}) and so "
        "has no slope: give a network that ends in scores, without that last layer"
    )
