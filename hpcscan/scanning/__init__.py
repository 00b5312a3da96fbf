"""The scan: the plan that cuts a grid into tasks, the tasks, and the waves that repair it."""
