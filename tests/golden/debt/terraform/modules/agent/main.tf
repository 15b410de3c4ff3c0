variable "machine" {}
variable "type" {}

resource "azurerm_virtual_machine_extension" "this" {
  name                 = "agent"
  virtual_machine_id   = var.machine
  publisher            = "Microsoft.Azure.Security"
  type                 = var.type
  type_handler_version = "1.1.0.51"
}
