"""What starting gradio leaves out is really left out."""

from __future__ import annotations

import json
import subprocess
import sys

LOOK = """
import json, sys
import qwen_ui.ui.page.app as page
from qwen_ui.ui.page.session import Session
from gradio.routes import App
made, make = [], App.create_app
def make_and_count(*arguments, **named):
    made.append(1)
    return make(*arguments, **named)
App.create_app = staticmethod(make_and_count)
demo = page.build_app(Session())
built = len(made)
slow = [name for name in ("torch", "transformers", "plotly") if name in sys.modules]
demo.launch(prevent_thread_lock=True, quiet=True, **page.launch_options(page.Serving()))
served = len(made)
demo.close()
print(json.dumps({"built": built, "served": served, "slow": slow}))
"""


def test_one_application_is_made_and_no_slow_library_is_loaded_for_it() -> None:
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == {"built": 0, "served": 1, "slow": []}
