"""Published methods that the league runs beside ours, each as its authors describe it."""
