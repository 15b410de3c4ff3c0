"""The dashboard: one HTML page over gallery, rollouts, heartbeats and drills."""
