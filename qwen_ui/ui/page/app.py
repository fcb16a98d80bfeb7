"""The dashboard: a header and five tabs."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from qwen_ui.ui.page import header as page_header
from qwen_ui.ui.page.access import AccessControl
from qwen_ui.ui.page.gradio_start import one_application
from qwen_ui.ui.page.guides import guides_route
from qwen_ui.ui.page.index_page import IndexPage
from qwen_ui.ui.page.modules import read_modules, styles
from qwen_ui.ui.page.next_steps import build_next_steps
from qwen_ui.ui.page.serving import Serving
from qwen_ui.ui.page.session import Session
from qwen_ui.ui.page.visitors import Visitors, enter_every_event

TITLE = "Qwen UI"
MAX_UPLOAD = "64mb"


def build_app(session: Session) -> gr.Blocks:
    """The page, not yet served."""
    options: dict[str, Any] = {"fill_width": True, "analytics_enabled": False}
    if session.limits is not None:
        # gradio clears its own copies of uploads away: seconds between looks, and their age.
        options["delete_cache"] = (600, int(session.limits.kept_seconds))
    with one_application(), gr.Blocks(title=TITLE, **options) as demo:
        header = page_header.build(session)
        with gr.Tabs(elem_id="q-tabs", overflow_behavior="wrap"):
            for label, module in tabs():
                with gr.Tab(label, id=label.lower(), elem_id=f"q-tab-{label.lower()}"):
                    module.wire(module.build(session), header, session)
                    if label == "Freeze":
                        build_next_steps()
        page_header.wire(header, demo, session)
        import_module("qwen_ui.ui.programs").offer_functions(session)
    if session.limits is not None:
        enter_every_event(demo)
    return demo


def tabs() -> tuple[tuple[str, Any], ...]:
    """The tabs in their order: label and module."""
    names = ("inspect", "freeze", "train", "runs", "compare")
    homes = {name: f"qwen_ui.ui.{name}.tab" for name in names}
    return tuple(
        (name.capitalize(), import_module(home))
        for name, home in homes.items()
        if find_spec(home) is not None
    )


def theme() -> gr.themes.Base:
    """System fonts and neutral greys: nothing is fetched from outside, and one accent is left."""
    fonts = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
    return gr.themes.Base(
        primary_hue=gr.themes.colors.orange,
        neutral_hue=gr.themes.colors.slate,
        font=fonts,
        font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "monospace"],
        radius_size=gr.themes.sizes.radius_sm,
        text_size=gr.themes.sizes.text_md,
    ).set(
        color_accent="var(--q-accent)",
        body_background_fill="var(--q-surface)",
        body_background_fill_dark="var(--q-surface)",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_shadow="none",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_label_border_width="0px",
        block_label_text_color="var(--q-muted)",
        block_label_text_color_dark="var(--q-muted)",
        block_info_text_color="var(--q-muted)",
        block_info_text_color_dark="var(--q-muted)",
        input_background_fill="var(--q-raised)",
        input_background_fill_dark="var(--q-raised)",
        block_title_text_color="var(--q-muted)",
        block_title_text_color_dark="var(--q-muted)",
        block_title_text_size="*text_sm",
        button_large_radius="6px",
        button_medium_radius="6px",
        button_small_radius="6px",
        # A box that is not ticked is seen as one on both grounds.
        checkbox_background_color_dark="var(--q-surface)",
        checkbox_border_color="var(--q-frozen)",
        checkbox_border_color_dark="var(--q-frozen)",
        checkbox_border_width="1.5px",
        checkbox_label_border_width="1px",
        input_border_width="1px",
        input_padding="8px 10px",
        input_radius="6px",
        input_border_color="var(--q-line)",
        input_border_color_dark="var(--q-line)",
        button_primary_background_fill="var(--q-accent)",
        button_primary_background_fill_dark="var(--q-accent)",
        button_primary_background_fill_hover="var(--q-accent-strong)",
        button_primary_background_fill_hover_dark="var(--q-accent-strong)",
        button_primary_border_color="var(--q-accent)",
        button_primary_border_color_dark="var(--q-accent)",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#1b120c",
        button_secondary_background_fill="var(--q-raised)",
        button_secondary_background_fill_dark="var(--q-raised)",
        button_secondary_border_color="var(--q-line)",
        button_secondary_border_color_dark="var(--q-line)",
    )


def launch_options(serving: Serving) -> dict[str, Any]:
    """What gradio's `launch` is given: no share link, nothing loaded from outside."""
    modules = read_modules()
    limits = serving.limits
    visitors = []
    if limits is not None:
        visitors = [Middleware(Visitors, limits, bool(serving.policy.framed_by))]
    return {
        "theme": theme(),
        "css": styles(),
        "app_kwargs": {
            "middleware": [
                Middleware(AccessControl, serving.policy),
                *visitors,
                Middleware(IndexPage, modules.additions, serving.policy),
            ],
            "routes": [modules.route, guides_route()],
        },
        "server_name": serving.address,
        "auth": serving.login,
        "share": False,
        "ssr_mode": False,
        # By the environment it could be turned on without a word.
        "mcp_server": serving.policy.mcp,
        "max_file_size": MAX_UPLOAD if limits is None else limits.upload_bytes,
        "footer_links": [],
        "show_error": False,
        "run_history": False,
    }
