"""The examples in docstrings run and print what they say."""

import doctest
import importlib
import re
import shutil

import pytest

from tests.support.parameters import ROOT

MODULES = [
    ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((ROOT / "src").rglob("*.py"))
    if re.search(r"^ *>>> ", path.read_text(encoding="utf-8"), re.MULTILINE)
]
IN_A_STUDY = ("galmorph.classify", "galmorph.show")


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, tmp_path, monkeypatch, capsys, request):
    if name.startswith(IN_A_STUDY):
        monkeypatch.chdir(request.getfixturevalue("study"))
    else:
        shutil.copy(ROOT / "params.yaml", tmp_path)
        monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert tried
    assert not failed, capsys.readouterr().out
