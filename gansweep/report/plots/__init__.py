"""The plots of a sweep or a search: computed first, then drawn."""
