"""How good generated copy is: the bars of docs/generation.md, measured over sources that nothing was tuned on.

What is measured here is counted anew from the creative as partners see it, the source and the brand, not by the gate.
"""
