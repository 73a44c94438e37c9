"""Data sets as their publishers distribute them, and folders of sound, as clips. See docs/data.md."""
