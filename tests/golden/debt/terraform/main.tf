terraform {
  required_providers {
    azurerm = { source = "hashicorp/azurerm", version = "~> 4.0" }
  }
}

locals {
  scripts = "https://files.example/${var.branch}"
  agents = {
    monitor = { publisher = "Microsoft.Azure.Monitor", type = "AzureMonitorLinuxAgent" }
    login   = { publisher = "Microsoft.Azure.ActiveDirectory", type = "AADSSHLoginForLinux" }
  }
}

resource "azurerm_linux_virtual_machine" "web" {
  name        = "web"
  custom_data = base64encode(templatefile("${path.module}/start.sh", { role = "web" }))

  source_image_reference {
    publisher = "Debian"
    offer     = "debian-12"
    sku       = "12-gen2"
    version   = var.image_version
  }
}

resource "azurerm_virtual_machine_extension" "script" {
  name                       = "script"
  virtual_machine_id         = azurerm_linux_virtual_machine.web.id
  publisher                  = "Microsoft.Azure.Extensions"
  type                       = "CustomScript"
  type_handler_version       = 2.1
  auto_upgrade_minor_version = true

  settings = <<SETTINGS
    {
      "fileUris": ["${local.scripts}/install.sh"],
      "port": ${var.port}
    }
  SETTINGS

  protected_settings = jsonencode({
    script = base64encode(<<-EOT
      #!/bin/sh
      apt-get update
      echo done
    EOT
    )
  })
}

resource "azurerm_virtual_machine_extension" "each" {
  for_each             = local.agents
  name                 = each.key
  virtual_machine_id   = azurerm_linux_virtual_machine.web.id
  publisher            = each.value.publisher
  type                 = each.value.type
  type_handler_version = "1.0"
}

resource "azurerm_linux_virtual_machine_scale_set" "fleet" {
  source_image_id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/gold/images/web/versions/1.2.3"

  extension {
    name                 = "health"
    publisher            = "Microsoft.ManagedServices"
    type                 = "ApplicationHealthLinux"
    type_handler_version = "2.0.29"
  }

  dynamic "extension" {
    for_each = var.extensions
    content {
      name                       = extension.value.name
      publisher                  = extension.value.publisher
      type                       = extension.value.type
      type_handler_version       = extension.value.version
      auto_upgrade_minor_version = false
    }
  }
}

resource "azapi_resource" "run" {
  type      = "Microsoft.Compute/virtualMachines/runCommands@2024-07-01"
  parent_id = azurerm_linux_virtual_machine.web.id
  body = {
    properties = {
      source = { scriptUri = "https://files.example/run.sh" }
    }
  }
}

resource "azurerm_resource_group_template_deployment" "old" {
  template_content = <<TEMPLATE
{
  "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
  "contentVersion": "1.0.0.0",
  "resources": [
    {
      "type": "Microsoft.Compute/virtualMachines/extensions",
      "apiVersion": "2024-07-01",
      "name": "web/network",
      "properties": {
        "publisher": "Microsoft.Azure.NetworkWatcher",
        "type": "NetworkWatcherAgentLinux",
        "typeHandlerVersion": "1.4",
        "autoUpgradeMinorVersion": false,
        "enableAutomaticUpgrade": false
      }
    }
  ]
}
TEMPLATE
}

module "agent" {
  source  = "./modules/agent"
  machine = azurerm_linux_virtual_machine.web.id
  type    = "AzureDiskEncryptionForLinux"
}

module "remote" {
  source  = "Azure/avm-res-compute-virtualmachine/azurerm"
  version = "0.19.0"
  extensions = {
    dsc = {
      publisher            = "Microsoft.Powershell"
      type                 = "DSC"
      type_handler_version = "2.83"
    }
  }
}
