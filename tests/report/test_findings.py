from __future__ import annotations

import re
from collections.abc import Callable

from galmorph.report import comparisons, thesis
from galmorph.report.findings import Finding, findings
from galmorph.report.study import Results
from galmorph.settings.study import Settings
from tests.support.study import study_of

MakeSettings = Callable[..., Settings]


def found_in(settings: Settings) -> tuple[list[Finding], Results]:
    study = study_of(settings)
    return findings(study, comparisons.compare(study), comparisons.restricted_accuracies(study)), study.results


def test_each_comparison_is_a_question_with_computed_numbers(
    make_settings: MakeSettings,
) -> None:
    found, results = found_in(make_settings())
    assert [finding.name for finding in found] == ["uncertain_labels", "class_balance"]
    labels, balance = (" ".join(finding.sentences) for finding in found)
    accuracy = {name: result.confirmed.scores["accuracy"].mean() for name, result in results.items()}
    for name in ("three_class", "two_class"):
        assert f"{accuracy[name]:.3f} ± " in labels
    assert f"{abs(accuracy['two_class'] - accuracy['three_class']):.3f}" in labels
    assert "not a difference between networks alone" in labels
    assert f"{results['three_class'].confirmed.scores['accuracy_restricted'].mean():.3f}" in labels
    assert labels.count("Beside the control") == 1
    assert "0.931 ± 0.034 for two classes against 0.688 ± 0.062 for three classes" in labels
    assert f"{results['balanced'].confirmed.scores['tss'].mean():.3f}" in balance
    assert "Beside the control" not in balance
    assert "The thesis prints" not in balance
    assert len(found[1].sentences) == 3 + 3 + 1
    assert not re.search(r"prove|confirms|better|worse|[{}]|nan", labels + balance)


def test_one_run_is_called_one_run(
    make_settings: MakeSettings,
) -> None:
    found, _ = found_in(make_settings(runs=1))
    assert "one run, which has no spread" in found[0].sentences[0]
    assert "No interval can be given" in found[0].sentences[0]


def test_a_comparison_of_the_user_is_named(
    make_settings: MakeSettings,
) -> None:
    pair = {"my_pair": {"conditions": ["balanced", "two_class"], "metrics": ["tss"]}}
    (finding,), _ = found_in(make_settings(comparisons=pair))
    assert finding.question == "Comparison my_pair"
    assert finding.table.caption.startswith("Balanced two classes and two classes side by side")
    assert (thesis.title("balanced"), thesis.title("my_condition")) == ("Balanced two classes", "my_condition")
    assert list(finding.table.shown.columns[2:4]) == ["balanced two classes ± 2 std", "two classes ± 2 std"]
