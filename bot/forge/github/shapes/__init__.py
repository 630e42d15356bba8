"""State as GitHub's JSON: one module per noun, every function a pure reading of the state."""
