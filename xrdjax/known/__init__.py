"""Known crystals: reading collections, splitting, selecting, varying them."""
