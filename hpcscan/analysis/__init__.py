"""What a scan means: its statistics, landscape, freedom and confidence, and how two scans compare."""
