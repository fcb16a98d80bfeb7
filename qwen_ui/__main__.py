"""`python -m qwen_ui COMMAND`."""

from qwen_ui.cli import main

if __name__ == "__main__":
    main()
