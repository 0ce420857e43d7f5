import re

import pytest
from ruamel.yaml import YAML

from galmorph.errors import GalmorphError
from galmorph.settings.fields import BLIND_KEYS
from galmorph.settings.reading import load_settings
from tests.support.parameters import ROOT, committed, settings_with

PRESETS = sorted((ROOT / "presets").glob("*.yaml"))
LEVEL = {"psf_fwhm": 3.0, "pixel_scale": 0.5, "noise": None}
OTHER_SURVEY = {"psf_fwhm": None, "pixel_scale": None, "noise": None, "stamps": committed()["stamps"]}
MIXED = {"kind": "mixed", "levels": ["native", "coarse"], "galaxies": None, "epochs": None, "learning_rate": None}
TUNED = {"kind": "fine_tuned", "levels": ["native", "coarse"], "galaxies": 9, "epochs": 1, "learning_rate": 1.0}
NAMED = ("conditions", "comparisons", "series", "resolution.levels", "resolution.ablations", "resolution.remedies")


def keys(data, prefix=""):
    for key, value in data.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict) and prefix + key not in NAMED:
            yield from keys(value, f"{prefix}{key}.")


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_presets_are_whole_params_files(preset):
    load_settings(preset)
    data = YAML(typ="safe").load(preset.read_text(encoding="utf-8"))
    assert list(keys(data)) == list(keys(committed()))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("training.learning_rat", 0.1, "training.learning_rat: unknown key (did you mean learning_rate?)"),
        ("colour", 1, "colour: unknown key"),
        ("resolution.levels.coarse.pixel_scal", 1.0, "pixel_scal: unknown key (did you mean pixel_scale?)"),
        ("training.epochs", "many", "training.epochs: must be a whole number, not 'many'"),
        ("training.epochs", True, "training.epochs"),
        ("training.epochs", 0, "training.epochs: must be at least 1, not 0"),
        ("training.learning_rate", float("nan"), "training.learning_rate"),
        ("protocol.train_fraction", 1.0, "protocol.train_fraction"),
        ("training.keep_weights", 31, "training.keep_weights: more than protocol.runs"),
        ("conditions", {}, "conditions"),
        ("conditions", {"Two": committed()["conditions"]["two_class"]}, "conditions.Two: a name is of a to z, 0 to 9"),
        (
            "conditions.two_class.classes",
            ["spiral", "star"],
            "'elliptical' or 'uncertain', not 'star'",
        ),
        ("conditions.two_class.classes", ["spiral", "spiral"], "names something twice"),
        ("conditions.two_class.classes", ["spirall", "elliptical"], "not 'spirall' (did you mean spiral?)"),
        (
            "conditions.two_class.drawn_among",
            ["spiral", "uncertain"],
            "two_class: classes has ['elliptical']",
        ),
        ("conditions.balanced.draw", 201, "conditions.balanced: a balanced draw of 201 does not divide by 2"),
        (
            "comparisons.class_balance.conditions",
            ["two_class", "three_clas"],
            "among conditions (did you mean three_class?)",
        ),
        (
            "conditions.balanced.training",
            {"epoch": 3},
            "conditions.balanced.training.epoch: unknown key (did you mean e",
        ),
        (
            "conditions.balanced.network",
            {"dropot": 0.5},
            "conditions.balanced.network.dropot: unknown key (did you mean dropout?)",
        ),
        ("conditions.balanced.trainings", {"epochs": 3}, "balanced.trainings: unknown key (did you mean training?)"),
        ("conditions.balanced.training", {"epochs": 0}, "conditions.balanced.training.epochs: must be at least 1"),
        ("conditions.balanced.training", {"keep_weights": 31}, "conditions.balanced.training.keep_weights: more than"),
        ("conditions.balanced.network", {"kernels": [3]}, "conditions.balanced.network: 3 filters, 1 kernels"),
        ("conditions.balanced.network", {"kernels": [11, 11, 11]}, "conditions.balanced.network.kernels: nothing is"),
        ("conditions.balanced.training", 3, "conditions.balanced.training: must be a block of keys, not 3"),
        ("training.augmentation", "turns", "training.augmentation: must be 'none', 'flips' or 'flips_and_t"),
        ("stamps.field", 0, "stamps.field: must be whole, centre, or a fraction of the side, above 0 and at"),
        ("stamps.field", 1.5, "stamps.field: must be whole, centre, or a fraction of the side, above 0 and at"),
        (
            "stamps.field",
            -0.5,
            "stamps.field: must be whole, centre, or a fraction of the side, above 0 and at",
        ),
        (
            "resolution.levels.coarse",
            OTHER_SURVEY | {"stamps": OTHER_SURVEY["stamps"] | {"field": 1.5}},
            "resolution.levels.coarse.stamps.field: must be whole, centre, or a fraction of the side, above 0",
        ),
        ("stamps.field", True, "stamps.field: must be whole, centre, or a fraction"),
        (
            "conditions.balanced.mix",
            "even",
            "mix: must be natural, balanced, or a number of galaxies, 1 or more,",
        ),
        (
            "conditions.balanced.mix",
            {"spiral": 0},
            "mix: must be natural, balanced, or a number of galaxies, 1",
        ),
        (
            "conditions.balanced.mix",
            {"spiral": 199, "elliptical": 2},
            "mix has 201 galaxies of spiral, elliptical; give",
        ),
        (
            "conditions.balanced.mix",
            {"spiral": 200},
            "balanced: mix has 200 galaxies of spiral; give a number for each",
        ),
        (
            "series.one",
            {"x": "draws", "conditions": ["balanced", "two_class"]},
            "one.x: must be training",
        ),
        ("series.one", {"x": "draw", "conditions": ["balanced", "two"]}, "series.one.conditions: two is not among"),
        ("series.one", {"x": "draw", "conditions": ["balanced", "balanced"]}, "series.one.conditions: names something"),
        ("network.kernels", [3, 3], "network: 3 filters, 2 kernels"),
        ("network.kernels", [11, 11, 11], "network.kernels: nothing is left of a stamp of 64 pixels"),
        ("resolution.levels.coarse", LEVEL | {"psf_fwhm": 1.5}, "1.5 arcsec is not wider than the PSF of every galaxy"),
        ("resolution.levels.coarse", LEVEL | {"pixel_scale": None}, "coarse: a level without a pixel scale"),
        ("resolution.levels.coarse", LEVEL | {"noise": 14.0}, "coarse: its noise is that of every level, common_noise"),
        ("resolution.common_noise", 6.5, "6.5 DN is less than the galaxies may have, 6.8 (sample.max_noise)"),
        ("resolution.ablations.coarse", LEVEL, "resolution: coarse names two of levels, ablations and remedies"),
        ("resolution.levels.test", LEVEL, "test is the name of something else"),
        ("resolution.oracle", ["native", "rough"], "resolution: oracle: rough is not among levels"),
        ("resolution.remedies.more", MIXED | {"levels": ["native", "rough"]}, "more.levels: rough is not among levels"),
        ("resolution.remedies.more", MIXED | {"galaxies": 9}, "galaxies: mixed trains as a level does: leave it null"),
        ("resolution.remedies.more", TUNED | {"epochs": None}, "remedies.more.epochs: must be a whole number"),
        ("resolution.remedies.more", TUNED | {"kind": "tuned"}, "kind: must be one of 'mixed', 'fine_tuned'"),
        ("resolution.levels.coarse", OTHER_SURVEY | LEVEL, "another survey is seen as it is: leave psf_fwhm,"),
        ("resolution.ablations.other", OTHER_SURVEY, "ablations.other: another survey is a level, not a part of one"),
        ("resolution.levels", {"other": OTHER_SURVEY}, "resolution: levels: every one is another survey"),
        ("survey.name", "../elsewhere", "survey.name: must be letters, digits, blanks"),
        ("survey.sample.rule", "in_frames", "survey.sample.rule: in_frames goes with survey.source local"),
        ("survey.sample.galaxies", 100, "survey.sample: the simulated survey is all sample"),
        ("survey.sample.rule", "random", "survey.sample: the simulated survey is all sample"),
        ("stamps.pixel_scale", 0.00011, "stamps.pixel_scale: must be at least 0.01"),
        ("cutouts.wide_size", 64, "cutouts: wide_size must be larger than stamp_size"),
        ("simulated.seeing", 0.3, "simulated.seeing: 0.8 or more: in the best frames the PSF would be sharper"),
        (
            "simulated.types",
            {"elliptical": 0.5, "lenticular": 0.2, "spiral": 0.5},
            "types add up to 1.2; they must",
        ),
    ],
)
def test_each_mistake_stops_with_its_key(name, value, words):
    with pytest.raises(GalmorphError) as error:
        settings_with({name: value})
    assert words in str(error.value)


