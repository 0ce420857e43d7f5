"""The whole report, from synthetic results to files."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.report.build import build
from galmorph.report.figures.network import LayerDrawing
from galmorph.report.figures.stamps import Schematic
from galmorph.report.page import SIMULATED, SIMULATED_SHORT
from galmorph.report.study import ConditionResults
from galmorph.settings.study import Settings
from tests.support.resolution import MakeResolution
from tests.support.study import study_of

MakeSettings = Callable[..., Settings]
MakeResults = Callable[..., dict[str, ConditionResults]]
Build = Callable[..., Path]


@pytest.fixture(scope="module")
def build_report(
    galaxies: pd.DataFrame,
    images: NDArray[np.float32],
    schematic: Schematic,
    table2_row: dict[str, object],
    layers: list[LayerDrawing],
    make_resolution: MakeResolution,
) -> Build:
    def run(settings: Settings, folder: Path, **changes: Any) -> Path:
        arguments: dict[str, Any] = {
            "study": study_of(settings),
            "galaxies": galaxies,
            "images": images,
            "schematic": schematic,
            "table2_row": table2_row,
            "layers": layers,
            "resolution": make_resolution(),
            "resolution_examples": None,
            "provenance": {"data/cutouts (md5)": "0123abcd", "<b>name</b>": "1 & 2"},
            "folder": folder,
        }
        build(**(arguments | changes))
        return folder

    return run


@pytest.fixture(scope="module")
def whole(build_report: Build, make_settings: MakeSettings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated survey, all four conditions."""
    return build_report(make_settings(), tmp_path_factory.mktemp("whole") / "reports")


