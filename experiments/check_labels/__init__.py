"""Share of synthetic crystals in which spglib finds the labelled space group."""
