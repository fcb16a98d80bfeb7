from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from transformers import PreTrainedTokenizerFast

from qwen_ui.data import load_examples, load_kept_text, shared_note


def test_of_a_long_text_sequences_at_equal_distances_are_measured(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    file = tmp_path / "text.txt"
    file.write_text("".join(f"Line {number:04d}.\n" for number in range(400)))
    whole = load_kept_text(str(file), tokenizer, 32, most_tokens=10**6)
    assert whole == load_examples(str(file), tokenizer, 32)
    part = load_kept_text(str(file), tokenizer, 32, most_tokens=500)
    assert 400 < sum(len(example.tokens) for example in part.items) <= 500
    places = [whole.items.index(example) for example in part.items]
    gaps = {after - before for before, after in pairwise(places)}
    assert max(gaps) - min(gaps) <= 1
    assert places[-1] > 0.9 * (len(whole.items) - max(gaps))
    assert "at equal distances" in part.notes[-1]
    one = load_kept_text(str(file), tokenizer, 32, most_tokens=1)
    assert len(one.items) == 1


def test_a_text_that_is_learned_is_not_kept(
    tokenizer: PreTrainedTokenizerFast, sentences: Path, tmp_path: Path
) -> None:
    learned = load_examples(str(sentences), tokenizer, 48)
    assert "learning" in shared_note(learned, (learned,))
    other = tmp_path / "other.txt"
    other.write_text("Nothing of this stands in the sentences that are learned.")
    assert shared_note(load_kept_text(str(other), tokenizer, 48, most_tokens=99), (learned,)) == ""
