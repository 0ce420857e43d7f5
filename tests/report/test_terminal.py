import pandas as pd

from galmorph.report.table import short_summary


def test_one_line_for_each_condition():
    rows = []
    for condition, offset in (("two_class", 0.0), ("balanced", 0.1)):
        for metric, mean in (("accuracy", 0.8), ("tss", 0.6), ("baseline", 0.5), ("accuracy@common_natural", 0.7)):
            for phase in ("selected", "confirmed"):
                value = mean + offset + 0.01 * (phase == "confirmed")
                rows.append((condition, metric, phase, 7, 30, value, 0.02, 0.004))
    columns = ["condition", "metric", "phase", "epoch", "runs", "mean", "std", "ste"]
    lines = short_summary(pd.DataFrame(rows, columns=columns)).splitlines()
    assert len(lines) == 4
    two_class = [cell.strip() for cell in lines[2].strip("|").split("|")]
    assert two_class == [
        "two_class",
        "30 + 30",
        "7",
        "0.800 ± 0.020",
        "0.810 ± 0.020",
        "0.510 ± 0.020",
        "0.600 ± 0.020",
        "0.610 ± 0.020",
    ]
    assert "0.910 ± 0.020" in lines[3]
