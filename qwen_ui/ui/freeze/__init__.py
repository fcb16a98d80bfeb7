"""The Freeze tab."""
