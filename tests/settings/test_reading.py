from pathlib import Path

import pytest

from galmorph.errors import GalmorphError
from galmorph.settings.reading import load_settings
from tests.support.parameters import settings_with


def test_every_mistake_is_reported_at_once():
    with pytest.raises(GalmorphError) as error:
        settings_with({"training.epochs": 0, "protocol.runs": 0})
    assert str(error.value).count("params.yaml: ") == 2


def test_a_value_of_any_length_has_a_message_of_a_line():
    with pytest.raises(GalmorphError, match=r"training\.epochs: .*, not 'xxx.*xxx'$") as error:
        settings_with({"training.epochs": "x" * 5000})
    assert len(str(error.value)) < 200


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1", "not valid YAML"),
        ("", "empty, or not a mapping"),
        ("training:\n  epochs: 3\n  epochs: 4\n", r"params\.yaml: line 3: a key for the second time; correct it"),
        ("training:\n  epochs: [3\n", r"params\.yaml: line 3: not valid YAML; correct it"),
        ("- 1\n", "empty, or not a mapping"),
        ("training: {epochs: 2001-01-01}\n", r"params\.yaml: training\.epochs: neither a plain number .*in quotes"),
        ("training: &all {again: *all}\n", r"params\.yaml: a block that holds itself"),
    ],
)
def test_unreadable_file(tmp_path: Path, text, words):
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(GalmorphError, match=words):
        load_settings(path)


def test_missing_file(tmp_path: Path):
    with pytest.raises(GalmorphError, match="no such file"):
        load_settings(tmp_path / "params.yaml")
