"""The command line: a thin skin over the functions that the pages call."""
