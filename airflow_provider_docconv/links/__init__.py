"""Links of the tasks."""
