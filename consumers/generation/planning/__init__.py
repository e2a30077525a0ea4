"""Planning: a Blueprint becomes one VariationBrief a variation. Shared by every realiser, so fidelity needs no luck."""
