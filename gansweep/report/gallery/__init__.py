"""The gallery: a page that opens from disk, its data, scripts and style."""
