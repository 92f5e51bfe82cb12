"""This room writes the gallery: a page that opens from disk, with its data, scripts and style."""
