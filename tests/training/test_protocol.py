import numpy as np
import pytest

from galmorph.training.protocol import generator, selected_epoch


def test_selected_epoch_is_the_highest_mean_from_one():
    assert selected_epoch([[0.1, 0.9, 0.3], [0.2, 0.4, 0.8]]) == 2


def test_earliest_epoch_wins_a_tie_that_rounding_hides():
    first = [0.1, 0.2, 0.3]
    second = [0.3, 0.2, 0.1]  # the same mean, summed in another order
    assert np.mean(first) != np.mean(second)
    assert selected_epoch(np.column_stack([first, second])) == 1
    assert selected_epoch(np.column_stack([second, first])) == 1


@pytest.mark.parametrize(
    "other",
    [
        (8, "selected", 1, "order"),
        (7, "confirmed", 1, "order"),
        (7, "selected", 2, "order"),
        (7, "selected", 1, "network"),
    ],
)
def test_each_part_of_the_name_makes_another_generator(other):
    one = generator(7, "selected", 1, "order").integers(2**62, size=4)
    np.testing.assert_array_equal(one, generator(7, "selected", 1, "order").integers(2**62, size=4))
    assert (one != generator(*other).integers(2**62, size=4)).any()
