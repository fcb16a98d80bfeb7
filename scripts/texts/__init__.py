"""How `scripts/page_texts.py` finds texts in sources, and looks them up."""
