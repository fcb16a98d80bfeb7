"""Cut the demonstration data from the King James Bible (a verse a line) and from Jane Austen.

    python -m scripts.make_data kjv.txt austen.txt

Of the first 2,800 verses (Genesis, Exodus and the start of Leviticus), every twentieth run of 40
is for evaluation, the rest for training. `kjv-chat.jsonl` asks for the second half of verses from
the gospel of John, as a conversation. `austen-keep.txt` is what the nano twin is to keep: the
beginning of each passage that its pretraining held out.
"""

from __future__ import annotations

import json
import sys
from itertools import chain
from pathlib import Path

from qwen_ui.paths import ASSETS
from scripts.pretrain_nano import PASSAGE, split_passages

DATA = ASSETS / "data"
VERSES, RUN, EVERY = 2800, 40, 20
JOHN = range(26045, 26045 + 400)
# Of each held-out passage of 100 lines; about 8,000 tokens of the twin in all.
AUSTEN_LINES = 17


def main() -> None:
    verses = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    train: list[str] = []
    held_out: list[str] = []
    for index, verse in enumerate(verses[:VERSES]):
        part = held_out if (index // RUN) % EVERY == EVERY // 2 else train
        part.append(verse)
    (DATA / "kjv-train.txt").write_text("\n".join(train) + "\n", encoding="utf-8")
    (DATA / "kjv-eval.txt").write_text("\n".join(held_out) + "\n", encoding="utf-8")
    with (DATA / "kjv-chat.jsonl").open("w", encoding="utf-8") as file:
        for index in JOHN:
            words = verses[index].split()
            half = len(words) // 2
            messages = [
                {"role": "user", "content": "Go on: " + " ".join(words[:half])},
                {"role": "assistant", "content": " ".join(words[half:])},
            ]
            file.write(json.dumps({"messages": messages}, ensure_ascii=False) + "\n")
    _, austen = split_passages(Path(sys.argv[2]).read_text(encoding="utf-8"))
    lines = austen.splitlines(keepends=True)
    kept = [lines[at : at + AUSTEN_LINES] for at in range(0, len(lines), PASSAGE)]
    (DATA / "austen-keep.txt").write_text("".join(chain.from_iterable(kept)), encoding="utf-8")


if __name__ == "__main__":
    main()
