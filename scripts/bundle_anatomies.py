"""Write the shipped models' anatomies to `assets/anatomies`, so that opening one needs no torch.

python -m scripts.bundle_anatomies
"""

from __future__ import annotations

from qwen_ui.model import preset_models
from qwen_ui.model.bundled import FOLDER, write_anatomy
from qwen_ui.model.opening import build_anatomy


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in preset_models():
        file = write_anatomy(name, build_anatomy(name))
        print(f"{file.name}: {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
