"""Names of models that can be none are mistakes of a person, said in a sentence."""

from __future__ import annotations

import pytest

from qwen_ui.errors import ModelError
from qwen_ui.model import open_model


@pytest.mark.parametrize(
    "name",
    [
        *(
            "[" * 2000,
            "a" * 300,
            "a/" + "b" * 3000,
            "a" * 300 + "/b",
            "~nosuchuser",
            "~nosuchuser/x",
        ),
        *("a--b/c", "a/b..c", "a/b-", "a./b", "a/b.git", "\0", "x/\0y"),
    ],
)
def test_what_can_be_no_name(name: str) -> None:
    with pytest.raises(ModelError) as error:
        open_model(name)
    assert len(str(error.value)) < 500
