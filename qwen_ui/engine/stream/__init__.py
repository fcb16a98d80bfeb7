"""The frozen blocks run one after the other from the files, and never held together.

Each is read, runs over every sequence of the run, leaves its outputs where the next one finds them,
and is dropped; then the blocks that train, and what follows, are all there is in memory. Parts of
`engine`, used through its face alone.
"""
