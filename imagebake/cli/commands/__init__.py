"""The tasks of the tool itself: new, doctor, setup, test, generate, emulator."""
