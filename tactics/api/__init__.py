"""Reports for machines and signed-in people."""
