resource "azurerm_virtual_machine_extension" "found" {
  name      = = "twice"
  publisher = "Contoso.Tools"
  type      = "Inventory"
  type_handler_version = "1.2.3"
}

locals {
  open = <<EOT
  nobody closes this
