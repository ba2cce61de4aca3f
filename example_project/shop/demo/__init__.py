"""The main job on real wires: a campaign through the admin, orders through signals, and the numbers that prove it."""
