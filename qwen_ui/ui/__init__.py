"""What a person sees."""

from qwen_ui.ui.quick_gradio import import_later, leave_out_stubs

leave_out_stubs()
import_later("pandas")
