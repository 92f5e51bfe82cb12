"""The screen: one console for all messages, progress bars, pictures in a terminal."""
