import pytest
from hypothesis import given
from hypothesis import strategies as st

from galmorph.errors import GalmorphError
from galmorph.sdss.names import FrameName, ObjectId, parse_tsfield_name

identities = st.builds(
    ObjectId,
    sky_version=st.integers(0, 15),
    rerun=st.integers(0, 2047).filter(lambda rerun: rerun != 301),
    run=st.integers(1, 65535),
    camcol=st.integers(1, 6),
    first_field=st.integers(0, 1),
    field=st.integers(1, 4095),
    obj=st.integers(0, 65535),
)


@given(identities)
def test_object_id_round_trip(identity):
    number = identity.encode()
    assert 0 < number < 2**63
    assert ObjectId.decode(number) == identity


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (0, "positive"),
        (-587727178986356823, "positive"),
        (2**63 + 587727178986356823, "below 2\\^63"),
        (587727178986356823 & ~(7 << 29), "camcol 0"),
        (587727178986356823 | (7 << 29), "camcol 7"),
        (1237648720693755918, "rerun 301"),
        (1 << 59 | 40 << 48 | 3 << 29, "run 0"),
    ],
)
def test_what_is_no_dr7_id_is_refused(number, why):
    with pytest.raises(GalmorphError, match=why) as caught:
        ObjectId.decode(number)
    assert str(number) in str(caught.value)


def test_parts_too_large_for_their_bits_are_refused():
    with pytest.raises(GalmorphError, match="field 4096"):
        ObjectId(1, 40, 1729, 3, 0, 4096, 1)


def test_file_names_of_both_releases():
    for name in (FrameName("dr7", 1729, 3, 83, "r"), FrameName("dr8", 94, 1, 131, "g")):
        assert FrameName.parse(name.file) == name
    assert FrameName.parse("fpC-001729-r3-0083.fit") == FrameName("dr7", 1729, 3, 83, "r")  # decompressed
    for other in ("fpC-001729-r7-0083.fit.gz", "frame-g-94-1-131.fits.bz2", "README.md"):
        assert FrameName.parse(other) is None
        assert parse_tsfield_name(other) is None
