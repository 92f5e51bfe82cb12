"""Running the jobs of a sweep: processes, slots on devices, retries, the live view. No torch."""
