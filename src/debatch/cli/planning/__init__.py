"""What jobs are still to be run, and what they would cost."""
