"""Print messages, show progress bars and draw pictures in a terminal."""
