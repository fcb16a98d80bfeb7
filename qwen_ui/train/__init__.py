"""What a run is: its settings, its folder, its process, and the engine."""
