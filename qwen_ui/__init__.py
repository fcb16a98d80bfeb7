"""Qwen UI: what do I train, what does it cost, and what do I get?"""

__version__ = "0.1.0"
