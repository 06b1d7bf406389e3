"""What Rum does, told as tests."""
