variable "branch" {
  type    = string
  default = "main"
}

variable "image_version" {
  type    = string
  default = "0.20260914.2237"
}

variable "port" {
  type = number
}

variable "extensions" {
  type = list(object({ name = string, publisher = string, type = string, version = string }))
}
