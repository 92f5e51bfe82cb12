"""Run the jobs of a sweep, without torch: processes, slots on devices, retries, the live view."""
