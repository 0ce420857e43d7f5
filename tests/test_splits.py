import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from galmorph.errors import GalmorphError
from galmorph.settings.study import ConditionSettings
from galmorph.splits import apportion, split_condition
from tests.support.parameters import settings_with

COUNTS = {"spiral": 403, "elliptical": 158, "uncertain": 939}


def galaxies(counts=COUNTS):
    classes = np.repeat(list(counts), list(counts.values()))
    classes = np.random.default_rng(3).permutation(classes)
    return pd.DataFrame({"objid": np.arange(len(classes)) + 587_722_981_741_000_000, "class": classes})


def small(**changes):
    return settings_with(
        {
            "protocol.runs": 4,
            "protocol.evaluation.natural": 30,
            "protocol.evaluation.balanced": 30,
            "protocol.evaluation.uncertain": 25,
        }
        | changes
    )


def split(name, settings, table=None):
    table = galaxies() if table is None else table
    return split_condition(table, f"conditions.{name}", settings.conditions[name], settings.protocol)


@pytest.mark.parametrize("name", ["three_class", "two_class", "balanced", "two_class_small"])
def test_no_galaxy_is_in_two_parts_of_a_run(name):
    table = split(name, small())
    drawn = table[table["part"].isin(["train", "test"])]
    assert not drawn.duplicated(["phase", "run", "row"]).any()
    for (_, _), run in table.groupby(["phase", "run"]):
        common = set(run.loc[run["part"].str.startswith("common"), "row"])
        assert common
        assert not common & set(run.loc[run["part"].isin(["train", "test"]), "row"])


def test_rows_name_their_galaxies():
    sample = galaxies()
    table = split("three_class", small(), sample)
    np.testing.assert_array_equal(table["objid"], sample["objid"].to_numpy()[table["row"]])
    np.testing.assert_array_equal(table["class"], sample["class"].to_numpy()[table["row"]])


def test_sizes_are_those_of_the_protocol():
    table = split("three_class", small())
    sizes = table.groupby(["phase", "run", "part"]).size().unstack()
    assert len(sizes) == 8
    assert (sizes["train"] == 140).all()
    assert (sizes["test"] == 60).all()
    assert (sizes["common_natural"] == 30).all()


def test_balanced_draws_are_one_to_one_in_both_parts():
    table = split("balanced", small())
    counts = table.groupby(["phase", "run", "part", "class"]).size().unstack()
    for part, each in (("train", 70), ("test", 30), ("common_balanced", 15)):
        assert (counts.xs(part, level="part")[["spiral", "elliptical"]] == each).all(axis=None)


def test_a_mix_in_numbers_has_them_in_each_run_split_by_the_train_fraction():
    mix = {"conditions.balanced.mix": {"spiral": 40, "elliptical": 20}, "conditions.balanced.draw": 60}
    counts = split("balanced", small(**mix)).groupby(["phase", "run", "part", "class"]).size().unstack()
    for part, spirals, ellipticals in (("train", 28, 14), ("test", 12, 6)):
        of_part = counts.xs(part, level="part")
        assert (of_part["spiral"] == spirals).all()
        assert (of_part["elliptical"] == ellipticals).all()


def test_natural_draws_vary_about_the_sample_fraction():
    settings = small(**{"protocol.runs": 60})
    table = split("two_class", settings)
    train = table[table["part"] == "train"]
    share = (train["class"] == "elliptical").groupby([train["phase"], train["run"]]).mean()
    expected = COUNTS["elliptical"] / (COUNTS["elliptical"] + COUNTS["spiral"])
    assert share.std() > 0.01
    assert share.mean() == pytest.approx(expected, abs=4 * share.std() / np.sqrt(len(share)))


def test_control_has_exactly_the_spirals_and_ellipticals_of_three_class():
    settings = small()
    three, control = split("three_class", settings), split("two_class_small", settings)
    kept, control = (table[table["class"] != "uncertain"] for table in (three, control))
    columns = ["phase", "run", "part", "row"]
    pd.testing.assert_frame_equal(
        kept[columns].sort_values(columns, ignore_index=True), control[columns].sort_values(columns, ignore_index=True)
    )


def test_conditions_share_their_evaluation_sets_run_by_run():
    settings = small()
    sets = [
        table[table["part"].str.startswith("common")].reset_index(drop=True)
        for table in (split("two_class", settings), split("balanced", settings))
    ]
    pd.testing.assert_frame_equal(*sets)


