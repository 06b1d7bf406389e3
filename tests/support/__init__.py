"""What several tests need: builders, fakes of the far side, real processes."""
