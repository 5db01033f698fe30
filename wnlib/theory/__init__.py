"""What the theorems say, as functions: invariants and bounds. They know no road."""
