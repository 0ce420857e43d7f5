"""docs/results.md from the published studies, by the template beside this module: `python -m validation.results`."""

from __future__ import annotations

import functools
import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from tabulate import tabulate

from galmorph.baselines import BASELINES
from galmorph.published import STUDIES
from galmorph.report.table import METRICS, number, p_value, plus_minus, read_summary, short_summary

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/results.md"
IMAGES = ROOT / "docs/images"
TEMPLATE = Path(__file__).with_name("results.md.jinja")
SETS = {"common_natural": "common set, natural mix", "common_balanced": "common set, balanced"}


@dataclass(frozen=True)
class Study:
    """The numbers of a published study, as the template asks for them.

    Attributes
    ----------
    folder
        published/NAME.
    images
        The figures that the page shows: each file in docs/images, and that of the study.
    """

    folder: Path
    images: dict[Path, Path]

    @functools.cached_property
    def scores(self) -> pd.DataFrame:
        """Every score, as in reports/summary.csv."""
        return read_summary(self.folder / "summary.csv")

    def summary(self) -> str:
        """Return the table that `galmorph summary` prints, as Markdown."""
        return short_summary(self.scores)

    def mean(self, condition: str, metric: str = "accuracy", phase: str = "confirmed") -> str:
        """Return the mean of a score over the runs."""
        return number(self._score(condition, metric, phase)["mean"])

    def score(self, condition: str, metric: str = "accuracy", phase: str = "confirmed") -> str:
        """Return the mean of a score over the runs, ± its standard deviation."""
        row = self._score(condition, metric, phase)
        return plus_minus(row["mean"], row["std"])

    def best_baseline(self, condition: str) -> str:
        """Return the accuracy of the best classifier without a network, ± its standard deviation."""
        best = max(BASELINES, key=lambda name: self._score(condition, "accuracy", name)["mean"])
        return self.score(condition, phase=best)

    def _score(self, condition: str, metric: str, phase: str) -> pd.Series:
        chosen = self.scores.query("condition == @condition and metric == @metric and phase == @phase")
        (row,) = (row for _, row in chosen.iterrows())
        return row

    def galaxies(self, label: str) -> str:
        """Return the number of galaxies of a class."""
        counts = pd.read_csv(self.folder / "tables/class_counts.csv", index_col="class")["galaxies"]
        return f"{counts[label]:,}"

    def comparison(self, name: str) -> str:
        """Return the comparable scores of two conditions: means ± standard deviation, difference ± half interval."""
        table = pd.read_csv(self.folder / f"tables/comparison_{name}.csv")
        table = table[(table["phase"] == "confirmed") & table["obstacle"].isna()]
        first, second = (table[side].iloc[0] for side in ("first", "second"))
        headings = ["metric", "evaluated on", first, second, "difference"]
        rows = [
            [
                METRICS[row["metric"]],
                SETS.get(row["evaluated_on"], row["evaluated_on"]),
                plus_minus(row["first_mean"], row["first_std"]),
                plus_minus(row["second_mean"], row["second_std"]),
                plus_minus(row["difference"], row["half"], signed=True),
            ]
            for _, row in table.iterrows()
        ]
        return tabulate(rows, headings, tablefmt="github", disable_numparse=True)

    def series(self, name: str) -> str:
        """Return a series: confirmed networks on the common set of the natural mix, means ± half interval."""
        table = pd.read_csv(self.folder / f"tables/series_{name}.csv")
        rows = [
            [
                row["condition"],
                f"{row['x']:,.0f}",
                plus_minus(row["accuracy_mean"], row["accuracy_half"]),
                plus_minus(row["tss_mean"], row["tss_half"]),
            ]
            for _, row in table.iterrows()
        ]
        headings = ["condition", "training galaxies", "accuracy", "TSS"]
        return tabulate(rows, headings, tablefmt="github", disable_numparse=True)

    def difference(self, name: str, metric: str = "accuracy", where: str = "common_natural") -> str:
        """Return the difference of a comparison, ± half of its corrected 95 % interval."""
        table = pd.read_csv(self.folder / f"tables/comparison_{name}.csv")
        (row,) = table[(table["metric"] == metric) & (table["evaluated_on"] == where)].to_dict("records")
        return plus_minus(row["difference"], row["half"], signed=True)

    def least_p(self, name: str) -> str:
        """Return the least p of a comparison, after Holm's correction."""
        return p_value(pd.read_csv(self.folder / f"tables/comparison_{name}.csv")["p_holm"].min())

    def curve(self, kind: str, condition: str, epochs: list[int], part: str = "test") -> str:
        """Return the mean accuracy or loss after some epochs, such as "0.906, 0.917"."""
        means = self._curve(kind, condition)[part]
        return ", ".join(number(means[epoch]) for epoch in epochs)

    def lowest(self, condition: str) -> int:
        """Return the epoch of the least mean test loss."""
        means = self._curve("loss", condition)["test"]
        return int(means.index.to_numpy()[means.argmin()])

    def _curve(self, kind: str, condition: str) -> pd.DataFrame:
        return pd.read_csv(self.folder / f"plots/{kind}/{condition}.csv").set_index("epoch")

    def figure(self, name: str, alternative: str) -> str:
        """Return the line that shows a figure."""
        image = IMAGES / f"{self.folder.name}_{name}.png"
        self.images[image] = self.folder / f"figures/{name}.png"
        return f"![{alternative}](images/{image.name})"


def page() -> tuple[str, dict[Path, Path]]:
    """Return docs/results.md, and the figures that it shows: each file in docs/images, and that of a study."""
    images: dict[Path, Path] = {}
    studies = {path.name: Study(path, images) for path in sorted((ROOT / STUDIES).iterdir())}
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE.parent), undefined=StrictUndefined, keep_trailing_newline=True
    )
    return environment.get_template(TEMPLATE.name).render(**studies), images


if __name__ == "__main__":
    text, figures = page()
    PAGE.write_text(text, encoding="utf-8")
    for target, source in figures.items():
        shutil.copyfile(source, target)
