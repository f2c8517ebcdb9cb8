"""What stands between one call and its attempts: deadline, budget, pauses, rate and breaker."""