@pytest.fixture(scope="module")
def small(
    build_report: Build,
    make_settings: MakeSettings,
    galaxies: pd.DataFrame,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Somebody else's stamps: two conditions of two classes, one run, no frames, no catalogue, no redshifts."""
    settings = make_settings(
        runs=1, epochs=4, conditions=("two_class", "balanced"), survey={"source": "stamps", "name": "EFIGI"}
    )
    without = galaxies[galaxies["class"] != "uncertain"].reset_index(drop=True).assign(redshift=np.nan)
    return build_report(
        settings,
        tmp_path_factory.mktemp("small"),
        galaxies=without,
        images=np.ones((len(without), 64, 64), np.float32),
        schematic=None,
        table2_row=None,
    )


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
    assert names(whole) == {"tables", "figures", "plots", "metrics.json", "report.html"}
    tables = {"summary", "conditions", "table_4_1", "class_scores", "question_1", "section_4_3", "comparisons"}
    tables |= {"tss_forms", "optimism", "test_mixes", "probabilities", "roc", "reliability"}
    tables |= {"comparison_uncertain_labels", "comparison_class_balance", "class_counts", "filters", "table2_row"}
    tables |= {f"confusion_{name}" for name in CONDITIONS}
    tables |= {f"resolution_{name}" for name in ("levels", "matrix", "confusion", "remedies", "ablation")}
    tables |= {"hardest_spiral_elliptical", "hardest_spiral_elliptical_uncertain"}
    assert names(whole / "tables") == {f"{name}.{ending}" for name in tables for ending in ("csv", "md", "tex")}
    figures = {"cutout", "redshifts", "throughput", "examples", "network"}
    figures |= {f"{kind}_{name}" for name in CONDITIONS for kind in ("loss", "accuracy", "confusion")}
    figures |= {f"probabilities_{name}" for name in CONDITIONS if name != "three_class"}
    figures |= {f"resolution_{name}" for name in ("accuracy", "tss", "loss", "recall", "corners")}
    figures |= {"hardest_spiral_elliptical", "hardest_spiral_elliptical_uncertain"}
    assert names(whole / "figures") == {f"{name}.{ending}" for name in figures for ending in ("png", "svg")}
    for path in whole.rglob("*.*"):
        assert path.stat().st_size > 0
        if path.suffix != ".png":
            text = path.read_text(encoding="utf-8")
            assert text.endswith("\n")


def test_an_epoch_chosen_on_validation_parts_is_no_optimism(
    build_report: Build, make_settings: MakeSettings, tmp_path: Path
) -> None:
    settings = make_settings(conditions=("two_class",))
    settings = settings.model_copy(
        update={"protocol": settings.protocol.model_copy(update={"validation_fraction": 0.2})}
    )
    build_report(settings, tmp_path)
    assert "optimism.csv" not in names(tmp_path / "tables")
    text = page(tmp_path).text
    assert "The epoch is selected on validation parts, 20\u00a0% of each training part" in text
    assert "optimistic" not in text


def test_two_builds_are_the_same_bytes(
    whole: Path, build_report: Build, make_settings: MakeSettings, tmp_path: Path
) -> None:
    assert digests(build_report(make_settings(), tmp_path)) == digests(whole)


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
    assert "Thesis: figures 4.8 and 4.13." in found.text


def test_a_simulated_survey_is_named_wherever_results_are_shown(whole: Path) -> None:
    html = (whole / "report.html").read_text(encoding="utf-8").replace("&#39;", "'")
    assert SIMULATED in html.split("<nav")[0]
    for section in html.split("<section ")[1:]:
        shows_results = re.search(r'id="(table|figure)-(?!conditions|class_counts|filters|table2|redshift)', section)
        if shows_results and 'id="data"' not in section and 'id="network"' not in section:
            assert SIMULATED_SHORT in section
    assert SIMULATED in (whole / "tables" / "table_4_1.md").read_text(encoding="utf-8")
    assert SIMULATED in (whole / "tables" / "confusion_balanced.tex").read_text(encoding="utf-8")
    assert SIMULATED not in (whole / "tables" / "filters.md").read_text(encoding="utf-8")


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


def test_what_a_person_typed_is_escaped(whole: Path) -> None:
    html = (whole / "report.html").read_text(encoding="utf-8")
    assert "<b>name</b>" not in html
    assert "&lt;b&gt;name&lt;/b&gt;" in html
    assert "1 &amp; 2" in html


def test_a_hostile_survey_name_is_escaped(build_report: Build, make_settings: MakeSettings, tmp_path: Path) -> None:
    settings = make_settings(runs=1, epochs=2, conditions=("balanced",))
    # The settings refuse such a name; the page must not rely on it.
    survey = settings.survey.model_copy(update={"name": "<script>alert(1)</script>"})
    folder = build_report(settings.model_copy(update={"survey": survey}), tmp_path)
    found = page(folder)
    assert "script" not in found.tags
    assert "<script>alert(1)</script>" in found.text


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


def test_images_that_are_not_of_these_galaxies_are_refused(
    build_report: Build, make_settings: MakeSettings, images: NDArray[np.float32], tmp_path: Path
) -> None:
    with pytest.raises(GalmorphError, match="2999 images, but 3000 rows"):
        build_report(make_settings(), tmp_path, images=images[1:])
    assert not list(tmp_path.iterdir())


def test_results_that_do_not_agree_are_refused(
    build_report: Build, make_settings: MakeSettings, tmp_path: Path
) -> None:
    settings = make_settings()
    study = study_of(settings)
    late = {**study.results, "balanced": dataclasses.replace(study.results["balanced"], epoch=99)}
    with pytest.raises(GalmorphError, match="selected epoch 99"):
        build_report(settings, tmp_path, study=dataclasses.replace(study, results=late))


@pytest.fixture(scope="module")
def japanese(build_report: Build, make_settings: MakeSettings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole study in Japanese."""
    settings = make_settings()
    report = settings.report.model_copy(update={"language": "ja"})
    return build_report(settings.model_copy(update={"report": report}), tmp_path_factory.mktemp("japanese"))


def test_a_japanese_report_has_the_same_files_and_the_same_data(whole: Path, japanese: Path) -> None:
    ours, theirs = digests(japanese), digests(whole)
    assert set(ours) == set(theirs)
    same = {name for name in ours if ours[name] == theirs[name]}
    data = {name for name in ours if name.endswith(".csv")} | {"metrics.json"}
    assert data <= same
    # The one figure without a word of its own would be a figure that was not translated.
    assert same == data


def test_no_english_word_is_left_on_a_japanese_page(japanese: Path, make_settings: MakeSettings) -> None:
    html = (japanese / "report.html").read_text(encoding="utf-8")
    assert '<html lang="ja">' in html
    text = re.sub(r"(?s)<style>.*?</style>|<pre>.*?</pre>|<section id=\"acknowledgements\">.*|<[^>]*>", " ", html)
    names = {word for name in (*make_settings().conditions, "native", "blurred", "mixed") for word in name.split("_")}
    # What stays: names of data, software, surveys, units and statistics.
    kept = {*names, "uncertain", "galmorph", "simulated", "params", "yaml", "docs", "statistics", "Galaxy", "Zoo"}
    kept |= {
        "SDSS",
        "Wilson",
        "speclite",
        "Table",
        "True",
        "Skill",
        "Statistic",
        "Holm",
        "Peirce",
        "FWHM",
        "asinh",
        "ddof",
    }
    kept |= {"adjusted", "balanced", "accuracy", "NVOTE", "OBJID", "data", "cutouts", "name", "only", "noise", "blur"}
    kept |= {"near", "edge"}  # a reason that the made study has and the real one has not
    words = set(re.findall(r"[A-Za-z]{4,}", text))
    assert not {word for word in words - kept if not re.fullmatch(r"[0-9a-f]+", word)}


def test_the_tables_of_a_japanese_report_are_utf_8_and_numbers_stay_to_the_right(japanese: Path) -> None:
    text = (japanese / "tables" / "table_4_1.tex").read_text(encoding="utf-8")
    assert r"\begin{tabular}{lrrrrrrrrr}" in text
    assert "3クラス & " in text
    assert "（修士論文: 表4.1）" in (japanese / "tables" / "table_4_1.md").read_text(encoding="utf-8")


def test_two_japanese_builds_are_the_same_bytes(
    japanese: Path, build_report: Build, make_settings: MakeSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = make_settings()
    report = settings.report.model_copy(update={"language": "ja"})
    again = build_report(settings.model_copy(update={"report": report}), tmp_path)
    assert digests(again) == digests(japanese)
    assert "translation" not in caplog.text
