image_version = "latest"
