"""Local pages that show cases in the browser: server, shipped files, and the viewer of `glioforge view`."""