def test_uncertain_galaxies_are_reserved_in_each_run_and_train_no_condition():
    settings = small()
    two, balanced, three = (split(name, settings) for name in ("two_class", "balanced", "three_class"))
    shown = two[two["part"] == "common_uncertain"]
    assert (shown.groupby(["phase", "run"]).size() == 25).all()
    assert len(shown) == 8 * 25
    assert set(shown["class"]) == {"uncertain"}
    pd.testing.assert_frame_equal(
        shown.reset_index(drop=True), balanced[balanced["part"] == "common_uncertain"].reset_index(drop=True)
    )
    # Networks that know the class could not be asked what else it is, but they may not train on the galaxies either.
    assert "common_uncertain" not in set(three["part"])
    drawn = three[["phase", "run", "row"]].merge(shown[["phase", "run", "row"]])
    assert drawn.empty
    # The galaxies drawn are others, their numbers and the other classes' galaxies the same as without the set.
    without = split("three_class", small(**{"protocol.evaluation.uncertain": None}))
    keys = ["phase", "run", "part", "class"]
    pd.testing.assert_series_equal(three.groupby(keys).size(), without.groupby(keys).size())
    known = [table[table["class"] != "uncertain"].reset_index(drop=True) for table in (three, without)]
    pd.testing.assert_frame_equal(*known)
    assert not without.equals(three)


@pytest.mark.parametrize("name", ["two_class", "three_class"])
@pytest.mark.parametrize("uncertain", [0, 24])
def test_too_few_uncertain_galaxies_are_refused_by_key(name, uncertain):
    few = galaxies(COUNTS | {"uncertain": uncertain})
    with pytest.raises(
        GalmorphError, match=rf"protocol\.evaluation\.uncertain: asks for 25 .* has {uncertain}; .*null"
    ):
        split(name, small(), few)


def test_phases_and_runs_draw_afresh():
    table = split("two_class", small())
    train = table[table["part"] == "train"].groupby(["phase", "run"])["row"].apply(frozenset)
    assert train.nunique() == len(train)


def test_a_condition_without_ellipticals_has_no_common_sets():
    condition = ConditionSettings(
        classes=("spiral", "uncertain"), drawn_among=("spiral", "uncertain"), mix="natural", draw=100
    )
    table = split_condition(galaxies(), "other", condition, small().protocol)
    assert set(table["part"]) == {"train", "test"}


@pytest.mark.parametrize("name", ["three_class", "two_class", "balanced"])
def test_a_validation_part_is_taken_from_the_training_part_and_from_nothing_else(name):
    without, held = split(name, small()), split(name, small(**{"protocol.validation_fraction": 0.2}))
    columns = ["phase", "run", "row", "class"]

    def members(table, *parts):
        return table.loc[table["part"].isin(parts), columns].sort_values(columns, ignore_index=True)

    pd.testing.assert_frame_equal(members(without, "train"), members(held, "train", "validation"))
    pd.testing.assert_frame_equal(members(without, "test"), members(held, "test"))
    pd.testing.assert_frame_equal(members(without, "common_natural"), members(held, "common_natural"))
    assert not held[held["part"].isin(["train", "validation"])].duplicated(["phase", "run", "row"]).any()
    learnt = held[held["part"].isin(["train", "validation"])]
    sizes = learnt.groupby(["phase", "run", "class", "part"]).size().unstack()
    whole = sizes["train"] + sizes["validation"]
    assert ((sizes["validation"] - 0.2 * whole).abs() <= 0.5).all()


def test_a_validation_part_without_a_class_is_refused():
    settings = small(**{"protocol.validation_fraction": 0.001})
    with pytest.raises(GalmorphError, match="the validation part has no spiral"):
        split("two_class", settings)


def test_too_few_of_a_class():
    few = galaxies({"spiral": 400, "elliptical": 110, "uncertain": 900})
    with pytest.raises(GalmorphError, match=r"conditions\.balanced\.draw: needs 100 elliptical .* has 110"):
        split("balanced", small(), few)


def test_too_few_altogether():
    few = galaxies({"spiral": 90, "elliptical": 60, "uncertain": 100})
    with pytest.raises(GalmorphError, match=r"conditions\.two_class\.draw: asks for 200 .* has 150"):
        split("two_class", small(), few)


def test_a_part_without_a_class_is_refused():
    rare = galaxies({"spiral": 1000, "elliptical": 18, "uncertain": 100})
    settings = small(**{"protocol.runs": 30, "protocol.evaluation.balanced": 2, "protocol.evaluation.natural": 2})
    with pytest.raises(GalmorphError, match=r"conditions\.two_class\.draw: in run \d+ .* no elliptical"):
        split("two_class", settings, rare)


def test_a_sample_without_ellipticals_is_refused():
    with pytest.raises(GalmorphError, match="no elliptical"):
        split("two_class", small(), galaxies({"spiral": 400, "elliptical": 0, "uncertain": 10}))


@given(st.integers(0, 1000), st.lists(st.integers(1, 500), min_size=1, max_size=4))
def test_apportioning_gives_the_total_within_one_of_the_exact_shares(total, weights):
    shares = apportion(total, {str(i): weight for i, weight in enumerate(weights)})
    assert sum(shares.values()) == total
    for i, weight in enumerate(weights):
        assert abs(shares[str(i)] - total * weight / sum(weights)) < 1