def refusal(changes):
    try:
        settings_with(changes)
    except GalmorphError as error:
        return str(error)
    return ""


def test_no_mistake_is_answered_in_pydantic_s_words():
    """Each value of params.yaml is replaced by others that are not allowed, most of them of another type."""
    programmers = re.compile(r"nput should|should (have|match)|Value error|\bvalid\b(?!')|pattern|\^\[")
    values: tuple[object, ...] = (None, "?\0", -1, [], {"x": 1})
    changes = [{name: wrong} for name in keys(committed()) for wrong in values]
    said = [words for change in changes if (words := refusal(change))]
    assert len(said) > 200
    assert [words for words in said if programmers.search(words)] == []


def test_no_key_has_a_name_that_dvc_does_not_see():
    assert not {name for name in keys(committed()) if name.split(".")[-1] in BLIND_KEYS}
    with pytest.raises(GalmorphError, match=r"conditions\.size: hides its changes from DVC"):
        settings_with({"conditions.size": committed()["conditions"]["two_class"]})


def test_settings_are_frozen():
    settings = settings_with({})
    with pytest.raises(ValueError, match="frozen"):
        settings.training.epochs = 3


@pytest.mark.parametrize(
    ("remedy", "allowed"),
    [
        (TUNED | {"levels": ["native", "other"]}, True),
        (TUNED | {"levels": ["other", "native"]}, False),
        (MIXED | {"levels": ["native", "other"]}, False),
    ],
)
def test_another_survey_may_only_be_the_target_of_fine_tuning(remedy, allowed):
    changes = {"resolution.levels.other": OTHER_SURVEY, "resolution.remedies.moved": remedy}
    if allowed:
        assert settings_with(changes).resolution.remedies["moved"].levels == ("native", "other")
    else:
        with pytest.raises(GalmorphError, match="other is another survey, of other galaxies; only fine_tuned may"):
            settings_with(changes)


def test_a_condition_changes_single_keys_of_its_network_and_training():
    changes = {"conditions.balanced.training": {"learning_rate": 0.01}, "conditions.balanced.network": {"dropout": 0.5}}
    settings = settings_with(changes)
    assert settings.training_of("balanced") == settings.training.model_copy(update={"learning_rate": 0.01})
    assert settings.network_of("balanced") == settings.network.model_copy(update={"dropout": 0.5})
    assert settings.training_of("two_class") == settings.training
    assert settings.network_of("two_class") == settings.network
    # It draws the same galaxies and starts from the same weights as without them.
    assert settings.conditions["balanced"].drawing == settings_with({}).conditions["balanced"].drawing
