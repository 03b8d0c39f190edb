"""Where work runs: accelerators through Fabric, tasks and cases in processes through joblib or on a Dask cluster."""
