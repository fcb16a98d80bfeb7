"""The preview of the data as HTML: every token as it is, those that carry loss marked."""

from __future__ import annotations

import html
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from qwen_ui.errors import UserError
from qwen_ui.ui.page.stand_in import trained_model

if TYPE_CHECKING:
    from qwen_ui.data.preview import Preview, Sequence, Token
    from qwen_ui.ui.page.session import Session

MOST_TOKENS = 400
NO_FILE = "Upload a file to see its tokens here."


def preview_html(
    session: Session, model: str, data: str | None, length: float | None, packing: bool
) -> str:
    """The first sequences of this data for this model, or the sentence on why there are none."""
    from qwen_ui.data.preview import preview_data

    if not data or not model:
        return _note(NO_FILE)
    try:
        folder = session.anatomy(trained_model(session, model)).weights_folder
        found = preview_data(data, _tokenizer(str(folder)), int(length or 128), packing=packing)
    except UserError as error:
        return f'<p class="qt-note qt-bad">{html.escape(str(error))}</p>'
    return drawn(found)


def drawn(found: Preview) -> str:
    """The sequences, one under the other."""
    total = sum(len(sequence.tokens) for sequence in found.sequences)
    carrying = sum(sequence.loss_tokens for sequence in found.sequences)
    head = (
        f"The first {len(found.sequences)} sequences: {total:,} tokens, of which "
        f'<span class="qt-token qt-carries">{carrying:,} carry loss</span>.'
    )
    cut = _note(html.escape(found.cut)) if found.cut else ""
    body = "".join(_sequence(sequence) for sequence in found.sequences)
    return f'<p class="qt-note">{head}</p>{cut}<div class="qt-tokens">{body}</div>'


def _sequence(sequence: Sequence) -> str:
    shown = "".join(map(_token, sequence.tokens[:MOST_TOKENS]))
    left = len(sequence.tokens) - MOST_TOKENS
    more = f'<span class="qt-note"> … {left:,} more</span>' if left > 0 else ""
    where = f"{html.escape(sequence.where)}: {len(sequence.tokens):,} tokens"
    return f'<p class="qt-where">{where}</p><p class="qt-sequence">{shown}{more}</p>'


def _token(token: Token) -> str:
    """One token; a line break is shown by a sign and made as well."""
    text = html.escape(token.text).replace("\n", "↵\n").replace("\t", "⇥")
    kind = "qt-token qt-carries" if token.in_loss else "qt-token"
    mark = '<span class="qt-begins" title="the next sample starts"></span>'
    return f'{mark if token.starts_sample else ""}<span class="{kind}">{text}</span>'


def _note(text: str) -> str:
    return f'<p class="qt-note">{text}</p>'


@lru_cache(maxsize=4)
def _tokenizer(folder: str) -> Any:
    from pathlib import Path

    from qwen_ui.model.weights.loading import load_tokenizer

    return load_tokenizer(Path(folder))
