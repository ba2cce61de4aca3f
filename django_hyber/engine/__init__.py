"""What happens in the background and to state. With ``services``, the only writer of a status."""
