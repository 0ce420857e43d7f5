"""The catalogues of translations, and how a text finds its way through them."""

from __future__ import annotations

import ast
import logging
import string
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from galmorph.errors import GalmorphError
from galmorph.report.figures import style
from galmorph.report.language import (
    REASONS,
    SOURCE,
    capital,
    current,
    in_language,
    joined,
    listed,
    read_catalogue,
    say,
    sentences,
)
from galmorph.resolution import sample
from galmorph.settings.study import ReportSettings
from tests.support.parameters import ROOT

REPORT = ROOT / "src/galmorph/report"
CATALOGUES = sorted((REPORT / "locale").glob("*.po"))
WHERE = [("**.py", "python"), ("**.html", "jinja2")]


def places(template: str) -> list[tuple[str, str | None]]:
    """Return the places of a template and how each is to be written."""
    return sorted({(name, form) for _, name, form, _ in string.Formatter().parse(template) if name is not None})


def templates() -> set[str]:
    found = extract_from_dir(str(REPORT), WHERE, keywords={"say": None, "mark": None})
    return {str(message) for _, _, message, _, _ in found}


def catalogue(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.stem)


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Yield each call of say and mark in the sources, and where it is."""
    for path in sorted(REPORT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("say", "mark"):
                yield f"{path.name}:{node.lineno}", node


def test_every_language_of_the_settings_has_a_catalogue() -> None:
    allowed = ReportSettings.model_json_schema()["properties"]["language"]["enum"]
    assert {SOURCE, *(path.stem for path in CATALOGUES)} == set(allowed)


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_every_text_is_translated_and_nothing_else(path: Path) -> None:
    known = catalogue(path)
    translated = {str(message.id) for message in known if message.id and message.string and not message.fuzzy}
    assert templates() - translated == set()
    assert {str(message.id) for message in known if message.id} - templates() == set()
    assert not known.obsolete


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_translations_have_the_places_of_their_templates(path: Path) -> None:
    for message in catalogue(path):
        assert places(str(message.id)) == places(str(message.string)) or not message.id, message.id


# Of the thesis's terms: 不確かな天体, 学習データ, テストデータ, 空間解像度, 切り出し画像, 正解率, 混同行列, 過学習,
# 2値分類, バランスドデータ.
SYNONYMS = (
    *("不明", "訓練", "評価データ", "評価用", "分解能", "解像力", "スタンプ", "カットアウト", "精度", "混同マトリ"),
    *("過剰適合", "過適合", "クラス分類", "均衡データ", "均衡な", "テスト用", "平均の"),
)


@pytest.mark.parametrize("path", [REPORT / "locale/ja.po", ROOT / "README.ja.md"], ids=lambda path: path.name)
def test_japanese_has_the_terms_of_the_thesis(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert [word for word in SYNONYMS if word in text] == []


def test_templates_are_literals_and_get_what_they_ask_for() -> None:
    checked = 0
    for where, call in calls():
        template = call.args[0]
        assert not isinstance(template, ast.JoinedStr | ast.BinOp), f"{where}: not a whole template"
        given = [keyword.arg for keyword in call.keywords]
        if isinstance(template, ast.Constant) and None not in given and given:
            assert {name for name, _ in places(str(template.value))} == set(given), where
            checked += 1
    assert checked > 20


def test_english_needs_no_catalogue() -> None:
    assert current() == SOURCE
    assert say("{first}, {second}", first=1, second=2) == "1, 2"
    assert say("{as it stands}") == "{as it stands}"
    with in_language(SOURCE):
        assert say("spiral") == "spiral"
        assert (sentences(["A.", "B."]), capital("two classes")) == ("A. B.", "Two classes")
        assert (listed(["a", "b", "c"]), joined(["a", "b"])) == ("a, b, c", "a and b")


def test_japanese_until_the_end_of_the_block() -> None:
    with in_language("ja"):
        assert (current(), say("spiral")) == ("ja", "渦巻銀河")
        assert (sentences(["あ。", "い。"]), listed(["a", "b", "c"]), joined(["a", "b"])) == (
            "あ。い。",
            "a、b、c",
            "a、b",
        )
        assert capital("two_class") == "two_class"
    with pytest.raises(ZeroDivisionError), in_language("ja"):
        raise ZeroDivisionError
    assert say("spiral") == "spiral"


def test_a_text_without_a_translation_stays_english_and_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "galmorph.report"), in_language("ja"):
        assert (
            say("never seen, {count:,}", count=1000) == say("never seen, {count:,}", count=1000) == "never seen, 1,000"
        )
        assert say("also never seen") == "also never seen"
    assert [record.getMessage() for record in caplog.records] == [
        "2 texts have no translation (ja): ['also never seen', 'never seen, {count:,}']"
    ]


def test_a_language_without_a_catalogue_is_refused() -> None:
    with pytest.raises(GalmorphError, match=r"xx\.po.*docs/report\.md"), in_language("xx"):
        pass


def test_empty_and_fuzzy_translations_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "locale").mkdir()
    text = 'msgid "a"\nmsgstr "A"\n\n#, fuzzy\nmsgid "b"\nmsgstr "B"\n\nmsgid "c"\nmsgstr ""\n'
    (tmp_path / "locale" / "de.po").write_text(text, encoding="utf-8")
    monkeypatch.setattr("galmorph.report.language.resources.files", lambda package: tmp_path)
    assert dict(read_catalogue("de")) == {"a": "A"}


def test_every_reason_of_the_resolution_study_is_known() -> None:
    said = {value for name, value in vars(sample).items() if name.isupper() and isinstance(value, str)}
    assert said == REASONS


def test_the_japanese_font_is_for_japanese_figures_only() -> None:
    before = matplotlib.rcParams["font.family"]
    with in_language("ja"), style.house():
        assert matplotlib.rcParams["font.family"] == ["IPAexGothic", "DejaVu Sans"]
    with style.house():
        assert matplotlib.rcParams["font.family"] == ["STIXGeneral"]
    assert matplotlib.rcParams["font.family"] == before
