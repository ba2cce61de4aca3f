"""The callbacks of the platform: delivery reports and replies."""
