"""Where work runs: accelerators through Fabric, many cases through joblib."""
