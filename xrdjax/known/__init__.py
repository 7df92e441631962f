"""Known crystals: collections, their analyses, splits, selection and variations."""
