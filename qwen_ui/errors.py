"""What can go wrong through a person's hands, told so that the person can mend it.

    UserError
    ├── ModelError       no such model, a configuration that cannot be read or built
    ├── PlanError        a rule or layer expression that means nothing, a plan that trains nothing
    ├── DataError        a file that cannot be used as training data
    ├── SettingsError    a setting out of range (zero steps, a negative rate)
    └── RunError         no such run, a run in a state that does not allow what was asked

The text of a `UserError` is shown to the person as it is: what was wrong, where, how to mend it.
Every other exception is a fault of ours and keeps its traceback.
"""


class UserError(Exception):
    """A mistake that a person can mend; `str(error)` is the sentence to show."""


class ModelError(UserError):
    """No such model, or one whose configuration cannot be read or built."""


class PlanError(UserError):
    """A freeze plan that cannot be read, or that means nothing for this model."""


class DataError(UserError):
    """Training or evaluation data that cannot be used."""


class SettingsError(UserError):
    """A setting of a run that is out of its range."""


class RunError(UserError):
    """No such run, or one in a state that does not allow what was asked."""
