"""What keeps an installation running: backups, the doctor, health, metrics, alerts."""
