"""What other tools do with their settings: a file a tool, by the tool's own rule.

Called by `freeze.lint`, which reads their files, and `freeze.export`, which writes them and holds
what it wrote against the rule. Each file names the source that the rule was read in. No file is
touched and nothing of these tools is imported, but for the table of PEFT's default targets.
"""
