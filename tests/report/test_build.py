"""The whole report, from synthetic results to files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.report import language
from galmorph.report.page import SIMULATED, SIMULATED_SHORT
from galmorph.report.study import ConditionResults
from galmorph.settings.study import Settings

MakeSettings = Callable[..., Settings]
MakeResults = Callable[..., dict[str, ConditionResults]]
Build = Callable[..., Path]


@pytest.fixture(scope="module")
def build_small(build_report: Build, make_settings: MakeSettings, galaxies: pd.DataFrame) -> Build:
    """Somebody else's stamps: two conditions of two classes, one run, no frames, no catalogue, no redshifts."""
    survey = {"source": "stamps", "name": "EFIGI"}
    settings = make_settings(runs=1, epochs=4, conditions=("two_class", "balanced"), survey=survey)
    evaluation = settings.protocol.evaluation.model_copy(update={"uncertain": None})
    protocol = settings.protocol.model_copy(update={"evaluation": evaluation})
    settings = settings.model_copy(update={"protocol": protocol})
    known = galaxies[galaxies["class"] != "uncertain"].reset_index(drop=True).assign(redshift=np.nan)
    stamps = np.ones((len(known), 64, 64), np.float32)
    return partial(
        build_report, settings, galaxies=known, images=stamps, schematic=None, table2_row=None, resolution=False
    )


