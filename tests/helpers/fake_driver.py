"""A stand-in for NVIDIA's driver: what `qwen_ui.gpus` asks of `pynvml`, answered from a list."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from qwen_ui import gpus

GIGABYTE = 10**9


class NVMLError(Exception):
    """What a card that lacks a sensor answers, as pynvml's."""


@dataclass
class FakeGpu:
    """A card as the driver tells of it."""

    uuid: str
    name: str = "NVIDIA GeForce RTX 4090"
    free: float = 23 * GIGABYTE
    total: float = 24 * GIGABYTE
    busy: int = 50
    celsius: float | None = 61
    watts: float | None = 250
    capability: tuple[int, int] = (8, 9)
    lost: bool = False
    parts: tuple[FakeGpu, ...] = ()


class FakeDriver:
    """The functions of `pynvml` that `qwen_ui.gpus` calls."""

    NVMLError = NVMLError
    NVML_TEMPERATURE_GPU = 0

    def __init__(self, *cards: FakeGpu) -> None:
        self.cards = cards

    def nvmlDeviceGetCount(self) -> int:
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> FakeGpu:
        return self.cards[index]

    def nvmlDeviceGetMigMode(self, card: FakeGpu) -> list[int]:
        return [int(bool(card.parts))] * 2

    def nvmlDeviceGetMaxMigDeviceCount(self, card: FakeGpu) -> int:
        return 7

    def nvmlDeviceGetMigDeviceHandleByIndex(self, card: FakeGpu, index: int) -> FakeGpu:
        if index >= len(card.parts):
            raise NVMLError("Not Found")
        return card.parts[index]

    def nvmlDeviceGetUUID(self, card: FakeGpu) -> str:
        if card.lost:
            raise NVMLError("GPU is lost")
        return card.uuid

    def nvmlDeviceGetName(self, card: FakeGpu) -> str:
        return card.name

    def nvmlDeviceGetMemoryInfo(self, card: FakeGpu) -> Any:
        return SimpleNamespace(
            total=int(card.total), free=int(card.free), used=int(card.total - card.free)
        )

    def nvmlDeviceGetCudaComputeCapability(self, card: FakeGpu) -> tuple[int, int]:
        return card.capability

    def nvmlDeviceGetUtilizationRates(self, card: FakeGpu) -> Any:
        return SimpleNamespace(gpu=card.busy, memory=0)

    def nvmlDeviceGetTemperature(self, card: FakeGpu, sensor: int) -> float:
        return _told(card.celsius)

    def nvmlDeviceGetPowerUsage(self, card: FakeGpu) -> float:
        return _told(card.watts) * 1000


def _told(value: float | None) -> float:
    if value is None:
        raise NVMLError("Not Supported")
    return value


def install(monkeypatch: pytest.MonkeyPatch, *cards: FakeGpu) -> FakeDriver:
    """Let this process find these cards, and no others."""
    fake = FakeDriver(*cards)
    monkeypatch.setattr(gpus, "driver", lambda: fake)
    monkeypatch.delenv(gpus.VISIBLE, raising=False)
    return fake
