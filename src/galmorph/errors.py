"""The one error type of the project."""


class GalmorphError(Exception):
    """Something that a person can put right.

    The message names the file, row, galaxy or parameter at fault and says what to do about it. Everything the
    project refuses is refused with this type; any other exception that reaches a user is a defect of ours.
    """
