"""The pages: a shell, and a folder per tab.

Called by `qwen_ui/__main__.py`. A handler asks the rooms before it and holds no arithmetic; slow
libraries are imported inside handlers, so that the page is drawn before they are loaded.
"""

from qwen_ui.ui.page.gradio_start import leave_out_stubs

leave_out_stubs()
