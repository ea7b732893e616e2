"""Reports: one reading of the database each, shown as page, files, chart, API answer and e-mail alike."""
