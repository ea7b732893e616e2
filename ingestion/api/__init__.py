"""What machines send by HTTP: one feed's rows, by that feed's token."""
