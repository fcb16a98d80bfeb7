"""What a person sees."""

from qwen_ui.ui.page.gradio_start import import_later, leave_out_stubs

leave_out_stubs()
import_later("pandas")
