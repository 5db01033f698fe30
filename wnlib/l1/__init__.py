"""What the limits approach: the smallest l1 norm of a solution, with its certificate."""
