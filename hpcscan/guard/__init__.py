"""What a model may do to a run, and what becomes of it: exceptions, time limits, broken promises."""
