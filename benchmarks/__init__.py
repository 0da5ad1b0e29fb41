"""Measures what a night costs: time, memory, calls and worker slots, and what a lost worker does to it."""
