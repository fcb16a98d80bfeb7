"""Runs of one plan at several rates, lengths and seeds, each a line of a file.

The model is set up once for a plan, and each run begins with the untouched weights. A run that is
in the file is not run again.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from qwen_ui.engine import set_up, suggest_learning_rate
from qwen_ui.engine.rate_finder import best_rate, next_rate, trial_steps
from qwen_ui.engine.rate_trials import RateTrials
from qwen_ui.freeze import FreezePlan, resolve
from qwen_ui.model import open_model
from qwen_ui.paths import ASSETS
from qwen_ui.runs import RunSpec, make_spec

SEED, FINDER_SEED = 100, 200
BATCH, LENGTH = 4, 64
SMOL = "SmolLM2-135M"
# 1,000 steps read the 400 shipped chats ten times, which is learning them by heart.
SMOL_TEXT = f"{SMOL}, text"
TEXT = ("kjv-train.txt", "kjv-eval.txt")
# Training and held-out data by model.
DATA = {"nano": TEXT, SMOL: ("kjv-chat.jsonl", None), SMOL_TEXT: TEXT}


@dataclass(frozen=True)
class Case:
    """A plan under a name, trained directly or by LoRA of this rank."""

    name: str
    plan: FreezePlan
    lora_rank: int = 0


@dataclass(frozen=True)
class Trial:
    """One run; losses in nats per token, `after` None where it diverged, processor seconds."""

    model: str
    kind: str
    steps: int
    batch: int
    length: int
    rate: float
    before: float
    after: float | None
    seconds: float
    seed: int = SEED

    @property
    def gain(self) -> float:
        return -math.inf if self.after is None else self.before - self.after


def read_trials(file: Path) -> list[Trial]:
    lines = file.read_text().splitlines() if file.is_file() else []
    return [Trial(**json.loads(line)) for line in lines]


class Runs:
    """The runs of one case on one model.

    Args:
        source: the model: "nano", or a folder.
        model: its name in the file.
        file: holds a line per run.

    Attributes:
        known: the runs of this case that are in the file, by (steps, rate, seed).
    """

    def __init__(
        self,
        source: str,
        model: str,
        case: Case,
        file: Path,
        batch: int = BATCH,
        length: int = LENGTH,
    ) -> None:
        self.source, self.model, self.case, self.file = source, model, case, file
        self.batch, self.length = batch, length
        self.selection = resolve(case.plan, open_model(source))
        self._trials: RateTrials | None = None
        of_case = (model, case.name, batch, length)
        self.known = {
            (t.steps, t.rate, t.seed): t
            for t in read_trials(file)
            if (t.model, t.kind, t.batch, t.length) == of_case
        }

    def run(self, steps: int, rate: float, seed: int = SEED) -> Trial:
        """This run, from the file where it is there."""
        key = (steps, rate, seed)
        if key not in self.known:
            trials = self._set_up()
            began = time.process_time()
            after = trials.after(rate, steps, seed)
            seconds = round(time.process_time() - began, 1)
            sizes = (steps, self.batch, self.length)
            trial = Trial(
                self.model, self.case.name, *sizes, rate, trials.before, after, seconds, seed
            )
            with self.file.open("a") as file:
                file.write(json.dumps(asdict(trial)) + "\n")
            print(json.dumps(asdict(trial)), flush=True)
            self.known[key] = trial
        return self.known[key]

    def suggested(self, steps: int) -> float:
        """The rate that the rule gives."""
        lora = self.case.lora_rank > 0
        return suggest_learning_rate(self.selection, steps=steps, batch=self.batch, lora=lora).rate

    def found(self, steps: int, *, run: bool = True) -> float | None:
        """The rate that the finder finds for so many steps.

        Args:
            run: whether trials that are not in the file are run; else there is none then.
        """
        losses: dict[float, float | None] = {}
        count, before = trial_steps(steps), math.inf
        while (rate := next_rate(losses, self.suggested(steps))) is not None:
            if not run and (count, rate, FINDER_SEED) not in self.known:
                return None
            trial = self.run(count, rate, FINDER_SEED)
            losses[rate], before = trial.after, trial.before
        return best_rate(losses, before, steps)

    def _set_up(self) -> RateTrials:
        if self._trials is None:
            with tempfile.TemporaryDirectory() as folder:
                self._trials = RateTrials(set_up(self._spec(), Path(folder)))
        return self._trials

    def _spec(self) -> RunSpec:
        train, held_out = DATA[self.model]
        data = ASSETS / "data"
        return make_spec(
            model=self.source,
            plan=self.case.plan.to_dict(),
            data=str(data / train),
            eval_data=None if held_out is None else str(data / held_out),
            batch_size=self.batch,
            sequence_length=self.length,
            steps=1000,
            threads=1,
            device="cpu",
            dtype="float32",
            lora_rank=self.case.lora_rank,
        )
