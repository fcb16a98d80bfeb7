"""Start the dashboard from a checkout: `python app.py`, the same as `qwen-ui`. Entry of a Space."""

from qwen_ui.__main__ import main

if __name__ == "__main__":
    main()
