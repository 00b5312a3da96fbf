"""The scan: the grid, the plan that cuts it into tasks, the unit of work, and the surface that results from it."""
