"""What a person sees."""

from qwen_ui.ui.quick_gradio import leave_out_stubs

leave_out_stubs()
