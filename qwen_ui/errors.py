"""Errors that a person can fix, each with a sentence that says how.

    UserError
    ├── ModelError       no such model, or its configuration cannot be read or built
    ├── PlanError        a plan that cannot be read, matches nothing or trains nothing
    ├── DataError        data that cannot be used for training or evaluation
    ├── SettingsError    a setting out of range (zero steps, a negative rate)
    └── RunError         no such run, or one whose state does not allow the request

The text of a `UserError` is shown to the person as it is: what was wrong, where, how to fix it.
Every other exception is an internal error and keeps its traceback.
"""

# What a sentence quotes may be a person's text of any length.
MOST_SHOWN = 3000


class UserError(Exception):
    """An error that a person can fix; `str(error)` is the sentence to show.

    Of a very long one the middle is left out: the beginning says what is wrong, the end what to do.
    """

    def __str__(self) -> str:
        said = super().__str__()
        if len(said) <= MOST_SHOWN:
            return said
        half = MOST_SHOWN // 2
        return f"{said[:half]} [...] {said[-half:]}"


class ModelError(UserError):
    """No such model, or its configuration cannot be read or built."""


class PlanError(UserError):
    """A freeze plan that cannot be read, or that makes no sense for this model."""


class DataError(UserError):
    """Data that cannot be used for training or evaluation."""


class SettingsError(UserError):
    """A setting that is out of its range."""


class RunError(UserError):
    """No such run, or one whose state does not allow the request."""
