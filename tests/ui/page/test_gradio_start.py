"""What starting gradio leaves out is really left out, and comes when it is asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

LOOK = """
import json, sys
import qwen_ui.ui.page.app as page
from qwen_ui.ui.page.session import Session
from gradio.routes import App
made, make = [], App.create_app
App.create_app = staticmethod(lambda *a, **k: made.append(1) or make(*a, **k))
demo = page.build_app(Session())
built, early = len(made), "pandas.core" in sys.modules
demo.launch(prevent_thread_lock=True, quiet=True, **page.launch_options())
served = len(made)
demo.close()
import pandas, inspect
still = "pandas.core" in sys.modules
frame = pandas.DataFrame({"a": [1, 2]})
from pandas.io.formats.style import Styler
import pandas as again
print(json.dumps({"built": built, "served": served, "early": early, "still": still,
    "sum": int(frame.a.sum()), "real": again.__file__.endswith("__init__.py"),
    "same": again.DataFrame is pandas.DataFrame, "module": type(again).__name__}))
"""
AFTER = """
import pandas, sys
import qwen_ui.ui
print(type(sys.modules["pandas"]).__name__)
"""


def said(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip().splitlines()[-1]


def test_one_application_is_made_and_pandas_waits_until_it_is_used() -> None:
    found: dict[str, Any] = json.loads(said(LOOK))
    assert found == {
        "built": 0,
        "served": 1,
        "early": False,
        "still": False,
        "sum": 3,
        "real": True,
        "same": True,
        "module": "module",
    }


def test_a_module_that_is_loaded_stays() -> None:
    assert said(AFTER) == "module"


AT_ONCE = """
import sys, threading
import qwen_ui.ui.page.app
from qwen_ui.model import open_model
anatomy = open_model("nano")
assert "pandas.core" not in sys.modules
start, wrong = threading.Barrier(8), []
def draw():
    start.wait()
    try:
        from qwen_ui.ui.inspect.figures import parameter_treemap
        parameter_treemap(anatomy, dark=False)
    except Exception as error:
        wrong.append(repr(error))
threads = [threading.Thread(target=draw) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(wrong)
"""


def test_figures_are_drawn_by_many_threads_while_pandas_comes() -> None:
    assert said(AT_ONCE) == "[]"
