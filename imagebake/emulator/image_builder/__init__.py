"""Microsoft.VirtualMachineImages/imageTemplates, their runs and triggers."""

__all__ = [
    "builder",
]