@pytest.fixture(scope="module")
def small(build_small: Build, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small(folder=tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def japanese(build_report: Build, make_settings: MakeSettings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole study in Japanese; a text that has no translation fails."""
    settings = make_settings()
    settings = settings.model_copy(update={"report": settings.report.model_copy(update={"language": "ja"})})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(language.log, "warning", lambda *told: pytest.fail(str(told)))
        return build_report(settings, tmp_path_factory.mktemp("japanese"))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


class Page(HTMLParser):
    """What a page refers to, and its plain text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.resources: list[str] = []
        self.anchors: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.alternatives: list[str | None] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        if values.get("id"):
            self.ids.append(str(values["id"]))
        if tag == "a":
            self.anchors.append(str(values["href"]))
        else:
            self.resources += [str(values[key]) for key in ("src", "href", "srcset", "data") if key in values]
        if tag == "img":
            self.alternatives.append(values.get("alt"))

    def handle_data(self, data: str) -> None:
        self.text += data


def page(folder: Path) -> Page:
    return Page((folder / "report.html").read_text(encoding="utf-8"))


CONDITIONS = ("three_class", "two_class", "balanced", "two_class_small")


def test_everything_is_written(whole: Path) -> None:
    assert names(whole) == {"tables", "figures", "plots", "metrics", "summary.csv", "answers.txt", "report.html"}
    tables = {"summary", "conditions", "table_4_1", "class_scores", "question_1", "section_4_3", "comparisons"}
    tables |= {"tss_forms", "optimism", "test_mixes", "probabilities", "roc", "reliability", "doubt", "doubt_bins"}
    tables |= {"class_counts", "filters", "table2_row"}
    tables |= {f"comparison_{name}" for name in ("uncertain_labels", "uncertain_labels_thesis", "class_balance")}
    tables |= {f"confusion_{name}" for name in CONDITIONS}
    tables |= {
        f"resolution_{name}" for name in ("levels", "matrix", "recalibrated", "confusion", "remedies", "ablation")
    }
    tables |= {"hardest_spiral_elliptical", "hardest_spiral_elliptical_uncertain"}
    written = {f"{name}.{ending}" for name in tables for ending in ("csv", "md", "tex")}
    assert names(whole / "tables") == written - {"summary.csv"}
    figures = {"cutout", "redshifts", "throughput", "examples", "network"}
    figures |= {f"{kind}_{name}" for name in CONDITIONS for kind in ("loss", "accuracy", "confusion")}
    figures |= {f"{kind}_{name}" for name in CONDITIONS if name != "three_class" for kind in ("probabilities", "doubt")}
    figures |= {f"resolution_{name}" for name in ("accuracy", "tss", "auc", "loss", "recall", "corners")}
    figures |= {f"resolution_{name}_recalibrated" for name in ("accuracy", "tss")}
    figures |= {"hardest_spiral_elliptical", "hardest_spiral_elliptical_uncertain"}
    assert names(whole / "figures") == {f"{name}.{ending}" for name in figures for ending in ("png", "svg")}
    for path in whole.rglob("*.*"):
        assert path.stat().st_size > 0
        if path.suffix != ".png":
            text = path.read_text(encoding="utf-8")
            assert text.endswith("\n")


def test_every_table_of_accuracies_has_the_baselines_beside_the_networks(whole: Path) -> None:
    # At levels no baseline is trained; of the optimism of an epoch it has no part, and TSS has a form of this name.
    without = {"optimism", "tss_forms", *(path.stem for path in (whole / "tables").glob("resolution_*.md"))}
    tables = {path.stem: path.read_text(encoding="utf-8").lower() for path in (whole / "tables").glob("*.md")}
    rows = {name: "".join(re.findall(r"^\|.*$", text, re.MULTILINE)) for name, text in tables.items()}
    of_accuracies = {name for name, text in rows.items() if "accuracy" in text} - without
    assert of_accuracies == {
        *("summary", "table_4_1", "question_1", "section_4_3", "test_mixes", "comparisons"),
        *(f"comparison_{name}" for name in ("uncertain_labels", "uncertain_labels_thesis", "class_balance")),
    }
    for name in of_accuracies:
        for baseline in ("baseline", "magnitude and size", "principal components", "shape"):
            assert baseline in rows[name], name


def test_an_epoch_chosen_on_validation_parts_is_no_optimism(
    build_report: Build, make_settings: MakeSettings, tmp_path: Path
) -> None:
    settings = make_settings(runs=2, epochs=2, conditions=("two_class",))
    settings = settings.model_copy(
        update={"protocol": settings.protocol.model_copy(update={"validation_fraction": 0.2})}
    )
    build_report(settings, tmp_path, resolution=False)
    assert "optimism.csv" not in names(tmp_path / "tables")
    text = page(tmp_path).text
    assert "The epoch is selected on validation parts, 20\u00a0% of each training part" in text
    assert "optimistic" not in text


def test_the_page_leads_with_no_difference_picked_for_its_size(whole: Path) -> None:
    text = page(whole).text
    assert not re.search(r"clearest|which is the largest such", text)
    assert text.index("Do galaxies whose label is uncertain harm") < text.index("The thesis's own comparison")
    assert "Confounded: two classes and three classes differ in the classes and the classes drawn" in text
    assert "The thesis contradicts itself" in text


def test_no_date_version_or_machine_is_left_in_a_file(whole: Path) -> None:
    for path in (whole / "figures").iterdir():
        content = path.read_bytes()
        for word in (b"dc:date", b"Creation Time", b"Software", b"matplotlib.org", b"tEXt", b"tIME"):
            assert word not in content, path.name


def test_the_page_needs_nothing_from_outside(whole: Path) -> None:
    found = page(whole)
    assert found.resources
    assert all(resource.startswith("data:image/") for resource in found.resources)
    assert not {"script", "link", "iframe", "object", "embed"} & set(found.tags)
    text = (whole / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"url\(|@import|\bon[a-z]+=", text.split("</style>")[0])


def test_every_link_within_the_page_leads_somewhere(whole: Path) -> None:
    found = page(whole)
    assert len(set(found.ids)) == len(found.ids)
    inside = [anchor[1:] for anchor in found.anchors if anchor.startswith("#")]
    assert inside
    assert set(inside) <= set(found.ids)


def test_tables_and_figures_are_numbered_in_order_and_described(whole: Path) -> None:
    found = page(whole)
    html = (whole / "report.html").read_text(encoding="utf-8")
    for word in ("Table", "Figure"):
        numbers = [int(n) for n in re.findall(rf"<b>{word} (\d+)\.</b>", html)]
        assert numbers == list(range(1, len(numbers) + 1))
        assert numbers
    assert all(found.alternatives)
    for reference in ("figure 3.1", "figure 3.2", "figure 3.4", "figure 4.1", "figure 4.2", "table 4.1"):
        assert f"Thesis: {reference}." in found.text
    for reference in ("figures 4.4 and 4.9", "figures 4.6 and 4.11", "figures 4.8 and 4.13"):
        assert f"Thesis: {reference}." in found.text


def test_a_simulated_survey_is_named_once_on_the_page_and_in_each_file_of_results(whole: Path) -> None:
    text = page(whole).text
    assert text.count(SIMULATED) == 1
    assert text.index(SIMULATED) < text.index("Do galaxies whose label is uncertain harm")
    assert SIMULATED_SHORT not in text
    of_results = {path.stem for path in (whole / "figures").glob("*.svg") if 'id="note"' in path.read_text("utf-8")}
    kinds = {name.partition("_")[0] for name in of_results}
    assert kinds == {"loss", "accuracy", "confusion", "probabilities", "doubt", "resolution", "hardest"}
    assert SIMULATED in (whole / "tables" / "table_4_1.md").read_text(encoding="utf-8")
    assert SIMULATED in (whole / "tables" / "confusion_balanced.tex").read_text(encoding="utf-8")
    assert SIMULATED not in (whole / "tables" / "filters.md").read_text(encoding="utf-8")


def test_each_question_has_a_verdict_a_sentence_and_its_tests(whole: Path) -> None:
    html = (whole / "report.html").read_text(encoding="utf-8")
    asked = html.split('<section id="findings">')[1].split("</section>")[0]
    names = re.findall(r'<article id="finding-(\w+)">', asked)
    assert names == ["uncertain_labels", "class_balance", "resolution"]
    assert len(re.findall(r'<b class="verdict[^>]*>(?:Yes|No|Not shown|Yes and no)</b>', asked)) == 3
    assert [part.count("<circle") for part in asked.split("<article")[1:]] == [3, 5, 4]
    # What is read first says nothing of methods: they are folded away.
    first = re.sub(r"(?s)<details>.*?</details>", "", asked)
    assert "Holm" not in first
    assert "bootstrap" not in first
    assert 'href="#resolution"' in first


def test_one_standard_deviation_is_printed_except_where_the_thesis_prints_two(whole: Path) -> None:
    two = {path.stem for path in (whole / "tables").glob("*.md") if "2 std" in path.read_text(encoding="utf-8")}
    assert two == {"table_4_1"}
    assert "2 std" not in re.sub(r'(?s)<div class="table" id="table-table_4_1">.*?</table>', "", html_of(whole))


def html_of(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8").replace("\u00a0", " ")


def test_the_printed_accuracy_is_the_computed_one(
    whole: Path, make_settings: MakeSettings, make_results: MakeResults
) -> None:
    scores = make_results(make_settings())["balanced"].selected.scores["accuracy"]
    expected = f"{scores.mean():.3f} ± {2 * scores.std():.3f}"
    for ending in ("md", "tex"):
        text = (whole / "tables" / f"table_4_1.{ending}").read_text(encoding="utf-8").replace(r"$\pm$", "±")
        assert expected in text
    assert expected in page(whole).text.replace("\u00a0", " ")
    data = pd.read_csv(whole / "tables" / "table_4_1.csv").set_index("condition")
    assert data.loc["balanced", "accuracy"] == scores.mean()


def test_what_is_unavailable_is_left_out_and_said(small: Path) -> None:
    assert "redshifts.png" not in names(small / "figures")
    assert "cutout.png" not in names(small / "figures")
    assert "table2_row.csv" not in names(small / "tables")
    text = page(small).text
    for line in (
        "The redshift histogram is left out: no galaxy of the sample has a redshift.",
        "The figure of how a cutout is made is left out: this survey has no frames.",
        "The row of Table 2 is left out: this survey has no catalogue of that form.",
    ):
        assert line in text


def test_two_conditions_and_one_run_make_a_report_with_dashes(small: Path) -> None:
    text = page(small).text.replace("\u00a0", " ")
    assert " ± —" in text
    assert not re.search(r"\bnan\b", text, re.IGNORECASE)
    assert "simulated survey" not in text.lower()
    assert "Does the imbalance of the classes harm classification?" in text
    assert "Do galaxies whose label is uncertain" not in text
    assert "question_1.csv" not in names(small / "tables")
    assert "three_class.csv" not in names(small / "plots" / "accuracy")
    assert "EFIGI, where its stamps are used" in text


def test_two_builds_are_the_same_bytes(small: Path, build_small: Build, tmp_path: Path) -> None:
    assert digests(build_small(folder=tmp_path)) == digests(small)


def test_images_that_are_not_of_these_galaxies_are_refused(
    build_report: Build, make_settings: MakeSettings, images: NDArray[np.float32], tmp_path: Path
) -> None:
    settings = make_settings(runs=1, epochs=2)
    with pytest.raises(GalmorphError, match="2999 images, but 3000 rows"):
        build_report(settings, tmp_path, images=images[1:])
    assert not list(tmp_path.iterdir())


def test_a_japanese_report_has_the_same_files_and_the_same_data(whole: Path, japanese: Path) -> None:
    ours, theirs = digests(japanese), digests(whole)
    assert set(ours) == set(theirs)
    data = {name for name in ours if name.endswith((".csv", ".json"))}
    assert {name for name in ours if ours[name] == theirs[name]} == data


def test_no_english_word_is_left_in_a_japanese_report(japanese: Path, make_settings: MakeSettings) -> None:
    html = (japanese / "report.html").read_text(encoding="utf-8")
    assert '<html lang="ja">' in html
    html += "".join(path.read_text(encoding="utf-8") for path in (japanese / "figures").glob("*.svg"))
    shown = r"(?s)<style>.*?</style>|<pre>.*?</pre>|<section id=\"acknowledgements\">.*?</section>|<[^>]*>"
    text = re.sub(shown, " ", html)
    # What stays: names of conditions and levels, of data, software, surveys, units and statistics.
    kept = {*make_settings().conditions, "native", "blurred", "mixed", "blur_only", "noise_only"}
    kept |= {
        "galmorph",
        "simulated",
        "params",
        "yaml",
        "docs",
        "statistics",
        "protocol",
        "data",
        "cutouts",
        "Galaxy",
        "Zoo",
    }
    kept |= {
        "SDSS",
        "OBJID",
        "NVOTE",
        "Wilson",
        "Holm",
        "Fleiss",
        "Peirce",
        "True",
        "Skill",
        "Statistic",
        "Table",
        "speclite",
    }
    kept |= {"asinh", "ddof", "FWHM", "ReLU", "softmax", "adjusted", "balanced", "accuracy"}
    kept |= {"near", "edge"}  # a reason that the made study has and the real one has not
    kept = {word for name in kept for word in name.split("_")}
    words = set(re.findall(r"[A-Za-z]{4,}", text))
    assert not {word for word in words - kept if not re.fullmatch(r"[0-9a-f]+", word)}


def test_the_tables_of_a_japanese_report_are_utf_8_and_numbers_stay_to_the_right(japanese: Path) -> None:
    text = (japanese / "tables" / "table_4_1.tex").read_text(encoding="utf-8")
    assert r"\begin{tabular}{lrrrrrrrrrrrrr}" in text
    assert "3値分類 & " in text
    assert "（修士論文: 表4.1）" in (japanese / "tables" / "table_4_1.md").read_text(encoding="utf-8")
