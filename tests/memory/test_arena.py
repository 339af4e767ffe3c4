"""Where a tensor goes in an arena that others are in, worked out by hand."""

from drqsim.memory.arena import Arena

ALWAYS = (0, 9)  # from the first step to the last
AT_FIRST = (0, 1)


def arena(*tensors):
    """With these placed one behind the other: bytes, and first and last step."""
    made = Arena()
    for nbytes, lives in tensors:
        made.place(nbytes, *lives)
    return made


def test_of_equal_gaps_the_first_is_taken():
    made = arena((64, ALWAYS), (64, AT_FIRST), (64, ALWAYS), (64, AT_FIRST), (64, ALWAYS))
    assert made.place(64, 2, 9) == 64
    assert made.place(64, 2, 9) == 192
    assert made.place(64, 2, 9) == 5 * 64 == made.nbytes - 64


def test_the_tightest_gap_is_taken():
    made = arena((64, ALWAYS), (128, AT_FIRST), (64, ALWAYS), (64, AT_FIRST), (64, ALWAYS))
    assert made.place(64, 2, 9) == 64 + 128 + 64
    assert made.place(128, 2, 9) == 64


def test_a_gap_is_remembered_from_its_unrounded_start():
    """The first gap, from byte 20 to 128, has 64 aligned bytes, but counts as one of 108."""
    made = arena((20, ALWAYS), (64, AT_FIRST), (64, ALWAYS), (64, AT_FIRST), (64, ALWAYS))
    assert made.place(64, 2, 9) == 192
