"""From a YAML file and `--set` options to one validated, complete, frozen `Config`."""
