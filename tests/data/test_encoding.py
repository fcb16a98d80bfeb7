"""Texts get the special tokens of their tokenizer, once, and spans their own tokens."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, processors
from transformers import AutoTokenizer, PreTrainedTokenizerFast, PythonBackend

from qwen_ui.data import encoding
from qwen_ui.data.chat import chat_tokens
from qwen_ui.data.counts import Counts
from qwen_ui.data.encoding import Encoder
from qwen_ui.data.records import Record
from qwen_ui.data.tokens import make_examples
from tests.helpers.tiny_models import SENTENCES, TEMPLATE

NANO = Path(__file__).parents[2] / "assets" / "nano"
CHAT = (
    {"role": "user", "content": "the cat"},
    {"role": "assistant", "content": "the mat"},
    {"role": "user", "content": "a dog"},
    {"role": "assistant", "content": " the mat\n"},
)


def shipped() -> PreTrainedTokenizerFast:
    """The tokenizer of the nano twin."""
    tokenizer = AutoTokenizer.from_pretrained(NANO)
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    return tokenizer


@pytest.fixture(scope="module")
def nano() -> PreTrainedTokenizerFast:
    return shipped()


def metaspace(*, end: bool = False) -> PreTrainedTokenizerFast:
    """Like Llama's: a space before a text, words of one token, BOS (and EOS) by itself."""
    words = sorted({f"▁{word}" for line in SENTENCES for word in line.split()})
    letters = [*"abcdefghijklmnopqrstuvwxyz▁:.\n=", *(f"<0x{n:02X}>" for n in range(256))]
    vocabulary = {w: i for i, w in enumerate(dict.fromkeys(["<unk>", "<s>", "</s>", *letters]))}
    merges = []
    for word in words:
        for cut in range(2, len(word) + 1):
            pair = (word[: cut - 1], word[cut - 1])
            if pair not in merges:
                merges.append(pair)
                vocabulary.setdefault(word[:cut], len(vocabulary))
    core = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True))
    core.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    core.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    core.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>" if end else "<s> $A", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


class Slow(PythonBackend):
    """A tokenizer in Python: a token a word with its space before it, no offsets."""

    vocab_files_names: dict[str, str] = {}  # noqa: RUF012  as the class above declares it

    def __init__(self, **more: object) -> None:
        self.words: list[str] = ["<unk>", "<|im_start|>", "<|im_end|>"]
        super().__init__(unk_token="<unk>", eos_token="<|im_end|>", **more)
        self.add_special_tokens({"additional_special_tokens": ["<|im_start|>"]})
        self.chat_template = TEMPLATE

    @property
    def vocab_size(self) -> int:
        return 10_000

    def get_vocab(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words)}

    def _tokenize(self, text: str, **_: object) -> list[str]:
        pieces: list[str] = []
        for letter in text:
            if pieces and letter.isalpha() and pieces[-1][-1:].isalpha():
                pieces[-1] += letter
            else:
                pieces.append(letter)
        return pieces

    def _convert_token_to_id(self, token: str) -> int:
        if token not in self.words:
            self.words.append(token)
        return self.words.index(token)

    def _convert_id_to_token(self, index: int) -> str:
        return self.words[index]

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        return "".join(tokens)


def sample(record: Record, tokenizer: PreTrainedTokenizerFast) -> tuple[list[int], str]:
    """The tokens of a record, and the text of those in the loss."""
    (example,), _ = make_examples([record], tokenizer, 1_000)
    pairs = zip(example.tokens, example.loss_mask, strict=True)
    return list(example.tokens), str(tokenizer.decode([t for t, m in pairs if m]))


@pytest.mark.parametrize("end", [False, True])
@pytest.mark.parametrize("text", ["the cat", "<s>the cat", "the cat</s>", "<s> the cat</s>\n"])
def test_a_text_has_its_special_tokens_once(text: str, end: bool) -> None:
    tokens, _ = sample(Record("a", text=text), metaspace(end=end))
    assert (tokens[0], tokens.count(1), tokens.count(2)) == (1, 1, 1)


def test_a_document_has_what_the_tokenizer_gives_at_its_ends_alone() -> None:
    tokenizer = metaspace()
    text = "the cat sat on the mat " * 40
    examples, _ = make_examples([Record("a", text=text, is_document=True)], tokenizer, 16)
    assert [t for e in examples for t in e.tokens] == tokenizer(text)["input_ids"]


@pytest.mark.parametrize(
    ("prompt", "completion"),
    [("the cat", " sat"), ("the cat ", "sat"), ("a=", "b"), ("", "the"), ("a", "b</s>")],
)
def test_a_completion_goes_on_where_its_prompt_ends(prompt: str, completion: str) -> None:
    tokenizer = metaspace()
    tokens, loss = sample(Record("a", prompt=prompt, completion=completion), tokenizer)
    assert str(tokenizer.decode(tokens)).removeprefix("<s>").strip() == (
        (prompt + completion).removesuffix("</s>") + "</s>"
    )
    assert loss.lstrip() == completion.removesuffix("</s>").lstrip() + "</s>"
    assert (tokens.count(1), tokens.count(2)) == (1, 1)


def test_a_token_over_the_end_of_a_prompt_is_split_there(nano: PreTrainedTokenizerFast) -> None:
    tokens, loss = sample(Record("a", prompt="Answer: ", completion="yes"), nano)
    assert loss == "yes<|im_end|>"
    assert tokens[: len(nano("Answer: ")["input_ids"])] == nano("Answer: ")["input_ids"]


def test_an_answer_that_begins_with_a_newline_is_split_from_its_header(
    nano: PreTrainedTokenizerFast,
) -> None:
    messages = ({"role": "user", "content": "a"}, {"role": "assistant", "content": "\n\nb"})
    assert sample(Record("a", messages=messages), nano)[1] == "\n\nb<|im_end|>"


def test_a_tokenizer_without_offsets_gives_the_same_tokens_and_the_right_loss() -> None:
    tokenizer = Slow()
    assert not tokenizer.is_fast
    tokens, mask = chat_tokens(Record("a", messages=CHAT), Encoder(tokenizer), Counts())
    text = tokenizer.apply_chat_template(list(CHAT), tokenize=False)
    assert tokens == tokenizer(text, add_special_tokens=False)["input_ids"]
    loss = tokenizer.decode([t for t, m in zip(tokens, mask, strict=True) if m])
    assert loss == "the mat<|im_end|> the mat\n<|im_end|>"


@given(text=st.text(st.sampled_from("aeist .,\n\t'é中1"), min_size=300, max_size=900))
def test_windows_give_the_tokens_of_the_whole_text(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding, "WINDOW", 200)
        patch.setattr(encoding, "OVERLAP", 80)
        for tokenizer in (shipped(), metaspace()):
            whole = tokenizer(text, add_special_tokens=False)["input_ids"]
            assert Encoder(tokenizer).ids(text) == whole


def test_a_missing_answer_is_left_out_as_one_that_is_cut_away(
    nano: PreTrainedTokenizerFast,
) -> None:
    records = [
        Record("a", prompt="p", completion="c"),
        Record("b", prompt="p", completion=""),
        Record("c", prompt="p " * 900, completion="c"),
        Record("d", messages=CHAT[:1]),
        Record("e", text=""),
    ]
    examples, counts = make_examples(records, nano, 100)
    assert [e.where for e in examples] == ["a"]
    assert counts.left_out == 4
