"""Where the platform calls us: delivery reports and replies."""
