from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from galmorph.report.findings import difference, findings
from galmorph.report.results import ConditionResults
from galmorph.settings import Settings

MakeSettings = Callable[..., Settings]
MakeResults = Callable[..., dict[str, ConditionResults]]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.2431, "is 0.243 higher for B than for A"),
        (-0.0126, "is 0.013 lower for B than for A"),
        (0.0004, "is the same for A and B to three decimals"),
        (float("nan"), "for A and B, with no difference to be stated"),
    ],
)
def test_differences_in_words(value: float, text: str) -> None:
    assert difference(value, "A", "B") == text


def test_each_comparison_is_a_question_with_computed_numbers(
    make_settings: MakeSettings, make_results: MakeResults
) -> None:
    settings = make_settings()
    results = make_results(settings)
    found = findings(results, settings)
    assert [finding.name for finding in found] == ["uncertain_labels", "class_balance"]
    labels, balance = (" ".join(finding.sentences) for finding in found)
    accuracy = {name: result.confirmed.scores["accuracy"].mean() for name, result in results.items()}
    for name in ("three_class", "two_class"):
        assert f"{accuracy[name]:.3f} ± " in labels
    assert f"{abs(accuracy['two_class'] - accuracy['three_class']):.3f}" in labels
    assert "different tasks" in labels
    assert f"{results['three_class'].confirmed.scores['accuracy_restricted'].mean():.3f}" in labels
    assert "0.931 ± 0.034 for two classes against 0.688 ± 0.062 for three classes" in labels
    assert f"{results['balanced'].confirmed.scores['tss'].mean():.3f}" in balance
    assert "different tasks" not in balance
    assert "The thesis prints" not in balance
    assert not re.search(r"signific|prove|confirms|better|worse", labels + balance)


def test_one_run_is_called_one_run(make_settings: MakeSettings, make_results: MakeResults) -> None:
    settings = make_settings(runs=1)
    found = findings(make_results(settings), settings)
    assert "one run, which has no spread" in found[0].sentences[0]


def test_a_comparison_of_the_user_is_named(make_settings: MakeSettings, make_results: MakeResults) -> None:
    settings = make_settings(comparisons={"my_pair": {"conditions": ["balanced", "two_class"], "metrics": ["tss"]}})
    (finding,) = findings(make_results(settings), settings)
    assert finding.question == "Comparison my_pair"
    assert list(finding.table.shown.columns[3:5]) == ["balanced two classes ± 2 std", "two classes ± 2 std"]
