"""The command line: a thin skin over the functions that the pages call.

A file holds a command or two, each with the JSON record and the text that it prints. Nothing else
calls it. Importing it loads neither torch nor transformers: a command asks a room's face for what
needs them when it runs.
"""
